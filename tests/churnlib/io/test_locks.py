"""Locks of files on this machine; those of objects are tested with the object store."""

import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from churnlib.errors import DataError
from churnlib.io import locks
from churnlib.io.storage import exclusive_lock, write_text

PROCESSES, TIMES = 2, 40


def count_up(file: Path) -> None:
    """Reads a number and writes the next, several times."""
    for _ in range(TIMES):
        with exclusive_lock(str(file)):
            number = int(file.read_text()) if file.exists() else 0
            write_text(str(number + 1), file)


@pytest.mark.slow
def test_processes_that_change_a_file_under_its_lock_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "x"
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        list(pool.map(count_up, [file] * PROCESSES))
    assert int(file.read_text()) == PROCESSES * TIMES
    assert [path.name for path in file.parent.iterdir()] == ["x"]


def test_lock_of_a_dead_process_is_free(tmp_path: Path) -> None:
    file = tmp_path / "x"
    dying = f"""
import os
from churnlib.io.storage import exclusive_lock
with exclusive_lock({str(file)!r}):
    os._exit(3)
"""
    assert subprocess.run([sys.executable, "-c", dying], check=False).returncode == 3
    assert [path.name for path in tmp_path.iterdir()] == [".x.lock"]
    with exclusive_lock(str(file)):
        write_text("done", file)
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_lock_is_free_after_an_error_in_the_block(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), exclusive_lock(str(tmp_path / "x")):
            raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_wait_is_announced_once_and_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(locks, "ANNOUNCE_AFTER", 0.05)
    monkeypatch.setattr(locks, "GIVE_UP_AFTER", 0.3)
    with (
        exclusive_lock(str(tmp_path / "x")),
        pytest.raises(DataError, match=r"/\.x\.lock has been held by another run for more than"),
        exclusive_lock(str(tmp_path / "x")),
    ):
        pass
    (announced,) = (record.message for record in caplog.records)
    assert announced.startswith(f"{tmp_path}/.x.lock: waiting for another run, which holds it")
    assert list(tmp_path.iterdir()) == []


def test_short_wait_is_not_announced_and_succeeds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    holding = f"""
import time
from churnlib.io.storage import exclusive_lock
with exclusive_lock({str(tmp_path / "x")!r}):
    print(flush=True)
    time.sleep(0.3)
"""
    with subprocess.Popen([sys.executable, "-c", holding], stdout=subprocess.PIPE) as other:
        assert other.stdout
        other.stdout.readline()
        with exclusive_lock(str(tmp_path / "x")):
            assert other.wait() == 0
    assert not caplog.records


def test_long_wait_asks_less_and_less_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, slept = [0.0], list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr("churnlib.io.locks.time.sleep", sleep)
    monkeypatch.setattr("churnlib.io.locks.time.monotonic", lambda: clock[0])
    with (
        exclusive_lock(str(tmp_path / "x")),
        pytest.raises(DataError, match="for more than 600 seconds"),
        exclusive_lock(str(tmp_path / "x")),
    ):
        pass
    assert slept == sorted(slept)
    assert (slept[0], slept[-1]) == locks.POLL_FILE
    assert len(slept) < 620


def test_symbolic_link_in_place_of_a_lock_is_refused(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("kept")
    link = tmp_path / ".x.lock"
    link.symlink_to(precious)
    with (
        pytest.raises(DataError, match=r"\.x\.lock cannot be locked \(.*symbolic link"),
        exclusive_lock(str(tmp_path / "x")),
    ):
        pass
    assert precious.read_text() == "kept"
    assert link.is_symlink()


def test_dangling_link_in_place_of_a_lock_creates_nothing(tmp_path: Path) -> None:
    (tmp_path / ".x.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="cannot be locked"), exclusive_lock(str(tmp_path / "x")):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_existing_lock_file_is_not_truncated(tmp_path: Path) -> None:
    lock = tmp_path / ".x.lock"
    lock.write_text("kept")
    with exclusive_lock(str(tmp_path / "x")):
        assert lock.read_text() == "kept"


@pytest.mark.parametrize("blocked", ["file/x", "folder/x"])
def test_place_where_nothing_can_be_locked_is_named(blocked: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder" / ".x.lock").mkdir(parents=True)
    message = r"\.x\.lock cannot be locked .* --data-dir"
    with pytest.raises(DataError, match=message), exclusive_lock(str(tmp_path / blocked)):
        pass
