"""Segments, each scored like all subscriptions."""

import json
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from churnlib.errors import SettingsError
from churnlib.metrics.evaluate import evaluate, score_group
from churnlib.metrics.segments import MIN_ROWS, breakdown, check_segments
from churnlib.schemas.outputs import cohort_columns
from churnlib.settings import load_settings
from tests.base import BASE


def cohort(n: int = 600, seed: int = 1) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    probability = rng.beta(2, 5, n)
    outcome = (rng.random(n) < probability).astype(int).tolist()
    return pl.DataFrame(
        {
            "char_id": rng.integers(0, n // 2, n),
            "sub_id": np.arange(n),
            "sub_start_date": [date(2024, int(month), 1) for month in rng.choice([3, 4], n)],
            "is_first_sub": rng.random(n) < 0.5,
            "territory": rng.choice(["east", "west", "north"], n, p=[0.5, 0.3, 0.2]),
            "is_mastered": rng.random(n) < 0.3,
            "sub_churn": [None if i % 10 == 0 else y for i, y in enumerate(outcome)],
            "churn_probability": probability,
        },
        schema_overrides={"sub_churn": pl.Int8},
    )


ROWS = cohort()
BREAKDOWN = breakdown(ROWS, ("territory", "is_mastered"))
NONE_KNOWN = dict.fromkeys(("base_rate", "mean_predicted", "roc_auc", "expected_calibration_error"))


def part(parts: list[dict[str, Any]], value: str | None) -> dict[str, Any]:
    (segment,) = (each for each in parts if each["value"] == value)
    return segment


@pytest.mark.parametrize(
    ("column", "value", "rows"),
    [
        ("territory", "east", pl.col("territory") == "east"),
        ("is_mastered", "true", pl.col("is_mastered")),
        ("characters", "new", pl.col("is_first_sub")),
        ("characters", "returning", ~pl.col("is_first_sub")),
        ("", "2024-03", pl.col("sub_start_date") < date(2024, 4, 1)),
    ],
)
def test_segment_has_the_metrics_of_its_rows_alone(column: str, value: str, rows: pl.Expr) -> None:
    segment = part(BREAKDOWN["segments"][column] if column else BREAKDOWN["cohorts"], value)
    alone = score_group(ROWS.filter(rows))
    assert segment["reason"] is None
    for name in segment.keys() - {"value", "intervals"}:
        assert segment[name] == pytest.approx(getattr(alone, name)), name
    assert segment["intervals"].keys() == {
        "base_rate", "mean_predicted", "roc_auc", "expected_calibration_error"
    }  # fmt: skip
    for name, interval in segment["intervals"].items():
        # The draws differ, and standard errors are accurate to about 2 %.
        expected = alone.intervals[name]
        assert expected is not None
        width = expected[1] - expected[0]
        assert interval == pytest.approx(expected, abs=0.08 * width), name


def test_segments_are_sorted_and_complete() -> None:
    values = {name: [p["value"] for p in parts] for name, parts in BREAKDOWN["segments"].items()}
    assert values == {
        "characters": ["new", "returning"],
        "territory": ["east", "north", "west"],
        "is_mastered": ["false", "true"],
    }
    assert [p["value"] for p in BREAKDOWN["cohorts"]] == ["2024-03", "2024-04"]
    for parts in (*BREAKDOWN["segments"].values(), BREAKDOWN["cohorts"]):
        assert sum(p["n"] for p in parts) == 540
        assert sum(p["immature"] for p in parts) == 60
    json.dumps(BREAKDOWN, allow_nan=False)


def test_rare_values_form_one_group() -> None:
    rows = ROWS.with_columns(
        territory=pl.when(pl.col("sub_id") < 50).then("territory").otherwise(pl.lit("south"))
    )
    rows = rows.with_columns(territory=pl.when(pl.col("sub_id") != 599).then("territory"))
    counts = dict(rows["territory"].drop_nulls().value_counts().iter_rows())
    segments = breakdown(rows, ("territory",), most_values=1)["segments"]["territory"]
    assert [p["value"] for p in segments] == ["south", None, "3 other values"]
    assert segments[2]["n"] + segments[2]["immature"] == 600 - 1 - counts["south"]
    assert segments[1]["n"] == 1
    # A single rare value keeps its name.
    segments = breakdown(rows, ("territory",), most_values=3)["segments"]["territory"]
    assert [p["value"] for p in segments] == ["east", "north", "south", "west", None]


def test_small_segment_has_only_counts() -> None:
    rows = ROWS.head(MIN_ROWS)
    (march, april) = breakdown(rows)["cohorts"]
    for few in (march, april):
        assert (
            few["n"] + few["immature"]
            == rows.filter(pl.col("sub_start_date").dt.strftime("%Y-%m") == few["value"]).height
        )
        assert few["reason"] == "fewer than 20 subscriptions with a label"
        assert few["base_rate"] == pytest.approx(few["positives"] / few["n"])
        assert (few["roc_auc"], few["mean_predicted"], few["intervals"]) == (None, None, NONE_KNOWN)


def test_segment_without_churners_or_labels_has_a_reason() -> None:
    calm = ROWS.with_columns(sub_churn=pl.lit(0, pl.Int8))
    (new, _) = breakdown(calm)["segments"]["characters"]
    assert new["roc_auc"] is None
    assert new["expected_calibration_error"] > 0
    assert new["reason"] == f"none of the {new['n']} subscriptions churned"
    young = breakdown(ROWS.with_columns(sub_churn=pl.lit(None, pl.Int8)))
    (march, _) = young["cohorts"]
    assert (march["n"], march["base_rate"]) == (0, None)
    assert march["immature"] > 0
    nothing = breakdown(ROWS.clear())
    assert nothing == {"cohorts": [], "segments": {"characters": []}}


def test_row_order_changes_no_bit() -> None:
    for seed in range(3):
        mixed = ROWS.sample(fraction=1, shuffle=True, seed=seed)
        assert breakdown(mixed, ("territory", "is_mastered")) == BREAKDOWN


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("teritory", r"'teritory' is not a standard feature\. Did you mean 'territory'"),
        ("price", "'price' does not hold categories"),
        ("char_id", "'char_id' does not hold categories"),
        ("hard_balance", "'hard_balance' is not a standard feature"),
    ],
)
def test_invalid_segment_column_is_refused(column: str, message: str) -> None:
    check_segments(("gender", "class", "is_mastered", "sub_months", "sub_number"), BASE)
    with pytest.raises(SettingsError, match=f"^evaluation.segments: {message}"):
        check_segments(("gender", column), BASE)


