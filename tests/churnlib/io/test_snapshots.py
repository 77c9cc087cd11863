from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from churnlib.errors import DataError
from churnlib.io.catalog import Catalog
from churnlib.io.snapshots import (
    DIGITS,
    FOLDER,
    find_snapshot,
    keep_snapshot,
    old_snapshots,
    read_time,
    snapshots,
)
from churnlib.io.storage import fingerprint

NOON = datetime(2025, 1, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TABLE, PATH = "logins", "postgresql://host/game"


def keep(folder: Path, content: str, read_at: datetime) -> tuple[str, bool]:
    """Keeps a file with some content as a snapshot."""
    file = folder / "new.parquet"
    file.write_text(content)
    return keep_snapshot(file, Catalog(str(folder), "hawk").raw_folder, TABLE, read_at)


def test_newest_snapshot_is_the_raw_table(tmp_path: Path) -> None:
    catalog = Catalog(str(tmp_path), "hawk")
    with pytest.raises(DataError, match=r"hawk: the raw table logins .* has not been read yet"):
        catalog.raw(TABLE, PATH)
    first, is_new = keep(tmp_path, "a", NOON)
    assert is_new
    assert catalog.raw(TABLE, PATH).uri == first
    digits = fingerprint(first)[:DIGITS]
    assert first == f"{tmp_path}/01_raw/hawk/{FOLDER}/logins/20250131T120000000Z-{digits}.parquet"
    second, _ = keep(tmp_path, "b", NOON + DAY)
    assert catalog.raw(TABLE, PATH).uri == second
    assert Path(second).read_text() == "b"
    assert Path(first).read_text() == "a"
    assert read_time(second) == NOON + DAY


def test_unchanged_table_keeps_its_snapshot(tmp_path: Path) -> None:
    first, _ = keep(tmp_path, "a", NOON)
    assert keep(tmp_path, "a", NOON + DAY) == (first, False)
    second, _ = keep(tmp_path, "b", NOON + 2 * DAY)
    third, is_new = keep(tmp_path, "a", NOON + 3 * DAY)
    assert is_new
    assert list(snapshots(f"{tmp_path}/01_raw/hawk", TABLE)) == [first, second, third]


def test_what_is_read_last_is_newest_also_if_the_clock_was_set_back(tmp_path: Path) -> None:
    keep(tmp_path, "a", NOON)
    second, _ = keep(tmp_path, "b", NOON - 30 * DAY)
    assert Catalog(str(tmp_path), "hawk").raw(TABLE, PATH).uri == second


def test_snapshot_of_a_content_is_preferred_while_it_exists(tmp_path: Path) -> None:
    first, _ = keep(tmp_path, "a", NOON)
    second, _ = keep(tmp_path, "b", NOON + DAY)
    digest, folder = fingerprint(first), f"{tmp_path}/01_raw/hawk"
    assert Catalog(str(tmp_path), "hawk").raw(TABLE, PATH, digest).uri == first
    Path(first).unlink()
    assert find_snapshot(folder, "hawk", TABLE, digest) == second


def test_old_snapshots_are_those_before_the_newest_that_no_model_needs(tmp_path: Path) -> None:
    kept = [keep(tmp_path, content, NOON + n * DAY)[0] for n, content in enumerate("abcde")]
    folder, manifest = f"{tmp_path}/01_raw/hawk", f'{{"source": "{fingerprint(kept[1])}"}}'
    assert old_snapshots(folder, 2) == kept[:3]
    assert old_snapshots(folder, 2, manifest) == [kept[0], kept[2]]
    assert old_snapshots(folder, 5) == []


def test_snapshots_are_kept_in_an_object_store(bucket: str, tmp_path: Path) -> None:
    file = tmp_path / "new.parquet"
    file.write_text("a")
    folder = Catalog(bucket, "hawk").raw_folder
    first, _ = keep_snapshot(file, folder, TABLE, NOON)
    file.write_text("a")
    assert keep_snapshot(file, folder, TABLE, NOON + DAY) == (first, False)
    assert Catalog(bucket, "hawk").raw(TABLE, PATH).uri == first


def test_no_snapshot_is_written_behind_a_link(tmp_path: Path) -> None:
    folder, others = tmp_path / "01_raw" / "hawk" / FOLDER, tmp_path / "others"
    others.mkdir()
    folder.mkdir(parents=True)
    (folder / TABLE).symlink_to(others)
    with pytest.raises(DataError, match=f"{TABLE} is a symbolic link, or lies behind one, that"):
        keep(tmp_path, "a", NOON)
    assert list(others.iterdir()) == []
