"""Data warnings: implausible facts, which are counted and kept."""

from datetime import date
from typing import Any

import polars as pl
import pytest

from churnlib.raw.quality_warnings import (
    ByDay,
    DayCounts,
    count_known,
    count_unknown_parents,
)
from churnlib.schemas.spec import TableSpec
from tests.base import raw_tables
from tests.churnlib.raw.samples import (
    GOOD,
    Rows,
    character,
    currency,
    miss,
    sub,
)

DAY = date(2025, 1, 1)


def table(name: str, rows: Rows) -> pl.LazyFrame:
    """A checked table without the characters of misses."""
    spec = raw_tables()[name]
    return pl.LazyFrame(rows, schema=spec.types).sort(n for n in spec.order if n in spec.types)


def warnings(
    name: str, *rows: dict[str, Any], parent: Rows | None = None, as_of: date = DAY
) -> dict[str, int]:
    spec = raw_tables()[name]
    above = None if parent is None or spec.parent is None else table(spec.parent.table, parent)
    checked = table(name, list(rows)).collect()
    if "char_id" not in checked.columns:
        owners = {row["sub_id"]: row["char_id"] for row in parent or []}
        owner = pl.col("sub_id").replace_strict(owners, default=1, return_dtype=pl.Int64)
        checked = checked.with_columns(char_id=owner).sort(spec.order)
    counts = DayCounts(spec, above if spec.required_parent else None)
    if len(checked):
        counts.add(checked)
    return count_known({**counts.by_day, **unknown_parents(checked, spec, above)}, as_of)[1]


def unknown_parents(checked: pl.DataFrame, spec: TableSpec, parent: pl.LazyFrame | None) -> ByDay:
    """The counts of rows without a parent, where that is a data warning."""
    if parent is None or spec.parent is None or spec.required_parent:
        return {}
    return count_unknown_parents(checked.lazy(), spec, parent)


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
        "class_mastery_date before the character's creation": 1
    }


def test_gaps_in_currency_give_a_warning() -> None:
    # Gaps are between months of one character, in any order of the file.
    rows = [currency(1, 4), currency(2, 1), currency(1, 1), currency(2, 2), currency(1, 2)]
    assert warnings("character_currency", *rows) == {"months missing before a row": 1}
    later = currency(2, 1, date=date(2022, 1, 1))
    assert warnings("character_currency", currency(1, 1), later) == {}


def test_currency_of_an_unknown_character_gives_a_warning() -> None:
    rows = [currency(1, 1), currency(1, 2), currency(9, 1), currency(9, 2)]
    counted = warnings("character_currency", *rows, parent=[character(1)])
    assert counted == {"row of an unknown character": 2}


def test_implausible_subscriptions_are_counted() -> None:
    rows = [
        sub(1, price=-0.01),
        sub(2, price=0.0, sub_months=0),
        sub(3, sub_months=-1, price=-1.0),
        sub(4, sub_start_date=date(2021, 1, 4)),
    ]
    own = {"price below 0 or above 1,000,000": 2, "subscribed for less than a month": 2}
    assert warnings("sub_data", *rows) == own
    early = "subscription before its character's creation"
    assert warnings("sub_data", *rows, parent=[character(1)]) == {**own, early: 1}


def test_subscriptions_twice_under_new_ids_are_counted_if_they_are_many() -> None:
    own = [sub(n, char_id=n) for n in range(1, 201)]
    twice = "equal to another subscription in all columns but sub_id"
    one, two = ([sub(1000 + n, char_id=n) for n in range(1, 1 + more)] for more in (2, 3))
    assert warnings("sub_data", *own, *one) == {}
    assert warnings("sub_data", *own, *two) == {twice: 3}
    changed = [sub(1000 + n, char_id=n, price=1.0) for n in range(1, 101)]
    assert warnings("sub_data", *own, *changed) == {}


def test_misses_that_a_time_zone_moved_are_counted_if_they_are_most() -> None:
    ends = [date(2024, 2, 29), date(2024, 3, 31), date(2024, 4, 30)]
    rows = [miss(n, start_date=day) for n, day in enumerate(ends)]
    moved = "miss that starts on the last day of a month, and counts as a miss of that month"
    first = [miss(n, 3) for n in range(10, 13)]
    assert warnings("sub_miss", *rows, *first) == {moved: 3}
    assert warnings("sub_miss", *rows, *first, miss(20, 3)) == {}


