"""The backfill: months that are run, skipped and failed."""

import json
import logging
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from prefect.artifacts import Artifact
from prefect.exceptions import ParameterTypeError

from churnlib.errors import SettingsError
from flows import backfill as module
from flows.backfill import backfill
from flows.cli.exit_status import FAILED, USERS_FAULT
from flows.cli.main import main
from flows.steps.months import months_between
from tests.flows.studio import FAST, Studio, writes

pytestmark = pytest.mark.slow

GAME = "game1"
LINE = ("--game", GAME, "--flow")
PREDICTIONS = f"07_model_output/{GAME}"


def fill(studio: Studio, flow: str, first: str, last: str, **more: Any) -> dict[str, str]:
    """Runs the backfill; returns what came of each month."""
    outcomes: Any = backfill(
        game=GAME,
        batch_flow=flow,
        first_month=first,
        last_month=last,
        data_dir=str(studio.data),
        **{"overrides": FAST[GAME], **more},
    )
    return {outcome.month: outcome.kind for outcome in outcomes}


@pytest.fixture(scope="module")
def trained(complete: Studio) -> Studio:
    """A data folder with a champion whose labels were known by May 2024, and no batch."""
    shutil.rmtree(complete.data / PREDICTIONS)
    for report in complete.data.glob(f"08_reporting/{GAME}/batch_score_report_*"):
        report.unlink()
    return complete


def test_backfill_gives_the_same_outputs_as_the_flow(trained: Studio) -> None:
    months = ("2024-05", "2024-06", "2024-07")
    assert fill(trained, "batch_predict", "2024-05", "2024-07") == dict.fromkeys(months, "done")
    before = trained.snapshot("07*/**")
    assert {Path(file).name for file in before} == {f"predictions_{m}.parquet" for m in months}
    starts = trained.table(f"{PREDICTIONS}/predictions_2024-06.parquet")["sub_start_date"]
    assert starts.is_between(date(2024, 6, 1), date(2024, 6, 30)).all()
    trained.run("batch_predict", GAME, as_of=date(2024, 7, 1))
    assert trained.snapshot("07*/**") == before


def test_backfill_skips_finished_months(trained: Studio) -> None:
    fill(trained, "batch_predict", "2024-05", "2024-06")
    before = trained.outputs()
    (trained.data / PREDICTIONS / "predictions_2024-06.parquet").unlink()
    assert fill(trained, "batch_predict", "2024-05", "2024-06") == {
        "2024-05": "done before",
        "2024-06": "done",
    }
    after = trained.outputs()
    changed = {name for name in after if after[name] != before[name]}
    assert {Path(name).name for name in changed} == {"predictions_2024-06.parquet"}


@pytest.mark.parametrize("kept", ["", "html", "of others", "damaged"])
def test_backfill_lists_a_finished_month_that_a_kill_left_without_its_list(
    trained: Studio, kept: str
) -> None:
    fill(trained, "batch_predict", "2024-05", "2024-06")
    places = {p: p.read_bytes() for p in trained.data.glob("08_reporting/*/batch_list_2024-06.*")}
    predictions = trained.snapshot("07*/**")
    for place in places:
        if kept == "of others" and place.suffix == ".json":
            place.write_text(json.dumps({**json.loads(place.read_text()), "predictions": "x"}))
        elif kept == "damaged" and place.suffix == ".json":
            place.write_text("[half")
        elif place.suffix != f".{kept}":
            place.unlink()
    assert fill(trained, "batch_predict", "2024-05", "2024-06") == {
        "2024-05": "done before",
        "2024-06": "done before",
    }
    assert {place: place.read_bytes() for place in places} == places
    assert trained.snapshot("07*/**") == predictions


