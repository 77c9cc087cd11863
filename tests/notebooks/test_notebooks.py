"""The notebooks run from top to bottom, and come to an answer."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
RUN = """
import runpy, sys
app = runpy.run_path(sys.argv[1])["app"]
_, found = app.run()
low, high = found["difference"].interval()
assert low < found["difference"].difference < high, (low, high)
assert found["before"].scores["general"].roc_auc > 0.65
assert found["after"].report.importance and found["after"].html.startswith("<!DOCTYPE html>")
assert "hard_balance_to_mean" in {i["feature"] for i in found["after"].report.importance}
"""


def python(*arguments: Any) -> None:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=FOLDER.parent,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_notebook_asks_whether_a_feature_helps_and_answers() -> None:
    python("-c", RUN, FOLDER / "try_a_feature.py")


@pytest.mark.parametrize("notebook", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_notebook_is_one_that_marimo_takes(notebook: Path) -> None:
    python("-m", "marimo", "check", "--strict", notebook)
