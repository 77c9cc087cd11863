"""Reading and writing datasets."""

import os
import resource
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
import pytest

from churnlib.errors import DataError, UnreadableDataError
from churnlib.io import local, storage
from churnlib.io.datasets import (
    Dataset,
    DatasetRef,
    attribute_read_errors,
    count_rows,
    is_unchanged,
    read,
    ref,
    scan,
    write_parquet,
)
from churnlib.io.footer import read_metadata
from churnlib.io.storage import fingerprint, replacing, write_text

FRAME = pl.DataFrame({"x": [1, 2, 3], "y": ["a", None, "c"]})


@pytest.fixture
def target(tmp_path: Path) -> Dataset:
    return Dataset("table", "hawk", str(tmp_path / "layer" / "hawk" / "table.parquet"))


def test_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"abc")
    # SHA-256 of "abc", from FIPS 180-2.
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert fingerprint(str(file)) == known
    (tmp_path / "y").write_bytes(b"abc")
    assert fingerprint(str(tmp_path / "y")) == known
    file.write_bytes(b"abd")
    assert fingerprint(str(file)) != known


def test_fingerprint_changes_though_size_and_time_are_restored(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"abc")
    os.utime(file, (1, 1))
    before = fingerprint(str(file))
    file.write_bytes(b"abd")
    os.utime(file, (1, 1))
    assert fingerprint(str(file)) != before


