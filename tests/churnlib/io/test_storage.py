"""Reading and writing datasets: whole or not at all, known again by content."""

import os
import resource
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import dataframely as dy
import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.io import local, locks
from churnlib.io.datasets import (
    Dataset,
    DatasetRef,
    attribute_read_errors,
    count_rows,
    is_unchanged,
    read,
    read_metadata,
    ref,
    scan,
    write_parquet,
)
from churnlib.io.storage import exclusive_lock, fingerprint, replacing, write_text

FRAME = pl.DataFrame({"x": [1, 2, 3], "y": ["a", None, "c"]})


@pytest.fixture
def target(tmp_path: Path) -> Dataset:
    return Dataset("table", "hawk", str(tmp_path / "layer" / "hawk" / "table.parquet"))


def test_a_fingerprint_is_that_of_the_content(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"abc")
    # SHA-256 of "abc", from FIPS 180-2.
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert fingerprint(str(file)) == known
    (tmp_path / "y").write_bytes(b"abc")
    assert fingerprint(str(tmp_path / "y")) == known
    file.write_bytes(b"abd")
    assert fingerprint(str(file)) != known


def test_a_change_is_seen_though_size_and_time_are_set_back(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"abc")
    os.utime(file, (1, 1))
    before = fingerprint(str(file))
    file.write_bytes(b"abd")
    os.utime(file, (1, 1))
    assert fingerprint(str(file)) != before


def test_the_fingerprint_of_a_folder_tells_names_and_contents(tmp_path: Path) -> None:
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


