"""The tasks that check raw tables: which reader they use, in which memory, and what they leave."""

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.io import datasets
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.raw import external_sort
from churnlib.settings import EngineSettings, RawSettings
from flows.steps import table_tasks as steps
from tests.base import declared
from tests.churnlib.raw.samples import GOOD, Rows, sub, write


def parent(folder: Path) -> DatasetRef:
    rows = pl.LazyFrame(GOOD["character_data"]).sort("char_id")
    target = Dataset("character_data", "hawk", str(folder / "parent.parquet"))
    return datasets.write_parquet(rows, target)


def check_subs(folder: Path, rows: Rows, *, memory_mib: int = 1) -> DatasetRef | None:
    source = datasets.ref(write(folder, "sub_data", rows))
    output = Dataset("sub_data", "hawk", str(folder / "checked.parquet"))
    engine = EngineSettings(memory_mib=memory_mib, scratch_dir=str(folder / "scratch"))
    (folder / "scratch").mkdir(exist_ok=True)
    found = steps.check_raw.fn(source, output, declared(), parent=parent(folder), engine=engine)
    return found and found["checked"]


def test_a_clean_table_is_read_once_by_the_fast_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "prepare_valid", lambda *_: pytest.fail("the careful reader"))
    checked = check_subs(tmp_path, GOOD["sub_data"])
    assert checked is not None
    assert datasets.read(checked)["sub_id"].to_list() == [101, 102, 201]


def test_a_clean_table_that_the_fast_reader_cannot_read_is_checked(tmp_path: Path) -> None:
    fast = check_subs(tmp_path, GOOD["sub_data"])
    assert fast is not None
    rows = [{**row, "sub_months": f"{row['sub_months']}.0"} for row in GOOD["sub_data"]]
    assert check_subs(tmp_path, rows) == fast


@pytest.mark.parametrize(
    "bad", [{"price": None}, {"char_id": 99}, {"sub_id": 102}, {"sub_months": "x"}]
)
def test_a_table_with_a_fault_is_not_written_and_leaves_the_earlier_one(
    bad: dict[str, Any], tmp_path: Path
) -> None:
    earlier = check_subs(tmp_path, GOOD["sub_data"])
    assert earlier is not None
    assert check_subs(tmp_path, [{**GOOD["sub_data"][0], **bad}, *GOOD["sub_data"][1:]]) is None
    assert datasets.is_unchanged(earlier)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    rows = [{key: value for key, value in row.items() if key != "price"} for row in [sub()]]
    with pytest.raises(DataError, match="lacks the column price"):
        check_subs(tmp_path, rows)


def test_temporary_files_are_in_the_scratch_folder_and_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Path] = []
    spill = external_sort._Spilled.__init__

    def note(self: Any, rows: pl.DataFrame, column: str, path: Path) -> None:
        seen.append(path)
        spill(self, rows, column, path)

    monkeypatch.setattr(external_sort._Spilled, "__init__", note)
    monkeypatch.setattr(steps, "CHECKING", 2**40)
    rows = [sub(100 + n * 7 % 60, 1 + n % 3) for n in range(60)]
    few = check_subs(tmp_path, rows)
    assert seen
    assert {path.parent.parent for path in seen} == {tmp_path / "scratch"}
    assert list((tmp_path / "scratch").iterdir()) == []
    seen.clear()
    monkeypatch.undo()
    assert check_subs(tmp_path, rows, memory_mib=64) == few
    assert not seen


def test_faulty_rows_are_quarantined_as_of_a_day(tmp_path: Path) -> None:
    late = sub(103, 3, sub_start_date=date(2024, 10, 1), price=None)
    rows = [*GOOD["sub_data"], sub(100, 2, price=None), late]
    source = datasets.ref(write(tmp_path, "sub_data", rows))
    outputs = {
        name: Dataset(name, "hawk", str(tmp_path / f"{name}.parquet"))
        for name in ("checked", "rejected")
    }
    written = steps.check_known.fn(
        source,
        outputs,
        declared(RawSettings(on_bad_rows="quarantine", max_bad_share=0.5)),
        parent=parent(tmp_path),
        as_of=date(2024, 9, 30),
        engine=EngineSettings(memory_mib=1),
    )
    assert datasets.read(written["checked"])["sub_id"].to_list() == [101, 102, 201]
    rejected = datasets.read(written["rejected"])
    assert rejected["source_row"].to_list() == [5]
    assert rejected["sub_id"].to_list() == ["100"]
