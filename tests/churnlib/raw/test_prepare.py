"""Raw tables are prepared to the same bytes, whatever their order, format, size and reader."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import cycle, islice, product
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from churnlib.errors import DataError
from churnlib.io.datasets import Dataset, DatasetRef, read
from churnlib.io.footer import fact
from churnlib.io.storage import fingerprint
from churnlib.io.table_writer import ROW_GROUPS
from churnlib.raw import batches, external_sort
from churnlib.raw.external_sort import Workspace
from churnlib.raw.prepare import prepare_clean, prepare_valid
from churnlib.raw.quality_warnings import ROWS_BY_DAY, DayCounts
from churnlib.raw.read_clean import UncleanError
from churnlib.raw.validator import Validator
from churnlib.schemas.spec import TableSpec
from churnlib.settings import RawSettings
from tests.base import raw_tables
from tests.churnlib.raw.samples import AMPLE, FORMATS, READERS, Reader, prepare, write
from tests.churnlib.raw.worlds import IDS, ORDERS, checked, world
from tests.variants import slow_but

ROWS_PER_GROUP = 16


@dataclass(frozen=True)
class Case:
    """A raw table of a small game.

    Attributes:
        spec: Its record.
        rows: Its rows, in the order of the checked table.
        expected: The checked table.
        parent: The checked table that every row must refer to.
        settings: The type of ids.
    """

    spec: TableSpec
    rows: pl.DataFrame
    expected: pl.DataFrame
    parent: pl.DataFrame | None
    settings: RawSettings

    def prepare(
        self,
        rows: pl.DataFrame,
        folder: Path,
        reader: Reader,
        *,
        form: str = "csv",
        memory: int = 0,
    ) -> DatasetRef:
        """Writes rows as a raw table, and prepares them."""
        source = write(folder, self.spec.name, rows, form)
        parent = None
        if self.parent is not None:
            self.parent.write_parquet(folder / "parent.parquet", row_group_size=7)
            parent = pl.scan_parquet(folder / "parent.parquet")
        return prepare(
            source,
            self.spec,
            reader,
            parent=parent,
            settings=self.settings,
            memory=memory,
        )


@cache
def case(table: str, ids: str = "numbers", **raw: Any) -> Case:
    make_ids, id_type = IDS[ids]
    settings = RawSettings(id_type=id_type, **raw)
    specs, tables = raw_tables(settings), world(make_ids())
    spec = specs[table]
    parent = checked(tables, specs[spec.required_parent.table]) if spec.required_parent else None
    return Case(spec, tables[table], checked(tables, spec), parent, settings)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several batches, blocks and row groups."""
    monkeypatch.setattr(batches, "BATCH", 20)
    monkeypatch.setattr(external_sort, "BLOCK", 7)
    monkeypatch.setattr("churnlib.io.table_writer.ROWS_PER_GROUP", ROWS_PER_GROUP)


@pytest.mark.parametrize("ids", slow_but("numbers", "texts", of=IDS))
@pytest.mark.parametrize("table", slow_but("sub_data", of=raw_tables()))
def test_any_order_and_format_and_either_reader_give_the_same_bytes(
    table: str, ids: str, tmp_path: Path
) -> None:
    tested = case(table, ids)
    bytes_of: dict[str, tuple[Any, ...]] = {}
    # Each kind of ids begins with another pair, so that every order meets most of them.
    pairs = islice(cycle(product(FORMATS, READERS)), list(IDS).index(ids), None)
    for order, (form, reader) in zip(ORDERS, pairs, strict=False):
        rows = ORDERS[order](tested.rows, tested.spec)
        assert rows.sort(rows.columns).equals(tested.rows.sort(rows.columns))
        prepared = tested.prepare(rows, tmp_path, reader, form=form)
        assert read(prepared).equals(tested.expected)
        assert prepared.rows == len(tested.expected)
        bytes_of.setdefault(prepared.fingerprint, (order, form, reader))
    assert len(bytes_of) == 1, bytes_of


