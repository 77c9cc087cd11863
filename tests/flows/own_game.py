"""A game with tables of its own, and a folder of games for it.

Its ids are text, its columns and files have other names, its characters have no race and no mastery
and its subscriptions lie in a folder of parts. It has no currency, but levels on any day, logins
with a time and purchases with a day.
"""

import shutil
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import polars as pl

from churnlib.synthesis import PROCESSES, generate
from tests.flows.studio import ROOT, Studio

OWN = "own"
CHARACTERS = 500
FIRST_DAY, END = date(2021, 1, 1), date(2025, 1, 21)
PLATFORMS = ("pc", "mobile", "console")
KNOWN_AFTER = {"levels": 2, "logins": 1, "purchases": 0}
"""The days from a fact to that on which it is known, by table."""
TIME = {"levels": "date", "logins": "at", "purchases": "bought_on"}
"""The column of the day or the time of each fact, by table."""

TABLES = """
description = "A game with tables of its own."
[raw]
id_type = "text"
[tables.character_data]
path = "players.csv"
rename = { player = "char_id", sex = "gender", born = "creation_date" }
separator = ";"
date_format = "%d.%m.%Y"
[tables.character_data.columns]
race = "null"
class_mastery_date = "null"
total_kills = "null"
total_deaths = "null"
platform = { kind = "category", description = "Where it is played" }
streamer = { kind = "flag", nullable = true }
guild_joined = "milestone"
[tables.character_currency]
absent = true
[tables.sub_data]
path = "memberships"
rename = { member = "sub_id", player = "char_id" }
[tables.sub_miss]
rename = { member = "sub_id" }
[tables.levels]
kind = "history"
every = "day"
known_after_days = 2
columns = { level = "number" }
[tables.logins]
kind = "events"
time = "at"
known_after_days = 1
columns = { minutes = { kind = "number", nullable = true }, platform = "category" }
[tables.purchases]
kind = "events"
time = "bought_on"
columns = { amount = "number" }
"""

FEATURES = """
[features.levels]
latest = ["level"]
aggregations = [{ columns = ["level"], functions = ["mean", "max", "slope"], lookback_months = 6 }]
differences = [{ columns = ["level"], periods = [1] }]
[features.logins]
windows = ["30d", "6mo", "30d..60d"]
count = true
days_since_last = true
distinct = ["platform"]
by = { platform = ["pc", "mobile"] }
aggregations = [{ columns = ["minutes"], functions = ["sum", "mean"] }]
[features.purchases]
windows = ["12mo"]
aggregations = [{ columns = ["amount"], functions = ["sum"] }]
days_since_first = true
[[features.ratios]]
name = "login_trend"
of = "logins_count_30d"
over = "logins_count_30d_60d"
[features.calendar]
use = ["month"]
[features.python]
use = ["long_logins", "top_level"]
[evaluation]
segments = ["sub_type", "platform"]
"""

FUNCTIONS = '''
"""Features of our own."""

import polars as pl

import churnlib


@churnlib.feature(table="logins")
def long_logins(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.group_by("row_id").agg(
        share=(pl.col("minutes") > 60).mean(),
        days_of_history=(pl.col("day") - pl.col("at").min().dt.date()).first().dt.total_days(),
    )


@churnlib.feature(table="levels")
def top_level(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.group_by("row_id").agg(pl.col("level").max())


@churnlib.feature(table="purchases")
def not_in_use(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.group_by("row_id").agg(pl.col("amount").min())
'''


def games_folder(folder: Path, **games: str) -> Path:
    """The project's folder of games with other games, or more lines in the file of one."""
    shutil.copytree(ROOT / "games", folder)
    for game, text in games.items():
        file = folder / f"{game}.toml"
        before = file.read_text() if file.exists() else ""
        file.write_text(f"{before}\n{text}")
    return folder


