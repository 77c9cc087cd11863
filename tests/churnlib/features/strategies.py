"""Random raw tables for property tests: small, dense in ties, gaps, nulls and dirty rows."""

from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from random import Random
from typing import Any, TypeVar, get_args

import polars as pl
from hypothesis import settings
from hypothesis import strategies as st

from churnlib.features.row_runs import CHUNK
from churnlib.settings.history_features import (
    Aggregation,
    Difference,
    Fill,
    HistoryFeatures,
    HistoryFunction,
)
from tests import variants
from tests.base import HISTORY, raw_tables
from tests.churnlib.features.oracle import Row, month_start

AMOUNTS = raw_tables()[HISTORY].of_kind("number")
FUNCTIONS: tuple[HistoryFunction, ...] = get_args(HistoryFunction)
FIRST_MONTH = 12 * 2022 + 6
CHUNKS = st.sampled_from((3, CHUNK))
"""The rows that are reduced at once: so few that runs are in several chunks, or all."""

_Name = TypeVar("_Name", bound=str)


CHARACTER_SCHEMA = raw_tables().characters.types
SUB_SCHEMA = raw_tables().subscriptions.types
MISS_SCHEMA = raw_tables().misses.types
CURRENCY_SCHEMA = raw_tables()[HISTORY].types


def examples(count: int) -> settings:
    """The settings of a property test: how many examples, the same ones on every run."""
    return variants.examples(count, derandomize=True)


@dataclass(frozen=True)
class Game:
    """The raw tables of a game as lists of rows."""

    characters: list[Row] = field(default_factory=list)
    subs: list[Row] = field(default_factory=list)
    misses: list[Row] = field(default_factory=list)
    currency: list[Row] = field(default_factory=list)

    def shuffled(self, seed: int) -> "Game":
        """The same rows in another order."""
        random = Random(seed)
        tables = (self.characters, self.subs, self.misses, self.currency)
        return Game(*(random.sample(rows, len(rows)) for rows in tables))

    def of_characters(self, char_ids: Iterable[int]) -> "Game":
        """The rows of some of the characters, and all misses."""
        wanted = set(char_ids)

        def own(rows: Sequence[Row]) -> list[Row]:
            return [row for row in rows if row["char_id"] in wanted]

        return Game(own(self.characters), own(self.subs), self.misses, own(self.currency))


def table(rows: Sequence[Row], schema: Mapping[str, Any]) -> pl.LazyFrame:
    """Makes a typed lazy table from rows."""
    return pl.LazyFrame(rows, schema=schema)


def tables(game: Game) -> list[pl.LazyFrame]:
    """The characters, subscriptions, misses and currency of a game, as lazy tables."""
    return [
        table(game.characters, CHARACTER_SCHEMA),
        table(game.subs, SUB_SCHEMA),
        table(game.misses, MISS_SCHEMA),
        table(game.currency, CURRENCY_SCHEMA),
    ]


def character(char_id: int = 1, **changes: Any) -> Row:
    """A character; `changes` replace its values."""
    return {
        "char_id": char_id,
        "gender": "f",
        "race": "elf",
        "class": "mage",
        "territory": "north",
        "creation_date": date(2023, 1, 15),
        "class_mastery_date": None,
        "total_kills": 10,
        "total_deaths": 3,
        **changes,
    }


def sub(sub_id: int = 1, start: date = date(2024, 3, 15), char_id: int = 1, **changes: Any) -> Row:
    """A subscription; `changes` replace its values."""
    return {
        "sub_id": sub_id,
        "char_id": char_id,
        "sub_start_date": start,
        "sub_type": "renewing",
        "sub_months": 6,
        "sub_size": "small",
        "price": 9.99,
        "num_hard_currency": 100.0,
        "num_soft_currency": 50.0,
        **changes,
    }


def miss(start: date, end: date | None, sub_id: int = 1) -> Row:
    """A run of missed months, both ends included; it goes on if it has no end."""
    return {"sub_id": sub_id, "start_date": start, "end_date": end}


def amounts(day: date, balance: float | None, char_id: int = 1, **changes: Any) -> Row:
    """A month's currency row, all amounts alike; `changes` replace them."""
    return {"char_id": char_id, "date": day, **dict.fromkeys(AMOUNTS, balance), **changes}


def day_in(month: int, day: int) -> date:
    """A day of a month counted from the first one; at most the last day of that month."""
    first = month_start(FIRST_MONTH + month)
    return first.replace(day=min(day, monthrange(first.year, first.month)[1]))


def days(first: int, last: int) -> st.SearchStrategy[date]:
    """Days in a span of months, so few in each that subscriptions often fall on the same one."""
    return st.builds(day_in, st.integers(first, last), st.sampled_from((1, 2, 31)))


