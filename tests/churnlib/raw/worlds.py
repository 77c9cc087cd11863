"""The raw tables of a small game with many cases, and orders in which they may arrive."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from random import Random
from typing import Any

import polars as pl

from churnlib.months import shift_months
from churnlib.schemas.spec import TableSpec
from churnlib.settings import IdType, RawSettings
from tests.base import raw_tables
from tests.churnlib.raw.samples import character, currency, miss, sub

CHARACTERS = 26
UNKNOWN = 17
"""The number of a character without a row of its own."""


def numbers() -> list[Any]:
    return [3 * n + 1 for n in range(CHARACTERS)]


def far_numbers() -> list[Any]:
    """Numbers of which a sort key of 64 bits has no room for a date as well."""
    return [-(2**63), *numbers()[1:-1], 2**63 - 1]


def texts() -> list[Any]:
    """Texts whose bytes are in another order than their letters."""
    names = [f"{mark}{n}" for n in range(13) for mark in ("Z", "ä")][:CHARACTERS]
    return sorted(names, key=str.encode)


IDS: Mapping[str, tuple[Callable[[], list[Any]], IdType]] = {
    "numbers": (numbers, "integer"),
    "far_numbers": (far_numbers, "integer"),
    "texts": (texts, "text"),
}


def world(ids: Sequence[Any]) -> dict[str, pl.DataFrame]:
    """The raw tables, with every data warning, in the order of the checked ones."""
    subs = [
        (number, n * 10 + n) for number in range(CHARACTERS) for n in range(number % 4)
    ]  # Several start on the same day.
    sub_ids: list[Any] = [
        f"s{k * 7 % 101}" if isinstance(ids[0], str) else k * 7 % 101 for k in range(99)
    ]
    rows = {
        "character_data": [_character(number, ids[number]) for number in _known()],
        "character_currency": [
            currency(ids[number], date=shift_months(date(2022, 1, 1), month), sub_hard=float(month))
            | {"sub_soft": 10.0, "soft_balance": None if month % 3 else 5.0}
            for number in range(CHARACTERS)
            for month in range(number * 5 % 9)
            if month != number % 7
        ],
        "sub_data": [
            sub(
                sub_ids[k],
                ids[number],
                sub_start_date=date(2023, 1, 1) + timedelta(days + number % 3),
                sub_months=0 if number == 22 else 6,
                price=-2.0 if k == 2 else 22.0,
            )
            for k, (number, days) in enumerate(subs)
            if number != UNKNOWN
        ],
        "sub_miss": [
            miss(sub_ids[k], start_date=start, end_date=shift_months(start, 1))
            for k, (number, _) in enumerate(subs)
            for n in range(k % 3)
            if number != UNKNOWN and (start := shift_months(date(2022, 12, 1), k % 5 + 2 * n))
        ],
    }
    settings = RawSettings(id_type="text" if isinstance(ids[0], str) else "integer")
    frames = {
        name: pl.DataFrame(rows[name], schema=spec.types, orient="row")
        for name, spec in raw_tables(settings).items()
    }
    return {
        name: checked(frames, spec).select(*spec.columns)
        for name, spec in raw_tables(settings).items()
    }


def _known() -> list[int]:
    return [number for number in range(CHARACTERS) if number != UNKNOWN]


def _character(number: int, char_id: Any) -> dict[str, Any]:
    created = date(2021, 1, 5) + timedelta(100 * number % 1000)
    if number == 2:
        created = date(1980, 1, 1)
    mastered = created - timedelta(1) if number == 20 else None
    return character(char_id, creation_date=created, class_mastery_date=mastered)


def checked(tables: Mapping[str, pl.DataFrame], spec: TableSpec) -> pl.DataFrame:
    """The rows of the checked table, by plain Polars."""
    rows = tables[spec.name]
    if "char_id" not in rows.columns:
        assert spec.parent is not None
        column = spec.parent.column
        rows = rows.join(tables[spec.parent.table].select(column, "char_id"), on=column)
    return rows.sort(spec.order, nulls_last=False).select(*spec.checked_types)


Order = Callable[[pl.DataFrame, TableSpec], pl.DataFrame]


def _characters_shuffled(rows: pl.DataFrame, spec: TableSpec) -> pl.DataFrame:
    parts = rows.partition_by(spec.of_kind("id")[-1], maintain_order=True)
    Random(3).shuffle(parts)
    return pl.concat(parts)


ORDERS: Mapping[str, Order] = {
    "sorted": lambda rows, _: rows,
    "by_key": lambda rows, spec: rows.sort(spec.key),
    "last_rows_late": lambda rows, _: pl.concat([rows[:5], rows[8:], rows[5:8]]),
    "late_block": lambda rows, _: pl.concat([rows[20:], rows[:20]]),
    "last_row_early": lambda rows, _: pl.concat([rows[:3], rows[-1:], rows[3:-1]]),
    "reversed": lambda rows, _: rows.reverse(),
    "characters_shuffled": _characters_shuffled,
    "rows_shuffled": lambda rows, _: rows.sample(fraction=1, shuffle=True, seed=5),
}
"""Orders in which the rows of a checked table may arrive."""
