"""Batches that were made of a part of their subscriptions, or of nothing new, or not at all."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import polars as pl
import pytest

from churnlib.io.catalog import Catalog
from churnlib.raw.past_batches import read_batch
from flows.backfill import backfill
from flows.cli.exit_status import DONE
from flows.cli.main import main
from flows.engine import events
from tests.flows.models import champion
from tests.flows.studio import BATCH_DAY, FAST, LAST_DAY, Say, Studio

pytestmark = pytest.mark.slow

GAME = "game1"
JUNE = date(2024, 6, 1)
WARN = "--set=raw.on_late=warn"


@pytest.fixture
def emitted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    calls: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(
        events, "emit_event", lambda kind, _, payload: calls.append((kind, payload))
    )
    yield calls


def fill(studio: Studio, first: str, last: str) -> list[dict[str, str]]:
    """Runs the backfill of predictions; returns the rows of its table."""
    results: Any = backfill(
        game=GAME,
        batch_flow="batch_predict",
        first_month=first,
        last_month=last,
        data_dir=str(studio.data),
        overrides=FAST[GAME],
    )
    return [result.row for result in results]


def test_partial_batch_is_made_again_by_its_model_and_then_kept(restored: Studio, say: Say) -> None:
    studio, place = restored, Catalog(str(restored.data), GAME).predictions(JUNE)
    whole, version = read_batch(place, JUNE), champion(restored)
    complete = studio.table(f"07_model_output/{GAME}/predictions_2024-06.parquet")
    subs = studio.raw(GAME, "sub_data")
    few = subs.filter(pl.col("sub_start_date") < "2024-06-02")
    studio.write_raw(GAME, "sub_data", few)
    studio.write_raw(
        GAME, "sub_miss", studio.raw(GAME, "sub_miss").join(few, on="sub_id", how="semi")
    )
    output = say(studio, "batch_predict", GAME, f"--as-of={BATCH_DAY}", WARN, "--replace")
    assert output.startswith("exit 0"), output
    partial = read_batch(place, JUNE)
    assert 0 < partial.rows < whole.rows
    assert partial.made_of is not None
    assert whole.made_of is not None
    assert partial.made_of["sub_data"] == len(few) < whole.made_of["sub_data"]
    studio.restore()

    scored = say(studio, "batch_score", GAME)
    assert scored.startswith("exit 0"), scored
    report = studio.json(f"08_reporting/{GAME}/batch_score_report_2024-06.json")
    assert report["not_predicted"] == whole.rows - partial.rows
    assert "Predict this batch again: it is incomplete." in scored
    assert any(warning.startswith("sub_data is late") for warning in report["warnings"])

    rows = f"made of {len(few)} rows of sub_data, of which {whole.made_of['sub_data']:,} are known"
    studio.run("train", GAME, {"train.seed": 9})
    (row,) = fill(studio, "2024-06", "2024-06")
    assert row["outcome"] == f"made again: {rows} by now for {BATCH_DAY}"
    assert studio.table(f"07_model_output/{GAME}/predictions_2024-06.parquet").equals(complete)
    assert read_batch(place, JUNE) == whole
    assert whole.model_version == version
    (row,) = fill(studio, "2024-06", "2024-06")
    assert row["outcome"] == "done before"


def test_months_without_predictions_are_named_in_log_event_and_overview(
    complete: Studio,
    say: Say,
    emitted: list[tuple[str, dict[str, Any]]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = say(complete, "batch_predict", GAME)
    months = ["2024-07", "2024-08", "2024-09", "2024-10", "2024-11"]
    for month in months:
        assert f"batch {month}: missing" in output
    command = f"churn backfill --game {GAME} --data-dir {complete.data} --flow batch-predict "
    assert f"{command}--from 2024-07 --to 2024-11" in output.replace("\n", " ")
    (missing,) = (payload for kind, payload in emitted if kind == "churn.batch.missing")
    assert missing == {
        "game": GAME,
        "first_month": "2024-07",
        "last_month": "2024-11",
        "missing": months,
        "incomplete": [],
        "too_small": "no",
    }
    capsys.readouterr()
    assert main(["--data-dir", str(complete.data)]) == DONE
    listed = capsys.readouterr().out
    assert f"batches missing       {', '.join(months)}: {command}" in listed
    assert "batch incomplete" not in listed


def test_run_without_a_new_month_says_so(complete: Studio, say: Say) -> None:
    since = "no new month since 2024-12 in sub_data, 2025-01 in character_currency"
    again = say(complete, "batch_predict", GAME)
    assert f"{since}: the day of the run is {LAST_DAY} as before, so this is batch 2024-12" in again
    assert "no new month" not in say(complete, "batch_predict", GAME, f"--as-of={LAST_DAY}")
    window = ("--set=windows.batch_predict.start=-2", "--set=windows.batch_predict.end=-2")
    other = say(complete, "batch_predict", GAME, "--as-of=2025-02-01", WARN, *window)
    assert "no new month" not in other, "this batch is the same month"
    later = say(
        complete,
        "batch_predict",
        GAME,
        f"--as-of={LAST_DAY}",
        "--set=windows.batch_predict.end=0",
        "--replace",
    )
    assert (
        f"windows.batch_predict runs to 2025-01-31, after {LAST_DAY}, the day of the run" in later
    )
