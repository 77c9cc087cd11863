"""What callers hand in, held against what is asked for, before anything is computed from it."""

from collections.abc import Iterable
from typing import Any

import polars as pl

from churnlib.errors import DataError, closest
from churnlib.schemas.columns import LABEL

SHOWN = 3
"""How many wrong values a message shows."""


def collected(rows: pl.DataFrame | pl.LazyFrame, what: str) -> pl.DataFrame:
    """Takes a frame for itself, and computes a lazy one.

    Args:
        rows: What was handed in.
        what: What a message calls it.

    Raises:
        DataError: It is no frame.
    """
    found: object = rows
    if isinstance(found, pl.LazyFrame):
        return found.collect()
    if not isinstance(found, pl.DataFrame):
        raise DataError(f"{what} must be a Polars frame, not of the type {type(found).__name__}.")
    return found


def require(columns: Iterable[str], wanted: Iterable[str], what: str) -> None:
    """Refuses rows that lack a column.

    Args:
        columns: Those that the rows have.
        wanted: Those that they must have.
        what: What a message calls the rows.

    Raises:
        DataError: Names the first that is missing, and what comes near to it.
    """
    there = list(columns)
    for column in wanted:
        if column not in there:
            raise DataError(f"{what} lack the column '{column}'. {closest(column, there)}")


def check_labels(labels: pl.Series) -> None:
    """Refuses labels that are neither 0, 1 nor null.

    Raises:
        DataError: Shows some of the others.
    """
    known = labels.drop_nulls()
    is_right = known.is_empty() or known.dtype == pl.Boolean
    if not is_right and known.dtype.is_numeric():
        known = known.filter(~known.is_in([0, 1]))
        is_right = known.is_empty()
    if not is_right:
        raise DataError(
            f"the column '{LABEL}' must hold 0, 1, or null where it is not known yet; "
            f"it holds {_some(known)}."
        )


def check_whole(rows: pl.DataFrame, *names: str) -> None:
    """Refuses nulls in columns of which all that are there must be whole.

    Raises:
        DataError: Names the column, and counts the nulls.
    """
    for name in names:
        if name in rows.columns and (nulls := rows[name].null_count()):
            raise DataError(
                f"the column '{name}' must hold no null; {nulls:,} of {len(rows):,} rows have one."
            )


def check_flags(rows: pl.DataFrame, name: str) -> None:
    """Refuses a column that is not all true or false.

    Raises:
        DataError: Names the column and what it holds.
    """
    if rows.schema[name] != pl.Boolean and not rows.is_empty():
        raise DataError(
            f"the column '{name}' must hold true or false; it is of the type {rows.schema[name]}."
        )
    check_whole(rows, name)


def check_dates(columns: pl.Schema, name: str) -> None:
    """Refuses a column that holds no dates.

    Raises:
        DataError: Names the column and what it holds.
    """
    if columns[name] not in (pl.Date, pl.Datetime, pl.Null):
        raise DataError(f"the column '{name}' must hold dates; it is of the type {columns[name]}.")


def check_share(name: str, value: float | None) -> None:
    """Refuses an argument that is no share.

    Raises:
        DataError: Names the argument and what it is.
    """
    given: Any = value
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    if given is not None and not (is_number and 0 <= given <= 1):
        raise DataError(f"{name} must lie between 0 and 1, as 0.3 does (30 %); it is {given!r}.")


def check_parting(rows: pl.DataFrame, names: Iterable[str], what: str) -> None:
    """Refuses columns that do not part rows.

    Args:
        rows: The rows.
        names: The columns.
        what: What a message calls the rows.

    Raises:
        DataError: A column is missing, or holds no text, flags or whole numbers.
    """
    require(rows.columns, names, what)
    for name in names:
        dtype = rows.schema[name]
        texts = (pl.String, pl.Enum, pl.Categorical, pl.Boolean, pl.Null)
        if dtype not in texts and not dtype.is_integer():
            raise DataError(
                f"the column '{name}' does not part {what}: it must hold text, flags or whole "
                f"numbers, and is of the type {dtype}."
            )


def _some(values: pl.Series) -> str:
    found = values.unique().sort().to_list()
    more = ", ..." if len(found) > SHOWN else ""
    return ", ".join(repr(value) for value in found[:SHOWN]) + more
