"""What is made of sources that another program changes meanwhile."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from churnlib.errors import DataError
from churnlib.io.datasets import Dataset, DatasetRef, ref
from churnlib.io.made_of import made_of
from churnlib.io.storage import write_text

CHANGED = r"^hawk: sub_data: .*/sub_data\.csv was changed by another program"


@pytest.fixture
def source(tmp_path: Path) -> DatasetRef:
    file = tmp_path / "sub_data.csv"
    file.write_text("one")
    return ref(Dataset("sub_data", "hawk", str(file)))


def overwrite(file: Path) -> None:
    file.write_text("two")


def replace_with_an_older_copy(file: Path) -> None:
    """As `cp -a` does, with the size and the time of the file before."""
    copy = file.with_name("copy")
    copy.write_text("two")
    found = file.stat()
    os.utime(copy, ns=(found.st_atime_ns, found.st_mtime_ns))
    copy.replace(file)


def put_a_folder_in_its_place(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    "change", [overwrite, replace_with_an_older_copy, put_a_folder_in_its_place]
)
def test_nothing_is_made_of_a_source_that_changes(
    source: DatasetRef, change: Callable[[Path], None]
) -> None:
    target = Path(source.uri).with_name("made")
    write_text("old", target)
    with pytest.raises(DataError, match=CHANGED), made_of(source):
        change(Path(source.uri))
        write_text("new", target)
    assert target.read_text() == "old"
    assert [path.name for path in target.parent.iterdir() if path.suffix == ".tmp"] == []


def test_result_without_a_file_is_refused_as_well(source: DatasetRef) -> None:
    with pytest.raises(DataError, match=CHANGED), made_of(source):
        overwrite(Path(source.uri))


def test_change_explains_an_error_of_the_reader(source: DatasetRef) -> None:
    with pytest.raises(DataError, match=CHANGED), made_of(source):
        overwrite(Path(source.uri))
        raise ValueError("wrong page size")


def test_other_errors_pass_and_unchanged_sources_are_no_fault(source: DatasetRef) -> None:
    with pytest.raises(ValueError, match="mine"), made_of(source):
        raise ValueError("mine")
    with made_of(source):
        os.utime(source.uri)  # Only the time.
        write_text("new", Path(source.uri).with_name("made"))


def test_source_that_is_gone_was_read_before(source: DatasetRef, tmp_path: Path) -> None:
    folder = tmp_path / "models" / "v1"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    model = ref(Dataset("model", "hawk", str(folder)))
    with made_of(source, model):
        Path(source.uri).unlink()
        shutil.rmtree(folder)
        write_text("new", tmp_path / "made")
    assert (tmp_path / "made").read_text() == "new"