def test_numbers_at_the_bounds_are_plausible_and_those_beyond_are_counted() -> None:
    most: dict[str, Any] = {"price": 1e6, "sub_months": 120, "num_hard_currency": 1e12}
    assert warnings("sub_data", sub(1, **most), sub(2, num_soft_currency=0.0)) == {}
    rows = [sub(1, price=1e6 + 1), sub(2, sub_months=121), sub(3, num_soft_currency=-1.0)]
    assert warnings("sub_data", *rows) == {
        "price below 0 or above 1,000,000": 1,
        "subscribed for more than 120 months": 1,
        "num_hard_currency or num_soft_currency below 0 or above 1,000,000,000,000": 1,
    }
    amounts = [
        currency(1, 1, hard_balance=1e12, soft_balance=None),
        currency(1, 2, hard_balance=-1e12, sub_hard=None),
        currency(1, 3, hard_balance=1e300, soft_balance=9.2e15),
        currency(1, 4, sub_hard=-1.0, sub_soft=None),
    ]
    assert warnings("character_currency", *amounts) == {
        "hard_balance or soft_balance below -1,000,000,000,000 or above 1,000,000,000,000": 1,
        "sub_hard or sub_soft below 0 or above 1,000,000,000,000": 1,
    }
    characters = [character(1, total_kills=-1), character(2, total_deaths=10**9)]
    assert warnings("character_data", *characters) == {
        "total_kills or total_deaths below 0 or above 1,000,000,000": 1
    }


def test_a_miss_before_the_month_of_its_subscription_gives_a_warning() -> None:
    rows = [miss(101, 1), miss(102, 1), miss(103, 1)]
    parents = [
        sub(101, 1, sub_start_date=date(2024, 1, 31)),
        sub(102, 2, sub_start_date=date(2024, 2, 1)),
        sub(103, 3, sub_start_date=date(2023, 12, 31)),
    ]
    assert warnings("sub_miss", *rows, parent=parents) == {"miss before its subscription": 1}
    assert warnings("sub_miss", *rows) == {}


def test_a_miss_that_goes_on_after_its_term_gives_a_warning() -> None:
    # Each subscription is for January to March.
    parents = [sub(n, sub_start_date=date(2024, 1, 31), sub_months=3) for n in (101, 102, 103, 104)]
    rows = [
        miss(101, 2),
        miss(102, 3),
        miss(103, 3, end_date=None),
        miss(104, 4, end_date=None),
    ]
    after, open_after = (
        "miss after its subscription's term",
        "miss without an end after its subscription's term",
    )
    assert warnings("sub_miss", *rows, parent=parents) == {after: 2, open_after: 1}
    # April is the first month after the terms, and known to be missed on the first of May.
    assert warnings("sub_miss", *rows, parent=parents, as_of=date(2024, 4, 30)) == {}
    counted = warnings("sub_miss", *rows, parent=parents, as_of=date(2024, 5, 1))
    assert counted == {after: 2, open_after: 1}


@pytest.mark.parametrize(
    ("start", "is_counted"),
    [
        (date(2024, 1, 19), False),  # Two months before the miss.
        (date(2024, 2, 1), True),  # In the last month before it.
        (date(2024, 4, 30), True),  # In its last month.
        (date(2024, 5, 1), False),  # After it, as after any churn.
    ],
)
def test_a_miss_of_a_subscription_that_another_replaces_gives_a_warning(
    start: date, is_counted: bool
) -> None:
    text = "miss of a subscription that a newer one of its character seems to replace"
    parents = [sub(101), sub(102, sub_start_date=start), sub(201, 2, sub_start_date=start)]
    row = miss(101, 3, end_date=date(2024, 4, 1))
    assert warnings("sub_miss", row, parent=parents) == ({text: 1} if is_counted else {})
    assert warnings("sub_miss", row, parent=parents, as_of=date(2024, 3, 31)) == {}


def test_a_replaced_subscription_is_known_when_the_newer_one_starts() -> None:
    text = "miss of a subscription that a newer one of its character seems to replace"
    parents = [sub(101), sub(102, sub_start_date=date(2024, 5, 20))]
    rows = [miss(101, 2, end_date=None)]
    assert warnings("sub_miss", *rows, parent=parents, as_of=date(2024, 5, 19)) == {}
    assert warnings("sub_miss", *rows, parent=parents, as_of=date(2024, 5, 20)) == {text: 1}


def test_twins_earlier_subscriptions_and_those_after_the_term_replace_nothing() -> None:
    newer = sub(101, sub_start_date=date(2024, 1, 18), sub_months=3)
    others = [
        sub(102, sub_start_date=date(2024, 1, 18)),
        sub(103, sub_start_date=date(2024, 1, 2)),
        sub(104, sub_start_date=date(2024, 4, 1)),
    ]
    row = miss(101, 1, end_date=date(2024, 3, 1))
    assert warnings("sub_miss", row, parent=[newer, *others]) == {}
    # A run without an end goes on, but the subscription does not.
    goes_on = warnings("sub_miss", miss(101, 1, end_date=None), parent=[newer, *others])
    assert goes_on == {"miss without an end after its subscription's term": 1}


def test_currency_before_the_month_of_creation_gives_a_warning() -> None:
    rows = [currency(c, m) for c in (1, 2, 9) for m in (1, 2, 3)]
    parents = [
        character(1, creation_date=date(2021, 1, 31)),
        character(2, creation_date=date(2021, 3, 1)),
    ]
    assert warnings("character_currency", *rows, parent=parents) == {
        "row before its character's creation": 2,
        "row of an unknown character": 3,
    }


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
