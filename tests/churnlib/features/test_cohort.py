"""The window of a cohort."""

from datetime import date

from hypothesis import given

from churnlib.features.cohort import in_window
from tests.churnlib.features.strategies import (
    SUB_SCHEMA,
    Game,
    as_of_days,
    examples,
    games,
    sub,
    table,
)


@examples(30)
@given(games, as_of_days, as_of_days)
def test_in_window_keeps_the_rows_between_its_days(game: Game, first: date, last: date) -> None:
    actual = in_window(table(game.subs, SUB_SCHEMA), first, last).collect()
    assert actual.to_dicts() == [s for s in game.subs if first <= s["sub_start_date"] <= last]


def test_in_window_includes_both_ends() -> None:
    days = [date(2024, 1, 31), date(2024, 2, 1), date(2024, 2, 29), date(2024, 3, 1)]
    subs = table([sub(i, day) for i, day in enumerate(days)], SUB_SCHEMA)
    actual = in_window(subs, date(2024, 2, 1), date(2024, 2, 29)).collect()
    assert actual["sub_start_date"].to_list() == days[1:3]
