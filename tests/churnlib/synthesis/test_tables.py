"""The sample data keep the rules of the raw tables."""

from collections import defaultdict
from datetime import date

import polars as pl
import pytest

from churnlib.schemas.spec import TableSpec
from tests.base import raw_tables
from tests.churnlib.synthesis.samples import (
    CURRENCY,
    GAMES,
    LAST,
    Make,
    labelled,
    month,
    months,
)


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("spec", raw_tables().values(), ids=lambda spec: spec.name)
def test_tables_have_their_columns_and_are_sorted_by_a_unique_key(
    make: Make, game: str, spec: TableSpec
) -> None:
    frame = pl.read_csv(make(game, 3000).folder / f"{spec.name}.csv", try_parse_dates=True)
    assert frame.columns == list(spec.columns)
    assert frame.height == frame.select(spec.key).n_unique()
    assert frame.equals(frame.sort(spec.key))


@pytest.mark.parametrize("game", GAMES)
def test_foreign_keys_exist(make: Make, game: str) -> None:
    s = make(game, 3000)
    assert s.currency.join(s.characters, on="char_id", how="anti").is_empty()
    assert s.subs.join(s.characters, on="char_id", how="anti").is_empty()
    assert s.misses.join(s.subs, on="sub_id", how="anti").is_empty()
    assert s.truth["sub_id"].equals(s.subs["sub_id"])


@pytest.mark.parametrize("game", GAMES)
def test_nulls_are_rare_and_only_in_nullable_columns(make: Make, game: str) -> None:
    s = make(game, 3000)
    for frame in (s.characters, s.currency, s.subs, s.misses, s.truth):
        for column in frame.columns:
            share = frame[column].null_count() / frame.height
            if column in CURRENCY:
                assert 0.005 < share < 0.015
            else:
                assert share == 0 or column == "class_mastery_date"
    assert 0.2 < s.characters["class_mastery_date"].null_count() / 3000 < 0.8


@pytest.mark.parametrize("game", GAMES)
def test_currency_has_a_row_for_each_month_since_creation(make: Make, game: str) -> None:
    s = make(game, 3000)
    assert (s.currency["date"].dt.day() == 1).all()
    assert s.currency["date"].max() == LAST
    created = pl.col("creation_date")
    first = (
        pl.when(created.dt.day() == 1)
        .then(created)
        .otherwise(created.dt.month_start().dt.offset_by("1mo"))
    )
    rows = s.characters.select("char_id", first=first).join(
        s.currency.group_by("char_id").agg(
            seen=pl.col("date").min(), n=pl.len(), last=pl.col("date").max()
        ),
        on="char_id",
        how="left",
    )
    assert rows["seen"].equals(rows["first"])
    assert (rows["last"] == LAST).all()
    expected = 12 * LAST.year + LAST.month - month("first") + 1
    assert rows.select((pl.col("n") == expected).all()).item()
    assert 23 < s.currency.height / 3000 < 26
    assert (s.currency.select(CURRENCY).fill_null(0).to_numpy() >= 0).all()


@pytest.mark.parametrize("game", GAMES)
def test_dates_of_a_character_are_in_order(make: Make, game: str) -> None:
    s = make(game, 3000)
    subs = s.subs.join(s.characters, on="char_id")
    assert (subs["sub_start_date"] > subs["creation_date"]).all()
    assert (subs["sub_start_date"] < LAST).all()
    assert subs["sub_start_date"].dt.day().n_unique() == 31
    mastered = s.characters.drop_nulls("class_mastery_date")
    assert (mastered["class_mastery_date"] >= mastered["creation_date"]).all()
    assert (mastered["class_mastery_date"] < LAST).all()
    assert (s.characters["creation_date"] >= date(2021, 1, 1)).all()


