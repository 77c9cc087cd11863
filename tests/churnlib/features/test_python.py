"""Features in Python: what functions see, and how wrong results are refused."""

import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import churnlib
from churnlib.errors import DataError, SettingsError
from churnlib.features.events import add_event_features
from churnlib.features.python import DatedTable, add_python_features, python_feature_types
from churnlib.features.python_module import load_functions, python_digest
from churnlib.features.python_results import PythonFeature
from churnlib.settings.event_features import EventAggregation, EventFeatures
from tests.churnlib.features.event_oracle import COHORT, SCHEMA, cohorts, days_near, events
from tests.churnlib.features.oracle import Row
from tests.churnlib.features.strategies import examples
from tests.churnlib.features.test_invariants import exact

LATE = date(2030, 1, 1)
LOGINS = pl.LazyFrame(
    {
        "char_id": [1, 1, 1, 2],
        "at": [date(2024, 1, 5), date(2024, 2, 5), date(2024, 3, 5), date(2024, 3, 6)],
        "minutes": [1.0, 2.0, 4.0, 8.0],
    }
)
ROWS = pl.LazyFrame(
    {
        "char_id": [2, 1, 1, 3],
        "sub_start_date": [date(2024, 3, 1), date(2024, 3, 4), date(2024, 3, 5), date(2024, 3, 5)],
    }
)