def write_own_game(raw: Path) -> None:
    """Writes the game's raw tables."""
    random, standard = Random(5), raw.with_name(f"{raw.name}-standard")
    generate(PROCESSES["game1"], CHARACTERS, 1, standard)
    tables = {
        name: pl.read_csv(standard / f"{name}.csv", infer_schema=False)
        for name in ("character_data", "sub_data", "sub_miss")
    }
    shutil.rmtree(standard)
    raw.mkdir(parents=True)
    ids = {"char_id": "player", "sub_id": "member"}
    for name, rows in tables.items():
        text = [pl.format("{}-{}", pl.lit(ids[id_]), id_).alias(id_) for id_ in ids if id_ in rows]
        tables[name] = rows.with_columns(text).rename({i: ids[i] for i in ids if i in rows})
    players = tables["character_data"]
    born = pl.col("creation_date").str.to_date().dt.strftime("%d.%m.%Y")
    players.select(
        "player", "class", "territory",
        born=born, sex="gender",
        platform=pl.Series(random.choices(PLATFORMS, k=len(players))),
        streamer=pl.Series(random.choices(["yes", "no", ""], k=len(players))),
        guild_joined=pl.Series(
            [random.choice(["", f"{random.randint(1, 28):02}.06.2023"]) for _ in players["player"]]
        ),
    ).write_csv(raw / "players.csv", separator=";")  # fmt: skip
    _write_parts(tables["sub_data"], raw / "memberships")
    tables["sub_miss"].write_csv(raw / "sub_miss.csv")
    for name, facts in _facts(players["player"].to_list(), random).items():
        facts.write_parquet(raw / f"{name}.parquet")


def _write_parts(subs: pl.DataFrame, folder: Path) -> None:
    """Parts in folders whose names have the values of a column."""
    for (kind,), part in subs.partition_by("sub_type", as_dict=True).items():
        place = folder / f"sub_type={kind}"
        place.mkdir(parents=True)
        part.drop("sub_type").with_columns(
            pl.col("sub_start_date").str.to_date(),
            pl.col("^(sub_months|price|num_.*)$").cast(pl.Float64),
        ).write_parquet(place / "part-0.parquet")


def _facts(players: list[str], random: Random) -> dict[str, pl.DataFrame]:
    levels: list[tuple[str, date, float]] = []
    logins: list[tuple[str, datetime, float | None, str]] = []
    purchases: list[tuple[str, date, float]] = []
    for player in players:
        day, level = FIRST_DAY, 1.0
        while (day := day + timedelta(random.randint(4, 20))) < END:
            level += random.randint(0, 3)
            levels.append((player, day, level))
            at = datetime(day.year, day.month, day.day) + timedelta(seconds=random.randrange(86400))
            minutes = random.choice([None, float(random.randint(1, 120))])
            logins.append((player, at, minutes, random.choice(PLATFORMS)))
            if random.random() < 0.7:
                purchases.append((player, day, random.randint(100, 5000) / 100))
    return {
        "levels": pl.DataFrame(levels, schema=["char_id", "date", "level"], orient="row"),
        "logins": pl.DataFrame(
            logins, schema=["char_id", "at", "minutes", "platform"], orient="row"
        ),
        "purchases": pl.DataFrame(
            purchases, schema=["char_id", "bought_on", "amount"], orient="row"
        ),
    }


def facts(studio: Studio, table: str) -> pl.DataFrame:
    """A history or table of events of the game."""
    return studio.table(f"01_raw/{OWN}/{table}.parquet")


def write_facts(studio: Studio, table: str, rows: pl.DataFrame) -> None:
    """Replaces one."""
    rows.write_parquet(studio.file(f"01_raw/{OWN}/{table}.parquet"))


def visible_facts(studio: Studio, table: str, row: dict[str, Any]) -> list[dict[str, Any]]:
    """The facts that a row of features may see, in order of time."""
    last = row["sub_start_date"] - timedelta(days=KNOWN_AFTER[table])
    time = pl.col(TIME[table])
    mine = facts(studio, table).filter(
        pl.col("char_id") == row["char_id"], time.cast(pl.Date) <= last
    )
    return mine.sort(time).to_dicts()
