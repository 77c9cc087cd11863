"""Temporary folders: protected while their process lives, removed once it is dead."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from churnlib.io.temporary import (
    ABANDONED_AFTER,
    LOCK,
    PREFIX,
    is_temporary,
    remove_abandoned,
    scratch_folder,
    temporary_name,
)

DYING = """
import os, sys
from pathlib import Path
from churnlib.io.temporary import scratch_folder
with scratch_folder(sys.argv[1]) as folder:
    Path(folder, "rows.parquet").write_text("half")
    os._exit(3)
"""


def make_old(path: Path) -> None:
    then = time.time() - ABANDONED_AFTER - 60
    os.utime(path, (then, then), follow_symlinks=False)


def test_names_of_temporary_files_are_recognized_and_others_are_not() -> None:
    assert is_temporary(temporary_name("champion.json"))
    assert temporary_name("a") != temporary_name("a")
    for name in (".champion.json.lock", "a.parquet", ".git", ".a.tmp", "a.0123456789ab.tmp"):
        assert not is_temporary(name), name


def test_folder_of_a_killed_process_is_removed(tmp_path: Path) -> None:
    assert subprocess.run([sys.executable, "-c", DYING, tmp_path], check=False).returncode == 3
    (left,) = tmp_path.iterdir()
    assert (left / "rows.parquet").exists()
    assert remove_abandoned(str(tmp_path)) == [str(left)]
    assert list(tmp_path.iterdir()) == []


def test_folder_in_use_stays_until_its_block_ends(tmp_path: Path) -> None:
    with scratch_folder(str(tmp_path)) as folder:
        make_old(folder)
        assert remove_abandoned(str(tmp_path)) == []
        assert folder.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_removed_before_it_is_locked_is_created_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquire, removed = FileLock.acquire, list[Path]()

    def remove_first(lock: FileLock, **options: Any) -> Any:
        if not removed:
            removed.append(Path(lock.lock_file).parent)
            shutil.rmtree(removed[0])
            raise FileNotFoundError(lock.lock_file)
        return acquire(lock, **options)

    monkeypatch.setattr(FileLock, "acquire", remove_first)
    with scratch_folder(str(tmp_path)) as folder:
        assert list(tmp_path.iterdir()) == [folder] != removed
        assert remove_abandoned(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_folder_without_a_lock_is_removed_after_a_day(tmp_path: Path) -> None:
    young, old = tmp_path / f"{PREFIX}young", tmp_path / f"{PREFIX}old"
    young.mkdir()
    old.mkdir()
    make_old(old)
    assert remove_abandoned(str(tmp_path)) == [str(old)]
    assert list(tmp_path.iterdir()) == [young]


def test_what_others_put_into_the_temporary_folder_stays(tmp_path: Path) -> None:
    where, precious = tmp_path / "tmp", tmp_path / "precious"
    precious.mkdir()
    (precious / LOCK).touch()
    where.mkdir()
    (where / f"{PREFIX}link").symlink_to(precious)
    (where / f"{PREFIX}file").touch()
    (where / "churn-projects").mkdir()
    for path in where.iterdir():
        make_old(path)
    assert remove_abandoned(str(where)) == []
    assert len(list(where.iterdir())) == 3
    assert (precious / LOCK).exists()
