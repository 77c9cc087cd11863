"""Facts about a whole dataset, in the footer of its Parquet file."""

import json
from typing import Any

from churnlib.errors import DataError
from churnlib.io.datasets import REBUILD, Dataset, DatasetRef, file_of, read_error
from churnlib.io.storage import reader_options

SHAPES: dict[str, type] = {
    "as_of": str,
    "made_of": dict,
    "model_version": str,
    "newest": dict,
    "warnings": list,
    "window": list,
}
"""The types of facts that several flows read, unless they are null."""


def footer(**facts: Any) -> dict[str, str]:
    """Encodes facts about a whole dataset for its footer.

    The footer is part of the content that the fingerprint identifies, so facts that do not follow
    from the rows, such as the dataset's sources, belong in a file beside it.

    Args:
        facts: Plain data and days, by name.
    """
    return {name: json.dumps(value, default=str) for name, value in facts.items()}


def read_metadata(source: Dataset | DatasetRef) -> dict[str, str]:
    """Reads the footer that `write_parquet` wrote.

    Raises:
        DataError: The file is missing, or is not a Parquet file.
    """
    import polars as pl

    try:
        metadata = pl.read_parquet_metadata(file_of(source), **reader_options(source.uri))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise read_error(source, error) from None
    return {key: value for key, value in metadata.items() if not key.startswith("ARROW:")}


def fact(source: Dataset | DatasetRef, name: str) -> Any:
    """Reads a fact from the footer of a dataset; see `facts`."""
    return facts(source, name)[0]


def facts(source: Dataset | DatasetRef, *names: str) -> list[Any]:
    """Reads facts from the footer of a dataset, at once; days are returned as text.

    Raises:
        DataError: The footer does not contain one: another program or version wrote the file.
    """
    metadata = read_metadata(source)
    for name in names:
        if name not in metadata:
            raise DataError(
                f"{source.game}: the footer of {source.uri} does not contain '{name}', so it was "
                f"not written by this version. {REBUILD}"
            )
    return [_fact(source, name, metadata[name]) for name in names]


def optional_fact(source: Dataset | DatasetRef, name: str) -> Any:
    """Reads a fact that earlier versions did not write; None where the footer does not have it."""
    return optional_facts(source, name)[name]


def optional_facts(source: Dataset | DatasetRef, *names: str) -> dict[str, Any]:
    """Reads facts by name, at once; see `optional_fact`."""
    metadata = read_metadata(source)
    return {name: _fact(source, name, metadata.get(name, "null")) for name in names}


def _fact(source: Dataset | DatasetRef, name: str, text: str) -> Any:
    try:
        value = json.loads(text)
        if value is not None and not isinstance(value, SHAPES.get(name, object)):
            raise TypeError
        return value
    except (ValueError, TypeError, RecursionError):
        raise DataError(
            f"{source.game}: '{name}' in the footer of {source.uri} cannot be read: it is damaged, "
            f"or of another program. {REBUILD}"
        ) from None
