"""Raw tables of two games, and data folders to run flows in."""

import shutil
from pathlib import Path

import pytest

from churnlib.synthesis import PROCESSES, generate
from tests.flows.models import GAME, OTHER
from tests.flows.studio import Say, Studio, new_studio

CHARACTERS = 900
MODELS = f"06_models/{GAME}"


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the raw tables of two games, which no test changes."""
    data = tmp_path_factory.mktemp("pristine")
    for game, process in PROCESSES.items():
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
    shutil.copytree(studio.data, kept_folder(studio))
    return studio


@pytest.fixture(scope="module")
def complete(completed: Studio) -> Studio:
    """The data folder in which every flow of the first game has run, as the flows have left it."""
    replace_folder(completed.data, kept_folder(completed))
    return completed


@pytest.fixture
def restored(complete: Studio) -> Studio:
    """The data folder in which every flow of the first game has run, restored for one test."""
    replace_folder(complete.data, kept_folder(complete))
    return complete


@pytest.fixture
def trained(complete: Studio) -> Studio:
    """A data folder with one model, the champion, and the outputs of earlier tests."""
    replace_folder(complete.data / MODELS, kept_folder(complete) / MODELS)
    return complete


@pytest.fixture(scope="session")
def models_with_candidate(completed: Studio, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of models after a second training, the model of which is the candidate."""
    replace_folder(completed.data, kept_folder(completed))
    completed.run("train", GAME, OTHER)
    kept = tmp_path_factory.mktemp("models") / "with_candidate"
    return Path(shutil.copytree(completed.data / MODELS, kept))


@pytest.fixture
def with_candidate(complete: Studio, models_with_candidate: Path) -> Studio:
    """A data folder with a champion and a candidate, and the outputs of earlier tests."""
    replace_folder(complete.data / MODELS, models_with_candidate)
    return complete


def replace_folder(target: Path, kept: Path) -> None:
    """Replaces a folder by a copy whose files have the same times, so that caches stay valid."""
    shutil.rmtree(target)
    shutil.copytree(kept, target)


def kept_folder(studio: Studio) -> Path:
    """The copy of a data folder as its flows left it."""
    return studio.data.with_name("copy")


@pytest.fixture
def say(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs a command line; returns its exit status, its log and its standard error."""

    def run(studio: Studio, *line: str) -> str:
        caplog.clear()
        capsys.readouterr()
        status = studio.command(*line)
        return f"exit {status}\n{caplog.text}{capsys.readouterr().err}"

    return run
