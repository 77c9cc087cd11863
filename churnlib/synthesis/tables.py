"""The raw tables of a simulated chunk of characters."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churnlib.schemas.columns import (
    CHAR_ID,
    CREATION_DATE,
    DATE,
    END_DATE,
    MASTERY_DATE,
    PRICE,
    PROBABILITY,
    START_DATE,
    SUB_ID,
    SUB_MONTHS,
    SUB_START_DATE,
)
from churnlib.synthesis.process import Levels, Process
from churnlib.synthesis.span import MONTHS, STARTS
from churnlib.synthesis.subscriptions import term_months
from churnlib.synthesis.world import NOT_YET, World

SUBS_PER_CHARACTER = 100
"""Each character has its own range of subscription ids, so that chunks are independent."""


def tables(process: Process, world: World, first_id: int) -> dict[str, pl.DataFrame]:
    """Returns the four raw tables of a chunk and its true probabilities, each sorted by key.

    Args:
        process: The game's process.
        world: The simulated chunk.
        first_id: The `char_id` of the chunk's first character.

    Returns:
        The tables by name.
    """
    subs = world.subscriptions
    order = np.lexsort((subs["number"], subs["start"], subs["character"]))
    ordinal = np.empty(len(subs), np.int64)
    ordinal[order] = _count_within(subs["character"][order])
    sub_id = (first_id + subs["character"]) * SUBS_PER_CHARACTER + ordinal
    return {
        "character_data": _characters(process, world, first_id),
        "character_currency": _currency(world, first_id),
        "sub_data": _subscriptions(process, subs[order], sub_id[order], first_id),
        "sub_miss": _misses(world.runs, sub_id),
        "sub_truth": pl.DataFrame({SUB_ID: sub_id[order], PROBABILITY: subs["probability"][order]}),
    }


def _characters(process: Process, world: World, first_id: int) -> pl.DataFrame:
    traits = world.characters
    mastered = traits["mastery"]
    return pl.DataFrame(
        {
            CHAR_ID: first_id + np.arange(len(mastered)),
            "gender": _text(process.genders, traits["gender"]),
            "race": _text(process.races, traits["race"]),
            "class": _text(process.classes, traits["class"]),
            "territory": _text(process.territories, traits["territory"]),
            CREATION_DATE: _dates(traits["creation"]),
            MASTERY_DATE: _dates(mastered).set(pl.Series(mastered == NOT_YET), None),
            "total_kills": traits["kills"],
            "total_deaths": traits["deaths"],
        }
    )


def _currency(world: World, first_id: int) -> pl.DataFrame:
    months = np.arange(MONTHS + 1)
    present = months[None, :] >= world.first_month[:, None]
    character, month = np.nonzero(present)
    columns = {CHAR_ID: pl.Series(first_id + character), DATE: _dates(STARTS[month])}
    for name, values in world.currency.items():
        null = pl.Series(world.nulls[name].T[present])
        columns[name] = pl.Series(values.T[present].astype(np.int64)).set(null, None)
    return pl.DataFrame(columns)


def _subscriptions(
    process: Process, subs: NDArray[Any], sub_id: Any, first_id: int
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            SUB_ID: sub_id,
            CHAR_ID: first_id + subs["character"].astype(np.int64),
            SUB_START_DATE: _dates(subs["start"]),
            "sub_type": _text(process.sub_types, subs["sub_type"]),
            SUB_MONTHS: term_months(process, subs),
            "sub_size": _text(process.sub_sizes, subs["sub_size"]),
            PRICE: subs["price"],
            "num_hard_currency": subs["hard"].astype(np.int64),
            "num_soft_currency": subs["soft"].astype(np.int64),
        }
    )


def _misses(runs: NDArray[Any], sub_id: NDArray[Any]) -> pl.DataFrame:
    # A run becomes known on the first day of the month after it.
    number, first, last = runs[runs[:, 2] < MONTHS].T
    order = np.lexsort((first, sub_id[number]))
    return pl.DataFrame(
        {
            SUB_ID: sub_id[number][order],
            START_DATE: _dates(STARTS[first][order]),
            END_DATE: _dates(STARTS[last][order]),
        }
    )


def _count_within(groups: NDArray[Any]) -> NDArray[Any]:
    """Numbers the elements of each run of equal values from 1."""
    begins = np.searchsorted(groups, groups, side="left")
    return np.arange(len(groups)) - begins + 1


def _dates(days: NDArray[Any]) -> pl.Series:
    return pl.Series(days, dtype=pl.Int32).cast(pl.Date)


def _text(levels: Levels, codes: NDArray[Any]) -> pl.Series:
    return pl.Series(levels.names, dtype=pl.String).gather(codes.astype(np.uint32))
