"""Data warnings: implausible facts, which are counted and kept."""

from datetime import date
from typing import Any

import polars as pl

from churnlib.raw.quality_warnings import count_warnings
from churnlib.schemas.raw_tables import raw_tables
from tests.churnlib.raw.samples import GOOD, Rows, character, currency, miss, sub

DAY = date(2025, 1, 1)


def table(name: str, rows: Rows) -> pl.LazyFrame:
    """A checked table."""
    spec = raw_tables()[name]
    return pl.LazyFrame(rows, schema=spec.types).sort(spec.key)


def warnings(
    name: str, *rows: dict[str, Any], parent: Rows | None = None, as_of: date = DAY
) -> dict[str, int]:
    spec = raw_tables()[name]
    above = None if parent is None or spec.parent is None else table(spec.parent.table, parent)
    return count_warnings(table(name, list(rows)), spec, as_of=as_of, parent=above)


def test_good_tables_give_no_warnings() -> None:
    for name, rows in GOOD.items():
        reference = raw_tables()[name].parent
        parent = GOOD[reference.table] if reference else None
        assert warnings(name, *rows, parent=parent) == {}
        assert warnings(name, parent=parent) == {}


def test_mastery_before_creation_gives_a_warning() -> None:
    early, same = date(2021, 1, 4), date(2021, 1, 5)
    rows = [character(1, class_mastery_date=early), character(2, class_mastery_date=same)]
    assert warnings("character_data", *rows, character(3, class_mastery_date=None)) == {
        "class mastered before the character's creation": 1
    }


def test_gaps_in_currency_give_a_warning() -> None:
    # Gaps are between months of one character, in any order of the file.
    rows = [currency(1, 4), currency(2, 1), currency(1, 1), currency(2, 2), currency(1, 2)]
    assert warnings("character_currency", *rows) == {"months missing before a currency row": 1}
    later = currency(2, 1, date=date(2022, 1, 1))
    assert warnings("character_currency", currency(1, 1), later) == {}


def test_currency_of_an_unknown_character_gives_a_warning() -> None:
    rows = [currency(1, 1), currency(1, 2), currency(9, 1), currency(9, 2)]
    counted = warnings("character_currency", *rows, parent=[character(1)])
    assert counted == {"currency of an unknown character": 2}


def test_implausible_subscriptions_are_counted() -> None:
    rows = [
        sub(1, price=-0.01),
        sub(2, price=0.0, sub_months=0),
        sub(3, sub_months=-1, price=-1.0),
        sub(4, sub_start_date=date(2021, 1, 4)),
    ]
    own = {"negative price": 2, "subscribed for less than a month": 2}
    assert warnings("sub_data", *rows) == own
    early = "subscription before its character's creation"
    assert warnings("sub_data", *rows, parent=[character(1)]) == {**own, early: 1}


def test_a_miss_before_the_month_of_its_subscription_gives_a_warning() -> None:
    rows = [miss(101, 1), miss(102, 1), miss(103, 1)]
    parents = [
        sub(101, sub_start_date=date(2024, 1, 31)),
        sub(102, sub_start_date=date(2024, 2, 1)),
        sub(103, sub_start_date=date(2023, 12, 31)),
    ]
    assert warnings("sub_miss", *rows, parent=parents) == {"miss before its subscription": 1}
    assert warnings("sub_miss", *rows) == {}


def test_implausible_dates_give_a_warning() -> None:
    text = "date before 1990 or after 2100"
    early, late = date(24, 1, 1), date(9999, 12, 1)
    rows = [
        character(1, creation_date=early),
        character(2, class_mastery_date=late),
        character(3, creation_date=date(1990, 1, 1), class_mastery_date=None),
        character(4, creation_date=early, class_mastery_date=late),
    ]
    assert warnings("character_data", *rows) == {text: 3}
    assert warnings("sub_miss", miss(1, 1, end_date=late), miss(2, 1)) == {text: 1}
    assert warnings("sub_data", sub(1, sub_start_date=early), sub(2)) == {text: 1}
    # Rows dated after the day of the run are not read.
    assert warnings("sub_data", sub(1, sub_start_date=late)) == {}


def test_facts_that_were_not_known_on_the_day_give_no_warning() -> None:
    cases = {
        "character_data": [
            character(1, creation_date=date(2024, 5, 2), class_mastery_date=date(2024, 5, 1))
        ],
        "character_currency": [currency(1, 1), currency(1, 3, date=date(2024, 5, 1))],
        "sub_data": [sub(1, price=-1.0, sub_start_date=date(2024, 5, 1))],
        # The month that begins on the day is known to be missed only when it has ended.
        "sub_miss": [miss(101, 5)],
    }
    on_the_day = {
        "character_data": date(2024, 5, 2),
        "character_currency": date(2024, 5, 1),
        "sub_data": date(2024, 5, 1),
        "sub_miss": date(2024, 6, 1),
    }
    parents = {"sub_miss": [sub(101, sub_start_date=date(2024, 12, 1))]}
    for name, rows in cases.items():
        day = on_the_day[name]
        before = day.replace(day=day.day - 1) if day.day > 1 else date(2024, day.month - 1, 28)
        counts = [warnings(name, *rows, parent=parents.get(name), as_of=d) for d in (before, day)]
        assert [len(count) for count in counts] == [0, 1], name
