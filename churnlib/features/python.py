"""Features that a project's own functions compute from the rows visible to each row of a cohort."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

import polars as pl

from churnlib.errors import DataError, SettingsError, closest
from churnlib.features.character_rows import Clock
from churnlib.features.python_results import (
    DAY,
    ROW_ID,
    Function,
    PythonFeature,
    check_rows,
    listed,
    python_result,
    wrong_result,
)
from churnlib.schemas.columns import CHAR_ID, SUB_START_DATE
from churnlib.schemas.validation import require


def feature(*, table: str) -> Callable[[Function], PythonFeature]:
    """Marks a function as one that computes features.

    The function takes a lazy frame and returns one. The rows that it takes are those of the table
    that are visible to each row of a cohort, sorted by `row_id` and time: the table's own columns,
    `row_id`, which identifies the row of the cohort, and `day`, its day. It returns one row per
    `row_id`, with one or more columns of numbers, flags or texts. One column is a feature with the
    name of the function, and several have that name and their own: `<function>_<column>`.
    Rows of the cohort that are missing get null. `lookback_months` of the table does not limit the
    rows that a function takes.

    Rows of a large table come in ranges of characters, and several threads or processes may call a
    function at once. So the result for a `row_id` may depend on its rows only, and a function must
    not keep anything between calls.

    Args:
        table: The name of a history or of events.
    """
    return partial(PythonFeature, table=table)


@dataclass(frozen=True)
class DatedTable:
    """A history or a table of events.

    Attributes:
        rows: Its rows, with `char_id`.
        time: The column with the day or the time of each.
        known_after_days: The days from then to when it becomes known.
    """

    rows: pl.LazyFrame
    time: str
    known_after_days: int = 0


def add_python_features(
    rows: pl.LazyFrame,
    tables: Mapping[str, DatedTable],
    functions: Sequence[PythonFeature],
    *,
    as_of: date,
    day: str = SUB_START_DATE,
) -> pl.LazyFrame:
    """Adds the features that functions compute, point-in-time.

    A function gets the rows of its table that are known by the day of a row of the cohort and by
    `as_of`, and nothing else.

    Args:
        rows: The cohort: rows with `char_id` and a day.
        tables: The histories and events by name.
        functions: The functions.
        as_of: The day of the run; what becomes known later is not read.
        day: The column of the cohort with the day of each row.

    Returns:
        The rows of the cohort, in their order, with the columns of `python_feature_types`; null
        where a function gives no row. NaN is null, and an infinite number is the largest Float64.

    Raises:
        SettingsError: A function is of a table that does not exist, or a feature has the name of
            another column.
        DataError: A function fails, or its result is wrong; it names function and file. A column is
            missing.
    """
    require(rows.collect_schema(), (CHAR_ID, day), "the rows")
    types = python_feature_types(functions, tables)
    for name in types:
        if name in rows.collect_schema():
            raise SettingsError(
                f"features.python: there is already a column '{name}'. Rename the function."
            )
    compute = partial(_with_features, rows, dict(tables), tuple(functions), as_of, day)
    return pl.defer(compute, schema={**rows.collect_schema(), **types})


def python_feature_types(
    functions: Sequence[PythonFeature], tables: Mapping[str, DatedTable]
) -> dict[str, pl.DataType]:
    """The names and types of the features that functions compute, in their order.

    They are those of the results for a table without rows. Numbers are Float64, flags Boolean, and
    texts String.

    Args:
        functions: The functions.
        tables: The histories and events by name, of which only the columns are looked at.

    Raises:
        SettingsError: A function is of a table that does not exist, or two features share a name.
        DataError: A function fails, or its result is wrong.
    """
    types: dict[str, pl.DataType] = {}
    for each in functions:
        if each.table not in tables:
            raise SettingsError(
                f"{each.place} is a feature of '{each.table}', and there is no such history or "
                f"table of events. {closest(each.table, tables)}"
            )
        new = dict(python_result(each, _no_rows(each, tables[each.table])).drop(ROW_ID).schema)
        if again := sorted(new.keys() & types):
            raise SettingsError(f"{each.place}: there is already a feature '{again[0]}'.")
        types |= new
    return types


def _no_rows(function: PythonFeature, table: DatedTable) -> pl.DataFrame:
    columns = table.rows.collect_schema()
    require(columns, (CHAR_ID, table.time), f"the rows of {function.table}")
    for name in (ROW_ID, DAY):
        if name in columns:
            raise DataError(
                f"{function.place} cannot be computed: the table {function.table} has a column "
                f"'{name}', which is the name of a column that is added. Rename it, by "
                f"tables.{function.table}.rename."
            )
    return pl.DataFrame(schema={**columns, ROW_ID: pl.Int64, DAY: pl.Date})


def _with_features(
    rows: pl.LazyFrame,
    tables: dict[str, DatedTable],
    functions: tuple[PythonFeature, ...],
    as_of: date,
    day: str,
) -> pl.DataFrame:
    cohort = rows.collect()
    numbered = cohort.select(pl.int_range(pl.len()).alias(ROW_ID))
    features = []
    for each in functions:
        table = tables[each.table]
        visible = _visible(cohort, table, Clock(as_of, table.known_after_days, day))
        expected = python_result(each, visible.clear()).schema
        result = python_result(each, visible)
        check_rows(each, result[ROW_ID], visible[ROW_ID])
        if result.schema != expected:
            raise wrong_result(
                each, f"gives {listed(result.schema)}, but without rows {listed(expected)}"
            )
        aligned = numbered.join(result, on=ROW_ID, how="left", maintain_order="left")
        features.append(aligned.drop(ROW_ID))
    return pl.concat([cohort, *features], how="horizontal")


def _visible(cohort: pl.DataFrame, table: DatedTable, clock: Clock) -> pl.DataFrame:
    """The rows of a table that each row of a cohort sees, in an order that files do not decide."""
    last = "_last_visible"
    rows = cohort.lazy().select(
        CHAR_ID,
        pl.int_range(pl.len()).alias(ROW_ID),
        pl.col(clock.day).alias(DAY),
        clock.last_visible().alias(last),
    )
    columns = table.rows.collect_schema().names()
    return (
        clock.visible(table.rows, table.time, cohort)
        .join(rows, on=CHAR_ID)
        .filter(pl.col(table.time).cast(pl.Date) <= pl.col(last))
        .drop(last)
        .sort(ROW_ID, table.time, *(name for name in columns if name != table.time))
        .collect()
    )
