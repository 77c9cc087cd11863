"""Raw tables of two games, and data folders to run flows in."""

import os
import shutil
from pathlib import Path

import pytest

from churnlib.synthesis import STANDARD, generate
from churnlib.versions import decision
from tests.flows.models import GAME, OTHER
from tests.flows.studio import Say, Studio, new_studio

CHARACTERS = 900
RESULTS = Path(os.environ["PREFECT_RESULTS_LOCAL_STORAGE_PATH"])


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the raw tables of two games, which no test changes."""
    data = tmp_path_factory.mktemp("pristine")
    for game, process in STANDARD.items():
        generate(process, CHARACTERS, 1, data / "01_raw" / game)
    return data


@pytest.fixture(scope="module")
def studio(
    prefect_server: Path,
    pristine: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Studio:
    """A data folder for the tests of one module, with nothing but the raw tables."""
    return new_studio(tmp_path_factory.mktemp("studio"), pristine)


@pytest.fixture
def empty_studio(prefect_server: Path, pristine: Path, tmp_path: Path) -> Studio:
    """A data folder for one test, with nothing but the raw tables."""
    return new_studio(tmp_path / "data", pristine)


@pytest.fixture(scope="session")
def completed(
    prefect_server: Path,
    pristine: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Studio:
    """A data folder in which every flow of the first game has run, with a copy beside it."""
    studio = new_studio(tmp_path_factory.mktemp("completed") / "data", pristine)
    studio.take_through(GAME)
    keep(studio, "completed")
    return studio


@pytest.fixture(scope="session")
def completed_with_candidate(completed: Studio) -> Studio:
    """The same after a second training, the model of which is the candidate."""
    put_back(completed, "completed")
    completed.run("train", GAME, OTHER)
    keep(completed, "with_candidate")
    return completed


@pytest.fixture(scope="module")
def complete(completed: Studio) -> Studio:
    """The data folder in which every flow of the first game has run, for one module."""
    put_back(completed, "completed")
    return completed


@pytest.fixture
def restored(completed: Studio) -> Studio:
    """The data folder in which every flow of the first game has run, for one test."""
    put_back(completed, "completed")
    return completed


@pytest.fixture
def with_candidate(completed_with_candidate: Studio) -> Studio:
    """The same with a second model that waits as the candidate."""
    put_back(completed_with_candidate, "with_candidate")
    return completed_with_candidate


@pytest.fixture
def lenient_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the gate take a model for better than chance on the few subscriptions of a test."""
    monkeypatch.setattr(decision, "FLOOR_ERROR", 0.5)


def keep(studio: Studio, name: str) -> None:
    """Copies a data folder and the cached results."""
    kept = studio.data.with_name(name)
    shutil.copytree(studio.data, kept / "data")
    shutil.copytree(RESULTS, kept / "results")


def put_back(studio: Studio, name: str) -> None:
    """Restores a data folder and the cached results; files get the times that they had."""
    kept = studio.data.with_name(name)
    for folder, copy in ((studio.data, kept / "data"), (RESULTS, kept / "results")):
        shutil.rmtree(folder)
        shutil.copytree(copy, folder)


@pytest.fixture
def say(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs a command line; returns its exit status, its log and its standard error."""

    def run(studio: Studio, *line: str) -> str:
        caplog.clear()
        capsys.readouterr()
        status = studio.command(*line)
        return f"exit {status}\n{caplog.text}{capsys.readouterr().err}"

    return run
