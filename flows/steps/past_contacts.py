"""Whom earlier batches contacted, so that cohorts can tell."""

from collections.abc import Iterable, Mapping
from datetime import date
from functools import partial
from typing import Any

import polars as pl

from churnlib.features.campaign import CONTACTED_ON, HOLD_OUT_SHARE, campaign_contacts
from churnlib.io import buckets, datasets
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import footer, optional_facts
from churnlib.io.table_writer import write_table
from churnlib.raw.past_batches import predicted_months
from churnlib.schemas.columns import CAMPAIGN, CHAR_ID, SUB_ID
from churnlib.settings import EngineSettings
from flows.steps.contacts import is_acted_on
from flows.steps.run import Run
from flows.task import task

FACTS = ("as_of", "threshold", "campaign", "no_contact", "is_past")
"""The facts of predictions that tell whom they contacted."""


def past_contacts(run: Run, standard: DatasetRef) -> DatasetRef:
    """Collects whom the batches up to the day of a run contacted.

    Args:
        run: The run.
        standard: The standard features, which have the subscriptions of all characters.
    """
    months = predicted_months(run.catalog)
    batches = [datasets.ref(run.catalog.predictions(month)) for month in months]
    types = run.raw.subscriptions.types
    ids = {name: str(types[name]) for name in (CHAR_ID, SUB_ID)}
    known = tuple(each for each in batches if _tells_contacts(each, run.as_of, ids))
    output, engine = run.catalog.contacts(), run.settings.engine
    return collect_contacts(known, standard, output, ids, engine=engine)


def _tells_contacts(predictions: DatasetRef, day: date, ids: Mapping[str, str]) -> bool:
    """Whether people acted on a batch by a day, and it tells on whom.

    They did not on a batch that was predicted when later months had arrived, as a backfill does. An
    earlier version of this package, or ids of another type, do not tell.
    """
    facts = optional_facts(predictions, *FACTS)
    columns = {
        name: str(kind) for name, kind in datasets.scan(predictions).collect_schema().items()
    }
    is_known = facts["as_of"] and facts["campaign"] and {"contact", "held_out"} <= {*columns}
    is_acted_on = is_known and not facts["no_contact"] and not facts["is_past"]
    has_ids = all(columns.get(name) == kind for name, kind in ids.items())
    return bool(is_acted_on and has_ids and date.fromisoformat(facts["as_of"]) <= day)


@task(
    writes=("04_feature/contacts",),
    settings=("engine",),
    earlier=("07_model_output/predictions", "03_primary/standard_features"),
    notes=("standard", "engine"),
)
def collect_contacts(
    predictions: tuple[DatasetRef, ...],
    standard: DatasetRef,
    output: Dataset,
    ids: dict[str, str],
    *,
    engine: EngineSettings,
) -> DatasetRef:
    """Collects the subscriptions that batches contacted, and those that they held out.

    Args:
        predictions: The predictions of the batches.
        standard: The standard features, by which characters are cut into ranges.
        output: Where to write.
        ids: The types of the ids, by column.
        engine: The memory for a range of characters.
    """
    types: dict[str, Any] = {name: getattr(pl, dtype)() for name, dtype in ids.items()}
    schema = {
        **types,
        CONTACTED_ON: pl.Date(),
        CAMPAIGN: pl.String(),
        HOLD_OUT_SHARE: pl.Float64(),
    }
    empty, batches = partial(pl.LazyFrame, schema=schema), [*map(_contacts, predictions)]
    number = buckets.count_for(engine.memory_mib, (), empty, sum(map(_reached, predictions)))
    frames = (
        _sorted([empty(), *map(bucket.rows, batches)])
        for bucket in buckets.cut((standard,), number)
    )
    return write_table(frames, output, schema, footer(batches=len(predictions)))


def _reached(predictions: DatasetRef) -> int:
    """About how many subscriptions a batch contacted or held out."""
    facts = optional_facts(predictions, "contacted", "campaign")
    share: float = facts["campaign"]["hold_out_share"]
    return round((facts["contacted"] or 0) / (1 - share))


def _sorted(frames: Iterable[pl.LazyFrame]) -> pl.DataFrame:
    return pl.concat(frames).sort(CHAR_ID, SUB_ID, CONTACTED_ON).collect()


def _contacts(predictions: DatasetRef) -> pl.LazyFrame:
    facts = optional_facts(predictions, *FACTS)
    return campaign_contacts(
        datasets.scan(predictions).filter(is_acted_on(predictions)),
        contacted_on=date.fromisoformat(facts["as_of"]),
        threshold=facts["threshold"],
        hold_out_share=facts["campaign"]["hold_out_share"],
    )
