"""Outputs that appear together, or not at all."""

import os
from datetime import date
from pathlib import Path

import pytest

from churnlib.io import datasets, storage
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import Dataset, DatasetRef
from flows.engine.publication import (
    keep_aside,
    place_aside,
    present,
    publish,
    published_together,
    remove_together,
)
from flows.engine.results import DatasetSerializer


def output(folder: Path, name: str) -> Dataset:
    return Dataset(name, "hawk", str(folder / "02" / f"{name}.txt"))


def write(folder: Path, name: str, text: str) -> DatasetRef:
    """Writes an output as a check does."""
    target = output(folder, name)
    aside = place_aside(target)
    storage.write_text(text, aside.uri)
    return keep_aside(datasets.ref(aside), target)


def texts(folder: Path) -> dict[str, str]:
    """All files, wherever they are."""
    return {path.name: path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_outputs_appear_together_at_the_end(tmp_path: Path) -> None:
    write(tmp_path, "a", "old")
    with published_together():
        first = write(tmp_path, "a", "new")
        assert Path(first.uri).read_text() == "old"
        assert Path(present(first).uri).read_text() == "new"
        second = write(tmp_path, "b", "new")
        assert not Path(second.uri).exists()
    assert texts(tmp_path) == {"a.txt": "new", "b.txt": "new"}
    assert datasets.is_unchanged(first)
    assert present(first) == first


def test_outputs_of_a_block_that_raises_are_dropped(tmp_path: Path) -> None:
    for name in ("a", "rejected"):
        write(tmp_path, name, "old")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.txt")}
    with pytest.raises(RuntimeError), published_together():
        write(tmp_path, "a", "new")
        remove_together(output(tmp_path, "rejected"))
        write(tmp_path, "b", "new")
        raise RuntimeError
    assert texts(tmp_path) == {"a.txt": "old", "rejected.txt": "old"}
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.txt")} == before
    assert sorted(path.name for path in (tmp_path / "02").iterdir()) == ["a.txt", "rejected.txt"]


def test_what_is_published_stays_where_the_rest_of_the_block_raises(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), published_together():
        write(tmp_path, "a", "new")
        publish()
        assert texts(tmp_path) == {"a.txt": "new"}
        write(tmp_path, "a", "newer")
        raise RuntimeError
    assert texts(tmp_path) == {"a.txt": "new"}


def test_a_nested_block_that_raises_drops_only_its_own(tmp_path: Path) -> None:
    with published_together():
        first = write(tmp_path, "a", "outer")
        with pytest.raises(RuntimeError), published_together():
            assert present(first) != first
            write(tmp_path, "a", "inner")
            write(tmp_path, "b", "inner")
            raise RuntimeError
        assert Path(present(first).uri).read_text() == "outer"
    assert texts(tmp_path) == {"a.txt": "outer"}


def test_a_nested_block_publishes_what_was_kept_before(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), published_together():
        write(tmp_path, "a", "outer")
        with published_together():
            write(tmp_path, "b", "inner")
        assert {*texts(tmp_path)} == {"a.txt", "b.txt"}
        raise RuntimeError
    assert texts(tmp_path) == {"a.txt": "outer", "b.txt": "inner"}


def test_a_nested_block_that_raises_after_it_published_leaves_nothing_to_publish(
    tmp_path: Path,
) -> None:
    with published_together():
        write(tmp_path, "a", "outer")
        with pytest.raises(RuntimeError), published_together():
            publish()
            write(tmp_path, "a", "inner")
            raise RuntimeError
    assert texts(tmp_path) == {"a.txt": "outer"}


def test_removals_happen_with_the_publication(tmp_path: Path) -> None:
    write(tmp_path, "rejected", "old")
    write(tmp_path, "other", "old")
    with published_together():
        remove_together(output(tmp_path, "rejected"))
        write(tmp_path, "other", "new")
        remove_together(output(tmp_path, "other"))
        assert set(texts(tmp_path).values()) == {"old", "new"}
    assert texts(tmp_path) == {}


def test_an_output_that_is_removed_and_written_again_stays(tmp_path: Path) -> None:
    with published_together():
        remove_together(output(tmp_path, "a"))
        write(tmp_path, "a", "new")
    assert texts(tmp_path) == {"a.txt": "new"}


def test_results_of_tasks_are_valid_before_they_are_published(tmp_path: Path) -> None:
    kept = DatasetSerializer()
    with published_together():
        written = write(tmp_path, "a", "new")
        blob = kept.dumps(written)
        assert kept.loads(blob) == written
    assert kept.loads(blob) == written
    with pytest.raises(RuntimeError), published_together():
        newer = kept.dumps(write(tmp_path, "a", "newer"))
        raise RuntimeError
    with pytest.raises(Exception, match="missing, or has changed"):
        kept.loads(newer)
    assert kept.loads(blob) == written


def test_predictions_are_on_the_disk_when_they_are_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, str]] = []
    sync, move = os.fsync, os.replace

    def note_sync(opened: int) -> None:
        calls.append(("fsync", str(Path(f"/proc/self/fd/{opened}").readlink())))
        sync(opened)

    def note_move(source: Path, target: Path) -> None:
        calls.append(("replace", str(target)))
        move(source, target)

    target = Catalog(str(tmp_path), "hawk").predictions(date(2024, 6, 1))
    with published_together():
        aside = place_aside(target)
        storage.write_text("x", aside.uri)
        keep_aside(datasets.ref(aside), target)
        monkeypatch.setattr(os, "fsync", note_sync)
        monkeypatch.setattr(os, "replace", note_move)
    at = calls.index(("replace", target.uri))
    (before, written), (after, folder) = calls[at - 1], calls[at + 1]
    assert (before, after) == ("fsync", "fsync")
    assert Path(written).name == Path(target.uri).name
    assert folder == str(Path(target.uri).parent)
