"""`get_model.sh` with a fake engine that records its calls and simulates the training."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.flows.studio import ROOT

SCRIPT = ROOT / "deployments" / "get_model.sh"
ENGINE = """\
#!/usr/bin/env bash
echo "$*" >>"$CALLS"
case $1 in
  info) exit "${INFO_STATUS:-0}" ;;
  build) exit "${BUILD_STATUS:-0}" ;;
  start) [[ -z ${TRAINING_LASTS:-} ]] || exec sleep 60; exit "${TRAINING_STATUS:-0}" ;;
  cp)
    mkdir -p "$3/v1"
    [[ ${CHAMPION:-v1} ]] && echo "{\\"version\\": \\"${CHAMPION:-v1}\\"}" >"$3/champion.json"
    touch "$3/v1/manifest.json" "$3/v1/model.skops"
    ;;
esac
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with raw tables of game1 and, in bin/, a fake engine."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "docker").write_text(ENGINE)
    (tmp_path / "bin" / "docker").chmod(0o755)
    (tmp_path / "data" / "01_raw" / "game1").mkdir(parents=True)
    return tmp_path


def command(*arguments: str) -> list[str]:
    return [str(SCRIPT), "--game", "game1", "--data-dir", "data", "--out", "out", *arguments]


def environment(place: Path, **more: str) -> dict[str, str]:
    path = os.pathsep.join([str(place / "bin"), "/usr/bin", "/bin"])
    return {"PATH": path, "CALLS": str(place / "calls"), "CONTAINER_ENGINE": "docker", **more}


def run(place: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words or command(),
        cwd=place,
        env=environment(place, **more),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def calls(place: Path) -> list[str]:
    return [line.partition(" ")[0] for line in (place / "calls").read_text().splitlines()]


def test_get_model_copies_out_the_champion(place: Path) -> None:
    done = run(place, *command("--", "--as-of", "2024-07-01"))
    assert done.returncode == 0, done.stderr
    assert sorted(f.name for f in (place / "out").iterdir()) == ["manifest.json", "model.skops"]
    assert calls(place) == ["info", "build", "create", "start", "cp", "rm"]
    create = (place / "calls").read_text().splitlines()[2]
    assert create.endswith("churn train --game game1 --from-raw --as-of 2024-07-01")
    assert f"{place}/data/01_raw/game1:/app/data/01_raw/game1:ro" in create
    assert sorted(f.name for f in place.iterdir()) == ["bin", "calls", "data", "out"]


@pytest.mark.parametrize("out", ["out/", "out//", "new/out/"])
def test_get_model_accepts_a_folder_with_a_trailing_slash(place: Path, out: str) -> None:
    done = run(place, *command("--out", out))
    assert done.returncode == 0, done.stderr
    assert sorted(f.name for f in (place / out).iterdir()) == ["manifest.json", "model.skops"]
    assert [f.name for f in (place / out).parent.iterdir() if "out" in f.name] == ["out"]


def test_get_model_refuses_tables_that_the_container_may_not_read(place: Path) -> None:
    raw = place / "data" / "01_raw" / "game1"
    (raw / "subs.csv").touch()
    for closed, mode in ((raw, 0o754), (raw / "subs.csv", 0o640)):
        before = closed.stat().st_mode
        closed.chmod(mode)
        done = run(place)
        closed.chmod(before)
        assert done.returncode == 2
        assert "may not read data/01_raw/game1" in done.stderr


def test_get_model_passes_on_the_exit_status_of_the_training(place: Path) -> None:
    done = run(place, TRAINING_STATUS="7")
    assert done.returncode == 7
    assert "training ended with exit status 7" in done.stderr
    assert calls(place)[-2:] == ["start", "rm"]
    assert not (place / "out").exists()


def test_get_model_without_a_champion_fails_and_leaves_nothing(place: Path) -> None:
    done = run(place, CHAMPION="v2")
    assert done.returncode == 1
    assert "no champion" in done.stderr
    assert calls(place)[-1] == "rm"
    assert sorted(f.name for f in place.iterdir()) == ["bin", "calls", "data"]


def test_get_model_starts_nothing_if_the_image_cannot_be_built(place: Path) -> None:
    done = run(place, BUILD_STATUS="3")
    assert done.returncode == 1
    assert "could not be built" in done.stderr
    assert "create" not in calls(place)


def test_get_model_says_that_the_engine_does_not_answer(place: Path) -> None:
    done = run(place, INFO_STATUS="1")
    assert done.returncode == 2
    assert "docker does not answer" in done.stderr
    assert calls(place) == ["info"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--game", "game1", "--data-dir", "none"], "no folder none/01_raw/game1"),
        (["--game", "gamex", "--data-dir", "data"], "no game 'gamex'"),
        (["--data-dir", "data"], "--game is required"),
        (["--game"], "--game needs a value"),
        (["--gme", "game1"], "unknown argument: --gme"),
        (["--game", "game1", "--data-dir", "data", "--out", "bin"], "bin is not an empty folder"),
        (["--game", "game1", "--data-dir", "data", "--out", "bin/"], "bin is not an empty folder"),
        (["--game", "game1", "--data-dir", "data", "--out", "/"], "/ is not an empty folder"),
        (["--game", "game1", "--data-dir", "data", "--out", "./"], ". cannot be replaced"),
    ],
)
def test_get_model_names_the_invalid_argument(place: Path, words: list[str], message: str) -> None:
    done = run(place, str(SCRIPT), *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (place / "calls").exists()


def test_get_model_says_that_there_is_no_engine(place: Path) -> None:
    done = run(place, CONTAINER_ENGINE="no-such-engine")
    assert done.returncode == 2
    assert "there is no no-such-engine on the PATH" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_get_model_removes_its_container_when_stopped(place: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        command(),
        cwd=place,
        env=environment(place, TRAINING_LASTS="1"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 20
    while not (place / "calls").exists() or "start" not in calls(place):
        assert time.monotonic() < deadline, "the training did not start"
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(10) == 128 + number
    assert calls(place)[-1] == "rm"