def test_backfill_with_refresh_runs_every_task_again_once(
    trained: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    fill(trained, "batch_predict", "2024-05", "2024-06")
    caplog.set_level(logging.INFO)
    caplog.clear()
    again = fill(trained, "batch_predict", "2024-05", "2024-06", refresh=True)
    assert again == {"2024-05": "done", "2024-06": "done"}
    tables = dict.fromkeys(("character_data", "sub_data", "character_currency"), 1)
    assert writes(caplog.text) == tables | {
        "predict_features": 2,
        "predictions": 2,
        "batch_list": 6,  # In three formats.
    }


def test_backfill_leaves_the_predictions_of_an_earlier_champion(trained: Studio) -> None:
    fill(trained, "batch_predict", "2024-05", "2024-05")
    before = trained.snapshot("07*/**")
    trained.run("train", GAME, {"train.seed": 9})
    assert fill(trained, "batch_predict", "2024-05", "2024-05") == {"2024-05": "done before"}
    assert trained.snapshot("07*/**") == before
    trained.run("train", GAME)


def test_backfill_continues_after_failed_months_and_lists_them(
    trained: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    settings = [f"--set={path}={value}" for path, value in FAST[GAME].items()]
    line = (*LINE, "batch-predict", "--from", "2024-03", "--to", "2025-01", *settings)
    assert main(["backfill", *line, "--data-dir", str(trained.data)]) == USERS_FAULT
    assert "game1: batch_predict: 2 of 11 months failed:" in caplog.text
    listed = caplog.text.partition("months failed:\n")[2].splitlines()
    assert listed[0].startswith("  2024-03: game1: model ")
    assert "label leakage" in listed[0]
    assert listed[1].startswith("  2025-01: game1: the batch of 2025-01 is due on 2025-02-01")
    assert "Traceback" not in caplog.text
    done = {file.stem for file in (trained.data / PREDICTIONS).iterdir()}
    assert done == {f"predictions_2024-{month:02}" for month in range(4, 13)}
    artifact: Any = Artifact.get(f"backfill-{GAME}-try-months")
    rows = {row["month"]: row for row in json.loads(artifact.data)}
    assert len(rows) == 11
    assert rows["2025-01"]["outcome"] == "failed"
    assert rows["2024-12"]["as of"] == "2025-01-01"
    progress: Any = Artifact.get(f"backfill-{GAME}-try-progress")
    assert progress.data == 100


def test_backfill_scores_months_by_standard_features_built_once(trained: Studio) -> None:
    fill(trained, "batch_predict", "2024-05", "2024-06")
    (trained.data / f"03_primary/{GAME}/standard_features.parquet").unlink()
    done = fill(trained, "batch_score", "2024-05", "2024-06", from_raw=True)
    assert done == {"2024-05": "done", "2024-06": "done"}
    first, second = (
        trained.json(f"08_reporting/{GAME}/batch_score_report_{month}.json")
        for month in ("2024-05", "2024-06")
    )
    assert (first["as_of"], second["as_of"]) == ("2024-12-01", "2025-01-01")
    assert first["general"]["immature"] == second["general"]["immature"] == 0
    assert first["general"]["n"] > 10


def test_backfill_of_a_crash_ends_as_one(
    trained: Studio, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def crash(*_args: object) -> None:
        raise ZeroDivisionError("crash")

    monkeypatch.setattr(module, "check_due", crash)
    line = (*LINE, "batch_predict", "--from", "2024-05", "--to", "2024-06")
    assert main(["backfill", *line, "--data-dir", str(trained.data)]) == FAILED
    assert "game1: batch_predict: 2 of 2 months failed:\n  2024-05: crash" in caplog.text


def test_backfill_of_a_window_that_does_not_move_is_refused(trained: Studio) -> None:
    fixed = {"windows.batch_predict": {"start": "2024-05-01", "end": "2024-05-31"}}
    with pytest.raises(SettingsError, match=r"windows\.batch_predict is set to days, 2024-05-01"):
        fill(trained, "batch_predict", "2024-05", "2024-06", overrides=fixed)


def test_backfill_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(SettingsError, match="the last is before the first"):
        list(months_between("2024-06", "2024-05"))


@pytest.mark.parametrize("month", ["2024-6", "2024-13", "24-06", "2024-06-01", "June"])
def test_backfill_accepts_only_months(
    month: str, prefect_server: object, capsys: pytest.CaptureFixture[str]
) -> None:
    line = [*LINE, "batch_predict", "--from", month, "--to", "2024-12"]
    assert main(["backfill", *line]) == USERS_FAULT
    assert f"'{month}' is not a month such as 2024-12" in capsys.readouterr().err
    with pytest.raises(ParameterTypeError, match="first_month"):
        backfill(game=GAME, batch_flow="batch_predict", first_month=month, last_month="2024-12")
