"""Subscriptions for fewer months than the missed months in a row that are churn."""

import re

import polars as pl
import pytest

from tests.flows.models import GAME
from tests.flows.studio import Studio

pytestmark = pytest.mark.slow

MONTHLY = pl.col("sub_id").cast(pl.Int64) % 2 == 0
"""The subscriptions that last one month."""


@pytest.fixture(scope="module")
def monthly(studio: Studio) -> Studio:
    """A game in which half of the subscriptions last one month, taken through all flows."""
    subs = studio.raw(GAME, "sub_data")
    term = pl.when(MONTHLY).then(pl.lit("1")).otherwise(pl.col("sub_months"))
    studio.write_raw(GAME, "sub_data", subs.with_columns(sub_months=term))
    long = subs.filter(~MONTHLY).select("sub_id")
    studio.write_raw(GAME, "sub_miss", studio.raw(GAME, "sub_miss").join(long, on="sub_id"))
    studio.take_through(GAME)
    return studio


def test_subscription_that_cannot_churn_has_no_label(monthly: Studio) -> None:
    for flow in ("train", "score"):
        rows = monthly.table(f"04_feature/{GAME}/{flow}_features.parquet")
        labels = rows.group_by(MONTHLY.alias("monthly")).agg(pl.col("sub_churn").count())
        assert dict(labels.rows())[True] == 0
        assert dict(labels.rows())[False] > 0


@pytest.mark.parametrize(
    "report", ["in_sample_report", "score_report", "batch_score_report_2024-06"]
)
def test_report_leaves_out_and_counts_those_that_cannot_churn(monthly: Studio, report: str) -> None:
    content = monthly.json(f"08_reporting/{GAME}/{report}.json")
    first, last = content["window"]["start"], content["window"]["end"]
    subs = monthly.raw(GAME, "sub_data").filter(
        pl.col("sub_start_date").is_between(pl.lit(first), pl.lit(last))
    )
    short = len(subs.filter(MONTHLY))
    general = content["general"]
    assert content["not_at_risk"] == short > 0
    assert general["n"] + general["immature"] == len(subs) - short
    judged = content["validation"] or content
    left_out, text = (
        content["left_out"]["not_at_risk"],
        monthly.file(f"08_reporting/{GAME}/{report}.txt").read_text(),
    )
    started = [
        judged[group]["n"] + judged[group]["immature"] + left_out[group]
        for group in ("general", "new_characters")
    ]
    assert 0 < left_out["new_characters"] < left_out["general"] <= short
    if not content["validation"]:
        assert (left_out["general"], started[0]) == (short, len(subs))
    for name, numbers in {"started": started, "too short to churn": left_out.values()}.items():
        cells = r"\s+".join(f"{number:,}" for number in numbers)
        assert re.search(rf"{name}\s+{cells}\b", text), (name, numbers)
    warning = f"{short:,} subscriptions of the window cannot churn and are left out: sub_months is"
    assert any(text.startswith(warning) for text in content["warnings"])
    assert warning in " ".join(
        monthly.file(f"08_reporting/{GAME}/{report}.txt").read_text().split()
    )


def test_prediction_of_a_subscription_that_cannot_churn_is_null(monthly: Studio) -> None:
    rows = monthly.table(f"07_model_output/{GAME}/predictions_2024-12.parquet")
    short, others = rows.filter(MONTHLY), rows.filter(~MONTHLY)
    assert len(short) > 0
    assert short["churn_probability"].null_count() == short["risk_rank"].null_count() == len(short)
    assert not short["contact"].any()
    assert others["churn_probability"].null_count() == 0
    assert sorted(others["risk_rank"]) == list(range(1, len(others) + 1))


def test_manifest_counts_the_rows_that_it_was_trained_on(monthly: Studio) -> None:
    (file,) = monthly.data.glob(f"06_models/{GAME}/*/manifest.json")
    manifest = monthly.json(str(file.relative_to(monthly.data)))
    rows = monthly.table(f"04_feature/{GAME}/train_features.parquet")
    assert manifest["not_at_risk"] == len(rows.filter(MONTHLY))
    assert manifest["rows"] == manifest["labelled_rows"] == len(rows.filter(~MONTHLY))
