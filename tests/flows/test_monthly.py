"""All flows at the monthly grain: every running subscription, on the first day of each month."""

from collections import Counter
from datetime import date
from typing import Any

import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.features.cohort import feature_table
from churnlib.raw.tables import read_tables
from churnlib.schemas.columns import KEYS, LABEL
from churnlib.schemas.outputs import CAMPAIGNS
from churnlib.settings import load_settings
from tests.flows.studio import BATCH_DAY, FAST, LAST_DAY, Studio, bits

pytestmark = pytest.mark.slow

GAME = "game1"
MONTHLY = {"cohort.grain": "monthly"}
BEFORE = "2024-06-01"
TOLD = ("churned_on", LABEL)


@pytest.fixture(scope="module")
def monthly(studio: Studio) -> Studio:
    """A data folder in which every flow has run, with two batches."""
    studio.run("train_from_raw", GAME, MONTHLY)
    studio.run("score", GAME, MONTHLY)
    for day in (BEFORE, BATCH_DAY):
        studio.run("batch_predict", GAME, MONTHLY, as_of=day)
    studio.run("batch_score", GAME, MONTHLY)
    return studio


def feature_rows(studio: Studio, as_of: str, span: tuple[str, str]) -> pl.DataFrame:
    """The feature table of a window by the library alone."""
    settings = load_settings(GAME, {"data_dir": str(studio.data), **FAST[GAME], **MONTHLY})
    first, last = map(date.fromisoformat, span)
    day = date.fromisoformat(as_of)
    return feature_table(read_tables(settings), settings, as_of=day, span=(first, last)).collect()


def running_on(studio: Studio, day: str) -> set[int]:
    """The subscriptions that run on a day by their terms, whether or not they churned."""
    subs = studio.raw(GAME, "sub_data").select(
        pl.col("sub_id", "sub_months").cast(pl.Int64), pl.col("sub_start_date").str.to_date()
    )
    ends = pl.col("sub_start_date").dt.offset_by(pl.format("{}mo", "sub_months"))
    on = date.fromisoformat(day)
    return {*subs.filter(pl.col("sub_start_date") <= on, ends > on)["sub_id"]}


def churned_by(studio: Studio, day: str) -> set[int]:
    standard = studio.table(f"03_primary/{GAME}/standard_features.parquet")
    return {*standard.filter(pl.col("churned_on") <= date.fromisoformat(day))["sub_id"]}


@pytest.mark.parametrize("day", [BEFORE, BATCH_DAY])
def test_batch_predicts_every_running_subscription(monthly: Studio, day: str) -> None:
    predicted = monthly.table(f"07_model_output/{GAME}/predictions_{day[:7]}.parquet")
    assert {*predicted["sub_id"]} == running_on(monthly, day) - churned_by(monthly, day)
    assert predicted["day"].unique().to_list() == [date.fromisoformat(day)]
    assert not predicted.select(KEYS).is_duplicated().any()
    able = predicted.filter(pl.col("churn_probability").is_not_null())
    assert able["risk_rank"].sort().to_list() == list(range(1, len(able) + 1))


@pytest.mark.parametrize("day", [BEFORE, BATCH_DAY])
def test_features_of_a_batch_are_those_of_training(monthly: Studio, day: str) -> None:
    batch = monthly.table(f"05_model_input/{GAME}/predict_{day[:7]}.parquet")
    later = feature_rows(monthly, LAST_DAY, (day, day)).drop(TOLD)
    assert bits(batch) == bits(later)


def test_windows_hold_the_rows_of_their_days(monthly: Studio) -> None:
    for flow, span in {
        "train": ("2022-06-01", "2023-11-30"),
        "score": ("2024-05-01", "2024-07-31"),
    }.items():
        rows = monthly.table(f"04_feature/{GAME}/{flow}_features.parquet")
        assert bits(rows.drop(CAMPAIGNS)) == bits(feature_rows(monthly, LAST_DAY, span))


def test_batch_tells_what_the_one_before_predicted(monthly: Studio) -> None:
    now, before = (
        monthly.table(f"07_model_output/{GAME}/predictions_{day[:7]}.parquet")
        for day in (BATCH_DAY, BEFORE)
    )
    assert before["previous_probability"].null_count() == len(before)
    known = dict(before.select("sub_id", "churn_probability").rows())
    told = dict(now.select("sub_id", "previous_probability").rows())
    assert told == {sub_id: known.get(sub_id) for sub_id in now["sub_id"]}
    listed: Any = monthly.json(f"08_reporting/{GAME}/batch_list_{BATCH_DAY[:7]}.json")
    assert listed["before"] == BEFORE[:7]
    assert listed["predicted"] == now["churn_probability"].count()


def test_score_of_a_batch_has_the_outcome_of_each_row(monthly: Studio) -> None:
    report: Any = monthly.json(f"08_reporting/{GAME}/batch_score_report_{BATCH_DAY[:7]}.json")
    rows = feature_rows(monthly, LAST_DAY, (BATCH_DAY, BATCH_DAY))
    known = rows.drop_nulls(LABEL)
    assert report["general"]["n"] == len(known) > 100
    assert report["general"]["positives"] == known[LABEL].sum() > 0
    assert report["not_predicted"] == 0


def test_predictions_of_the_other_grain_are_not_scored(monthly: Studio) -> None:
    window = {"windows.batch_score.start": -6, "windows.batch_score.end": -6}
    with pytest.raises(DataError, match=r"with cohort.grain = monthly, but the settings say start"):
        monthly.run("batch_score", GAME, window)


def test_back_test_tells_whom_earlier_batches_contacted(monthly: Studio) -> None:
    monthly.run("score", GAME, MONTHLY)
    scored = monthly.table(f"04_feature/{GAME}/score_features.parquet")
    expected = dict.fromkeys(scored.select("sub_id", "day").rows(), "none")
    assert len(expected) == len(scored)
    for day in (BATCH_DAY, BEFORE):
        batch = monthly.table(f"07_model_output/{GAME}/predictions_{day[:7]}.parquet")
        contacted = {*batch.filter("contact")["sub_id"]}
        lowest = batch.filter("contact")["churn_probability"].min()
        spared = {*batch.filter("held_out", pl.col("churn_probability") >= lowest)["sub_id"]}
        assert contacted
        for sub_id, on in expected:
            if on <= date.fromisoformat(day) and sub_id in contacted:
                expected[sub_id, on] = "contacted"
            elif on <= date.fromisoformat(day) and sub_id in spared:
                expected[sub_id, on] = max(expected[sub_id, on], "held_out", key=CONTACTS.index)
    assert dict(zip(expected, scored["campaign"], strict=True)) == expected
    report: Any = monthly.json(f"08_reporting/{GAME}/score_report.json")
    told = {part["value"]: part["n"] for part in report["segments"]["campaign"]}
    assert told == Counter(scored.drop_nulls(LABEL)["campaign"])


CONTACTS = ("none", "held_out", "contacted")
