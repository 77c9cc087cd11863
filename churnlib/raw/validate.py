"""The checks of the raw tables: structural faults stop the run, or such rows are set apart."""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

import polars as pl

from churnlib.io.buckets import in_order, lazily, spill
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.raw.csv_lines import Lines, look_at_lines
from churnlib.raw.fast_read import UncleanError, hold_clean, hold_unique, is_ascending, scan_clean
from churnlib.raw.judge import Judge
from churnlib.raw.read import by_line, is_csv, scan_raw, typed, unreadable
from churnlib.schemas.tables import CHECKED_ORDER, RAW_SCHEMAS, REFERENCES, checked_columns
from churnlib.settings import RawSettings


@dataclass(frozen=True)
class CheckedTable:
    """A raw table after its checks.

    Attributes:
        rows: The rows that break no rule, typed; see `checked_rows`.
        rejected: The rows that do, as they lie in the file, with the marks of the reader and the
            rules that they break.
    """

    rows: pl.DataFrame
    rejected: pl.DataFrame


@dataclass(frozen=True)
class Work:
    """How a raw table is worked through.

    Attributes:
        count: In how many buckets.
        folder: An empty folder, where rows are put aside if there are more buckets than one.
    """

    count: int = 1
    folder: Path = Path()


def check_table(
    source: Dataset | DatasetRef,
    table: str,
    settings: RawSettings,
    *,
    parent: pl.LazyFrame | None = None,
    as_of: date | None = None,
) -> CheckedTable:
    """Reads a raw table whole, in memory, and holds every row against the rules of its schema.

    Args:
        source: The file.
        table: Which raw table it is.
        settings: What to do with rows that break a rule, and which categories are closed.
        parent: The checked table that it refers to: characters for subscriptions, subscriptions
            for misses. Null where references are not to be checked.
        as_of: Judge only what was known on this day. A later row is kept where it breaks no rule,
            else left out without a word; it never makes an earlier one faulty. All rows if null.

    Raises:
        DataError: A column is missing, the file cannot be read, or rows break rules and may not be
            set apart; names file, columns, rules, how many rows and the first of them.
    """
    judge = Judge(table, settings, as_of)
    rows = pl.concat(judged_rows(source, judge, parent, Work()))
    return CheckedTable(rows, judge.rejected(raw_rows(source, table)))


def clean_rows(
    source: Dataset | DatasetRef,
    table: str,
    settings: RawSettings,
    parent: pl.LazyFrame | None,
    work: Work,
) -> Iterator[pl.DataFrame]:
    """Reads a raw table that has no fault, bucket by bucket.

    Args:
        source: The file.
        table: Which raw table it is.
        settings: Which categories are closed.
        parent: See `check_table`.
        work: How the table is worked through.

    Yields:
        The rows of each bucket; see `checked_rows`.

    Raises:
        DataError: A column is missing, or the file cannot be read.
        UncleanError: A row may break a rule, so `judged_rows` must take over.
    """
    scan_raw(source, table)  # Columns that are missing are an error on either way.
    try:
        rows = scan_clean(source, table, settings.id_type)
        if table == "sub_data":  # No two of its keys that are the same need come together below.
            for part in spill(rows.select("sub_id"), "sub_id", work.count, work.folder / "ids"):
                hold_unique(part.collect(), ["sub_id"])
        hold = partial(hold_clean, table=table, settings=settings)
        yield from _by_character(rows, table, parent, work, hold, by_key=table == "sub_miss")
    except pl.exceptions.PolarsError:  # A value is of another type, or a line too long.
        raise UncleanError from None


def judged_rows(
    source: Dataset | DatasetRef, judge: Judge, parent: pl.LazyFrame | None, work: Work
) -> Iterator[pl.DataFrame]:
    """Reads a raw table with care, bucket by bucket, and judges every row.

    Args:
        source: The file.
        judge: Who tells good rows from faulty ones, and keeps account.
        parent: See `check_table`.
        work: How the table is worked through.

    Yields:
        The good rows of each bucket; see `checked_rows`.

    Raises:
        DataError: See `check_table`; rows that break rules are told of behind the last bucket.
    """
    table, id_type = judge.table, judge.settings.id_type
    with _reading(source):
        raw, ragged = _by_line(source, table)
        rows = judge.marked(typed(raw, table, ragged, id_type), ragged)
        by_key = table in REFERENCES
        yield from _by_character(rows, table, parent, work, judge.good, by_key=by_key)
    judge.refuse(source, raw)


