"""Invariants of all features together, to the bit, on any data."""

from datetime import date, timedelta
from random import Random
from typing import Any, Literal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnlib.features.cohort_rows import in_window
from churnlib.features.history import add_history_features
from churnlib.features.outcome import add_churned_on, add_label
from churnlib.features.standard import standard_features
from churnlib.settings.history_features import HistoryFeatures
from tests.base import BASE, HISTORY
from tests.churnlib.features.oracle import Row, month_number, month_start
from tests.churnlib.features.strategies import (
    AMOUNTS,
    EVERYTHING,
    Game,
    amounts,
    as_of_days,
    character,
    currency_settings,
    examples,
    games,
    miss,
    sub,
    tables,
)

LATE = date(2030, 1, 1)
SEEDS = st.integers(0, 2**16)


def all_features(
    frames: list[pl.LazyFrame], as_of: date = LATE, settings: HistoryFeatures = EVERYTHING
) -> pl.LazyFrame:
    """Every feature and the label, combined as in the flows."""
    characters, subs, misses, currency = frames
    rows = standard_features(characters, subs, BASE, as_of=as_of)
    rows = add_churned_on(rows, misses, BASE.outcome, as_of=as_of)
    rows = in_window(add_label(rows, as_of=as_of, horizon_months=6), date(2000, 1, 1), as_of)
    return add_history_features(rows, currency, settings, table=HISTORY, as_of=as_of)


def exact(frame: pl.DataFrame) -> tuple[Any, list[Row]]:
    """Schema and rows, floats in hexadecimal, so that only identical bits are equal."""
    return frame.schema, [
        {name: v.hex() if isinstance(v, float) else v for name, v in row.items()}
        for row in frame.iter_rows(named=True)
    ]


def result(
    game: Game, as_of: date = LATE, settings: HistoryFeatures = EVERYTHING
) -> tuple[Any, list[Row]]:
    return exact(all_features(tables(game), as_of, settings).collect())


def cut(game: Game, day: date) -> Game:
    """The game as it stood at a day: what is dated later has not been written yet."""
    known_end = month_start(month_number(day) - 1)
    return Game(
        [
            {**c, "class_mastery_date": _until(c["class_mastery_date"], day)}
            for c in game.characters
        ],
        [s for s in game.subs if s["sub_start_date"] <= day],
        [
            {**m, "end_date": m["end_date"] and min(m["end_date"], known_end)}
            for m in game.misses
            if m["start_date"] <= known_end
        ],
        [row for row in game.currency if row["date"] <= day],
    )


def _until(fact: date | None, day: date) -> date | None:
    return fact if fact is not None and fact <= day else None


def with_another_future(game: Game, day: date, seed: int) -> Game:
    """The game with the same facts up to a day and other ones after it."""
    random = Random(seed)
    past = cut(game, day)
    future = [day + timedelta(days=random.choice((1, 20, 400))) for _ in range(3)]
    months = {month_start(month_number(day) + 1 + random.randrange(9)) for _ in range(4)}
    owners = [c["char_id"] for c in game.characters]
    return Game(
        [
            {
                **c,
                "class_mastery_date": c["class_mastery_date"] or random.choice(future),
                "total_kills": c["total_kills"] + 1,
                "total_deaths": c["total_deaths"] + 1,
            }
            for c in past.characters
        ],
        [
            *past.subs,
            *(sub(2_000 + 9 * o + i, d, o) for o in owners for i, d in enumerate(future)),
        ],
        [
            miss(random.choice(future), future[0] + timedelta(days=900), s["sub_id"])
            for s in past.subs
        ],
        [
            *past.currency,
            *(amounts(m, random.randrange(10**8) / 100, o) for o in owners for m in months),
        ],
    ).shuffled(seed)


@examples(40)
@given(games, currency_settings(), as_of_days, SEEDS)
def test_row_order_of_the_inputs_does_not_matter(
    game: Game, settings: HistoryFeatures, as_of: date, seed: int
) -> None:
    assert result(game.shuffled(seed), as_of, settings) == result(game, as_of, settings)


