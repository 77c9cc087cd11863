"""Predictions are delivered to a database or a folder, whenever these lack them."""

import sqlite3
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from churnlib.io.catalog import Catalog
from tests.flows.models import GAME
from tests.flows.studio import BATCH_DAY, Say, Studio, is_refusal, written

pytestmark = pytest.mark.slow

LINE = ("batch-predict", GAME, "--as-of", BATCH_DAY)
BATCH = f"07_model_output/{GAME}/predictions_2024-06.parquet"
TO = "--set=delivery.to=sqlite:///out.db"


def delivered(studio: Studio) -> list[tuple[object, ...]]:
    """The delivered predictions, as the database has them."""
    with closing(sqlite3.connect(studio.data / "out.db")) as database:
        return database.execute(
            "SELECT game, batch_month, as_of, char_id, churn_probability, risk_rank, "
            "model_version, contact, held_out FROM predictions ORDER BY risk_rank, sub_id"
        ).fetchall()


def predicted(studio: Studio) -> list[tuple[object, ...]]:
    """The same of the file of predictions."""
    rows = studio.table(BATCH).sort("risk_rank", "sub_id")
    return rows.select(
        pl.lit(GAME).alias("game"),
        pl.lit("2024-06-01").alias("batch_month"),
        pl.lit(BATCH_DAY).alias("as_of"),
        *("char_id", "churn_probability", "risk_rank", "model_version", "contact", "held_out"),
    ).rows()


def test_cached_predictions_are_delivered_once_the_database_can_be_written(
    restored: Studio, say: Say
) -> None:
    before = restored.outputs()
    blocker = restored.data / "out.db"
    blocker.mkdir()
    refused = say(restored, *LINE, TO)
    assert is_refusal(refused, "batch 2024-06 was predicted but not delivered: sqlite:///out.db: ")
    blocker.rmdir()
    done = say(restored, *LINE, TO)
    assert done.startswith("exit 0\n"), done
    rows = len(restored.table(BATCH))
    assert f"batch 2024-06: {rows:,} rows delivered to sqlite:///out.db, table predict" in done
    assert not written(done)
    assert restored.outputs().keys() == before.keys()
    assert delivered(restored) == predicted(restored)
    say(restored, *LINE, TO)
    assert delivered(restored) == predicted(restored)


def test_backfill_delivers_what_the_folder_lacks(restored: Studio, say: Say) -> None:
    months = ("--flow=batch-predict", "--from=2024-06", "--to=2024-06")
    line = ("backfill", GAME, *months, "--set=delivery.to=exports")
    assert "rows delivered to" in say(restored, *line)
    file = restored.file(f"exports/{GAME}/predictions_2024-06.csv")
    found = pl.read_csv(file)
    assert found["churn_probability"].equals(restored.table(BATCH)["churn_probability"])
    again = say(restored, *line)
    assert again.startswith("exit 0\n")
    assert "rows delivered to" not in again
    file.unlink()
    assert "rows delivered to" in say(restored, *line)


def test_trial_beside_a_champion_does_not_deliver_to_what_others_use(
    restored: Studio, say: Say, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    exports = tmp_path / "exports"
    monkeypatch.setenv("CHURN_DELIVERY__TO", str(exports))
    monkeypatch.setenv("CHURN_DATA_DIR", str(tmp_path / "data"))
    champion = Path(Catalog(str(tmp_path / "data"), GAME).champion().uri)
    champion.parent.mkdir(parents=True)
    champion.touch()
    trial = say(restored, *LINE)
    assert trial.startswith("exit 0\n")
    assert "the predictions are not delivered, because this run has another data folder" in trial
    assert not exports.exists()
    champion.unlink()
    assert "rows delivered to" in say(restored, *LINE)
    assert [file.name for file in exports.rglob("*.csv")] == ["predictions_2024-06.csv"]
