"""The raw tables of a simulated chunk of characters, under the game's own names."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churnlib.schemas.columns import END_DATE, START_DATE, SUB_ID
from churnlib.synthesis.daily.process import DailyProcess
from churnlib.synthesis.daily.world import NOT_YET, DailyWorld
from churnlib.synthesis.frames import dates, misses, sub_ids, text, truths
from churnlib.synthesis.span import MONTHS, STARTS
from churnlib.synthesis.subscriptions import term_months

Array = NDArray[Any]

YEARS = range(2021, 2025)
FILES = {
    "players": ".csv",
    "wallet": ".parquet",
    "logins": ".parquet",
    **{f"play_time/{year}": ".parquet" for year in YEARS},
    "purchases": ".csv",
    "memberships": ".csv",
    "missed_payments": ".csv",
}
"""The files by name, with their formats: play time in parts, a year each."""
DAY_SECONDS, DAY_MINUTES = 86_400, 1440
MINUTES_BETWEEN = 97
"""The minutes between the logins of a day; no two are equal, so none is the copy of another."""
PEAK_HOUR, HOURS = 20.0, 3.5
"""The usual hour of a login, and its standard deviation."""


def daily_tables(
    process: DailyProcess, world: DailyWorld, first_id: int, rng: np.random.Generator
) -> dict[str, pl.DataFrame]:
    """Returns the raw tables of a chunk and its true probabilities, each sorted by key.

    Args:
        process: The game's process.
        world: The simulated chunk.
        first_id: The id of the chunk's first character.
        rng: The random number generator, for the times within a day.

    Returns:
        The tables by the name of their file.
    """
    subs = world.subscriptions
    order, sub_id = sub_ids(subs, first_id)
    names = {SUB_ID: "membership", START_DATE: "first_month", END_DATE: "last_month"}
    return {
        "players": _players(process, world, first_id),
        "wallet": _wallet(world, first_id),
        "logins": _logins(process, world, first_id, rng),
        **_play_time(world, first_id),
        "purchases": _purchases(process, world, first_id, rng),
        "memberships": _memberships(process, subs[order], sub_id[order], first_id),
        "missed_payments": misses(world.runs, sub_id).rename(names),
        **truths(process, subs, world.probabilities, sub_id),
    }


def _players(process: DailyProcess, world: DailyWorld, first_id: int) -> pl.DataFrame:
    traits, guild = world.characters, world.characters["guild"]
    columns = ("country", "age_band", "referral", "signup_platform")
    return pl.DataFrame(
        {
            "player": first_id + np.arange(len(guild)),
            "first_seen": dates(traits["creation"]),
            **{column: text(process.columns[column], traits[column]) for column in columns},
            "is_streamer": traits["is_streamer"],
            "guild_joined": dates(guild).set(pl.Series(guild == NOT_YET), None),
            "achievements": traits["achievements"],
        }
    )


def _wallet(world: DailyWorld, first_id: int) -> pl.DataFrame:
    present = np.arange(MONTHS + 1)[None, :] >= world.first_month[:, None]
    character, month = np.nonzero(present)
    columns = {"player": pl.Series(first_id + character), "month": dates(STARTS[month])}
    for name, values in world.wallet.items():
        null = pl.Series(world.nulls[name].T[present])
        columns[name] = pl.Series(values.T[present].astype(np.int64)).set(null, None)
    return pl.DataFrame(columns)


def _logins(
    process: DailyProcess, world: DailyWorld, first_id: int, rng: np.random.Generator
) -> pl.DataFrame:
    who, day = np.nonzero(world.logins.T)
    times = world.logins[day, who].astype(np.int64)
    nth = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)  # Of its day.
    minute = np.repeat(_minutes(len(day), rng), times) + nth * MINUTES_BETWEEN
    who, day = np.repeat(who, times), np.repeat(day, times)
    platforms = len(process.platforms.names)
    usual = world.characters["signup_platform"][who]
    other = rng.integers(0, platforms, len(who))
    platform = np.where(rng.random(len(who)) < 0.9, usual, other)
    return pl.DataFrame(
        {
            "player": first_id + who,
            "at": _times(day, minute),
            "platform": text(process.platforms, platform),
        }
    ).sort("player", "at", maintain_order=True)


def _play_time(world: DailyWorld, first_id: int) -> dict[str, pl.DataFrame]:
    who, day = np.nonzero(world.minutes.T)
    rows = pl.DataFrame(
        {
            "player": first_id + who,
            "day": dates(STARTS[0] + day),
            "minutes": world.minutes[day, who].astype(np.int64),
        }
    )
    year = pl.col("day").dt.year()
    return {f"play_time/{number}": rows.filter(year == number) for number in YEARS}


def _purchases(
    process: DailyProcess, world: DailyWorld, first_id: int, rng: np.random.Generator
) -> pl.DataFrame:
    who, day = np.nonzero(world.packs.T)
    pack = world.packs[day, who] - 1
    return pl.DataFrame(
        {
            "player": first_id + who,
            "bought_at": _times(day, _minutes(len(day), rng)),
            "pack": text(process.packs.levels, pack),
            "price": np.asarray(process.packs.prices)[pack],
        }
    )


def _memberships(process: DailyProcess, subs: Array, sub_id: Array, first_id: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "membership": sub_id,
            "player": first_id + subs["character"].astype(np.int64),
            "begins": dates(subs["start"]),
            "plan": text(process.plans, subs["sub_type"]),
            "months": term_months(process, subs),
            "price": subs["price"],
        }
    )


def _minutes(n: int, rng: np.random.Generator) -> Array:
    """Draws minutes of a day, most of them in the evening."""
    return (rng.normal(PEAK_HOUR, HOURS, n) * 60).astype(np.int64)


def _times(day: Array, minute: Array) -> pl.Series:
    """Returns times; minutes beyond the end of a day are in its morning."""
    seconds = (STARTS[0] + day.astype(np.int64)) * DAY_SECONDS + 60 * (minute % DAY_MINUTES)
    return pl.Series(seconds * 1_000_000).cast(pl.Datetime("us"))
