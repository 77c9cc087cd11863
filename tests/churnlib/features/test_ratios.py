import sys

import polars as pl
import pytest

from churnlib.errors import SettingsError
from churnlib.features.ratios import add_ratios
from churnlib.schemas.columns import KEYS, LABEL
from churnlib.settings.features import Ratio

ROWS = pl.LazyFrame(
    {
        "count": pl.Series([6, 3, None, 5, 0], dtype=pl.Int32),
        "days": pl.Series([4.0, None, 2.0, 0.0, -0.0]),
        "flag": [True, False, True, None, True],
        "huge": [1e308, -1e308, 1e308, 0.0, 1.0],
        "tiny": [1e-10] * 5,
        "word": ["a"] * 5,
    }
)


def ratio(name: str, of: str, over: str) -> Ratio:
    return Ratio(name=name, of=of, over=over)


def test_a_ratio_is_null_where_the_divisor_is_null_or_zero() -> None:
    frame = add_ratios(ROWS, [ratio("pace", "count", "days")]).collect()
    assert frame["pace"].to_list() == [1.5, None, None, None, None]
    assert frame.schema == {**ROWS.collect_schema(), "pace": pl.Float64}


def test_zero_divided_by_a_number_is_zero_and_flags_are_numbers() -> None:
    frame = add_ratios(ROWS, [ratio("a", "count", "flag"), ratio("b", "flag", "count")]).collect()
    assert frame["a"].to_list() == [6, None, None, None, 0]
    assert frame["b"].to_list() == [1 / 6, 0, None, None, None]


def test_a_ratio_beyond_the_largest_number_is_that_number() -> None:
    frame = add_ratios(ROWS, [ratio("a", "huge", "tiny")]).collect()
    largest = sys.float_info.max
    assert frame["a"].to_list() == [largest, -largest, largest, 0, 1e10]


def test_a_ratio_may_be_of_one_before_it() -> None:
    ratios = [ratio("pace", "count", "days"), ratio("twice", "pace", "tiny")]
    assert add_ratios(ROWS, ratios).collect()["twice"][0] == pytest.approx(1.5e10)


@pytest.mark.parametrize("name", [*KEYS, LABEL])
def test_the_label_and_keys_are_no_features(name: str) -> None:
    rows = ROWS.with_columns(pl.lit(1).alias(name))
    for wrong in (ratio("a", name, "days"), ratio("a", "days", name)):
        with pytest.raises(SettingsError, match=f"a is of '{name}', and there is no such feature"):
            add_ratios(rows, [wrong])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            ratio("a", "cuont", "days"),
            "a is of 'cuont', and there is no such .* Did you mean 'count'",
        ),
        (ratio("a", "count", "word"), "a is of 'word', which is not a number but String"),
        (ratio("flag", "count", "days"), "there is already a column 'flag'"),
    ],
)
def test_ratios_of_other_things_are_refused(wrong: Ratio, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        add_ratios(ROWS, [wrong])
