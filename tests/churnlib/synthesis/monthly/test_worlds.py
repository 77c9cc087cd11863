"""Games whose customers pay by month: their tables, and that the truth follows from them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest

from churnlib.synthesis import GRAINS
from tests.churnlib.synthesis.monthly.oracle import Oracle, day_of, runs_on
from tests.churnlib.synthesis.monthly.samples import (
    GAMES,
    Sample,
    logins_seen,
    missed_months,
    rewards_seen,
    sample,
    with_labels,
)
from tests.churnlib.synthesis.samples import month

Make = Callable[..., Sample]
MANY = 5000
"""Enough characters for the tests of frequencies."""


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Generates a game, once for all tests that need the same one."""

    @cache
    def made(
        game: str, characters: int = MANY, within: int | None = 1, signal: float = 1.0
    ) -> Sample:
        process = GRAINS["monthly"][game]
        assert process.payments is not None
        payments = replace(process.payments, not_renewed_months=within)
        folder = tmp_path_factory.mktemp("raw")
        return sample(replace(process, payments=payments), characters, folder, signal)

    return made


@pytest.mark.parametrize(
    ("game", "within", "signal"),
    [("game1", 2, 1.0), ("game2", None, 1.0), ("game3", 1, 1.0), ("game3", 2, 0.5)],
)
def test_truth_follows_from_the_tables(
    make: Make, game: str, within: int | None, signal: float
) -> None:
    made = make(game, 300, within, signal)
    oracle, seen_of = Oracle(made.process, signal), logins_seen if game == "game3" else rewards_seen
    created = dict(made.characters.select("char_id", "creation_date").iter_rows())
    by_month, at_start = dict[tuple[int, date], float](), dict[int, float]()
    some = made.subs["char_id"].unique().sort()[::4].to_list()
    for char_id in some:
        subs = made.of_character[char_id]
        found = oracle.truths(created[char_id], subs, seen_of(made, char_id))
        by_month |= found[0]
        at_start |= found[1]
    ids = made.subs.filter(pl.col("char_id").is_in(some))["sub_id"].implode()
    start = made.at_start.filter(pl.col("sub_id").is_in(ids))
    months = made.by_month.filter(pl.col("sub_id").is_in(ids))
    assert [*at_start] == start["sub_id"].to_list()
    np.testing.assert_allclose(start["churn_probability"], [*at_start.values()], atol=2e-6)
    keys = [*months.select("sub_id", "day").iter_rows()]
    assert sorted(by_month) == keys
    np.testing.assert_allclose(months["churn_probability"], [by_month[k] for k in keys], atol=2e-6)
    assert months["churn_probability"].to_numpy().std() > 0.05


@pytest.mark.parametrize("game", GAMES)
def test_truth_has_a_row_for_each_month_in_which_a_subscription_runs(make: Make, game: str) -> None:
    made = make(game)
    expected = [
        (sub.sub_id, day_of(at))
        for subs in made.of_character.values()
        for sub in subs
        for at in range(sub.begun, 49)
        if runs_on(sub, day_of(at)) and not sub.churned(at)
    ]
    assert [*made.by_month.select("sub_id", "day").iter_rows()] == sorted(expected)
    assert made.by_month["day"].max() == date(2025, 1, 1)
    on_first = made.subs.filter(pl.col("sub_start_date").dt.day() == 1)
    same = on_first.join(made.at_start, on="sub_id").join(
        made.by_month, left_on=["sub_id", "sub_start_date"], right_on=["sub_id", "day"], how="left"
    )
    assert same.height > 10
    assert same["churn_probability"].equals(same["churn_probability_right"])


@pytest.mark.parametrize(
    ("game", "within"), [("game1", None), ("game2", 1), ("game3", 1), ("game3", 2)]
)
def test_outcomes_come_as_often_as_the_truth_says(
    make: Make, game: str, within: int | None
) -> None:
    """By term, by tenth of the truth, and by months missed in a row, at both grains."""
    made = make(game, within=within)
    for truth, day in ((made.at_start, "sub_start_date"), (made.by_month, "day")):
        rows = with_labels(made, truth, day)
        tenth = pl.col("churn_probability").rank("ordinal") * 10 // (rows.height + 1)
        by = [pl.col("sub_months"), tenth.alias("tenth")]
        if day == "day":
            rows = rows.with_columns(in_a_row=in_a_row(made, rows))
            by.append(pl.col("in_a_row"))
        for groups in by:
            assert_as_often(rows, groups)


def in_a_row(made: Sample, rows: pl.DataFrame) -> pl.Series:
    """The months missed in a row until the day of each row."""
    missed = missed_months(made.misses)
    found = []
    for sub_id, at in rows.select("sub_id", month("day") - 12 * 2021 - 1).iter_rows():
        own, count = missed.get(sub_id, set()), 0
        while at - 1 - count in own:
            count += 1
        found.append(count)
    return pl.Series(found)


