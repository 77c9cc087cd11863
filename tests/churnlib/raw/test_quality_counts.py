"""Counts of data warnings, against plain Python."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.io.datasets import read
from churnlib.io.footer import fact
from churnlib.months import shift_months
from churnlib.raw import batches, quality_warnings
from churnlib.raw.quality_warnings import (
    PLAUSIBLE,
    ROWS_BY_DAY,
    DayCounts,
    count_known,
)
from churnlib.schemas.spec import TableSpec
from tests.base import raw_tables
from tests.churnlib.raw.samples import (
    prepare,
    write,
)
from tests.churnlib.raw.test_quality_warnings import unknown_parents
from tests.churnlib.raw.worlds import ORDERS, checked, numbers, world
from tests.variants import slow_but

Facts = Mapping[str, Any]


Texts = Iterator[str]


Dated = Iterator[tuple[str, date]]


def texts_of(
    spec: TableSpec, row: Facts, before: Facts | None, parent: Facts | None, starts: list[date]
) -> Dated:
    """The data warnings of a row, by plain Python, with the day from which each holds.

    Args:
        spec: The record of its table.
        row: The row.
        before: The row before it in the checked table.
        parent: Its parent, if that is known.
        starts: The starts of all subscriptions of its character.
    """
    find = {
        "entity": texts_of_character,
        "history": texts_of_currency,
        "subscriptions": texts_of_subscription,
        "misses": texts_of_miss,
    }
    known = known_on(spec, row)
    yield from ((text, known) for text in find[spec.kind](row, before or {}, parent or {}))
    if spec.kind == "misses" and parent:
        yield from later_texts_of_miss(row, parent, starts, known)
    days = [row[name] for name, dtype in spec.types.items() if dtype == pl.Date]
    if any(day is not None and not PLAUSIBLE[0] <= day <= PLAUSIBLE[1] for day in days):
        yield "date before 1990 or after 2100", known


def texts_of_character(row: Facts, _before: Facts, _parent: Facts) -> Texts:
    mastered = row["class_mastery_date"]
    if mastered is not None and mastered < row["creation_date"]:
        yield "class_mastery_date before the character's creation"
    if not all(0 <= row[name] <= 10**9 for name in ("total_kills", "total_deaths")):
        yield "total_kills or total_deaths below 0 or above 1,000,000,000"


def texts_of_currency(row: Facts, before: Facts, parent: Facts) -> Texts:
    is_same = before.get("char_id") == row["char_id"]
    if is_same and months_between(before["date"], row["date"]) > 1:
        yield "months missing before a row"
    if not parent:
        yield "row of an unknown character"
    elif months_between(parent["creation_date"], row["date"]) < 0:
        yield "row before its character's creation"
    if not all(0 <= (row[name] or 0) <= 1e12 for name in ("sub_hard", "sub_soft")):
        yield "sub_hard or sub_soft below 0 or above 1,000,000,000,000"
    if not all(-1e12 <= (row[name] or 0) <= 1e12 for name in ("hard_balance", "soft_balance")):
        yield "hard_balance or soft_balance below -1,000,000,000,000 or above 1,000,000,000,000"


def texts_of_subscription(row: Facts, _before: Facts, parent: Facts) -> Texts:
    if not 0 <= row["price"] <= 10**6:
        yield "price below 0 or above 1,000,000"
    if row["sub_months"] < 1:
        yield "subscribed for less than a month"
    if row["sub_months"] > 120:
        yield "subscribed for more than 120 months"
    if not all(0 <= row[name] <= 1e12 for name in ("num_hard_currency", "num_soft_currency")):
        yield "num_hard_currency or num_soft_currency below 0 or above 1,000,000,000,000"
    if parent and row["sub_start_date"] < parent["creation_date"]:
        yield "subscription before its character's creation"


def texts_of_miss(row: Facts, _before: Facts, parent: Facts) -> Texts:
    if parent and months_between(parent["sub_start_date"], row["start_date"]) < 0:
        yield "miss before its subscription"


def later_texts_of_miss(row: Facts, parent: Facts, starts: list[date], known: date) -> Dated:
    start, end, begins, term = (
        row["start_date"], row["end_date"], parent["sub_start_date"], parent["sub_months"]
    )  # fmt: skip
    beyond = shift_months(begins.replace(day=1), min(max(term, 0), 120) + 1)
    if months_between(begins, end or start) >= term:
        yield "miss after its subscription's term", max(known, beyond)
    elif end is None:
        yield "miss without an end after its subscription's term", max(known, beyond)
    newer = min((s for s in starts if s > begins and months_between(start, s) >= -1), default=None)
    if newer is None or months_between(begins, newer) >= term:
        return
    if end is None or months_between(newer, end) >= 0:
        text = "miss of a subscription that a newer one of its character seems to replace"
        yield text, max(known, newer)


def months_between(first: date, second: date) -> int:
    return 12 * (second.year - first.year) + second.month - first.month


def known_on(spec: TableSpec, row: Facts) -> date:
    if spec.kind == "misses":
        return shift_months(row["start_date"].replace(day=1), 1)
    column = {"entity": "creation_date", "history": "date", "subscriptions": "sub_start_date"}
    day: date = row[column[spec.kind]]
    return day


def counted_by_python(
    tables: Mapping[str, pl.DataFrame], spec: TableSpec
) -> list[tuple[date, list[tuple[str, date]]]]:
    """The day on which each row became known, and its data warnings with their days."""
    rows = checked(tables, spec).to_dicts()
    parents: dict[Any, Facts] = {}
    if spec.parent:
        for parent in tables[spec.parent.table].iter_rows(named=True):
            parents[parent[spec.parent.column]] = parent
    starts: dict[Any, list[date]] = {}
    for char_id, start in tables["sub_data"].select("char_id", "sub_start_date").iter_rows():
        starts.setdefault(char_id, []).append(start)
    found = []
    for before, row in zip([None, *rows], rows, strict=False):
        above = parents.get(row[spec.parent.column]) if spec.parent else None
        own = starts.get(row["char_id"], [])
        found.append((known_on(spec, row), list(texts_of(spec, row, before, above, own))))
    return found


ODD_NUMBERS: Mapping[str, Mapping[str, float]] = {
    "character_data": {"total_kills": -1, "total_deaths": 10**9 + 1},
    "character_currency": {"sub_soft": -0.5, "hard_balance": 9.2e15, "soft_balance": -1e300},
    "sub_data": {"price": 2e6, "sub_months": 999, "num_hard_currency": 1e13},
}


def spoiled_world() -> dict[str, pl.DataFrame]:
    """The raw tables of a small game, with early subscriptions and misses, and odd numbers."""
    tables = world(numbers())
    for name, odd in ODD_NUMBERS.items():
        tables[name] = tables[name].with_columns(
            pl.when(pl.int_range(pl.len()) % 7 == place)
            .then(pl.lit(value, dtype=tables[name].schema[column]))
            .otherwise(column)
            .alias(column)
            for place, (column, value) in enumerate(odd.items())
        )
    fifth = pl.int_range(pl.len()) % 5 == 0
    early = pl.when(fifth).then(date(2020, 3, 1)).otherwise(pl.col("sub_start_date"))
    tables["sub_data"] = tables["sub_data"].with_columns(sub_start_date=early)
    early = pl.when(fifth).then(pl.col("start_date").dt.offset_by("-4y")).otherwise("start_date")
    fourth = pl.int_range(pl.len()) % 4 == 1
    goes_on = pl.when(~fourth).then("end_date")
    tables["sub_miss"] = tables["sub_miss"].with_columns(start_date=early, end_date=goes_on)
    return tables


def all_texts(spec: TableSpec) -> set[str]:
    """Every data warning of a table that a single row may have."""
    unknown = {spec.parent.unknown} if spec.parent and spec.parent.unknown else set()
    return {warning.text for warning in spec.warnings if not warning.least_share} | unknown


@pytest.mark.parametrize(
    "order",
    slow_but("rows_shuffled", of=["sorted", "last_rows_late", "late_block", "rows_shuffled"]),
)
@pytest.mark.parametrize("spec", raw_tables().values(), ids=lambda spec: spec.name)
def test_counts_of_a_prepared_table_equal_those_of_plain_python_on_every_day(
    spec: TableSpec, order: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH", 5)
    monkeypatch.setattr(quality_warnings, "ROWS_AT_ONCE", 5)
    tables = spoiled_world()
    parent = checked(tables, raw_tables()[spec.parent.table]).lazy() if spec.parent else None
    rows = ORDERS[order](tables[spec.name], spec)
    required = parent if spec.required_parent else None
    prepared = prepare(write(tmp_path, spec.name, rows), spec, "clean", parent=required)
    facts = counted_by_python(tables, spec)
    texts = [each for _, texts in facts for each in texts]
    assert all_texts(spec) <= {text for text, _ in texts}
    by_day = {**fact(prepared, ROWS_BY_DAY), **unknown_parents(read(prepared), spec, parent)}
    for day in sorted({*(day for day, _ in facts), *(day for _, day in texts)}):
        for as_of in (day - timedelta(1), day):
            known = sum(known <= as_of for known, _ in facts)
            odd = Counter(text for text, since in texts if since <= as_of)
            assert count_known(by_day, as_of) == (known, odd)


@pytest.mark.parametrize("spec", raw_tables().values(), ids=lambda spec: spec.name)
def test_counts_do_not_depend_on_how_characters_are_divided(spec: TableSpec) -> None:
    tables = spoiled_world()
    rows = checked(tables, spec)
    parent, orphans = None, 0
    if spec.required_parent:
        # Without some parents, their rows are orphans.
        parent = checked(tables, raw_tables()[spec.required_parent.table]).gather_every(2)
        orphans = rows.join(parent, on=spec.required_parent.column, how="anti").height
        assert orphans
    footers = set()
    for size in (1, 3, 100):
        counts = DayCounts(spec, None if parent is None else parent.lazy())
        characters = rows.select("char_id").unique(maintain_order=True)
        for some in characters.iter_slices(size):
            counts.add(rows.join(some, on="char_id", how="semi"))
        footers.add(counts.footer()[ROWS_BY_DAY])
        assert counts.orphans == orphans
    assert len(footers) == 1
