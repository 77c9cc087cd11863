"""One run at a time writes to the data of a game."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from churnlib.errors import DataError
from churnlib.io import storage
from churnlib.io.catalog import Catalog
from flows.engine import run_lock
from flows.engine.run_lock import exclusive_run


@contextmanager
def held_by_another(catalog: Catalog) -> Iterator[None]:
    """Holds the lock in another thread, whose context is not this one's."""
    is_held, is_over = Event(), Event()

    def hold() -> None:
        with exclusive_run(catalog):
            is_held.set()
            assert is_over.wait(60)

    with ThreadPoolExecutor() as pool:
        holding = pool.submit(hold)
        try:
            assert is_held.wait(60)
            yield
        finally:
            is_over.set()
            holding.result()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_lock, "ANNOUNCE_AFTER", 0.0)
    monkeypatch.setattr(run_lock, "GIVE_UP_AFTER", 0.1)


@pytest.mark.usefixtures("impatient")
def test_wait_names_the_run_that_is_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    catalog = Catalog(str(tmp_path), "hawk")
    with (
        held_by_another(catalog),
        pytest.raises(DataError, match=rf"^hawk in {tmp_path} has been held by a script, process "),
        exclusive_run(catalog),
    ):
        pass
    (announced,) = (record.message for record in caplog.records)
    assert announced.startswith(f"hawk in {tmp_path}: waiting for a script, process ")


def test_second_run_waits_for_the_first_and_then_goes_on(tmp_path: Path) -> None:
    catalog, order = Catalog(str(tmp_path), "hawk"), list[str]()
    is_second_ready = Event()

    def second() -> None:
        is_second_ready.set()
        with exclusive_run(catalog):
            order.append("second")

    with ThreadPoolExecutor() as pool:
        with exclusive_run(catalog):
            waiting = pool.submit(second)
            assert is_second_ready.wait(60)
            order.append("first")
        waiting.result()
    assert order == ["first", "second"]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.usefixtures("impatient")
def test_other_games_other_folders_and_nested_blocks_do_not_wait(tmp_path: Path) -> None:
    catalog = Catalog(str(tmp_path / "one"), "hawk")
    with held_by_another(catalog):
        for other in (Catalog(catalog.data_dir, "owl"), Catalog(str(tmp_path / "two"), "hawk")):
            with exclusive_run(other), exclusive_run(other):
                holder = json.loads(Path(other.current_run).read_text())
                assert holder["run"] == "a script"


@pytest.mark.usefixtures("impatient")
def test_run_that_cannot_start_holds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = Catalog(str(tmp_path), "hawk")

    def refuse(text: str, uri: str) -> None:
        raise DataError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(storage, "write_text", refuse)
        with pytest.raises(DataError, match="no space left"), exclusive_run(catalog):
            pass
    with (
        held_by_another(catalog),
        pytest.raises(DataError, match="has been held by a script"),
        exclusive_run(catalog),
    ):
        pass


@pytest.mark.usefixtures("impatient")
@pytest.mark.slow
def test_killed_run_holds_nothing(tmp_path: Path) -> None:
    dying = f"""
import os
from churnlib.io.catalog import Catalog
from flows.engine.run_lock import exclusive_run
with exclusive_run(Catalog({str(tmp_path)!r}, "hawk")):
    os._exit(3)
"""
    assert subprocess.run([sys.executable, "-c", dying], check=False).returncode == 3
    catalog = Catalog(str(tmp_path), "hawk")
    assert Path(catalog.current_run).exists()
    with exclusive_run(catalog):
        pass
    assert not Path(catalog.current_run).exists()
