"""Temporary files and folders that killed writers leave."""

import os
import time
from pathlib import Path

import pytest

from churnlib.io import storage
from churnlib.io.leftovers import find_leftovers, find_old_leftovers, remove_leftovers
from churnlib.io.temporary import ABANDONED_AFTER, temporary_name
from churnlib.uris import join


def left_in(folder: str) -> tuple[str, str]:
    """Puts leftovers below a folder: a file, and a folder with a file."""
    file = join(folder, "deep", temporary_name("a.parquet"))
    inner = join(folder, temporary_name("aside"))
    for uri in (file, join(inner, "b.parquet"), join(folder, "deep", "kept.parquet")):
        storage.write_text("x", uri)
    return inner, file


@pytest.mark.parametrize("store", ["folder", "bucket"])
def test_leftovers_are_found_at_any_depth_and_removed(
    store: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = str(tmp_path) if store == "folder" else request.getfixturevalue("bucket") + "/data"
    expected = left_in(folder)
    found = find_leftovers(folder)
    assert found == sorted(expected)
    remove_leftovers(found)
    assert find_leftovers(folder) == []
    assert [entry.name for entry in storage.list_files(folder)] == ["deep/kept.parquet"]


def test_missing_folder_has_no_leftovers(tmp_path: Path) -> None:
    assert find_leftovers(str(tmp_path / "none")) == []
    assert find_old_leftovers(str(tmp_path / "none")) == []


def test_only_leftovers_of_a_day_count_where_others_may_be_writing(tmp_path: Path) -> None:
    young, old = (tmp_path / temporary_name("a") for _ in range(2))
    for path in (young, old, tmp_path / "old.txt"):
        path.touch()
    then = time.time() - ABANDONED_AFTER - 60
    for path in (old, tmp_path / "old.txt"):
        os.utime(path, (then, then))
    assert find_old_leftovers(str(tmp_path)) == [str(old)]


def test_link_with_a_temporary_name_is_removed_and_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "a.txt").touch()
    folder = tmp_path / "data"
    folder.mkdir()
    link = folder / temporary_name("a")
    link.symlink_to(precious)
    remove_leftovers(find_leftovers(str(folder)))
    assert not link.is_symlink()
    assert (precious / "a.txt").exists()
