"""What a dataset was made of: kept in its footer, handed on to what is made of it."""

import json
from collections.abc import Mapping
from typing import Any

from churnlib.datasets import RAW_TABLES, DatasetRef
from churnlib.errors import DataError
from churnlib.storage import read_metadata

TABLES = "tables"
FAULTS = "faults"


def faults_metadata(quarantined: int, odd: Mapping[str, int]) -> dict[str, str]:
    """What a checked table's footer says of its checks.

    Args:
        quarantined: Rows set apart.
        odd: Rows that show an odd fact, by fact.
    """
    return {FAULTS: json.dumps({"quarantined": quarantined, "odd": odd}, sort_keys=True)}


def tables_behind(*sources: DatasetRef) -> dict[str, dict[str, Any]]:
    """Tells which checked tables some datasets were made of, or are.

    Returns:
        By table, its `fingerprint` and `rows`, and from its checks `quarantined` and `odd`.

    Raises:
        DataError: A checked table does not tell of its checks; something else wrote it.
    """
    tables: dict[str, dict[str, Any]] = {}
    for source in sources:
        if source.name in RAW_TABLES:
            own = {"fingerprint": source.fingerprint, "rows": source.rows, **fact(source, FAULTS)}
            tables[source.name] = own
        else:
            tables |= json.loads(read_metadata(source).get(TABLES, "{}"))
    return tables


def metadata_of(*sources: DatasetRef, **facts: Any) -> dict[str, str]:
    """Makes the footer of a dataset from what it is made of, and facts about the whole."""
    tables = json.dumps(tables_behind(*sources), sort_keys=True)
    return {TABLES: tables, **{name: json.dumps(v, default=str) for name, v in facts.items()}}


def fact(source: DatasetRef, name: str) -> Any:
    """Reads a fact about the whole of a dataset.

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
