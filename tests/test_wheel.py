"""The wheel: its content, and that it works without the repository.

Nothing is downloaded: hatchling builds it from the environment of the tests, which also lends the
libraries that it depends on.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from email import message_from_string
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

from tests.docs.readme import README, is_its_figure, library_example
from tests.flows.studio import ROOT, is_refusal

pytestmark = pytest.mark.slow

PACKAGES = ("churnlib", "flows")
BUILD = ("-m", "hatchling", "build", "--target", "wheel")
STATED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ABOUT = f"churnlib-{STATED['version']}.dist-info"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the present code."""
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, *BUILD, "--directory", out], cwd=ROOT, check=True)
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment that holds the wheel, and sees what it depends on."""
    place = tmp_path_factory.mktemp("environment").resolve()
    venv.create(place, symlinks=True)
    pip = (sys.executable, "-m", "pip", "--python", place, "--disable-pip-version-check")
    subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", wheel], check=True)
    (site,) = place.glob("lib/python*/site-packages")
    # A .pth file in a folder that a .pth file names is not read: the editable install stays unseen.
    lent = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    (site / "lent.pth").write_text("\n".join(lent), encoding="utf-8")
    return place


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A user's folder: games and raw tables, which are not in the wheel."""
    own = shutil.ignore_patterns("local.toml")
    for part in ("games", "data/01_raw/game1"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=own)
    return tmp_path


def python(place: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs an environment's Python; by -I neither the folder nor PYTHONPATH is imported from."""
    return subprocess.run(
        [place / "bin" / "python", "-I", *arguments],
        cwd=cwd,
        env={name: value for name, value in os.environ.items() if not name.startswith("CHURN_")},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_make_builds_the_wheel_that_is_tested() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"\n\t$(BIN)/python {' '.join(BUILD)}\n" in makefile


def test_wheel_contains_only_both_packages(wheel: Path) -> None:
    files = (file for package in PACKAGES for file in (ROOT / package).rglob("*"))
    sources = {
        file.relative_to(ROOT).as_posix()
        for file in files
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert {Path(name).suffix for name in sources} == {".py", ".typed", ".jinja", ".css", ".js"}
    assert {f"{package}/py.typed" for package in PACKAGES} <= sources
    names = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    about = {f"{ABOUT}/{name}" for name in names}
    with ZipFile(wheel) as archive:
        assert set(archive.namelist()) == sources | about


def test_wheel_has_the_metadata_of_the_project(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        metadata = message_from_string(archive.read(f"{ABOUT}/METADATA").decode())
    assert metadata["Name"] == STATED["name"]
    assert metadata["Version"] == STATED["version"]
    assert metadata["License-Expression"] == STATED["license"]
    assert metadata.get_all("License-File") == STATED["license-files"]
    assert metadata["Requires-Python"] == STATED["requires-python"]
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload() == README
    assert set(metadata.get_all("Provides-Extra", ())) == set(STATED["optional-dependencies"])
    needed = map(Requirement, metadata.get_all("Requires-Dist", ()))
    assert {need for need in needed if not need.marker} == {
        Requirement(line) for line in STATED["dependencies"]
    }


def test_wheel_is_imported_where_there_is_no_repository(installed: Path, tmp_path: Path) -> None:
    script = "import churnlib, flows, sys\nprint(churnlib.__file__, flows.__file__, *sys.path)"
    done = python(installed, tmp_path, "-c", script)
    churnlib, flows, *path = map(Path, done.stdout.split())
    assert [file.parent.name for file in (churnlib, flows)] == list(PACKAGES)
    assert all(file.is_relative_to(installed) for file in (churnlib, flows))
    assert ROOT not in path


@pytest.mark.slow
def test_readme_library_example_runs_with_the_wheel(installed: Path, project: Path) -> None:
    done = python(installed, project, "-c", library_example())
    assert done.returncode == 0, done.stderr
    assert is_its_figure(done.stdout)


@pytest.mark.parametrize("module", ["flows", "flows.train"])
def test_command_line_of_the_wheel_helps(installed: Path, tmp_path: Path, module: str) -> None:
    done = python(installed, tmp_path, "-m", module, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: churn ")


def test_console_script_of_the_wheel_helps(installed: Path, tmp_path: Path) -> None:
    script = installed / "bin" / "churn"
    done = subprocess.run(
        [script, "--help"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: churn COMMAND ")


@pytest.mark.parametrize(
    "line",
    [("flows",), ("flows", "run", "--game=game1"), ("flows.train", "--game=game1"), ("flows.map",)],
    ids=" ".join,
)
def test_command_without_games_is_refused(
    installed: Path, tmp_path: Path, line: tuple[str, ...]
) -> None:
    done = python(installed, tmp_path, "-m", *line)
    assert is_refusal(f"exit {done.returncode}\n{done.stderr}", "no base.toml in")
    assert done.stderr.startswith("error: no games: ")
    assert done.stderr.count("\n") == 1


def test_settings_without_games_name_the_searched_folder(installed: Path, tmp_path: Path) -> None:
    done = python(installed, tmp_path, "-c", "import churnlib; churnlib.load_settings('game1')")
    *_, message = done.stderr.splitlines()
    assert message.startswith("churnlib.errors.SettingsError: no games: there is no base.toml in ")
    assert "CHURN_GAMES_DIR" in message
