"""The files of a raw table: one file, or a folder of Parquet parts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from churnlib.errors import DataError
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.storage import is_folder, list_files
from churnlib.uris import name_of

SUFFIX = ".parquet"
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""How the folder of a partition names null."""
_PARTITION = re.compile(r"([^=/]+)=([^/]*)")


@dataclass(frozen=True)
class Part:
    """A file of a raw table.

    Attributes:
        game: The game.
        uri: The file.
        name: Its name in messages: that of the file, or its path from the table's folder on.
        values: The values of the columns that the folders of a partition name, as text.
    """

    game: str
    uri: str
    name: str
    values: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def is_csv(self) -> bool:
        """Whether it is a CSV file, by its suffix."""
        return self.uri.endswith(".csv")


def parts_of(source: Dataset | DatasetRef) -> list[Part]:
    """Lists the files of a raw table, in the order of their names.

    In a folder, files and folders whose names begin with a dot or an underscore are left out, as
    other readers do: `_SUCCESS`, unfinished parts, checksums.

    Raises:
        DataError: A folder has no Parquet parts, or other files beside them.
    """
    if source.uri.endswith(".csv") or not is_folder(source.uri):
        return [Part(source.game, source.uri, name_of(source.uri))]
    what, folder = f"{source.game}: {source.uri}", name_of(source.uri)
    files = [
        entry
        for entry in list_files(source.uri)
        if not any(name[:1] in "._" for name in entry.name.split("/"))
    ]
    if other := next((file for file in files if not file.name.endswith(SUFFIX)), None):
        raise DataError(
            f"{what} is a folder of Parquet parts, but {other.name} is not one. Remove it, or name "
            f"it {SUFFIX} if it is one."
        )
    if not files:
        raise DataError(f"{what} is a folder without Parquet parts. Put the parts there.")
    return [
        Part(source.game, file.uri, f"{folder}/{file.name}", _partition(file.name))
        for file in files
    ]


def _partition(name: str) -> dict[str, str | None]:
    """The values in the names of a part's folders, such as `month=2024-01-01`."""
    pairs = (_PARTITION.fullmatch(folder) for folder in name.split("/")[:-1])
    return {
        unquote(pair[1]): None if pair[2] == NO_VALUE else unquote(pair[2])
        for pair in pairs
        if pair
    }
