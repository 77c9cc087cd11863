"""How the files of a raw table are read: the names of their columns, and how they write values."""

import codecs
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import polars as pl

from churnlib.settings.tables import TableSettings

FillValue = str | bool | float
UTF_8 = ("utf-8", "utf-8-sig", "ascii")
"""The encodings that need no conversion."""
_TIME_PART = re.compile(r"[T\s]*%[HITRp]")
"""Where the time of day begins in a format of times."""
_ZONE = re.compile(r"\s*%z$")


@dataclass(frozen=True)
class Reading:
    """How the files of a raw table are read.

    Attributes:
        rename: The names of columns, by those that they have in the files.
        fill: The values that replace null, by column.
        separator: The character between the values of a CSV file.
        decimal: The decimal mark of numbers in text.
        encoding: The encoding of a CSV file.
        date_format: How text writes days and times, as for `strptime`; if None, as ISO 8601.
        time_zone: The time zone of which times with a zone are given. If None, each keeps its own.
    """

    rename: Mapping[str, str] = field(default_factory=dict)
    fill: Mapping[str, FillValue] = field(default_factory=dict)
    separator: str = ","
    decimal: str = "."
    encoding: str = "utf-8"
    date_format: str | None = None
    time_zone: str | None = None

    @classmethod
    def of(cls, settings: TableSettings) -> "Reading":
        """The reading that the settings of a table describe."""
        return cls(**{name: getattr(settings, name) for name in cls.__dataclass_fields__})

    def __hash__(self) -> int:
        """Hashes what it says, so that what is derived from it can be cached."""
        return hash((tuple(self.rename.items()), tuple(self.fill.items()), self.date_format))

    def in_file(self, name: str) -> str:
        """The name that a column has in the files."""
        return next((theirs for theirs, ours in self.rename.items() if ours == name), name)

    def names(self, in_file: Sequence[str]) -> list[str]:
        """The names of columns, given those in a file."""
        return [self.rename.get(name, name) for name in in_file]

    @property
    def is_utf_8(self) -> bool:
        """Whether a CSV file is UTF-8 text."""
        return codecs.lookup(self.encoding).name in UTF_8

    @property
    def has_zones(self) -> bool:
        """Whether the format of dates has a time zone, at its end."""
        return self.date_format is not None and _ZONE.search(self.date_format) is not None

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats of a text without its zone, as Polars writes them: of a time, and of a day.

        >>> Reading(date_format="%d.%m.%Y %H:%M:%S.%f %z").formats
        ('%d.%m.%Y %H:%M:%S%.f', '%d.%m.%Y')
        >>> Reading().formats
        ()
        """
        if self.date_format is None:
            return ()
        whole = _ZONE.sub("", self.date_format).replace(".%f", "%.f")
        begins = _TIME_PART.search(whole)
        return (whole, whole[: begins.start()]) if begins and begins.start() else (whole,)


PLAIN = Reading()
"""The reading of files that need no settings."""


def fill_value(value: FillValue, dtype: pl.DataType) -> Any:
    """Converts a value that replaces null to the type of its column.

    Raises:
        ValueError: It is of another type.

    >>> fill_value("2024-12-31", pl.Date()), fill_value(0.0, pl.Int64())
    (datetime.date(2024, 12, 31), 0)
    """
    if dtype == pl.String and isinstance(value, str):
        return value
    if dtype == pl.Boolean and isinstance(value, bool):
        return value
    if dtype.is_numeric() and isinstance(value, int | float) and not isinstance(value, bool):
        if not dtype.is_integer():
            return float(value)
        if value == int(value):
            return int(value)
    if dtype == pl.Date and isinstance(value, str):
        return date.fromisoformat(value)
    if isinstance(dtype, pl.Datetime) and isinstance(value, str):
        return datetime.fromisoformat(value)
    raise ValueError(f"{value!r} is not of type {dtype}")