@examples(40)
@given(games, as_of_days, SEEDS)
@pytest.mark.slow
def test_characters_are_independent_of_each_other(game: Game, as_of: date, seed: int) -> None:
    random = Random(seed)
    char_ids = {row["char_id"] for row in (*game.characters, *game.subs, *game.currency)}
    some = {char_id for char_id in sorted(char_ids) if random.random() < 0.5}
    schema, rows = result(game, as_of)
    own = [row for row in rows if row["char_id"] in some]
    assert result(game.of_characters(some), as_of) == (schema, own)


@examples(60)
@given(games, currency_settings(), st.integers(0, 99), SEEDS)
def test_facts_after_the_day_of_prediction_change_nothing(
    game: Game, settings: HistoryFeatures, choice: int, seed: int
) -> None:
    starts = sorted({s["sub_start_date"] for s in game.subs}) or [date(2024, 1, 1)]
    day = starts[choice % len(starts)]

    def seen_by(day: date, game: Game) -> list[Row]:
        labels = ("churned_on", "sub_churn")
        _, rows = result(game, settings=settings)
        return [
            {name: value for name, value in row.items() if name not in labels}
            for row in rows
            if row["sub_start_date"] <= day
        ]

    assert seen_by(day, with_another_future(game, day, seed)) == seen_by(day, game)


@examples(60)
@given(games, currency_settings(), as_of_days)
def test_run_at_a_day_equals_run_on_the_data_of_that_day(
    game: Game, settings: HistoryFeatures, as_of: date
) -> None:
    assert result(game, as_of, settings) == result(cut(game, as_of), as_of, settings)


@examples(40)
@given(games, currency_settings(), as_of_days)
def test_streaming_equals_in_memory(game: Game, settings: HistoryFeatures, as_of: date) -> None:
    lazy = all_features(tables(game), as_of, settings)
    assert exact(lazy.collect(engine="streaming")) == exact(lazy.collect(engine="in-memory"))


@pytest.mark.parametrize("seed", [1, 2])
def test_features_of_long_histories_are_identical_in_any_order_and_engine(seed: int) -> None:
    random = Random(seed)
    game = Game()
    for char_id in range(400):
        game.characters.append(character(char_id))
        game.subs.append(sub(char_id, date(2024, 3, 15), char_id))
        for month in range(char_id % 48 + 1):
            day = month_start(12 * 2024 + 2 - month)
            values = {name: random.randrange(10**8) / 100 for name in AMOUNTS}
            game.currency.append(amounts(day, None, char_id, **values))

    def collected(game: Game, engine: Literal["streaming", "in-memory"]) -> tuple[Any, list[Row]]:
        return exact(all_features(tables(game)).collect(engine=engine))

    expected = collected(game, "in-memory")
    assert collected(game, "streaming") == expected
    assert collected(game.shuffled(seed), "streaming") == expected
    assert collected(game.shuffled(seed), "in-memory") == expected
    some = range(0, 400, 7)
    own = [row for row in expected[1] if row["char_id"] in some]
    assert collected(game.of_characters(some), "streaming") == (expected[0], own)


@pytest.mark.parametrize("emptied", ["characters", "subs", "misses", "currency", "all of them"])
def test_empty_tables_keep_the_schema(emptied: str) -> None:
    filled = Game(
        [character(class_mastery_date=date(2024, 1, 1))],
        [sub()],
        [miss(date(2024, 4, 1), date(2024, 9, 1))],
        [amounts(date(2024, 2, 1), 1.0)],
    )
    rows = {
        name: [] if emptied in (name, "all of them") else getattr(filled, name)
        for name in ("characters", "subs", "misses", "currency")
    }
    schema, features = result(Game(**rows))
    assert schema == result(filled)[0]
    assert len(features) == (1 if emptied in ("misses", "currency") else 0)


def test_features_are_lazy() -> None:
    class ExecutedError(Exception):
        pass

    def execute(_: pl.DataFrame) -> pl.DataFrame:
        raise ExecutedError

    frames = [lazy.map_batches(execute, schema=lazy.collect_schema()) for lazy in tables(Game())]
    features = all_features(frames)
    assert isinstance(features, pl.LazyFrame)
    with pytest.raises(ExecutedError):
        features.collect()
