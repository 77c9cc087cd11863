"""Facts about the whole of a dataset, kept in its footer."""

import json
from typing import Any

from churnlib.datasets import DatasetRef
from churnlib.errors import DataError
from churnlib.storage import read_metadata


def footer(**facts: Any) -> dict[str, str]:
    """Makes the footer of a dataset.

    What is not made of the rows alone belongs elsewhere: the footer is part of the content, so a
    change in it counts as one of the data. What a dataset was made of lies in a file beside it.

    Args:
        facts: Facts about the whole, by name; plain data and days.
    """
    return {name: json.dumps(value, default=str) for name, value in facts.items()}


def fact(source: DatasetRef, name: str) -> Any:
    """Reads a fact about the whole of a dataset; days come as text.

    Raises:
        DataError: Its footer does not tell; something else wrote the file.
    """
    metadata = read_metadata(source)
    if name not in metadata:
        raise DataError(
            f"{source.game}: {source.uri} does not tell its {name}, so it was not written by this "
            "version. Build it again."
        )
    return json.loads(metadata[name])


def known_fact(source: DatasetRef, name: str) -> Any:
    """Reads a fact that earlier versions did not tell; null where the footer does not."""
    return json.loads(read_metadata(source).get(name, "null"))
