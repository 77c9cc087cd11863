"""The notebooks run from top to bottom, and give an answer."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
RUN = """
import runpy, sys
app = runpy.run_path(sys.argv[1])["app"]
_, values = app.run()
low, high = values["difference"].interval()
assert low < values["difference"].difference < high, (low, high)
assert values["before"].scores["general"].roc_auc > 0.65
assert values["after"].report.importance and values["after"].html.startswith("<!DOCTYPE html>")
assert "hard_balance_to_mean" in {i["feature"] for i in values["after"].report.importance}

import churnlib  # The same by the function in games/features.py.
asked = {"features.python.use": ["hard_balance_to_mean"]}
settings = churnlib.load_settings("game1", asked)
own = churnlib.feature_table(values["tables"], settings, as_of=values["as_of"]).collect()
assert own.equals(values["extended"].collect())
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
def test_notebook_says_whether_a_feature_helps() -> None:
    python("-c", RUN, FOLDER / "try_a_feature.py")


@pytest.mark.parametrize("notebook", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_notebook_passes_the_check_of_marimo(notebook: Path) -> None:
    python("-m", "marimo", "check", "--strict", notebook)
