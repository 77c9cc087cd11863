"""What the values of a column may be: how each type is recognized in text, and read."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

import polars as pl

from churnlib.raw.cells import BLANKS
from churnlib.raw.flags import FALSE, TRUE, flag_of
from churnlib.raw.times import time_of
from churnlib.schemas.reading import Reading
from churnlib.settings.data import NULL_VALUES

Type = Literal["flag", "whole", "number", "time", "month", "text", "nested"]
"""The type of the values of a column; days are times at midnight."""

NULL_WORDS = ("NA", "N/A", "n/a", "#N/A", "na", "-", "--", "?", "(null)", "nil", "none", "NONE")
"""Text that means null among numbers and days, although no setting says so."""
NO_DAYS = (
    *("0000-00-00", "0001-01-01", "1753-01-01", "1800-01-01", "1899-12-30", "1900-01-01"),
    *("2999-12-31", "9999-12-31"),
)
"""Days that mean "no date"."""

_DAYS = (
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d"),
    *("%Y%m%d", "%d.%m.%y", "%m/%d/%y", "%d/%m/%y", "%d %b %Y", "%d-%b-%Y"),
    *("%b %d, %Y", "%B %d, %Y", "%d %B %Y"),
)
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S")
DATE_FORMATS = tuple(day + clock for day in _DAYS for clock in _CLOCKS)
"""The formats of days and times, besides that of ISO 8601, that are recognized; of two that fit,
the first is taken."""
YEARS = (date(1900, 1, 1), date(2200, 12, 31))


@dataclass(frozen=True)
class Reader:
    """How the values of a column are read.

    Attributes:
        type: Their type.
        date_format: The format of times in text; None for ISO 8601.
        decimal: The decimal mark.
    """

    type: Type
    date_format: str | None = None
    decimal: str = "."

    def cell(self, name: str, dtype: pl.DataType) -> pl.Expr:
        """The cells of a column, null where they mean it."""
        value = pl.col(name)
        if isinstance(dtype, pl.Categorical | pl.Enum):
            value = value.cast(pl.String)
        elif dtype != pl.String:
            return value.fill_nan(None) if dtype.is_float() else value
        words = ["", *NULL_VALUES]
        if self.type in ("number", "whole", "time"):
            words += NULL_WORDS
        if self.type == "time":
            words += NO_DAYS
        text = value.str.strip_chars(BLANKS)
        return pl.when(~text.is_in(words)).then(text)

    def values(self, cell: pl.Expr, dtype: pl.DataType) -> pl.Expr:
        """The values of cells; null where a cell is not of the type."""
        is_text = dtype in (pl.String, pl.Categorical, pl.Enum)
        if self.type == "flag":
            return flag_of(cell, pl.String() if is_text else dtype)
        if self.type == "whole":
            return cell.cast(pl.Int64, strict=False)
        if self.type == "number":
            return _number(cell, self.decimal) if is_text else cell.cast(pl.Float64)
        if self.type == "time":
            source = pl.String() if is_text else dtype
            time = time_of(cell, source, Reading(date_format=self.date_format))
            return pl.when(time.dt.date().is_between(*YEARS)).then(time)
        return cell.cast(pl.String) if self.type != "nested" else pl.lit(None, pl.String)


TEXT, TIME = Reader("text"), Reader("time", "")
"""Text, and times of any format."""


def readers_of(dtype: pl.DataType, sample: pl.Series) -> Iterator[Reader]:
    """The ways in which a column may be read, the most special first.

    Args:
        dtype: The type of its values in the file.
        sample: Different values of it.
    """
    if dtype == pl.Boolean:
        yield Reader("flag")
    elif dtype.is_integer():
        yield Reader("whole")
    elif dtype.is_numeric():
        yield Reader("number")
    elif dtype in (pl.Date, pl.Datetime):
        yield Reader("time")
    elif dtype.is_nested() or dtype in (pl.Binary, pl.Object, pl.Duration, pl.Time):
        yield Reader("nested")
    else:
        yield Reader("flag")
        if fits(TIME, sample):
            yield from (Reader("time", each) for each in DATE_FORMATS if each.startswith("%Y%m%d"))
        yield from (Reader("whole"), Reader("number"), Reader("number", decimal=","))
        if fits(TIME, sample):
            yield Reader("time")
            yield from (Reader("time", each) for each in DATE_FORMATS)
        yield from (Reader("month"), TEXT)


def fits(reader: Reader, sample: pl.Series, faults: float = 0.0) -> bool:
    """Whether all values of a sample are of a type.

    Args:
        reader: How they are read.
        sample: Different values, some of which may mean null.
        faults: The share of the values that need not be of the type.
    """
    frame, name = sample.to_frame("value"), "value"
    cells = frame.select(reader.cell(name, sample.dtype)).to_series().drop_nulls()
    if cells.is_empty():
        return False
    if reader.type == "flag" and cells.dtype == pl.String:
        words = {word.lower() for word in cells}
        has_both = words & {*TRUE} and words & {*FALSE}
        return bool(has_both) and words <= {*TRUE, *FALSE} and not words <= {"0", "1"}
    pattern = _pattern(reader) if cells.dtype == pl.String else ""
    if pattern and int(cells.str.contains(pattern).sum()) < (1 - faults) * len(cells):
        return False
    if reader in (TIME, Reader("month")):
        return cells.dtype == pl.String
    values = cells.to_frame(name).select(reader.values(pl.col(name), sample.dtype))
    return values.to_series().null_count() <= faults * len(cells)


def _pattern(reader: Reader) -> str:
    """What text of a type looks like, so that ids and numbers are not taken for days."""
    if reader == TIME:
        return r"^\w*[ .,/-]*(\w+[ .,/-]+\w*\d|\d{8})[\w.:, /+-]*$"
    if reader.type == "time" and (reader.date_format or "").startswith("%Y%m%d"):
        return r"^(19|20|21)\d{6}\b"
    if reader.type == "month":
        return r"^(19|20)\d\d[-/.](0?[1-9]|1[0-2])$"
    if reader.type == "number":  # Not an id such as 007.
        return r"^[+-]?(0|[1-9]\d*)?([.,]\d*)?([eE][+-]?\d+)?$"
    return r"^[+-]?(0|[1-9]\d{0,17})$" if reader.type == "whole" else ""


def _number(text: pl.Expr, decimal: str) -> pl.Expr:
    if decimal != ".":
        has_point = text.str.contains(".", literal=True)
        text = pl.when(~has_point).then(text.str.replace(decimal, ".", literal=True))
    number = text.cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number)