@pytest.mark.parametrize("game", GAMES)
def test_misses_are_whole_months_of_a_running_subscription(make: Make, game: str) -> None:
    s = make(game, 3000)
    runs = s.misses.join(s.subs, on="sub_id").with_columns(
        first=month("start_date"), last=month("end_date"), begun=month("sub_start_date")
    )
    assert (runs["start_date"].dt.day() == 1).all()
    assert (runs["end_date"].dt.day() == 1).all()
    assert (runs["end_date"] < LAST).all()
    assert (runs["first"] >= runs["begun"]).all()
    assert (runs["last"] < runs["begun"] + runs["sub_months"]).all()
    length = runs["last"] - runs["first"] + 1
    assert set(length) == {1, 2, 3}
    # Runs are separate, and the fatal one is the last.
    following = runs.with_columns(
        pl.col("first", "last").shift(-1).over("sub_id").name.suffix("_2")
    )
    following = following.drop_nulls("first_2")
    assert following.height > 20
    assert (following["first_2"] > following["last"] + 1).all()
    assert (following["last"] - following["first"] < 2).all()


def test_subscriptions_likely_to_churn_miss_more_often(make: Make) -> None:
    s = make("game1", 20_000)
    short = s.misses.filter(month("end_date") - month("start_date") < 2)
    runs = short.group_by("sub_id").agg(runs=pl.len())
    subs = labelled(s).join(runs, on="sub_id", how="left").with_columns(pl.col("runs").fill_null(0))
    kept = subs.filter(~pl.col("sub_churn"))
    shaky = kept.filter(pl.col("churn_probability") > 0.3)["runs"].mean()
    steady = kept.filter(pl.col("churn_probability") < 0.05)["runs"].mean()
    assert isinstance(shaky, float)
    assert isinstance(steady, float)
    assert shaky > 1.2 * steady > 0.1


@pytest.mark.parametrize("game", GAMES)
def test_payouts_are_those_of_the_month_before(make: Make, game: str) -> None:
    s = make(game, 1000)
    missed = {
        (run["sub_id"], 12 * run["start_date"].year + run["start_date"].month + i)
        for run in s.misses.iter_rows(named=True)
        for i in range(months(run["start_date"], run["end_date"]) + 1)
    }
    ended = dict(
        s.misses.filter(month("end_date") - month("start_date") == 2)
        .select("sub_id", month("end_date"))
        .iter_rows()
    )
    paid: defaultdict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
    for sub in s.subs.iter_rows(named=True):
        begun = 12 * sub["sub_start_date"].year + sub["sub_start_date"].month
        for at in range(begun, begun + sub["sub_months"]):
            if (sub["sub_id"], at) not in missed and at <= ended.get(sub["sub_id"], at):
                paid[sub["char_id"], at][0] += sub["num_hard_currency"]
                paid[sub["char_id"], at][1] += sub["num_soft_currency"]
    # Misses at the very end are not known yet, so the last three months are left out.
    known = s.currency.filter(pl.col("date") <= date(2024, 10, 1)).with_columns(at=month("date"))
    for row in known.iter_rows(named=True):
        hard, soft = paid[row["char_id"], row["at"] - 1]
        assert row["sub_hard"] in (None, hard)
        assert row["sub_soft"] in (None, soft)


@pytest.mark.parametrize("game", GAMES)
def test_some_characters_subscribe_again_and_few_on_the_same_day(make: Make, game: str) -> None:
    s = make(game, 20_000)
    assert 1.0 < s.subs.height / 20_000 < 1.4
    assert 0.2 < (s.subs.height - s.subs["char_id"].n_unique()) / s.subs.height < 0.5
    twins = s.subs.height - s.subs.select("char_id", "sub_start_date").n_unique()
    assert 0.002 < twins / s.subs.height < 0.03


def test_games_differ(make: Make) -> None:
    one, two = make("game1", 3000), make("game2", 3000)
    for column in ("race", "class", "territory"):
        assert set(one.characters[column]) != set(two.characters[column])
    for column in ("sub_type", "sub_size", "sub_months"):
        assert set(one.subs[column]) != set(two.subs[column])
    assert not one.characters["creation_date"].equals(two.characters["creation_date"])