@churnlib.feature(table="logins")
def played(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.group_by("row_id").agg(
        pl.col("minutes").sum().alias("sum"),
        long=pl.col("minutes").max() > 3,
        last=pl.col("at").last().dt.strftime("%m"),
        count=pl.len(),
    )


def computed(
    function: PythonFeature, as_of: date = LATE, known_after_days: int = 0
) -> dict[str, list[Any]]:
    tables = {"logins": DatedTable(LOGINS, "at", known_after_days)}
    frame = add_python_features(ROWS, tables, [function], as_of=as_of).collect()
    assert frame.select(ROWS.collect_schema().names()).equals(ROWS.collect())
    return frame.drop(ROWS.collect_schema()).to_dict(as_series=False)


def marked(function: Callable[[pl.LazyFrame], Any]) -> PythonFeature:
    return churnlib.feature(table="logins")(function)


def test_columns_of_a_function_are_features_of_the_visible_rows() -> None:
    assert computed(played) == {
        "played_sum": [None, 3.0, 7.0, None],
        "played_long": [None, False, True, None],
        "played_last": [None, "02", "03", None],
        "played_count": [None, 2.0, 3.0, None],
    }


def test_a_single_column_has_the_name_of_the_function() -> None:
    def spree(rows: pl.LazyFrame) -> pl.DataFrame:
        return rows.collect().group_by("row_id", "day", "char_id").agg(x=pl.col("minutes").max())

    assert computed(marked(spree)) == {"spree": [None, 2.0, 4.0, None]}
    types = python_feature_types([marked(spree)], {"logins": DatedTable(LOGINS, "at")})
    assert types == {"spree": pl.Float64}


def test_rows_are_visible_once_they_are_known() -> None:
    assert computed(played, known_after_days=1)["played_sum"] == [None, 3.0, 3.0, None]
    assert computed(played, as_of=date(2024, 2, 4))["played_sum"] == [None, 1.0, 1.0, None]


def test_a_function_sees_its_table_and_the_row_and_its_day() -> None:
    seen = []

    def look(rows: pl.LazyFrame) -> pl.LazyFrame:
        seen.append(rows.collect())
        return rows.group_by("row_id").agg(pl.len())

    computed(marked(look))
    assert seen[-1].to_dicts() == [
        {"char_id": 1, "at": at, "minutes": minutes, "row_id": row_id, "day": day}
        for row_id, day in ((1, date(2024, 3, 4)), (2, date(2024, 3, 5)))
        for at, minutes in (
            (date(2024, 1, 5), 1.0),
            (date(2024, 2, 5), 2.0),
            (date(2024, 3, 5), 4.0),
        )
        if at <= day
    ]


@churnlib.feature(table="logins")
def seen(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.group_by("row_id").agg(
        pl.len().alias("count"),
        pl.col("minutes", "score").sum().name.suffix("_sum"),
        pl.col("platform").last(),
    )


def with_seen(cohort: list[Row], happened: list[Row], as_of: date, delay: int = 0) -> pl.LazyFrame:
    facts = pl.LazyFrame(happened, schema=SCHEMA)
    rows = pl.LazyFrame(cohort, schema=COHORT)
    tables = {"logins": DatedTable(facts, "at", delay)}
    return add_python_features(rows, tables, [seen], as_of=as_of, day="day")


@examples(25)
@given(cohorts, events, days_near(2, 9), st.sampled_from((0, 1, 40)))
def test_features_equal_those_of_events(
    cohort: list[Row], happened: list[Row], as_of: date, delay: int
) -> None:
    settings = EventFeatures(
        windows=("9999d",),
        count=True,
        aggregations=(EventAggregation(columns=("minutes", "score"), functions=("sum",)),),
    )
    rows = with_seen(cohort, happened, as_of, delay)
    both = add_event_features(
        rows,
        pl.LazyFrame(happened, schema=SCHEMA),
        settings,
        table="e",
        time="at",
        as_of=as_of,
        known_after_days=delay,
        day="day",
    ).collect()
    assert both["seen_count"].fill_null(0).to_list() == both["e_count_9999d"].to_list()
    for name in ("minutes", "score"):
        sums = both[f"seen_{name}_sum"].fill_null(0).to_list()
        assert sums == pytest.approx(both[f"e_{name}_sum_9999d"].to_list())


@examples(15)
@given(cohorts, events, st.integers(0, 2**16))
def test_neither_order_nor_future_nor_others_change_a_feature(
    cohort: list[Row], happened: list[Row], seed: int
) -> None:
    random, own = Random(seed), cohort[:1]
    expected = exact(with_seen(own, happened, LATE).collect())
    shuffled = random.sample(happened, len(happened))
    assert exact(with_seen(own, shuffled, LATE).collect()) == expected
    changed = [
        {**each, "minutes": random.random(), "platform": "new"}
        if each["at"].date() > row["day"] or each["char_id"] != row["char_id"]
        else each
        for row in own
        for each in happened
    ]
    later = [{**each, "at": each["at"] + timedelta(days=999)} for each in happened]
    assert exact(with_seen(own, changed + later, LATE).collect()) == expected or not own


def _no_rows_without_column(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.select("row_id").unique()


def _twice(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.select("row_id", "minutes")


def _others(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.group_by("row_id").agg(pl.len()).with_columns(row_id=7 + pl.col("row_id"))


def _null(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.group_by("row_id").agg(pl.len()).with_columns(row_id=pl.lit(None, pl.Int64))


def _by_character(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.group_by("char_id").agg(pl.len())


def _day(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.group_by("row_id").agg(pl.col("at").max())


def _number(rows: pl.LazyFrame) -> Any:
    return 7


def _raises(rows: pl.LazyFrame) -> pl.LazyFrame:
    raise KeyError("kills")


def _no_such_column(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.group_by("row_id").agg(pl.col("kills").sum())


def _depends(rows: pl.LazyFrame) -> pl.LazyFrame:
    value = pl.len() if rows.collect().is_empty() else pl.lit("text")
    return rows.group_by("row_id").agg(x=value)


def _spaces(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.group_by("row_id").agg(pl.len().alias("a b"), x=pl.len())


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (_no_rows_without_column, r"gives no column beside row_id \(Int64\)"),
        (_twice, "gives 3 rows more than there are row_ids"),
        (_others, "gives a row_id that it did not get, such as [89]"),
        (_null, "gives a row without row_id"),
        (_by_character, r"gives no column row_id, but char_id \(Int64\), len"),
        (_day, "gives 'at' as Date; a feature is a number, a flag or a text"),
        (_number, "gives int, not a lazy frame"),
        (_raises, r"failed in line \d+: KeyError: 'kills'"),
        (_no_such_column, "failed: ColumnNotFoundError: .*kills"),
        (_depends, r"gives row_id \(Int64\), _depends \(String\), but without rows row_id"),
        (_spaces, "gives a column 'a b'; use letters, digits and underscores only"),
    ],
)
def test_a_wrong_function_is_named_with_its_file(
    function: Callable[[pl.LazyFrame], Any], message: str
) -> None:
    with pytest.raises(
        DataError, match=f"(?s)features/test_python.py: {function.__name__} {message}"
    ):
        computed(marked(function))


def test_values_that_are_not_finite_become_null_or_the_largest_number() -> None:
    def odd(rows: pl.LazyFrame) -> pl.LazyFrame:
        value = pl.when(pl.len() > 2).then(float("inf")).otherwise(float("nan"))
        return rows.group_by("row_id").agg(value)

    assert computed(marked(odd)) == {"odd": [None, None, sys.float_info.max, None]}


def test_a_name_that_is_taken_is_refused() -> None:
    tables = {"logins": DatedTable(LOGINS, "at")}
    with pytest.raises(SettingsError, match="there is already a column 'played_sum'"):
        add_python_features(ROWS.with_columns(played_sum=0), tables, [played], as_of=LATE)
    with pytest.raises(SettingsError, match="there is already a feature 'played_count'"):
        python_feature_types([played, played], tables)
    with pytest.raises(SettingsError, match="a feature of 'logins', and there is no such"):
        python_feature_types([played], {"login": tables["logins"]})
    named = {"logins": DatedTable(LOGINS.rename({"at": "day"}), "day")}
    with pytest.raises(DataError, match="the table logins has a column 'day'"):
        python_feature_types([played], named)


MODULE = """
import churnlib
import polars as pl


@churnlib.feature(table="logins")
def total(rows):
    return rows.group_by("row_id").agg(pl.col("minutes").sum())


def plain(rows):
    return rows
"""


def test_functions_come_from_the_module_beside_the_games(tmp_path: Path) -> None:
    (tmp_path / "features.py").write_text(MODULE)
    (total,) = load_functions(tmp_path, ["total"])
    assert computed(total) == {"total": [None, 3.0, 7.0, None]}
    assert total.source.startswith("@churnlib.feature")
    before = python_digest(tmp_path, ["total"])
    (tmp_path / "features.py").write_text(MODULE.replace("sum()", "max()"))
    assert python_digest(tmp_path, ["total"]) != before
    (total,) = load_functions(tmp_path, ["total"])
    assert computed(total) == {"total": [None, 2.0, 4.0, None]}


OTHERS = """

FACTOR = 2


@churnlib.feature(table="logins")
def largest(rows):
    return scaled(total(rows))


@churnlib.feature(table="logins")
def other(rows):
    return rows.group_by("row_id").agg(pl.col("minutes").min())


def scaled(rows):
    return rows.with_columns(pl.col("minutes") * FACTOR)
"""


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("sum()", "max()", True),  # In a function of features that the one in use calls.
        ("* FACTOR", "/ FACTOR", True),
        ("FACTOR = 2", "FACTOR = 3", True),
        ("min()", "max()", False),
        ("def other(rows):", "def other(rows):  # A comment.", False),
        ("FACTOR = 2", "FACTOR = 2  # A comment.", False),
    ],
)
def test_the_digest_is_that_of_the_code_which_a_function_depends_on(
    tmp_path: Path, old: str, new: str, changes: bool
) -> None:
    text = MODULE + OTHERS
    (tmp_path / "features.py").write_text(text)
    before = python_digest(tmp_path, ["largest"])
    assert text.count(old) == 1
    (tmp_path / "features.py").write_text(text.replace(old, new))
    assert (python_digest(tmp_path, ["largest"]) != before) == changes


def test_the_module_is_not_executed_unless_a_function_is_used(tmp_path: Path) -> None:
    (tmp_path / "features.py").write_text("raise SystemExit")
    assert load_functions(tmp_path, []) == ()
    assert python_digest(tmp_path, []) == ""


@pytest.mark.parametrize(
    ("module", "name", "message"),
    [
        (None, "total", "names 'total', but there is no .*features.py"),
        (MODULE, "totl", "'totl' does not exist in .*Did you mean 'total'"),
        (MODULE, "plain", "'plain' is not marked in .*Known: total"),
        ("1 / 0", "total", "features.py cannot be loaded: ZeroDivisionError: division by zero"),
        ("def", "total", "features.py cannot be loaded: SyntaxError: .*line 1"),
    ],
)
def test_a_module_that_cannot_be_used_is_refused(
    module: str | None, name: str, message: str, tmp_path: Path
) -> None:
    if module is not None:
        (tmp_path / "features.py").write_text(module)
    with pytest.raises(SettingsError, match=message):
        load_functions(tmp_path, [name])