def test_numbers_are_in_numerical_order_and_rare_ones_last() -> None:
    numbers = [(i % 12) - 1 if i % 5 else 3 for i in range(600)]
    rows = ROWS.with_columns(age_at_sub_months=pl.Series(numbers, dtype=pl.Int32))
    segments = breakdown(rows, ("age_at_sub_months",), most_values=20)["segments"]
    assert [p["value"] for p in segments["age_at_sub_months"]] == [str(n) for n in range(-1, 11)]
    segments = breakdown(rows, ("age_at_sub_months",), most_values=4)["segments"]
    assert [p["value"] for p in segments["age_at_sub_months"]] == [
        "-1",
        "0",
        "1",
        "3",
        "8 other values",
    ]


def test_numbers_within_names_are_in_numerical_order() -> None:
    names = pl.Series([("tier 10", "Tier 2", "bronze", None)[i % 4] for i in range(600)])
    segments = breakdown(ROWS.with_columns(territory=names), ("territory",))["segments"][
        "territory"
    ]
    assert [p["value"] for p in segments] == ["bronze", "Tier 2", "tier 10", None]


def test_new_characters_and_a_single_month_have_the_intervals_of_their_groups() -> None:
    rows = ROWS.with_columns(sub_start_date=pl.lit(date(2024, 3, 1)))
    groups, parts = evaluate(rows), breakdown(rows, ())
    (month,) = parts["cohorts"]
    new = part(parts["segments"]["characters"], "new")
    for segment, scores in ((month, groups["general"]), (new, groups["new_characters"])):
        assert segment["roc_auc"] == scores.roc_auc
        assert segment["intervals"] == {name: scores.intervals[name] for name in NONE_KNOWN}


# Rows by month


def by_month(months: int = 30) -> pl.DataFrame:
    """Forty subscriptions of a term of 36 months, each with a row a month from its start on."""
    subs = ROWS.head(40).select("char_id", "sub_id", "is_first_sub", "churn_probability")
    tenure = pl.DataFrame({"tenure_months": pl.Series(range(months), dtype=pl.Int32)})
    start = date(2022, 1, 1)
    return subs.join(tenure, how="cross").with_columns(
        sub_start_date=pl.lit(start),
        day=pl.lit(start).dt.offset_by(pl.format("{}mo", "tenure_months")),
        months_left=36 - pl.col("tenure_months"),
        months_missed_in_a_row=pl.col("tenure_months") % 3,
        sub_churn=((pl.col("tenure_months") > 24) & (pl.col("sub_id") % 4 == 0)).cast(pl.Int8),
    )


def test_rows_by_month_are_grouped_by_tenure_and_months_left() -> None:
    segments = breakdown(by_month())["segments"]
    assert list(segments) == [
        "characters",
        "tenure_months",
        "months_left",
        "months_missed_in_a_row",
    ]
    sizes = {name: {p["value"]: p["n"] for p in parts} for name, parts in segments.items()}
    assert list(sizes["tenure_months"].items()) == [
        ("0", 40), ("1 to 3", 120), ("4 to 6", 120), ("7 to 12", 240), ("13 or more", 680),
    ]  # fmt: skip
    assert list(sizes["months_left"].items()) == [("7 to 12", 240), ("13 or more", 960)]
    assert list(sizes["months_missed_in_a_row"].items()) == [("0", 400), ("1", 400), ("2", 400)]
    assert {p["value"]: p["positives"] for p in segments["tenure_months"]}["13 or more"] == 50
    assert [p["n"] for p in breakdown(by_month())["cohorts"]] == [40] * 30
    # A column that the settings name, too, is there once, in the same ranges.
    assert breakdown(by_month(), ("tenure_months",))["segments"] == segments


def test_small_segment_of_rows_by_month_is_one_of_few_subscriptions() -> None:
    few = by_month().filter(pl.col("sub_id") < MIN_ROWS - 1)
    (late,) = (p for p in breakdown(few)["segments"]["tenure_months"] if p["value"] == "13 or more")
    assert (late["n"], late["subscriptions"]) == (17 * (MIN_ROWS - 1), MIN_ROWS - 1)
    assert late["reason"] == "fewer than 20 subscriptions with a label"
    assert late["roc_auc"] is None


def test_columns_of_the_cohort_can_be_segments() -> None:
    overrides = {"cohort": {"grain": "monthly"}}
    monthly = load_settings("game1", overrides, local=False, environ={})
    check_segments(tuple(cohort_columns(monthly.cohort).keys() - {"day"}), monthly)
    with pytest.raises(SettingsError, match="'previous_sub_churned' is not a standard feature"):
        check_segments(("previous_sub_churned",), BASE)