def assert_as_often(rows: pl.DataFrame, groups: pl.Expr) -> None:
    """Fails where outcomes differ from the truth by more than 4 standard errors, by character."""
    truth = pl.col("churn_probability")
    rest = pl.col("label") - truth
    found = (
        rows.group_by(group=groups, char_id="char_id")
        .agg(rest=rest.sum(), variance=(truth * (1 - truth)).sum(), n=pl.len())
        .group_by("group")
        .agg(
            pl.col("n", "rest").sum(),
            variance=pl.max_horizontal((pl.col("rest") ** 2).sum(), pl.col("variance").sum()),
        )
    )
    assert found["n"].sum() == rows.height
    error = pl.col("variance").sqrt() + 1e-6 * pl.col("n")
    wrong = found.filter(pl.col("rest").abs() > 4 * error)
    assert wrong.is_empty(), wrong


@pytest.mark.parametrize("game", GAMES)
def test_a_miss_in_progress_is_the_strongest_sign(make: Make, game: str) -> None:
    made = make(game)
    rows = with_labels(made, made.by_month, "day").filter(pl.col("sub_months") >= 12)
    rows = rows.with_columns(in_a_row=in_a_row(made, rows))
    rates = rows.group_by("in_a_row").agg(pl.col("label").mean()).sort("in_a_row")["label"]
    assert rates.len() == 3
    assert rates[0] < 0.3
    assert 0.4 < rates[1] < rates[2] - 0.1
    ended = made.misses.filter(month("end_date") - month("start_date") < 2)
    assert ended.height > 0.3 * made.misses.height  # A customer may pay again.


@pytest.mark.parametrize("game", GAMES)
def test_misses_are_separate_runs_of_payment_months(make: Make, game: str) -> None:
    made = make(game)
    goes_on = pl.col("end_date").is_null()
    runs = made.misses.join(made.subs, on="sub_id").with_columns(
        first=month("start_date"),
        last=month("end_date").fill_null(12 * 2024 + 12),
        begun=month("sub_start_date"),
        goes_on=goes_on,
    )
    end = pl.col("begun") + pl.col("sub_months")
    assert runs.filter(pl.col("first") < pl.col("begun")).is_empty()
    assert runs.filter(pl.col("last") >= end).is_empty()
    assert runs.filter("goes_on", end <= pl.col("last") + 1).is_empty()  # It could still be paid.
    assert runs.filter("goes_on").height > 15
    length = pl.col("last") - pl.col("first") + 1
    assert set(runs.select(length).to_series()) == {1, 2, 3}
    assert set(runs.filter("goes_on").select(length).to_series()) == {1, 2}
    after = runs.with_columns(next_=pl.col("first").shift(-1).over("sub_id")).drop_nulls("next_")
    assert (after["next_"] > after["last"] + 1).all()
    assert after.filter(length == 3).is_empty()  # Nothing follows churn.


@pytest.mark.parametrize("game", GAMES)
def test_many_renew_when_their_term_ends(make: Make, game: str) -> None:
    made = make(game)
    assert set(made.subs["sub_months"]) == {1, 3, 6, 12, 24}
    ended, renewed, at_once = 0, 0, 0
    for subs in made.of_character.values():
        for sub, following in zip(subs, [*subs[1:], None], strict=True):
            if sub.churned(sub.end) or sub.end >= 48:
                continue
            ended += 1
            if following is None or following.begun > sub.end:
                continue
            renewed += 1
            assert not runs_on(sub, following.start)
            at_once += runs_on(sub, following.start - timedelta(1))
    assert 0.5 < renewed / ended < 0.9
    assert 0.5 < at_once / renewed < 0.8


@pytest.mark.parametrize("game", GAMES)
def test_only_payments_and_terms_tell_without_signal(make: Make, game: str) -> None:
    """The truth at the start is that of the term, and by month also of misses and months left."""
    made = make(game, 1000, 1, 0.0)
    joined = made.at_start.join(made.subs, on="sub_id")
    assert (
        joined.group_by("sub_months")
        .agg(pl.col("churn_probability").n_unique())["churn_probability"]
        .to_list()
        == [1] * 5
    )
    rows = made.by_month.join(made.subs, on="sub_id")
    left = (pl.col("sub_months") - month("day") + month("sub_start_date")).alias("left")
    state = rows.with_columns(left, in_a_row=in_a_row(made, rows))
    counts = state.group_by("left", "in_a_row").agg(pl.col("churn_probability").n_unique())
    assert (counts["churn_probability"] == 1).all()