def test_fingerprint_of_folder_is_of_names_and_contents(tmp_path: Path) -> None:
    def folder(name: str, **files: str) -> str:
        for path, text in files.items():
            file = tmp_path / name / path.replace("__", "/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return fingerprint(str(tmp_path / name))

    one = folder("one", a="1", inner__b="2")
    assert folder("same", inner__b="2", a="1") == one
    others = [
        folder("content", a="1", inner__b="3"),
        folder("name", a="1", inner__c="2"),
        folder("swapped", a="2", inner__b="1"),
        folder("more", a="1", inner__b="2", c=""),
        folder("flat", a="1", b="2"),
    ]
    assert len({one, *others}) == 6


def test_fingerprint_of_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone: cannot be read"):
        fingerprint(str(tmp_path / "gone"))


def test_table_is_written_with_its_rows_and_facts(target: Dataset) -> None:
    written = write_parquet(FRAME.lazy(), target, {"as_of": '"2025-01-01"'})
    assert written == ref(target, 3)
    assert written.fingerprint == fingerprint(target.uri)
    assert scan(written).collect().equals(FRAME)
    assert read_metadata(written) == {"as_of": '"2025-01-01"'}
    assert count_rows(target.uri) == 3
    assert [p.name for p in Path(target.uri).parent.iterdir()] == ["table.parquet"]


def test_same_rows_give_the_same_bytes(target: Dataset) -> None:
    rows = pl.DataFrame({"x": range(250_000)}).with_columns(y=pl.col("x").cast(pl.String))
    written = {
        write_parquet(frame.lazy(), target).fingerprint for frame in (rows, rows.clone(), rows[:])
    }
    assert len(written) == 1
    assert write_parquet(rows.reverse().lazy(), target).fingerprint not in written


def test_empty_table_keeps_its_columns(target: Dataset) -> None:
    written = write_parquet(FRAME.clear().lazy(), target)
    assert written.rows == 0
    assert scan(target).collect_schema() == FRAME.schema


def test_failed_write_leaves_the_old_file(target: Dataset) -> None:
    before = write_parquet(FRAME.lazy(), target)
    with pytest.raises(pl.exceptions.PolarsError):
        write_parquet(FRAME.lazy().with_columns(pl.col("y").cast(pl.Int64)), target)
    assert ref(target, 3) == before
    assert [p.name for p in Path(target.uri).parent.iterdir()] == ["table.parquet"]


def test_file_is_replaced_at_the_end_of_the_block(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_text("old")
    with replacing(file) as beside:
        beside.write_text("new")
        assert file.read_text() == "old"
    assert file.read_text() == "new"


def test_folder_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    def half(folder: Path) -> None:
        folder.mkdir()
        (folder / "part").write_text("x")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "model") as beside:
        half(beside)
    assert list(tmp_path.iterdir()) == []
    with replacing(tmp_path / "model") as beside:
        beside.mkdir()
        (beside / "part").write_text("x")
    assert [p.name for p in tmp_path.rglob("*")] == ["model", "part"]


def test_concurrent_writers_use_different_temporary_files(tmp_path: Path) -> None:
    with replacing(tmp_path / "x") as one, replacing(tmp_path / "x") as other:
        assert one != other
        one.write_text("1")
        other.write_text("2")
    assert (tmp_path / "x").read_text() == "1"


@pytest.mark.parametrize("in_the_way", ["data", "data/layer", "data/layer/hawk"])
def test_file_in_place_of_a_folder_is_named(in_the_way: str, tmp_path: Path) -> None:
    target = Dataset("table", "hawk", str(tmp_path / "data" / "layer" / "hawk" / "t.parquet"))
    blocked = tmp_path / in_the_way
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("x")
    with pytest.raises(DataError, match=f"^{target.uri} cannot be written .*{blocked}.*--data-dir"):
        write_parquet(FRAME.lazy(), target)
    assert blocked.read_text() == "x"


def test_folder_in_place_of_a_file_is_named(target: Dataset) -> None:
    Path(target.uri, "inside").mkdir(parents=True)
    with pytest.raises(DataError, match=f"^{target.uri} cannot be written"):
        write_text("x", target.uri)
    assert [p.name for p in Path(target.uri).parent.rglob("*")] == ["table.parquet", "inside"]


def test_full_disk_is_named_and_leaves_the_old_file(target: Dataset) -> None:
    before = write_parquet(FRAME.lazy(), target)
    rows = pl.LazyFrame({"x": range(100_000)})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        for write in (
            lambda: write_parquet(rows, target),
            lambda: write_text("x" * 100_000, target.uri),
        ):
            with pytest.raises(DataError, match=r"cannot be written .*File too large"):
                write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert ref(target, 3) == before
    assert [p.name for p in Path(target.uri).parent.iterdir()] == ["table.parquet"]


def test_text_is_written_as_utf8(tmp_path: Path) -> None:
    write_text("ä\n", tmp_path / "new" / "x.txt")
    assert (tmp_path / "new" / "x.txt").read_bytes() == b"\xc3\xa4\n"


def test_dataset_is_unchanged_while_its_content_is(target: Dataset) -> None:
    written = write_parquet(FRAME.lazy(), target)
    assert is_unchanged(written)
    write_parquet(FRAME.reverse().lazy(), target)
    assert not is_unchanged(written)
    write_parquet(FRAME.lazy(), target)
    assert is_unchanged(written)
    Path(target.uri).unlink()
    assert not is_unchanged(written)


def test_missing_dataset_is_named(target: Dataset) -> None:
    for opened in (scan, read, read_metadata):
        with pytest.raises(DataError, match="hawk: table is missing: there is no ") as caught:
            opened(target)
        assert target.uri in str(caught.value)
    with pytest.raises(DataError, match="cannot be read"):
        ref(target)


def test_names_with_special_characters_are_taken_literally(tmp_path: Path) -> None:
    target = Dataset("table", "hawk", str(tmp_path / "data [1]*" / "table?.parquet"))
    written = write_parquet(FRAME.lazy(), target)
    assert scan(written).collect().equals(FRAME)


def test_unchanged_files_are_digested_once(
    target: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = write_parquet(FRAME.lazy(), target)
    misses = local._digest.cache_info().misses
    assert is_unchanged(written)
    assert local._digest.cache_info().misses == misses


class Table(dy.Schema):
    """The table of these tests."""

    x = dy.Int64()
    y = dy.String(nullable=True)


def damage(how: str, path: Path) -> None:
    whole = bytearray(path.read_bytes())
    path.unlink()
    if how == "folder":
        path.mkdir()
    elif how == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif how == "page":
        whole[4:44] = b"\xff" * 40
        path.write_bytes(whole)
    else:
        path.write_bytes({"empty": b"", "picture": b"\x89PNG\r\n\x1a\n\x00\x00"}[how])


@pytest.mark.parametrize("how", ["cut", "empty", "picture", "folder"])
def test_damaged_dataset_is_named_when_it_is_opened(how: str, target: Dataset) -> None:
    write_parquet(FRAME.lazy(), target)
    damage(how, Path(target.uri))
    expected = "is a folder, not a file" if how == "folder" else r"cannot be read as Parquet \(.+\)"
    for opened in (scan, read, read_metadata):
        with pytest.raises(DataError, match=f"^hawk: table: {target.uri} {expected}. Remove it, "):
            opened(target)


def test_damaged_page_is_distinguished_from_a_programming_error(target: Dataset) -> None:
    whole = Dataset("whole", "hawk", str(Path(target.uri).with_name("whole.parquet")))
    sources = [write_parquet(FRAME.lazy(), place) for place in (whole, target)]
    folder = DatasetRef("model", "hawk", str(Path(target.uri).parent), "")
    with pytest.raises(pl.exceptions.ColumnNotFoundError), attribute_read_errors(folder, *sources):
        scan(target).select("z").collect()
    damage("page", Path(target.uri))
    frame = scan(target)
    with pytest.raises(DataError, match=f"hawk: table: {target.uri} cannot be read as Parquet"):
        read(target)
    with (
        pytest.raises(DataError, match=f"hawk: table: {target.uri} cannot be read as Parquet"),
        attribute_read_errors(folder, *sources),
    ):
        write_parquet(frame, whole)
    assert scan(whole).collect().equals(FRAME)


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        (FRAME.drop("y"), "lacks the column y"),
        (FRAME.select(z="x"), "lacks the column x; lacks the column y"),
        (FRAME.cast({"x": pl.Int32}), "has x as Int32 and not as Int64"),
    ],
)
def test_dataset_with_another_schema_is_named(
    frame: pl.DataFrame, problem: str, target: Dataset
) -> None:
    write_parquet(frame.lazy(), target)
    with pytest.raises(DataError) as caught:
        scan(target, Table)
    assert str(caught.value).startswith(f"hawk: table: {target.uri} {problem}. Remove it")


