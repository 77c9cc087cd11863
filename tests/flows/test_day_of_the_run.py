"""The day of a run that is not stated: rows of months that have not arrived are not read."""

from pathlib import Path

import polars as pl
import pytest

from churnlib.raw.quality_warnings import LATER
from tests.flows.models import champion
from tests.flows.studio import LAST_DAY, Say, Studio, bits

pytestmark = pytest.mark.slow

GAME = "game1"
TABLE = "character_currency"


@pytest.fixture
def raw(complete: Studio) -> pl.DataFrame:
    return complete.raw(GAME, TABLE)


def test_future_row_does_not_move_the_day(
    complete: Studio, say: Say, raw: pl.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    features = f"04_feature/{GAME}/train_features.parquet"
    before, model = bits(complete.table(features)), champion(complete)
    future = raw.head(1).with_columns(date=pl.lit("2025-07-01"))
    complete.write_raw(GAME, TABLE, pl.concat([raw, future]))
    output = say(complete, "train", GAME, "--from-raw")
    complete.restore()
    assert output.startswith("exit 0"), output
    assert bits(complete.table(features)) == before
    report = complete.json(f"08_reporting/{GAME}/in_sample_report.json")
    assert report["as_of"] == LAST_DAY
    assert report["model_version"] == model, "the model was not taken from the cache"
    assert report["data"]["odd"][TABLE] == {LATER: 1}
    (warning,) = report["warnings"]
    assert warning.startswith(f"{TABLE}: 1 row of 2025-07 is not read: too few for a month to")
    assert f"the day of the run is {LAST_DAY}" in warning
    text = complete.file(f"08_reporting/{GAME}/in_sample_report.txt").read_text()
    assert f"WARNING: {warning}" in text
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [text for text in told if "not read" in text] == [warning]


def test_stated_day_counts_no_later_rows(complete: Studio, say: Say, raw: pl.DataFrame) -> None:
    future = raw.head(1).with_columns(date=pl.lit("2025-07-01"))
    complete.write_raw(GAME, TABLE, pl.concat([raw, future]))
    output = say(complete, "batch_predict", GAME, f"--as-of={LAST_DAY}")
    complete.restore()
    assert output.startswith("exit 0"), output
    assert LATER not in output
    assert "not read" not in output


def test_faulty_row_of_a_month_that_has_not_arrived_is_not_checked(
    complete: Studio, say: Say, raw: pl.DataFrame
) -> None:
    future = raw.head(1).with_columns(date=pl.lit("2025-07-01"), hard_balance=pl.lit("x"))
    complete.write_raw(GAME, TABLE, pl.concat([raw, future]))
    output = say(complete, "batch_predict", GAME)
    complete.restore()
    assert output.startswith("exit 0"), output
    assert f"the day of the run is {LAST_DAY}" in output


def test_day_is_not_derived_from_rows_that_break_rules(
    complete: Studio, say: Say, raw: pl.DataFrame
) -> None:
    moved = pl.col("date").str.to_date().dt.offset_by("-1d").dt.strftime("%Y-%m-%d")
    complete.write_raw(GAME, TABLE, raw.with_columns(moved))
    before = complete.outputs()
    output = say(complete, "standard_features", GAME)
    after = complete.outputs()
    complete.restore()
    assert output.startswith("exit 2"), output
    assert "date must be the first day of a month" in output
    assert after == before


def test_month_that_has_partly_arrived_is_not_read(
    complete: Studio, say: Say, raw: pl.DataFrame, tmp_path: Path
) -> None:
    last = raw.filter(pl.col("date") == LAST_DAY)
    few = last.gather_every(5)
    complete.write_raw(GAME, TABLE, pl.concat([raw.filter(pl.col("date") < LAST_DAY), few]))
    output = say(complete, "batch_predict", GAME)
    complete.restore()
    assert output.startswith("exit 0"), output
    assert f"{TABLE}: {len(few)} rows of 2025-01 are not read" in output
    assert "the day of the run is 2024-12-01" in output
    batch = complete.table(f"07_model_output/{GAME}/predictions_2024-11.parquet")
    assert batch["sub_start_date"].dt.strftime("%Y-%m").unique().to_list() == ["2024-11"]
