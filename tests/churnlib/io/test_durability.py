"""What is announced is on the disk: files before they take their place, and folders after it."""

import os
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.io import datasets, durability, storage
from churnlib.io.catalog import LAYERS, Catalog
from churnlib.versions.champion import set_champion
from churnlib.versions.manifest import MANIFEST
from churnlib.versions.registry import Registry, write_registry
from tests.churnlib.model.samples import save, usual

FRAME = pl.DataFrame({"x": [1, 2, 3]})


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The files and folders that are written through, moved or removed, in order."""
    seen: list[tuple[str, str]] = []

    def noted(name: str, path_of: Callable[..., str]) -> None:
        function = getattr(os, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            seen.append((name, path_of(*args)))
            return function(*args, **kwargs)

        monkeypatch.setattr(os, name, call)

    noted("fsync", lambda opened: str(Path(f"/proc/self/fd/{opened}").readlink()))
    noted("replace", lambda _, target: str(target))
    noted("unlink", str)
    return seen


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(str(tmp_path), "hawk")


def test_durable_layers_are_layers() -> None:
    assert LAYERS.keys() > durability.DURABLE


def writers(catalog: Catalog) -> Iterator[tuple[str, Callable[[], object]]]:
    predictions = catalog.predictions(date(2024, 6, 1))
    yield predictions.uri, lambda: datasets.write_parquet(FRAME.lazy(), predictions)
    yield catalog.champion().uri, lambda: set_champion(catalog, "v1")
    yield catalog.registry().uri, lambda: write_registry(Registry(), catalog.registry())
    report = catalog.version_report("v1", "score_report.txt")
    yield report.uri, lambda: storage.write_text("x", report.uri)


def test_file_is_on_the_disk_before_its_name_and_its_name_before_the_end(
    catalog: Catalog, calls: list[tuple[str, str]]
) -> None:
    for target, write in writers(catalog):
        for folder in (Path(target).parent, Path(catalog.data_dir)):
            folder.mkdir(parents=True, exist_ok=True)
        calls.clear()
        write()
        (first, written), moved, last = calls[:3]
        assert first == "fsync"
        assert Path(written).name == Path(target).name
        assert Path(written).parent.name.endswith(".tmp")
        assert moved == ("replace", target)
        assert last == ("fsync", str(Path(target).parent))
        assert [name for name, _ in calls[3:] if name != "unlink"] == []


def test_new_folders_are_on_the_disk_too(catalog: Catalog, calls: list[tuple[str, str]]) -> None:
    set_champion(catalog, "v1")
    game = Path(catalog.champion().uri).parent
    after = calls[calls.index(("replace", catalog.champion().uri)) :]
    assert {path for name, path in after if name == "fsync"} == {
        str(game),
        str(game.parent),
        catalog.data_dir,
    }


def test_all_files_of_a_model_are_on_the_disk_before_it_appears_the_manifest_last(
    catalog: Catalog, calls: list[tuple[str, str]]
) -> None:
    model = catalog.model("v1")
    calls.clear()
    save(model, usual())
    files = sorted(path.name for path in Path(model.uri).iterdir())
    moved = calls.index(("replace", model.uri))
    written = [Path(path).name for name, path in calls[:moved] if name == "fsync"]
    synced = written[-len(files) - 1 :]
    assert sorted(synced[:-1]) == files
    assert synced[-2:] == [MANIFEST, "v1"]
    assert calls[moved + 1] == ("fsync", catalog.models().uri)


def test_removals_are_on_the_disk(catalog: Catalog, calls: list[tuple[str, str]]) -> None:
    set_champion(catalog, "v1")
    calls.clear()
    storage.remove(catalog.champion().uri)
    assert calls == [("unlink", catalog.champion().uri), ("fsync", catalog.models().uri)]
    storage.write_text("x", str(Path(catalog.model("v1").uri, "model.skops")))
    calls.clear()
    storage.remove_folder(catalog.model("v1").uri)
    assert calls[-1] == ("fsync", catalog.models().uri)


def test_other_layers_go_without(catalog: Catalog, calls: list[tuple[str, str]]) -> None:
    datasets.write_parquet(FRAME.lazy(), catalog.standard_features())
    storage.write_text("x", catalog.report("score_report").uri)
    storage.remove(catalog.standard_features().uri)
    assert "fsync" not in {name for name, _ in calls}


def test_file_that_cannot_be_written_through_is_not_announced(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_champion(catalog, "v1")

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DataError, match=r"champion\.json cannot be written \(Input/output error"):
        set_champion(catalog, "v2")
    assert b"v1" in storage.read_bytes(catalog.champion().uri)


def test_file_system_that_writes_no_folders_through_is_accepted(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync

    def only_files(opened: int) -> None:
        if Path(f"/proc/self/fd/{opened}").readlink().is_dir():
            raise OSError(22, "Invalid argument")
        sync(opened)

    monkeypatch.setattr(os, "fsync", only_files)
    set_champion(catalog, "v1")
    assert b"v1" in storage.read_bytes(catalog.champion().uri)
