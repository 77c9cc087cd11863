"""Checks of arguments, before anything is computed from them."""

from collections.abc import Iterable
from datetime import date
from typing import Any

import polars as pl

from churnlib.argument_checks import check_type
from churnlib.errors import DataError, closest
from churnlib.schemas.columns import LABEL

SHOWN = 3
"""Number of invalid values that a message shows."""


def as_frame(rows: pl.DataFrame | pl.LazyFrame, what: str) -> pl.DataFrame:
    """Returns an eager frame unchanged, and collects a lazy one.

    Args:
        rows: The frame.
        what: Its name in messages.

    Raises:
        DataError: It is not a Polars frame.
    """
    check_type(rows, (pl.DataFrame, pl.LazyFrame), what)
    return rows.collect() if isinstance(rows, pl.LazyFrame) else rows


def require(columns: Iterable[str], required: Iterable[str], what: str) -> None:
    """Refuses rows without a required column.

    Args:
        columns: The columns of the rows.
        required: The required columns.
        what: The rows' name in messages.

    Raises:
        DataError: Names the first missing column, and the closest that exists.
    """
    known = list(columns)
    for column in required:
        if column not in known:
            raise DataError(f"{what} lack the column '{column}'. {closest(str(column), known)}")


def check_labels(labels: pl.Series) -> None:
    """Refuses labels other than 0, 1 and null.

    Raises:
        DataError: Shows some of the others.
    """
    known = labels.drop_nulls()
    is_valid = known.is_empty() or known.dtype == pl.Boolean
    if not is_valid and known.dtype.is_numeric():
        known = known.filter(~known.is_in([0, 1]))
        is_valid = known.is_empty()
    if not is_valid:
        raise DataError(
            f"the column '{LABEL}' must be 0, 1, or null if the label is not yet available; "
            f"it has {_examples(known)}."
        )


def check_whole(rows: pl.DataFrame, *names: str) -> None:
    """Refuses nulls in those of the named columns that exist.

    Raises:
        DataError: Names the column, and counts the nulls.
    """
    for name in names:
        if name in rows.columns and (nulls := rows[name].null_count()):
            raise DataError(
                f"the column '{name}' must not be null; {nulls:,} of {len(rows):,} rows are null."
            )


def check_flags(rows: pl.DataFrame, name: str) -> None:
    """Refuses a column that is not boolean, or has nulls.

    Raises:
        DataError: Names the column and its type.
    """
    if rows.schema[name] != pl.Boolean and not rows.is_empty():
        raise DataError(f"the column '{name}' must be boolean, not {rows.schema[name]}.")
    check_whole(rows, name)


def check_dates(columns: pl.Schema, name: str) -> None:
    """Refuses a column that does not hold dates.

    Raises:
        DataError: Names the column and its type.
    """
    if columns[name] not in (pl.Date, pl.Datetime, pl.Null):
        raise DataError(f"the column '{name}' must hold dates, not {columns[name]}.")


def first_and_last(days: pl.Series) -> tuple[date, date]:
    """The earliest and the latest day.

    Raises:
        DataError: There is none.
    """
    first, last = days.min(), days.max()
    if not isinstance(first, date) or not isinstance(last, date):
        raise DataError(f"the column '{days.name}' has no date.")
    return first, last


def check_share(name: str, value: float | None) -> None:
    """Refuses an argument that is neither None nor a share.

    Raises:
        DataError: Names the argument and its value.
    """
    share: Any = value
    is_number = isinstance(share, int | float) and not isinstance(share, bool)
    if share is not None and not (is_number and 0 <= share <= 1):
        raise DataError(f"{name} must be between 0 and 1, such as 0.3 for 30 %; it is {share!r}.")


def check_segment_columns(rows: pl.DataFrame, names: Iterable[str], what: str) -> None:
    """Refuses columns that cannot define segments.

    Args:
        rows: The rows.
        names: The columns.
        what: The rows' name in messages.

    Raises:
        DataError: A column is missing, or holds neither text, flags nor whole numbers.
    """
    require(rows.columns, names, what)
    for name in names:
        dtype = rows.schema[name]
        texts = (pl.String, pl.Enum, pl.Categorical, pl.Boolean, pl.Null)
        if dtype not in texts and not dtype.is_integer():
            raise DataError(
                f"the column '{name}' cannot define segments of {what}: it must hold text, flags "
                f"or whole numbers, not {dtype}."
            )


def _examples(values: pl.Series) -> str:
    distinct = values.unique().sort().to_list()
    more = ", ..." if len(distinct) > SHOWN else ""
    return ", ".join(repr(value) for value in distinct[:SHOWN]) + more
