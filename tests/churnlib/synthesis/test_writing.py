"""The files: reproducible bytes, complete or absent, in one chunk or many."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.synthesis import PROCESSES, STANDARD, generate, writing
from churnlib.synthesis import tables as synthesis_tables
from tests.base import raw_tables
from tests.churnlib.synthesis.samples import read, written

ROOT = Path(__file__).parents[3]
SAMPLES = (("game1", 4000, 1), ("game2", 4000, 2))


@pytest.mark.parametrize(("game", "characters", "seed"), SAMPLES)
def test_committed_sample_is_what_the_generator_writes(
    tmp_path: Path, game: str, characters: int, seed: int
) -> None:
    generate(PROCESSES[game], characters, seed, tmp_path)
    for table in raw_tables():
        committed = ROOT / "data" / "01_raw" / game / f"{table}.csv"
        assert (tmp_path / committed.name).read_bytes() == committed.read_bytes()


def test_committed_samples_are_small() -> None:
    files = (ROOT / "data" / "01_raw").glob("game[12]/*.csv")
    assert sum(path.stat().st_size for path in files) < 8_000_000


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_same_arguments_give_the_same_bytes(
    tmp_path: Path, file_format: writing.Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "CHUNK", 100)
    for folder in ("a", "b"):
        generate(PROCESSES["game1"], 250, 3, tmp_path / folder, file_format=file_format)
    generate(PROCESSES["game1"], 250, 4, tmp_path / "c", file_format=file_format)
    assert written(tmp_path / "a") == written(tmp_path / "b")
    assert not set(written(tmp_path / "a").values()) & set(written(tmp_path / "c").values())


def test_csv_and_parquet_have_the_same_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "CHUNK", 100)
    process = PROCESSES["game2"]
    as_csv = generate(process, 250, 3, tmp_path / "csv")
    as_parquet = generate(process, 250, 3, tmp_path / "parquet", file_format="parquet")
    assert as_csv.rows == as_parquet.rows
    for table in raw_tables():
        assert as_csv.files[table].name == f"{table}.csv"
        one = pl.read_csv(as_csv.files[table], try_parse_dates=True)
        two = pl.read_parquet(as_parquet.files[table])
        assert one.equals(two)
        assert one.schema == two.schema
        assert one.height == as_csv.rows[table]


def test_large_data_are_parquet_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "PARQUET_FROM", 50)
    generated = generate(PROCESSES["game1"], 50, 1, tmp_path)
    assert {path.suffix for path in generated.files.values()} == {".parquet"}


def test_full_chunk_does_not_depend_on_other_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "CHUNK", 200)
    process = STANDARD["game1"]
    for n in (400, 500):
        generate(process, n, 3, tmp_path / str(n))
    few, many = (read(process, 1.0, tmp_path / str(n)) for n in (400, 500))
    own = pl.col("char_id") <= 400
    assert many.characters.height == 500
    assert many.characters.filter(own).equals(few.characters)
    assert many.currency.filter(own).equals(few.currency)
    assert many.subs.filter(own).equals(few.subs)
    first, second = (few.characters.filter(pl.col("char_id") <= 200), few.characters[200:])
    assert not first["creation_date"].equals(second["creation_date"])


@pytest.mark.parametrize("characters", [1, 2, 5])
def test_very_few_characters_keep_the_columns(tmp_path: Path, characters: int) -> None:
    generate(PROCESSES["game1"], characters, 1, tmp_path, file_format="parquet")
    s = read(STANDARD["game1"], 1.0, tmp_path)
    frames = dict(zip(raw_tables(), (s.characters, s.currency, s.subs, s.misses), strict=True))
    assert {name: frame.columns for name, frame in frames.items()} == {
        name: list(spec.columns) for name, spec in raw_tables().items()
    }
    assert s.characters.height == characters


def test_other_format_is_replaced(tmp_path: Path) -> None:
    generate(PROCESSES["game1"], 20, 1, tmp_path)
    generate(PROCESSES["game1"], 20, 1, tmp_path, file_format="parquet")
    expected = {f"{table}.parquet" for table in raw_tables()} | {"truth/sub_truth.parquet"}
    assert set(written(tmp_path)) == expected


def test_failure_leaves_earlier_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generate(PROCESSES["game1"], 150, 1, tmp_path)
    before = written(tmp_path)
    monkeypatch.setattr(writing, "CHUNK", 100)
    calls: list[Any] = []

    def full_disk(*arguments: Any) -> dict[str, pl.DataFrame]:
        calls.append(arguments)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return synthesis_tables.tables(*arguments)

    monkeypatch.setattr(writing, "tables", full_disk)
    with pytest.raises(DataError, match="No space left"):
        generate(PROCESSES["game1"], 150, 2, tmp_path)
    assert written(tmp_path) == before