_amounts = st.one_of(
    st.none(),
    st.just(0.0),
    st.integers(0, 5_000).map(lambda cents: cents / 100),
    st.integers(99_999_000, 100_001_000).map(lambda cents: cents / 100),
)
_runs = st.lists(
    st.tuples(st.integers(8, 24), st.integers(0, 3) | st.none(), st.sampled_from((1, 31))),
    unique_by=lambda run: run[0],
    max_size=5,
)
_subs = st.fixed_dictionaries(
    {
        "start": days(12, 19),
        "sub_months": st.sampled_from((1, 3, 6, 12)),
        "price": st.sampled_from((0.0, 4.99, 9.99, 14.9)),
        "sub_type": st.sampled_from(("renewing", "gift")),
        "runs": _runs,
    }
)
_characters = st.fixed_dictionaries(
    {
        "is_known": st.sampled_from((True, True, True, False)),
        "creation_date": days(4, 15),
        "class_mastery_date": st.none() | days(8, 20),
        "class": st.sampled_from(("mage", "rogue")),
        "total_kills": st.integers(0, 1_000),
        "subs": st.lists(_subs, max_size=4),
        "currency": st.lists(
            st.tuples(st.integers(6, 18), st.tuples(*[_amounts] * len(AMOUNTS))),
            unique_by=lambda row: row[0],
            max_size=10,
        ),
    }
)


def _assemble(drawn: Sequence[Row], has_orphan_miss: bool, seed: int) -> Game:
    """Gives keys to the rows, in an order that is neither that of time nor that of the rows."""
    game = Game()
    if has_orphan_miss:
        game.misses.append(miss(day_in(12, 1), day_in(16, 1), sub_id=0))
    for place, one in enumerate(drawn):
        char_id = 1_000 - 37 * place
        facts = ("creation_date", "class_mastery_date", "class", "total_kills")
        if one["is_known"]:
            game.characters.append(character(char_id, **{name: one[name] for name in facts}))
        for month, values in one["currency"]:
            row = dict(zip(AMOUNTS, values, strict=True))
            game.currency.append(amounts(day_in(month, 1), None, char_id, **row))
        for drawn_sub in one["subs"]:
            sub_id = (len(game.subs) + 1) * 61 % 997
            terms = {name: drawn_sub[name] for name in ("sub_months", "price", "sub_type")}
            game.subs.append(sub(sub_id, drawn_sub["start"], char_id, **terms))
            for first, more, day in drawn_sub["runs"]:
                end = None if more is None else day_in(first + more, day)
                game.misses.append(miss(day_in(first, 1), end, sub_id))
    return game.shuffled(seed)


games = st.builds(
    _assemble, st.lists(_characters, max_size=6), st.booleans(), st.integers(0, 2**16)
)
"""Games of up to six characters, empty tables among them, rows in any order."""

as_of_days = days(11, 28)
"""Days of a run, some of them before the last fact."""


def _subset(names: Sequence[_Name]) -> st.SearchStrategy[tuple[_Name, ...]]:
    return st.lists(st.sampled_from(names), unique=True).map(tuple)


_functions = _subset(FUNCTIONS)
_aggregation_fill = st.sampled_from((None, 0, -1.5))
_fill_values = st.dictionaries(
    st.sampled_from(AMOUNTS), st.sampled_from((0, -1.5, 7)), max_size=2
).map(lambda fills: tuple(Fill(columns=(column,), value=v) for column, v in fills.items()))
_periods = st.lists(st.sampled_from((1, 2, 3, 6, 12)), unique=True).map(tuple)
_difference_fill: st.SearchStrategy[Any] = st.sampled_from((None, 0, -1.5, "self"))


@st.composite
def currency_settings(draw: st.DrawFn) -> HistoryFeatures:
    """Any currency settings, different for each column."""
    aggregations = [
        Aggregation(
            columns=(c,),
            functions=draw(_functions),
            fill=draw(_aggregation_fill),
            lookback_months=draw(st.sampled_from((None, None, 1, 3))),
        )
        for c in AMOUNTS
    ]
    newest = draw(_subset(AMOUNTS))
    known = draw(_subset(AMOUNTS))
    differences = [
        Difference(columns=(c,), periods=draw(_periods), fill=draw(_difference_fill))
        for c in AMOUNTS
    ]
    return HistoryFeatures(
        lookback_months=draw(st.sampled_from((None, None, 1, 2, 4, 7))),
        fill_values=draw(_fill_values),
        latest=newest,
        latest_known=tuple(column for column in known if column not in newest),
        aggregations=tuple(aggregations),
        differences=tuple(differences),
    )


EVERYTHING = HistoryFeatures(
    latest=AMOUNTS,
    aggregations=(Aggregation(columns=AMOUNTS, functions=FUNCTIONS),),
    differences=(
        Difference(columns=("hard_balance", "sub_hard"), periods=(1, 2, 3, 6)),
        Difference(columns=("soft_balance",), periods=(1, 12), fill="self"),
    ),
)
"""Every kind of currency feature, over all rows."""
