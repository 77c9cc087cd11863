"""The cells of raw tables: text is trimmed, and some values mean null."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import date
from math import isnan

import polars as pl

from churnlib.schemas.spec import TableSpec

BLANKS = "\t \u00a0\u1680\u202f\u205f\u2060\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200C)))
"""The blanks that are trimmed, also those without a break or width; line breaks are not."""


def cleaned(
    value: pl.Expr, dtype: pl.DataType, spec: TableSpec, *, is_trimmed: bool = False
) -> pl.Expr:
    """Trims text, and replaces the values that mean null.

    Args:
        value: A column.
        dtype: Its type. Numbers are null if their text would be, and so are days.
        spec: The raw table's record.
        is_trimmed: Whether text has no blanks at its ends.
    """
    if dtype == pl.String:
        text = value if is_trimmed else value.str.strip_chars(BLANKS)
        return pl.when(~text.is_in(_words(spec))).then(text)
    if dtype.is_numeric():
        numbers = _numbers(spec)
        if dtype.is_float() and any(map(isnan, numbers)):
            value = value.fill_nan(None)
        exact = [number for number in numbers if not isnan(number)]
        return pl.when(~value.cast(pl.Float64).is_in(exact)).then(value) if exact else value
    if dtype in (pl.Date, pl.Datetime) and spec.no_date:
        return pl.when(~value.dt.date().is_in(list(days_of(spec.no_date)))).then(value)
    return value


def values_among_nulls(spec: TableSpec) -> list[str]:
    """The text that means null and that a parser would take for a number or a day."""
    return [word for word in _words(spec) if any(map(str.isdigit, word))]


def _words(spec: TableSpec) -> list[str]:
    """The text that means null, trimmed as the cells are."""
    return list(dict.fromkeys(("", *(word.strip(BLANKS) for word in spec.null_values))))


def _numbers(spec: TableSpec) -> list[float]:
    numbers = []
    for word in spec.null_values:
        with suppress(ValueError):
            numbers.append(float(word))
    return numbers


def days_of(texts: Iterable[str]) -> Iterable[date]:
    """The days that texts name; others, such as 0000-00-00, are left out."""
    for text in texts:
        with suppress(ValueError):
            yield date.fromisoformat(text)
