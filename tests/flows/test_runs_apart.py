"""Runs of one game in one data folder: each gets its own right result, or waits."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.io.catalog import Catalog
from flows import COMPOSITES, FLOWS
from flows.engine import run_lock
from flows.engine.prefect_home import prefect_home
from tests.base import HISTORY
from tests.flows.engine.test_run_lock import held_by_another
from tests.flows.models import GAME
from tests.flows.studio import BATCH_DAY, ROOT, Say, Studio, is_refusal
from tests.variants import slow_but

BACKFILL = ("backfill", "--flow", "batch-predict", "--from", "2024-05", "--to", "2024-06")
LINES = [
    *((flow.replace("_", "-"),) for flow in FLOWS),
    *((flow.replace("_", "-"), "--from-raw") for flow in COMPOSITES),
    BACKFILL,
]

HELD_AT_A_BARRIER = """
import sys
import flows
from importlib import import_module

module, name, *line = sys.argv[1:]
module = import_module(module)
original = getattr(module, name)

def stop(*args, **kwargs):
    result = original(*args, **kwargs)
    print("at the barrier", flush=True)
    sys.stdin.readline()
    return result

setattr(module, name, stop)
from tests.variants import slow_but
from flows.cli.main import main
sys.exit(main(line))
"""
"""A command line that stops after a function until it reads a line."""


@pytest.mark.parametrize(
    "line", slow_but((BACKFILL,), (LINES[1],), of=[(line,) for line in LINES]), ids=" ".join
)
def test_flow_waits_for_another_run_of_its_game(
    line: tuple[str, ...], complete: Studio, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_lock, "GIVE_UP_AFTER", 0.0)
    before, (flow, *options) = complete.outputs(), line
    with held_by_another(Catalog(str(complete.data), GAME)):
        output = say(complete, flow, GAME, *options)
    assert is_refusal(output, f"{GAME} in {complete.data} has been held by "), output
    assert complete.outputs() == before


@contextmanager
def started(*line: str) -> Iterator["subprocess.Popen[str]"]:
    """Starts Python with a command line that is ended with the block."""
    environment = os.environ | {"PREFECT_HOME": str(prefect_home())}
    with subprocess.Popen(
        [sys.executable, *line],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: "subprocess.Popen[str]", text: str) -> None:
    """Reads the output of a process up to a line with a text."""
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return
    pytest.fail(f"ended without {text!r}:\n{''.join(lines)}")


def results(studio: Studio) -> dict[str, Any]:
    """What the flows of the test make: metrics of every model, predictions, and the back-test."""
    manifests = [
        studio.data / file for file in studio.data.glob(f"06_models/{GAME}/*/manifest.json")
    ]
    found: dict[str, Any] = {}
    for file in manifests:
        manifest = studio.json(str(file.relative_to(studio.data)))
        lookback = manifest["settings"]["features"][HISTORY]["lookback_months"]
        key = f"model with {lookback} months as of {manifest['as_of']}"
        found[key] = (manifest["metrics"], manifest["inputs"]["train_features"])
    for file in studio.data.glob(f"07_model_output/{GAME}/*.parquet"):
        found[file.name] = pl.read_parquet(file).drop("model_version").rows()
    for file in studio.data.glob(f"08_reporting/{GAME}/score_report.json"):
        found[file.name] = studio.json(str(file.relative_to(studio.data)))["general"]
    return found


TRAIN = ("flows.train", "window_cohort", "train")
SCORE = ("flows.score", "window_cohort", "score")
PREDICT = ("flows.batch_predict", "build_predict_features", "batch-predict", "--as-of", BATCH_DAY)
FILL = ("flows.backfill", "due_day", *BACKFILL)
TWO_MONTHS = "--set=features.character_currency.lookback_months=2"
PAIRS = {
    "train, train with other features": (TRAIN, ("train", TWO_MONTHS)),
    "train, score": (TRAIN, ("score",)),
    "train, train as of an earlier day": (TRAIN, ("train", "--from-raw", "--as-of", "2024-10-01")),
    "score, train with other raw tables": (
        SCORE,
        ("train", "--from-raw", "--set=raw.on_bad_rows=quarantine", TWO_MONTHS),
    ),
    "predict, backfill": (PREDICT, BACKFILL),
    "backfill, predict": (FILL, ("batch-predict", "--as-of", BATCH_DAY, "--replace")),
}
"""Where the first run stops, its command, and the command that is started meanwhile."""


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), PAIRS.values(), ids=PAIRS)
def test_runs_started_together_give_the_results_of_runs_after_one_another(
    first: tuple[str, ...], second: tuple[str, ...], restored: Studio, tmp_path: Path
) -> None:
    module, name, *line = first
    undisturbed = Studio(tmp_path / "data", restored.pristine)
    shutil.copytree(restored.data, undisturbed.data)
    for command in (line, list(second)):
        arguments = undisturbed.arguments(GAME, *command[1:])
        assert (
            subprocess.run(
                [sys.executable, "-m", "flows", command[0], *arguments], cwd=ROOT, check=False
            ).returncode
            == 0
        )
    expected = results(undisturbed)

    script = tmp_path / "barrier.py"
    script.write_text(HELD_AT_A_BARRIER)
    with started(
        str(script), module, name, line[0], *restored.arguments(GAME, *line[1:])
    ) as earlier:
        read_until(earlier, "at the barrier")
        with started("-m", "flows", second[0], *restored.arguments(GAME, *second[1:])) as later:
            read_until(later, "waiting for ")
            assert earlier.stdin
            earlier.stdin.write("go\n" * 10)
            earlier.stdin.close()
            assert earlier.stdout
            assert later.stdout
            texts = earlier.stdout.read(), later.stdout.read()
            assert (earlier.wait(), later.wait()) == (0, 0), texts
    assert results(restored) == expected
