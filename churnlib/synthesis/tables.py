"""The raw tables of a simulated chunk of characters."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churnlib.schemas.columns import (
    CHAR_ID,
    CREATION_DATE,
    DATE,
    MASTERY_DATE,
    PRICE,
    SUB_ID,
    SUB_MONTHS,
    SUB_START_DATE,
)
from churnlib.synthesis.frames import dates, misses, sub_ids, text, truths
from churnlib.synthesis.process import Process
from churnlib.synthesis.span import MONTHS, STARTS
from churnlib.synthesis.subscriptions import term_months
from churnlib.synthesis.world import NOT_YET, World

NAMES = ("character_data", "character_currency", "sub_data", "sub_miss")
"""The tables, each a file of this name."""


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
    order, sub_id = sub_ids(subs, first_id)
    return {
        "character_data": _characters(process, world, first_id),
        "character_currency": _currency(world, first_id),
        "sub_data": _subscriptions(process, subs[order], sub_id[order], first_id),
        "sub_miss": misses(world.runs, sub_id),
        **truths(process, subs, world.probabilities, sub_id),
    }


def _characters(process: Process, world: World, first_id: int) -> pl.DataFrame:
    traits = world.characters
    mastered = traits["mastery"]
    return pl.DataFrame(
        {
            CHAR_ID: first_id + np.arange(len(mastered)),
            "gender": text(process.genders, traits["gender"]),
            "race": text(process.races, traits["race"]),
            "class": text(process.classes, traits["class"]),
            "territory": text(process.territories, traits["territory"]),
            CREATION_DATE: dates(traits["creation"]),
            MASTERY_DATE: dates(mastered).set(pl.Series(mastered == NOT_YET), None),
            "total_kills": traits["kills"],
            "total_deaths": traits["deaths"],
        }
    )


def _currency(world: World, first_id: int) -> pl.DataFrame:
    months = np.arange(MONTHS + 1)
    present = months[None, :] >= world.first_month[:, None]
    character, month = np.nonzero(present)
    columns = {CHAR_ID: pl.Series(first_id + character), DATE: dates(STARTS[month])}
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
            SUB_START_DATE: dates(subs["start"]),
            "sub_type": text(process.sub_types, subs["sub_type"]),
            SUB_MONTHS: term_months(process, subs),
            "sub_size": text(process.sub_sizes, subs["sub_size"]),
            PRICE: subs["price"],
            "num_hard_currency": subs["hard"].astype(np.int64),
            "num_soft_currency": subs["soft"].astype(np.int64),
        }
    )
