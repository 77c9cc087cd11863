"""Games whose tables, columns, files and layout are their own, through all flows."""

import gzip
import math
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.months import months_apart
from tests.flows.own_game import (
    FEATURES,
    FUNCTIONS,
    OWN,
    TABLES,
    games_folder,
    visible_facts,
    write_own_game,
)
from tests.flows.studio import BATCH_DAY, Say, Studio, bits, is_refusal, new_studio

pytestmark = pytest.mark.slow  # All flows of several data folders.

GAME = "game1"
TABLES_OF_FEATURES = (
    "03_primary/{}/standard_features.parquet",
    "04_feature/{}/train_features.parquet",
    "04_feature/{}/score_features.parquet",
    "05_model_input/{}/predict_2024-06.parquet",
    "05_model_input/{}/predict_2024-12.parquet",
)
BATCHES = ("2024-06", "2024-12")


def take_through(studio: Studio, game: str) -> None:
    """Runs every base flow and every composite by its command line."""
    for line in (
        ("train", "--from-raw"), ("score", "--from-raw"), ("batch_predict", "--as-of", BATCH_DAY),
        ("batch_predict",), ("batch_score", "--from-raw"),
        ("standard_features",), ("train",), ("score",), ("batch_score",),
    ):  # fmt: skip
        assert studio.command(line[0], game, *line[1:]) == 0, line


def predicted(studio: Studio, game: str, batch: str) -> pl.DataFrame:
    rows = studio.table(f"07_model_output/{game}/predictions_{batch}.parquet")
    return rows.select("char_id", "sub_id", "sub_start_date", "churn_probability")


def use_games(folder: Path) -> pytest.MonkeyPatch:
    patch = pytest.MonkeyPatch()
    patch.setenv("CHURN_GAMES_DIR", str(folder))
    return patch


# --- A game of tables of its own.