def test_columns_beyond_the_schema_are_allowed(target: Dataset) -> None:
    more = FRAME.with_columns(z=1)
    write_parquet(more.lazy(), target)
    assert read(target, Table).equals(more)


def scan_denied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Denies access to a folder; permissions do not stop the system's administrator."""
    scan_folder = os.scandir

    def refuse(path: str) -> Any:
        if Path(path) == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return scan_folder(path)

    monkeypatch.setattr(os, "scandir", refuse)


def test_folder_that_denies_access_has_not_fewer_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "table" / "month=2024-01"
    inner.mkdir(parents=True)
    (inner / "part.parquet").touch()
    assert [entry.name for entry in storage.list_files(str(tmp_path / "table"))] == [
        "month=2024-01/part.parquet"
    ]
    scan_denied(inner, monkeypatch)
    for read_folder in (storage.list_files, fingerprint):
        with pytest.raises(
            UnreadableDataError, match=r"table: cannot be read \(Permission denied\)"
        ):
            read_folder(str(tmp_path / "table"))


def test_link_without_a_target_is_not_missing(tmp_path: Path) -> None:
    link = tmp_path / "folder" / "part.parquet"
    link.parent.mkdir()
    link.symlink_to("/not/mounted")
    why = r"cannot be read \(a symbolic link whose target does not exist\)"
    for look in (storage.is_file, storage.is_folder, storage.exists, storage.size, fingerprint):
        with pytest.raises(UnreadableDataError, match=f"{link}: {why}"):
            look(str(link))
    with pytest.raises(UnreadableDataError, match=why):
        storage.list_files(str(link.parent))
    with pytest.raises(UnreadableDataError, match=f"^hawk: {link}: {why}"):
        ref(Dataset("table", "hawk", str(link)))


def test_hidden_links_of_other_programs_are_no_files(tmp_path: Path) -> None:
    (tmp_path / ".#part.parquet").symlink_to("somebody@somewhere.123")  # An editor's lock.
    (tmp_path / "part.parquet").touch()
    assert [entry.name for entry in storage.list_files(str(tmp_path))] == ["part.parquet"]


def test_places_that_do_not_exist_are_missing(tmp_path: Path) -> None:
    place = str(tmp_path / "no" / "such")
    assert storage.find_file(place) is None
    assert not storage.exists(place)
    assert storage.list_files(place) == []
    assert storage.list_names(place) == []
    assert storage.read_if_exists(place) is None


def test_what_may_not_be_removed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    file = tmp_path / "folder" / "a.parquet"
    file.parent.mkdir()
    file.touch()
    monkeypatch.setattr(Path, "unlink", refuse)
    monkeypatch.setattr("shutil.rmtree", refuse)
    for remove, place in ((storage.remove, file), (storage.remove_folder, file.parent)):
        with pytest.raises(DataError, match=rf"^{place} cannot be removed \(Read-only file system"):
            remove(str(place))
    assert file.exists()


@pytest.mark.parametrize("kind", ["a named pipe", "a device"])
def test_what_may_never_end_is_not_read(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "champion.json"
    if kind == "a device":
        path.symlink_to("/dev/zero")
    else:
        os.mkfifo(path)
    with pytest.raises(UnreadableDataError, match=f"champion.json is {kind}, not a file"):
        storage.read_if_exists(str(path))
