"""The files of a raw table: one file, a folder of parts, or those that match a pattern."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from churnlib.errors import DataError
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.raw_files import PARQUET, compression_of, format_of, is_csv_name
from churnlib.io.storage import is_folder, list_files
from churnlib.uris import folder_of, is_pattern, name_of, split_pattern

NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""How the folder of a partition names null."""
_PARTITION = re.compile(r"([^=/]+)=([^/]*)")


@dataclass(frozen=True)
class Part:
    """A file of a raw table.

    Attributes:
        game: The game.
        table: The table.
        uri: The file.
        name: Its name in messages: that of the file, or its path from the table's folder on.
        values: The values of the columns that the folders of a partition name, as text.
        file: Where its content can be read: `uri`, or its plain text; see
            `churnlib.raw.plain_text`.
    """

    game: str
    table: str
    uri: str
    name: str
    values: Mapping[str, str | None] = field(default_factory=dict)
    file: str = ""

    def __post_init__(self) -> None:
        """Reads the file itself unless told otherwise."""
        object.__setattr__(self, "file", self.file or self.uri)

    @property
    def is_csv(self) -> bool:
        """Whether it is a CSV file, by its name."""
        return is_csv_name(self.uri)

    @property
    def compression(self) -> str | None:
        """What compressed it, by its name; None if nothing did."""
        return compression_of(self.uri)

    @property
    def label(self) -> str:
        """The game and the file, for messages."""
        return f"{self.game}: {self.name}"


def has_parts(source: Dataset | DatasetRef) -> bool:
    """Whether a raw table may have several files: a folder, or a pattern."""
    if is_pattern(source.uri):
        return True
    return not is_csv_name(source.uri) and is_folder(source.uri)


def is_csv(source: Dataset | DatasetRef) -> bool:
    """Whether a raw table is of CSV files, by their names."""
    return parts_of(source)[0].is_csv


def table_name(source: Dataset | DatasetRef) -> str:
    """The name of a file, folder or pattern in messages.

    >>> table_name(Dataset("logins", "hawk", "/data/01_raw/hawk/logins/*.csv.gz"))
    'logins/*.csv.gz'
    """
    if not is_pattern(source.uri):
        return name_of(source.uri)
    folder = split_pattern(source.uri)[0]
    return source.uri.removeprefix(folder_of(folder)).lstrip("/")


def parts_of(source: Dataset | DatasetRef) -> list[Part]:
    """Lists the files of a raw table, in the order of their names.

    In a folder, files and folders whose names begin with a dot or an underscore are left out, as
    other readers do: `_SUCCESS`, unfinished parts, checksums.

    Raises:
        DataError: There are no parts, or they are not all of one format.
    """
    game, table = source.game, source.name
    if not has_parts(source):
        return [Part(game, table, source.uri, name_of(source.uri))]
    what = f"{game}: {source.uri}"
    files = [
        entry
        for entry in list_files(source.uri)
        if not any(name[:1] in "._" for name in entry.name.split("/"))
    ]
    if not files:
        raise DataError(
            f"{what} has no parts: no file that is CSV or Parquet. Put the parts there."
        )
    kinds = {file.name: format_of(file.name) for file in files}
    first, kind = next(iter(kinds.items()))
    if odd := next((name for name, each in kinds.items() if each is None), None):
        raise DataError(
            f"{what} must have parts of CSV or Parquet, but {odd} is not one. Remove it, or name "
            f"it {PARQUET} or .csv if it is one."
        )
    if other := next((name for name, each in kinds.items() if each != kind), None):
        raise DataError(
            f"{what} has parts of two formats, {first} and {other}. Remove or convert those of one."
        )
    where = source.uri if not is_pattern(source.uri) else split_pattern(source.uri)[0]
    folder = name_of(where)
    return [
        Part(game, table, file.uri, f"{folder}/{file.name}", _partition(file.name))
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