def test_nothing_has_no_fingerprint(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone: cannot be read"):
        fingerprint(str(tmp_path / "gone"))


def test_a_table_is_written_with_its_rows_and_facts(target: Dataset) -> None:
    written = write_parquet(FRAME.lazy(), target, {"as_of": '"2025-01-01"'})
    assert written == ref(target, 3)
    assert written.fingerprint == fingerprint(target.uri)
    assert scan(written).collect().equals(FRAME)
    assert read_metadata(written) == {"as_of": '"2025-01-01"'}
    assert count_rows(target.uri) == 3
    assert [p.name for p in Path(target.uri).parent.iterdir()] == ["table.parquet"]


def test_the_same_rows_give_the_same_bytes(target: Dataset) -> None:
    rows = pl.DataFrame({"x": range(250_000)}).with_columns(y=pl.col("x").cast(pl.String))
    written = {
        write_parquet(frame.lazy(), target).fingerprint for frame in (rows, rows.clone(), rows[:])
    }
    assert len(written) == 1
    assert write_parquet(rows.reverse().lazy(), target).fingerprint not in written


def test_an_empty_table_keeps_its_columns(target: Dataset) -> None:
    written = write_parquet(FRAME.clear().lazy(), target)
    assert written.rows == 0
    assert scan(target).collect_schema() == FRAME.schema


def test_a_failed_write_leaves_what_was_there(target: Dataset) -> None:
    before = write_parquet(FRAME.lazy(), target)
    with pytest.raises(pl.exceptions.PolarsError):
        write_parquet(FRAME.lazy().with_columns(pl.col("y").cast(pl.Int64)), target)
    assert ref(target, 3) == before
    assert [p.name for p in Path(target.uri).parent.iterdir()] == ["table.parquet"]


def test_a_file_is_replaced_at_the_end_and_not_before(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_text("old")
    with replacing(file) as beside:
        beside.write_text("new")
        assert file.read_text() == "old"
    assert file.read_text() == "new"


def test_a_folder_comes_whole_or_not_at_all(tmp_path: Path) -> None:
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


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    with replacing(tmp_path / "x") as one, replacing(tmp_path / "x") as other:
        assert one != other
        one.write_text("1")
        other.write_text("2")
    assert (tmp_path / "x").read_text() == "1"


PROCESSES, TIMES = 2, 40


def count_up(file: Path) -> None:
    """Reads a number and writes the next, so often."""
    for _ in range(TIMES):
        with exclusive_lock(str(file)):
            number = int(file.read_text()) if file.exists() else 0
            write_text(str(number + 1), file)


def test_two_processes_that_change_a_file_alone_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "x"
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        list(pool.map(count_up, [file] * PROCESSES))
    assert int(file.read_text()) == PROCESSES * TIMES
    assert [path.name for path in file.parent.iterdir()] == ["x"]


def test_a_process_that_dies_alone_with_a_file_keeps_nobody_out(tmp_path: Path) -> None:
    file = tmp_path / "x"
    dying = f"""
import os
from churnlib.io.storage import exclusive_lock
with exclusive_lock({str(file)!r}):
    os._exit(3)
"""
    assert subprocess.run([sys.executable, "-c", dying], check=False).returncode == 3
    with exclusive_lock(str(file)):
        write_text("done", file)
    assert file.read_text() == "done"


def test_a_fault_in_a_block_that_is_alone_lets_the_next_in(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), exclusive_lock(str(tmp_path / "x")):
            raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_wait_is_told_of_and_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(locks, "TELL", 0.05)
    monkeypatch.setattr(locks, "GIVE_UP", 0.3)
    with (
        exclusive_lock(str(tmp_path / "x")),
        pytest.raises(DataError, match=r"/\.x\.lock has been held by another run for more than"),
        exclusive_lock(str(tmp_path / "x")),
    ):
        pass
    (told,) = (record.message for record in caplog.records)
    assert told.startswith(f"waiting for another run, which holds {tmp_path}/.x.lock")
    assert list(tmp_path.iterdir()) == []


def test_a_system_without_locks_is_told_of_where_one_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "import sys; sys.modules['fcntl'] = None; import churnlib; churnlib.load_settings"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(DataError, match="no locks of files"), exclusive_lock(str(tmp_path / "x")):
        pass


def test_a_place_where_nothing_can_be_locked_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = r"\.x\.lock cannot be locked .* --data-dir"
    with pytest.raises(DataError, match=said), exclusive_lock(str(tmp_path / "file" / "x")):
        pass


@pytest.mark.parametrize("in_the_way", ["data", "data/layer", "data/layer/hawk"])
def test_a_file_where_a_folder_should_be_is_told(in_the_way: str, tmp_path: Path) -> None:
    target = Dataset("table", "hawk", str(tmp_path / "data" / "layer" / "hawk" / "t.parquet"))
    blocked = tmp_path / in_the_way
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("x")
    with pytest.raises(DataError, match=f"^{target.uri} cannot be written .*{blocked}.*--data-dir"):
        write_parquet(FRAME.lazy(), target)
    assert blocked.read_text() == "x"


def test_a_folder_where_a_file_should_be_is_told(target: Dataset) -> None:
    Path(target.uri, "inside").mkdir(parents=True)
    with pytest.raises(DataError, match=f"^{target.uri} cannot be written"):
        write_text("x", target.uri)
    assert [p.name for p in Path(target.uri).parent.rglob("*")] == ["table.parquet", "inside"]


def test_a_full_disk_is_told_and_leaves_what_was_there(target: Dataset) -> None:
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


def test_a_dataset_stands_while_its_content_does(target: Dataset) -> None:
    written = write_parquet(FRAME.lazy(), target)
    assert is_unchanged(written)
    write_parquet(FRAME.reverse().lazy(), target)
    assert not is_unchanged(written)
    write_parquet(FRAME.lazy(), target)
    assert is_unchanged(written)
    Path(target.uri).unlink()
    assert not is_unchanged(written)


def test_a_missing_dataset_is_named(target: Dataset) -> None:
    for opened in (scan, read, read_metadata):
        with pytest.raises(DataError, match="hawk: table is missing: there is no ") as caught:
            opened(target)
        assert target.uri in str(caught.value)
    with pytest.raises(DataError, match="cannot be read"):
        ref(target)


def test_names_that_look_like_patterns_are_names(tmp_path: Path) -> None:
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
def test_a_damaged_dataset_is_named_when_it_is_opened(how: str, target: Dataset) -> None:
    write_parquet(FRAME.lazy(), target)
    damage(how, Path(target.uri))
    expected = "is a folder, not a file" if how == "folder" else r"cannot be read as Parquet \(.+\)"
    for opened in (scan, read, read_metadata):
        with pytest.raises(DataError, match=f"^hawk: table: {target.uri} {expected}. Remove it, "):
            opened(target)


def test_a_damaged_page_is_told_from_a_fault_of_the_program(target: Dataset) -> None:
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
    ("frame", "fault"),
    [
        (FRAME.drop("y"), "lacks the column y"),
        (FRAME.select(z="x"), "lacks the column x; lacks the column y"),
        (FRAME.cast({"x": pl.Int32}), "has x as Int32 and not as Int64"),
    ],
)
def test_a_dataset_that_is_not_of_its_schema_is_named(
    frame: pl.DataFrame, fault: str, target: Dataset
) -> None:
    write_parquet(frame.lazy(), target)
    with pytest.raises(DataError) as caught:
        scan(target, Table)
    assert str(caught.value).startswith(f"hawk: table: {target.uri} {fault}. Remove it")


def test_columns_beyond_the_schema_may_be_there(target: Dataset) -> None:
    more = FRAME.with_columns(z=1)
    write_parquet(more.lazy(), target)
    assert read(target, Table).equals(more)