@pytest.mark.parametrize("table", slow_but("character_currency", of=raw_tables()))
def test_bytes_do_not_depend_on_memory_and_batches(
    table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tested = case(table)
    bytes_of: dict[str, tuple[Any, ...]] = {}
    sizes: tuple[tuple[int, int, Reader], ...] = (
        (5, 0, "clean"),
        (7, 3000, "careful"),
        (1000, 0, "clean"),
        (1000, AMPLE, "careful"),
    )
    orders = ("sorted", "last_rows_late", "rows_shuffled")
    for (batch, memory, reader), order in product(sizes, orders):
        monkeypatch.setattr(batches, "BATCH", batch)
        monkeypatch.setattr(external_sort, "BLOCK", batch)
        rows = ORDERS[order](tested.rows, tested.spec)
        prepared = tested.prepare(rows, tmp_path, reader, memory=memory)
        bytes_of.setdefault(prepared.fingerprint, (batch, memory, reader, order))
    assert read(prepared).equals(tested.expected)
    assert len(bytes_of) == 1, bytes_of


@pytest.mark.parametrize("table", slow_but("character_currency", of=raw_tables()))
def test_whole_numbers_of_parquet_are_taken_for_other_numbers(table: str, tmp_path: Path) -> None:
    tested = case(table)
    floats = [n for n, dtype in tested.spec.types.items() if dtype.is_float()]
    assert tested.rows.select(floats).equals(tested.rows.select(pl.col(floats).round()))
    expected = tested.prepare(tested.rows, tmp_path, "careful", form="parquet").fingerprint
    types: tuple[Any, ...] = (pl.Int64, pl.Int16, pl.Float32)
    for dtype, reader in product(types, READERS):
        whole = tested.rows.with_columns(pl.col(floats).cast(dtype))
        prepared = tested.prepare(whole, tmp_path, reader, form="parquet")
        assert prepared.fingerprint == expected


@pytest.mark.parametrize("table", raw_tables())
def test_footer_has_the_counts_by_day_and_the_row_groups(table: str, tmp_path: Path) -> None:
    tested = case(table)
    rows = ORDERS["rows_shuffled"](tested.rows, tested.spec)
    prepared = tested.prepare(rows, tmp_path, "clean")
    counts = DayCounts(tested.spec, None if tested.parent is None else tested.parent.lazy())
    counts.add(tested.expected)
    assert fact(prepared, ROWS_BY_DAY) == json.loads(counts.footer()[ROWS_BY_DAY])
    assert len(fact(prepared, ROWS_BY_DAY)) > 1, "the sample has data warnings"
    groups = fact(prepared, ROW_GROUPS)
    sizes = [size for _, size in groups]
    file = pq.ParquetFile(prepared.uri)
    assert sizes == [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    assert sum(sizes) == len(tested.expected)
    assert [first for first, _ in groups] == [
        tested.expected["char_id"][sum(sizes[:n])] for n in range(len(sizes))
    ]
    assert len(groups) > 1


@pytest.mark.parametrize("table", raw_tables().of_kind("entity", "history"))
def test_sorted_rows_are_streamed_without_temporary_files(table: Any, tmp_path: Path) -> None:
    tested = case(table.name)
    source = write(tmp_path, table.name, tested.rows)
    space = Workspace(0, tmp_path / "no_such_folder")
    parent = None if tested.parent is None else tested.parent.lazy()
    output = Dataset(table.name, "hawk", str(tmp_path / "checked.parquet"))
    assert read(prepare_clean(source, tested.spec, parent, output, space).table).equals(
        tested.expected
    )


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("table", raw_tables())
def test_an_empty_table_is_prepared(table: str, form: str, tmp_path: Path) -> None:
    tested = case(table)
    for reader in READERS:
        prepared = tested.prepare(tested.rows.clear(), tmp_path, reader, form=form)
        assert read(prepared).equals(tested.expected.clear())
        assert read(prepared).schema == tested.expected.schema
        assert prepared.rows == 0


@pytest.mark.parametrize("table", slow_but("character_data", of=raw_tables()))
def test_copies_anywhere_are_left_out_and_the_bytes_are_those_without_them(
    table: str, tmp_path: Path
) -> None:
    tested = case(table)
    expected = tested.prepare(tested.rows, tmp_path, "clean").fingerprint
    orders = ("sorted", "by_key", "last_rows_late", "rows_shuffled")
    places = ([0], [8, 8, 20], range(len(tested.rows)))
    pairs = cycle(product(FORMATS, READERS))
    for order, copied, (form, reader) in zip(
        cycle(orders), islice(cycle(places), 12), pairs, strict=False
    ):
        rows = pl.concat([tested.rows, *(tested.rows[n] for n in copied)])
        arranged = ORDERS[order](rows, tested.spec)
        prepared = tested.prepare(arranged, tmp_path, reader, form=form)
        assert prepared.fingerprint == expected, (order, copied, form, reader)
    at_once = pl.concat([tested.rows[:9], tested.rows[8:9], tested.rows[8:]])
    for reader in READERS:
        assert tested.prepare(at_once, tmp_path, reader).fingerprint == expected


@pytest.mark.parametrize("reader", READERS)
def test_copies_are_counted_by_the_day_they_became_known(reader: Reader, tmp_path: Path) -> None:
    tested = case("sub_data")
    spec, parent = tested.spec, tested.parent
    assert parent is not None
    rows = pl.concat([tested.rows, tested.rows[3:5], tested.rows[3:4]])
    source = write(tmp_path, spec.name, rows)
    output = Dataset(spec.name, "hawk", str(tmp_path / "checked.parquet"))
    space = Workspace(AMPLE, tmp_path)
    if reader == "clean":
        prepared = prepare_clean(source, spec, parent.lazy(), output, space)
    else:
        prepared = prepare_valid(
            source, Validator(spec, RawSettings()), parent.lazy(), output, space
        )
    days = sorted(tested.rows["sub_start_date"][n] for n in (3, 3, 4))
    assert prepared.copies.total == 3
    assert prepared.copies.by_day == [
        (day.isoformat(), days.count(day)) for day in dict.fromkeys(days)
    ]


Fault = Callable[[pl.DataFrame, TableSpec, int], pl.DataFrame]
"""Spoils a row, given its place."""


def repeated_at_once(rows: pl.DataFrame, spec: TableSpec, place: int) -> pl.DataFrame:
    return pl.concat([rows[: place + 1], changed(rows[place : place + 1], spec), rows[place + 1 :]])


def repeated_at_the_end(rows: pl.DataFrame, spec: TableSpec, place: int) -> pl.DataFrame:
    return pl.concat([rows, changed(rows[place : place + 1], spec)])


def repeated_thrice(rows: pl.DataFrame, spec: TableSpec, place: int) -> pl.DataFrame:
    """A copy of a row, and another of the same key."""
    same = rows[place : place + 1]
    return pl.concat([rows, same, changed(same, spec)])


def changed(row: pl.DataFrame, spec: TableSpec) -> pl.DataFrame:
    """The row with another value that breaks no rule."""
    column = "end_date" if "end_date" in row.columns else spec.of_kind("category", "number")[-1]
    value = pl.col(column)
    other = value.dt.offset_by("1mo") if row.schema[column] == pl.Date else value.fill_null(0) + 1
    return row.with_columns(pl.lit("x").alias(column) if row.schema[column] == pl.String else other)


def repeated_with_other_values(rows: pl.DataFrame, spec: TableSpec, place: int) -> pl.DataFrame:
    """Another row of the same key; for subscriptions, of another character."""
    same = rows[place : place + 1]
    other = rows[(place + len(rows) // 2) % len(rows)].with_columns(same[n] for n in spec.key)
    return pl.concat([rows, other])


def without_a_value(rows: pl.DataFrame, spec: TableSpec, place: int) -> pl.DataFrame:
    required = [n for n, column in spec.columns.items() if not column.nullable]
    return spoiled(rows, place, required[-1], None)


def without_a_key(rows: pl.DataFrame, spec: TableSpec, place: int) -> pl.DataFrame:
    return spoiled(rows, place, spec.key[-1], None)


def of_no_parent(rows: pl.DataFrame, spec: TableSpec, place: int) -> pl.DataFrame:
    assert spec.required_parent is not None
    return spoiled(rows, place, spec.required_parent.column, 10**9)


def spoiled(rows: pl.DataFrame, place: int, column: str, value: Any) -> pl.DataFrame:
    is_here = pl.int_range(pl.len()) == place
    return rows.with_columns(pl.when(~is_here).then(column).otherwise(value).alias(column))


REPEATS = (repeated_at_once, repeated_at_the_end, repeated_thrice, repeated_with_other_values)
FAULTS: tuple[Fault, ...] = (*REPEATS, without_a_value, without_a_key, of_no_parent)


def spoil(table: str) -> Iterator[tuple[str, pl.DataFrame]]:
    """The table with a fault anywhere, each in two of several orders."""
    tested = case(table)
    faults = [f for f in FAULTS if f is not of_no_parent or tested.spec.required_parent]
    orders = cycle(("sorted", "by_key", "late_block", "rows_shuffled", "sorted"))
    places = cycle((0, 8, len(tested.rows) // 2, 30, len(tested.rows) - 1))
    for (fault, _), order, place in zip(product(faults, range(2)), orders, places, strict=False):
        rows = ORDERS[order](tested.rows, tested.spec)
        at = place % len(rows)
        yield f"{fault.__name__} {order} {at}", fault(rows, tested.spec, at)


@pytest.mark.parametrize("table", slow_but("sub_data", of=raw_tables()))
def test_a_fault_anywhere_is_not_clean_and_leaves_the_earlier_table(
    table: str, tmp_path: Path
) -> None:
    tested = case(table)
    earlier = tested.prepare(tested.rows, tmp_path, "clean").fingerprint
    files = sorted(path.name for path in tmp_path.iterdir())
    for form, (name, rows) in zip(cycle(FORMATS), spoil(table), strict=False):
        with pytest.raises(UncleanError):
            pytest.fail(f"{name}: {tested.prepare(rows, tmp_path, 'clean', form=form)}")
        assert fingerprint(str(tmp_path / "checked.parquet")) == earlier
    (tmp_path / f"{table}.parquet").unlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == files


def faulty(rows: pl.DataFrame, tested: Case) -> list[int]:
    """The places of the faulty rows, by plain Polars."""
    spec = tested.spec
    required = [n for n, column in spec.columns.items() if not column.nullable]
    bad = pl.any_horizontal(pl.col(required).is_null()) | pl.struct(spec.key).is_duplicated()
    if spec.required_parent and tested.parent is not None:
        column = spec.required_parent.column
        bad = bad | ~pl.col(column).is_in(tested.parent[column].implode())
    return [n for n, is_bad in enumerate(rows.select(bad.fill_null(True)).to_series()) if is_bad]


@pytest.mark.parametrize("table", slow_but("sub_miss", of=raw_tables()))
def test_faults_anywhere_are_named_by_their_lines(table: str, tmp_path: Path) -> None:
    tested = case(table)
    for form, (name, rows) in zip(cycle(FORMATS), spoil(table), strict=False):
        with pytest.raises(DataError) as caught:
            pytest.fail(f"{name}: {tested.prepare(rows, tmp_path, 'careful', form=form)}")
        bad = faulty(rows, tested)
        assert f"{len(bad)} of {len(rows)} rows break a rule" in str(caught.value), name
        for place in bad:
            line = f"line {place + 2}" if form == "csv" else f"row {place + 1}"
            assert line in str(caught.value), name


@pytest.mark.parametrize("table", slow_but("character_currency", of=raw_tables()))
def test_quarantine_prepares_the_other_rows_to_the_same_bytes(table: str, tmp_path: Path) -> None:
    tested = case(table, on_bad_rows="quarantine", max_bad_share=0.5)
    known: dict[str, str] = {}
    for form, (name, rows) in zip(cycle(FORMATS), spoil(table), strict=False):
        prepared = tested.prepare(rows, tmp_path, "careful", form=form)
        bad = faulty(rows, tested)
        good = rows.filter(~pl.int_range(pl.len()).is_in(bad))
        expected = tested.expected.join(good, on=tested.spec.key, how="semi", maintain_order="left")
        assert read(prepared).equals(expected), name
        content = str(expected.hash_rows().to_list())
        assert known.setdefault(content, prepared.fingerprint) == prepared.fingerprint, name
    assert len({*known.values()}) > 1