def raw_rows(source: Dataset | DatasetRef, table: str) -> pl.LazyFrame:
    """The rows of a raw table as they lie there, with the `source_row` that errors name.

    Raises:
        DataError: A column is missing, or the file cannot be read.
    """
    with _reading(source):
        return _by_line(source, table)[0]


def _by_line(source: Dataset | DatasetRef, table: str) -> tuple[pl.LazyFrame, Mapping[int, int]]:
    raw = scan_raw(source, table)
    lines = look_at_lines(source.uri) if is_csv(source) else Lines()
    return by_line(raw, lines), lines.ragged


def _by_character(
    rows: pl.LazyFrame,
    table: str,
    parent: pl.LazyFrame | None,
    work: Work,
    hold: Callable[[pl.DataFrame], pl.DataFrame],
    *,
    by_key: bool,
) -> Iterator[pl.DataFrame]:
    """Holds rows against the rules, where wanted with all of a key together, and orders them."""
    columns, order = checked_columns(table), CHECKED_ORDER[table]
    if by_key:
        held = _held(rows, table, parent, work, hold)
        parts = spill(held, "char_id", work.count, work.folder / "by-character")
        frames: Iterable[pl.DataFrame] = (part.collect() for part in parts)
    elif table in REFERENCES:
        frames = map(hold, _owned(rows, table, parent, work))
    else:
        parts = spill(rows, "char_id", work.count, work.folder / "by-character")
        frames = (hold(part.collect()) for part in parts)
    for frame in frames:
        in_rank = frame if is_ascending(frame, order) else frame.sort(order)
        yield in_order(in_rank.select(columns))


def _held(
    rows: pl.LazyFrame,
    table: str,
    parent: pl.LazyFrame | None,
    work: Work,
    hold: Callable[[pl.DataFrame], pl.DataFrame],
) -> pl.LazyFrame:
    """Finds each row's parent, and holds the rows against the rules, orphans included."""
    key, given = RAW_SCHEMAS[table].primary_key()[0], rows.collect_schema()
    schema = {**given, "orphan": pl.Boolean(), "char_id": given[REFERENCES[table]]}
    owned = _owned(rows, table, parent, work)
    if key == REFERENCES[table]:
        frames: Iterable[pl.DataFrame] = owned
    else:
        parts = spill(lazily(owned, schema), key, work.count, work.folder / "by-key")
        frames = (part.collect() for part in parts)
    columns = checked_columns(table)
    return lazily((hold(f).select(columns) for f in frames), {c: schema[c] for c in columns})


def _owned(
    rows: pl.LazyFrame, table: str, parent: pl.LazyFrame | None, work: Work
) -> Iterator[pl.DataFrame]:
    """Marks the rows whose parent is unknown, and gives the others its `char_id`."""
    column, folder = REFERENCES[table], work.folder
    if parent is None:
        ids = rows.collect_schema()[column]
        known = pl.LazyFrame(schema={column: ids, "char_id": ids})
    else:
        known = parent.select(*dict.fromkeys((column, "char_id")))
    parts = spill(rows, column, work.count, folder / "by-parent")
    parents = spill(known, column, work.count, folder / "parents")
    for part, above in zip(parts, parents, strict=True):
        found = above.unique(column).with_columns(_known=True)
        frame = part.join(found, on=column, how="left", maintain_order="left")
        unknown = pl.col("_known").is_null() & pl.col(column).is_not_null() & (parent is not None)
        yield frame.with_columns(orphan=unknown).drop("_known").collect()


@contextmanager
def _reading(source: Dataset | DatasetRef) -> Iterator[None]:
    try:
        yield
    except (pl.exceptions.PolarsError, csv.Error) as error:
        raise unreadable(source, error) from None
