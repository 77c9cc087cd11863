"""Functions that compute features in Python, and the checks of their results."""

import inspect
import re
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from churnlib.errors import DataError, reason
from churnlib.features.aggregations import LARGEST
from churnlib.schemas.columns import CHAR_ID

ROW_ID = "row_id"
"""The column that identifies the row of the cohort to which a row is visible."""
DAY = "day"
"""The column with the day of that row."""
NOT_VALUES = (ROW_ID, CHAR_ID, DAY)
"""Columns of a result that are no features."""

Function = Callable[[pl.LazyFrame], pl.LazyFrame]


@dataclass(frozen=True, eq=False)
class PythonFeature:
    """A function that computes features; call it like the function itself.

    Attributes:
        function: The function.
        table: The history or the events of which it takes the visible rows.
    """

    function: Function
    table: str

    def __call__(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Computes the features of visible rows."""
        return self.function(rows)

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.function.__name__

    @property
    def place(self) -> str:
        """Its file and name, for messages."""
        return f"{self.file}: {self.name}"

    @property
    def file(self) -> str:
        """Its file, with the folder."""
        file = Path(self.function.__code__.co_filename)
        return f"{file.parent.name}/{file.name}"

    @property
    def line(self) -> int:
        """The line in which its text begins."""
        return inspect.getsourcelines(self.function)[1]

    @property
    def source(self) -> str:
        """The text of the function."""
        return inspect.getsource(self.function)


def python_result(function: PythonFeature, visible: pl.DataFrame) -> pl.DataFrame:
    """Computes the features of the visible rows by a function, and checks their columns.

    Args:
        function: The function.
        visible: What it takes.

    Returns:
        `row_id`, and the features by their names.

    Raises:
        DataError: The function fails, or its result lacks a column or has one of the wrong type.
    """
    try:
        result = function(visible.lazy())
        frame = result.lazy().collect() if isinstance(result, pl.DataFrame | pl.LazyFrame) else None
    except Exception as error:
        what = f"failed{_line(function, error)}: {type(error).__name__}: {reason(error)}"
        raise wrong_result(function, what) from error
    if frame is None:
        raise wrong_result(function, f"gives {type(result).__name__}, not a lazy frame")
    if ROW_ID not in frame.columns:
        raise wrong_result(function, f"gives no column {ROW_ID}, but {listed(frame.schema)}")
    if not frame.schema[ROW_ID].is_integer():
        raise wrong_result(function, f"gives a {ROW_ID} that is not a whole number")
    return frame.select(pl.col(ROW_ID).cast(pl.Int64), *_values(function, frame.schema))


def _values(function: PythonFeature, columns: pl.Schema) -> Iterator[pl.Expr]:
    names = [name for name in columns if name not in NOT_VALUES]
    if not names:
        raise wrong_result(function, f"gives no column beside {listed(columns)}")
    for name in names:
        value, dtype = pl.col(name), columns[name]
        if dtype.is_numeric():
            value = value.cast(pl.Float64).fill_nan(None).clip(-LARGEST, LARGEST)
        elif dtype in (pl.String, pl.Categorical, pl.Enum):
            value = value.cast(pl.String)
        elif dtype != pl.Boolean:
            raise wrong_result(
                function, f"gives '{name}' as {dtype}; a feature is a number, a flag or a text"
            )
        if len(names) > 1 and not re.fullmatch(r"\w+", name, re.ASCII):
            raise wrong_result(
                function, f"gives a column '{name}'; use letters, digits and underscores only"
            )
        yield value.alias(function.name if len(names) == 1 else f"{function.name}_{name}")


def check_rows(function: PythonFeature, row_ids: pl.Series, visible: pl.Series) -> None:
    """Refuses a result that does not have one row per `row_id`, or has others.

    Args:
        function: The function.
        row_ids: The `row_id`s of the result.
        visible: Those of the rows that it took.

    Raises:
        DataError: The result is wrong.
    """
    if row_ids.null_count():
        raise wrong_result(function, f"gives a row without {ROW_ID}")
    unknown = row_ids.filter(~row_ids.is_in(visible.implode()))
    if len(unknown):
        raise wrong_result(function, f"gives a {ROW_ID} that it did not get, such as {unknown[0]}")
    if row_ids.is_duplicated().any():
        more = row_ids.len() - row_ids.n_unique()
        raise wrong_result(function, f"gives {more:,} rows more than there are {ROW_ID}s")


def wrong_result(function: PythonFeature, what: str) -> DataError:
    """The error of a wrong result, after what the function does."""
    return DataError(
        f"{function.place} {what.rstrip('.')}. It must take a lazy frame, and give one with a row "
        f"per {ROW_ID} and a column, as rows.group_by('{ROW_ID}').agg(...) does."
    )


def _line(function: PythonFeature, error: Exception) -> str:
    """The line of the function's file from which an error comes, if it is known."""
    frames = traceback.extract_tb(error.__traceback__)
    file = function.function.__code__.co_filename
    lines = [frame.lineno for frame in frames if frame.filename == file]
    return f" in line {lines[-1]}" if lines else ""


def listed(columns: pl.Schema) -> str:
    """Lists columns with their types."""
    return ", ".join(f"{name} ({dtype})" for name, dtype in columns.items()) or "no columns"
