from datetime import date

import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.features.calendar import add_calendar
from churnlib.settings.features import CalendarFeatures

ROWS = pl.LazyFrame({"day": [date(2024, 1, 31), date(2023, 12, 1)]})


def test_the_month_is_that_of_the_year() -> None:
    frame = add_calendar(ROWS, CalendarFeatures(use=("month",)), day="day").collect()
    assert frame["month"].to_list() == [1, 12]
    assert frame.schema["month"] == pl.Int32


def test_nothing_is_added_unless_it_is_asked_for() -> None:
    assert add_calendar(ROWS, CalendarFeatures(), day="day").collect_schema().names() == ["day"]


def test_a_missing_day_is_refused() -> None:
    with pytest.raises(DataError, match="lack the column 'sub_start_date'"):
        add_calendar(ROWS, CalendarFeatures(use=("month",)))
