"""The game with events: its files, and that churn follows from what they show at the start."""

from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from churnlib.errors import DataError
from churnlib.synthesis import PROCESSES, generate, writing
from churnlib.synthesis.daily.tables import FILES
from churnlib.synthesis.games import GAME3
from churnlib.synthesis.payments import CHURN_AFTER_MONTHS
from churnlib.synthesis.process import HORIZON_MONTHS
from churnlib.synthesis.truth import churn_probability
from tests.churnlib.synthesis.samples import LAST, month, months, written

ROOT = Path(__file__).parents[3]
Tables = dict[str, pl.DataFrame]
Make = Callable[..., Tables]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Generates the game and reads it back, once for all tests that need the same."""

    @cache
    def generated(characters: int, signal: float = 1.0) -> Tables:
        folder = tmp_path_factory.mktemp("raw")
        generate(GAME3, characters, 7, folder, signal=signal)
        return read(folder)

    return generated


def read(folder: Path) -> Tables:
    """Reads all tables of a folder."""
    csv = {path.stem: pl.read_csv(path, try_parse_dates=True) for path in folder.glob("*.csv")}
    parquet = {path.stem: pl.read_parquet(path) for path in folder.glob("*.parquet")}
    parts = pl.read_parquet(folder / "play_time" / "*.parquet")
    truth = pl.read_parquet(folder / "truth" / "sub_truth.parquet")
    truth = truth.rename({"sub_id": "membership"})
    return {**csv, **parquet, "play_time": parts, "truth": truth}


def labelled(tables: Tables) -> pl.DataFrame:
    """Matured subscriptions with their truth, the first month of their churn, and the label."""
    long = month("last_month") - month("first_month") + 1 >= CHURN_AFTER_MONTHS
    fatal = tables["missed_payments"].filter(long).select("membership", fatal="first_month")
    after = month("fatal") + CHURN_AFTER_MONTHS - month("begins")
    return (
        tables["memberships"]
        .join(tables["truth"], on="membership")
        .join(fatal, on="membership", how="left")
        .filter(12 * LAST.year + LAST.month - month("begins") >= HORIZON_MONTHS)
        .with_columns(churned=(after <= HORIZON_MONTHS).fill_null(False))
    )


def test_committed_sample_is_what_the_generator_writes_and_small(tmp_path: Path) -> None:
    generate(PROCESSES[GAME3.game], 4000, 3, tmp_path)
    made = {name: data for name, data in written(tmp_path).items() if "truth" not in name}
    committed = ROOT / "data" / "01_raw" / "game3"
    for name, data in made.items():
        assert (committed / name).read_bytes() == data, name
    assert sum(map(len, made.values())) < 3_000_000


def test_files_are_of_both_formats_sorted_and_have_one_row_a_key(
    make: Make, tmp_path: Path
) -> None:
    generated = generate(GAME3, 50, 1, tmp_path)
    names = {path.relative_to(tmp_path).as_posix() for path in generated.files.values()}
    assert names == {f"{n}{s}" for n, s in FILES.items()} | {"truth/sub_truth.parquet"}
    keys = {
        "players": ["player"],
        "wallet": ["player", "month"],
        "play_time": ["player", "day"],
        "memberships": ["membership"],
        "missed_payments": ["membership", "first_month"],
    }
    tables = make(1000)
    assert tables.keys() == {*keys, "logins", "purchases", "truth"}
    for name, key in keys.items():
        assert tables[name].height == tables[name].select(key).n_unique(), name
    for name in ("logins", "purchases"):
        assert tables[name]["player"].is_sorted()
        assert tables[name].height > tables[name].select("player").n_unique()
        assert not tables[name].is_duplicated().any()  # Copies would be left out of features.
    assert tables["logins"].schema["at"] == pl.Datetime("us")
    assert tables["purchases"].schema["bought_at"] == pl.Datetime("us")


def test_every_day_of_play_has_its_login_and_minutes(make: Make) -> None:
    tables = make(1000)
    days = tables["logins"].select("player", day=pl.col("at").dt.date()).unique()
    played = tables["play_time"].select("player", "day")
    assert days.sort("player", "day").equals(played.sort("player", "day"))
    assert tables["play_time"]["minutes"].is_between(1, 1200).all()
    bought = tables["purchases"].select("player", day=pl.col("bought_at").dt.date())
    assert bought.join(played, on=["player", "day"], how="anti").is_empty()
    joined = played.join(tables["players"], on="player")
    assert (joined["day"] >= joined["first_seen"]).all()
    assert (joined["day"] < LAST).all()


@pytest.mark.parametrize("signal", [1.0, 0.4])
def test_truth_follows_from_the_tables_at_the_start(make: Make, signal: float) -> None:
    """Reads every fact from the files again, row by row, and applies the formula."""
    tables = make(1000, signal)
    players = {row["player"]: row for row in tables["players"].iter_rows(named=True)}
    own = {
        name: by_player(tables[name])
        for name in ("wallet", "logins", "play_time", "purchases", "memberships")
    }
    facts, codes = defaultdict[str, list[Any]](list), defaultdict[str, list[int]](list)
    for sub in tables["memberships"].iter_rows(named=True):
        owner = players[sub["player"]]
        rows = {name: of_player[sub["player"]] for name, of_player in own.items()}
        for name, value in facts_of(sub, owner, rows).items():
            facts[name].append(value)
        values = {**owner, **sub, "month": str(sub["begins"].month)}
        for column, levels in GAME3.categorical.items():
            codes[column].append(levels.names.index(values[column]))
    expected = churn_probability(
        GAME3,
        signal,
        {name: np.array(values, float) for name, values in facts.items()},
        {column: np.array(values) for column, values in codes.items()},
    )
    assert {effect.fact for effect in GAME3.effects} <= facts.keys()
    assert tables["truth"]["membership"].equals(tables["memberships"]["membership"])
    np.testing.assert_allclose(tables["truth"]["churn_probability"], expected, atol=2e-6)
    assert expected.std() > 0.03


def by_player(table: pl.DataFrame) -> defaultdict[int, list[dict[str, Any]]]:
    """The rows of each character."""
    rows: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in table.iter_rows(named=True):
        rows[row["player"]].append(row)
    return rows


def facts_of(
    sub: dict[str, Any], owner: dict[str, Any], rows: dict[str, list[dict[str, Any]]]
) -> dict[str, float | None]:
    """The features that cause churn, on the day a subscription starts; None is null."""
    start: date = sub["begins"]
    logins = [day for row in rows["logins"] if (day := row["at"].date()) < start]
    recent = [day for day in logins if start - day < timedelta(30)]
    before = [day for day in logins if timedelta(30) <= start - day < timedelta(60)]
    minutes = [
        row["minutes"]
        for row in rows["play_time"]
        if row["day"] < start and months(row["day"], start) < 3
    ]
    spent = [
        row["price"]
        for row in rows["purchases"]
        if (day := row["bought_at"].date()) < start and months(day, start) < 6
    ]
    gems = {row["month"]: row["gems"] for row in rows["wallet"] if row["month"] <= start}
    newest = max(gems, default=start)
    now, then = (
        next((value for day, value in gems.items() if months(day, newest) == period), None)
        for period in (0, 3)
    )
    joined = owner["guild_joined"]
    return {
        "login_trend": len(recent) / len(before) if before else None,
        "logins_days_since_last": (start - max(logins)).days if logins else None,
        "logins_count_30d": len(recent),
        "purchases_price_sum_6mo": sum(spent),
        "play_time_minutes_mean_3mo": fmean(minutes) if minutes else None,
        "wallet_gems_diff_3": None if now is None or then is None else now - then,
        "age_at_sub_months": months(owner["first_seen"], start),
        "is_guild_joined": joined is not None and joined <= start,
    }


def test_truth_is_calibrated_and_discriminates(make: Make) -> None:
    subs = labelled(make(12_000))
    label, truth = subs["churned"].to_numpy(), subs["churn_probability"].to_numpy()
    for part in np.array_split(np.argsort(truth), 10):
        expected, variance = truth[part].sum(), (truth[part] * (1 - truth[part])).sum()
        assert abs(label[part].sum() - expected) < 3.5 * np.sqrt(variance)
    assert 0.13 < label.mean() < 0.17
    assert 0.8 < roc_auc_score(label, truth) < 0.86


@pytest.mark.slow
def test_play_does_not_depend_on_the_outcome_before_it_and_stops_with_it(make: Make) -> None:
    tables = make(12_000, 0.0)
    assert tables["truth"]["churn_probability"].unique().to_list() == [GAME3.base_rate]
    # A month of play: before the start, between it and the first missed month, and in that one.
    subs = labelled(tables).with_columns(after=pl.col("begins").dt.offset_by("1mo"))
    late = subs.filter(pl.col("churned") & (month("fatal") - month("begins") >= 2))
    kept = subs.filter(~pl.col("churned"))

    def played(rows: pl.DataFrame, first: pl.Expr) -> np.ndarray[Any, Any]:
        begin = rows.select("membership", "player", first=first)
        days = begin.join(tables["play_time"], on="player")
        inside = (pl.col("day") >= pl.col("first")) & (
            pl.col("day") < pl.col("first") + pl.duration(days=28)
        )
        counts = days.filter(inside).group_by("membership").len()
        joined = begin.join(counts, on="membership", how="left")["len"].fill_null(0)
        return joined.cast(pl.Float64).to_numpy()

    for first in (pl.col("begins") - pl.duration(days=28), pl.col("begins")):
        one, other = played(late, first), played(kept, first)
        error = np.sqrt(one.var() / len(one) + other.var() / len(other))
        assert len(one) > 300
        assert abs(one.mean() - other.mean()) < 4 * error
    churned = subs.filter("churned")
    assert played(churned, pl.col("fatal").dt.offset_by("1mo")).mean() < 0.2
    before = played(late, pl.col("fatal") - pl.duration(days=28)).mean()
    assert played(late, pl.col("fatal")).mean() < 0.1 * before


def test_churn_of_the_first_month_stops_play_on_the_day_after_the_start(make: Make) -> None:
    tables = make(12_000)
    subs = labelled(tables).filter(month("fatal") == month("begins"))
    assert subs.height > 200
    days = subs.join(tables["play_time"], on="player")
    same = pl.col("day").dt.month_start() == pl.col("begins").dt.month_start()
    assert days.filter(same & (pl.col("day") <= pl.col("begins"))).height > 100
    assert days.filter(same & (pl.col("day") > pl.col("begins"))).is_empty()


def test_full_chunk_does_not_depend_on_other_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "DAILY_CHUNK", 200)
    for n in (400, 500):
        generate(GAME3, n, 3, tmp_path / str(n))
    few, many = (read(tmp_path / str(n)) for n in (400, 500))
    assert many["players"].height == 500
    for name in ("players", "wallet", "logins", "purchases", "memberships"):
        assert many[name].filter(pl.col("player") <= 400).equals(few[name]), name


@pytest.mark.parametrize("characters", [1, 2, 5])
def test_very_few_characters_keep_the_columns(tmp_path: Path, make: Make, characters: int) -> None:
    generate(GAME3, characters, 1, tmp_path)
    tables = read(tmp_path)
    assert tables["players"].height == characters
    for name, table in make(1000).items():
        assert tables[name].columns == table.columns, name


def test_format_cannot_be_chosen(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="game3 has files of both formats"):
        generate(GAME3, 10, 1, tmp_path / "out", file_format="csv")
    assert not (tmp_path / "out").exists()