@pytest.fixture(scope="module")
def own(prefect_server: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A game without race and currency, with text ids, other names, daily history and events."""
    folder = tmp_path_factory.mktemp("own")
    games = games_folder(folder / "games", **{OWN: TABLES + FEATURES})
    (games / "features.py").write_text(FUNCTIONS)
    write_own_game(folder / "data" / "01_raw" / OWN)
    studio = Studio(folder / "data", folder)
    patch = use_games(games)
    take_through(studio, OWN)
    yield studio
    patch.undo()


def test_own_game_gets_reports_of_its_segments(own: Studio) -> None:
    for report in ("in_sample_report", "score_report", "batch_score_report_2024-06"):
        content = own.json(f"08_reporting/{OWN}/{report}.json")
        assert content["general"]["n"] > 10, report
        assert content["general"]["roc_auc"] is not None, report
        assert "platform" in str(content["segments"]), report
    for batch in BATCHES:
        rows = predicted(own, OWN, batch)
        assert rows.schema["sub_id"] == rows.schema["char_id"] == pl.String
        assert rows["churn_probability"].is_between(0, 1).all()


def test_own_game_has_no_features_of_what_it_does_not_have(own: Studio) -> None:
    for place in TABLES_OF_FEATURES:
        columns = own.table(place.format(OWN)).columns
        gone = {"race", "is_mastered", "months_to_mastery", "hard_balance", "currency_age_months"}
        assert not gone & {*columns}, place
        assert {"platform", "streamer", "is_guild_joined", "months_to_guild_joined"} <= {*columns}


@pytest.mark.parametrize("place", TABLES_OF_FEATURES[1:])
def test_own_features_are_those_of_the_facts_known_on_the_day(own: Studio, place: str) -> None:
    rows = own.table(place.format(OWN))
    assert len(rows) > 8
    for row in rows.gather_every(max(1, len(rows) // 25)).to_dicts():
        for name, value in expected(own, row).items():
            found = row[name]
            same = found == value or (value and found and math.isclose(found, value, rel_tol=1e-9))
            assert same, (name, row["sub_id"], found, value)


def expected(studio: Studio, row: dict[str, Any]) -> dict[str, Any]:
    """Some features of a row, in plain Python."""
    day: date = row["sub_start_date"]
    levels, logins, purchases = (
        visible_facts(studio, table, row) for table in ("levels", "logins", "purchases")
    )
    ages = [(day - fact["at"].date()).days for fact in logins]
    recent = [fact for fact, age in zip(logins, ages, strict=True) if age < 30]
    month = [fact for fact, age in zip(logins, ages, strict=True) if 30 <= age < 60]
    bought = [f["amount"] for f in purchases if months_apart(f["bought_on"], day) < 12]
    close = [f["level"] for f in levels if months_apart(f["date"], day) < 6]
    known = [fact["minutes"] for fact in logins]
    long = [minutes > 60 for minutes in known if minutes is not None]
    return {
        "levels_level": levels[-1]["level"] if levels else None,
        "levels_age_months": months_apart(levels[-1]["date"], day) if levels else None,
        "levels_level_mean_6mo": sum(close) / len(close) if close else None,
        "logins_count_30d": len(recent),
        "logins_count_30d_60d": len(month),
        "logins_platform_pc_count_30d": sum(f["platform"] == "pc" for f in recent),
        "logins_platform_distinct_30d": len({f["platform"] for f in recent}),
        "logins_minutes_sum_30d": sum(f["minutes"] or 0 for f in recent),
        "logins_days_since_last": ages[-1] if ages else None,
        "purchases_amount_sum_12mo": sum(bought),
        "purchases_days_since_first": (day - purchases[0]["bought_on"]).days if purchases else None,
        "login_trend": len(recent) / len(month) if month else None,
        "month": day.month,
        "long_logins_share": sum(long) / len(long) if long else None,
        "long_logins_days_of_history": ages[0] if ages else None,
        "top_level": max(f["level"] for f in levels) if levels else None,
    }


# --- The same game, whose files are written otherwise.

LAYOUT = """
[tables.character_data]
path = "players.csv.gz"
separator = ";"
encoding = "utf-16"
date_format = "%d.%m.%Y"
rename = { player = "char_id", sex = "gender", born = "creation_date" }
[tables.character_currency]
path = "wallets"
rename = { player = "char_id", month = "date" }
[tables.sub_data]
path = "memberships/*.csv"
decimal = ","
separator = ";"
rename = { id = "sub_id", player = "char_id", months = "sub_months" }
"""


def lay_out(studio: Studio) -> None:
    """Writes the raw tables in other files, with other names, and a column that is not declared."""
    raw = studio.data / "01_raw" / GAME
    players = studio.raw(GAME, "character_data")
    for column in ("creation_date", "class_mastery_date"):
        day = pl.col(column).str.to_date(strict=False).dt.strftime("%d.%m.%Y")
        players = players.with_columns(day.alias(column))
    names = {"char_id": "player", "gender": "sex", "creation_date": "born"}
    text = players.with_columns(shoe_size=pl.lit("42")).rename(names).write_csv(separator=";")
    (raw / "players.csv.gz").write_bytes(gzip.compress(text.encode("utf-16")))
    wallets = studio.raw(GAME, "character_currency").rename({"char_id": "player"})
    numbers = [column for column in wallets.columns if column != "date"]
    for (month,), part in wallets.partition_by("date", as_dict=True).items():
        folder = raw / "wallets" / f"month={month}"
        folder.mkdir(parents=True)
        part.select(pl.col(numbers).cast(pl.Float64).cast(pl.Int64)).write_parquet(
            folder / "part-0.parquet"
        )
    subs = studio.raw(GAME, "sub_data").with_columns(
        pl.col("price").str.replace(".", ",", literal=True), pl.col("sub_start_date") + " 00:00:00"
    )
    subs = subs.rename({"sub_id": "id", "char_id": "player", "sub_months": "months"})
    (raw / "memberships").mkdir()
    for number, part in enumerate(subs.iter_slices(300)):
        part.write_csv(raw / "memberships" / f"{number}.csv", separator=";")
    for table in ("character_data", "character_currency", "sub_data"):
        (raw / f"{table}.csv").unlink()


def test_features_and_predictions_do_not_depend_on_how_tables_are_written(
    complete: Studio, tmp_path: Path, say: Say
) -> None:
    studio = new_studio(tmp_path / "data", complete.pristine)
    lay_out(studio)
    patch = use_games(games_folder(tmp_path / "games", **{GAME: LAYOUT}))
    try:
        take_through(studio, GAME)
        output = say(studio, "standard_features", GAME, "--refresh")
    finally:
        patch.undo()
    assert "no table declares the column shoe_size" in output
    for place in TABLES_OF_FEATURES:
        here, there = (s.table(place.format(GAME)) for s in (studio, complete))
        assert bits(here) == bits(there), place
    for batch in BATCHES:
        assert bits(predicted(studio, GAME, batch)) == bits(predicted(complete, GAME, batch))


# --- A game without histories.


def test_game_without_currency_has_its_day_from_the_subscriptions(
    complete: Studio, tmp_path: Path
) -> None:
    studio = new_studio(tmp_path / "data", complete.pristine)
    studio.file(f"01_raw/{GAME}/character_currency.csv").unlink()
    rows = studio.raw(GAME, "character_data").drop("race")
    studio.write_raw(GAME, "character_data", rows)
    text = """
    [tables.character_currency]
    absent = true
    [tables.character_data.columns]
    race = "null"
    """
    patch = use_games(games_folder(tmp_path / "games", **{GAME: text}))
    try:
        take_through(studio, GAME)
    finally:
        patch.undo()
    last = studio.raw(GAME, "sub_data")["sub_start_date"].str.to_date().max()
    assert isinstance(last, date)
    day = (last.replace(day=1) + timedelta(days=31)).replace(day=1)
    assert studio.json(f"08_reporting/{GAME}/score_report.json")["as_of"] == str(day)
    for place in TABLES_OF_FEATURES:
        here, there = (s.table(place.format(GAME)) for s in (studio, complete))
        assert "race" in {*there.columns} - {*here.columns}
        assert not [column for column in here.columns if "balance" in column]
        assert bits(here) == bits(there.select(here.columns)), place


# --- Subscriptions of unknown characters.


def test_subscriptions_of_unknown_characters_are_refused_or_kept_without_facts(
    complete: Studio, tmp_path: Path, say: Say
) -> None:
    studio = new_studio(tmp_path / "data", complete.pristine)
    rows = studio.raw(GAME, "character_data").with_row_index("i")
    gone = rows.filter(pl.col("i") % 6 == 0)["char_id"].cast(pl.Int64)
    studio.write_raw(GAME, "character_data", rows.filter(pl.col("i") % 6 != 0).drop("i"))
    output = say(studio, "train", GAME, "--from-raw")
    assert is_refusal(output, 'raw.unknown_parent = "keep"'), output
    assert studio.outputs() == {}
    text = '[raw]\nunknown_parent = "keep"\n'
    patch = use_games(games_folder(tmp_path / "games", **{GAME: text}))
    try:
        take_through(studio, GAME)
    finally:
        patch.undo()
    facts = ["gender", "race", "class", "territory", "age_at_sub_months", "months_to_mastery"]
    for place in TABLES_OF_FEATURES:
        here, there = (s.table(place.format(GAME)) for s in (studio, complete))
        unknown = pl.col("char_id").is_in(gone.implode())
        assert len(here) == len(there)
        assert bits(here.filter(~unknown)) == bits(there.filter(~unknown)), place
        kept = here.filter(unknown)
        assert len(kept) > 0
        for fact in facts:
            assert kept[fact].is_null().all(), (place, fact)
    counted = studio.json(f"08_reporting/{GAME}/score_report.json")["data"]["odd"]["sub_data"]
    subs = studio.raw(GAME, "sub_data")["char_id"].cast(pl.Int64)
    assert subs.is_in(gone.implode()).sum() in counted.values(), counted
