"""The flow `standard-features`: raw tables to the small feature store."""

from flows import run_command

if __name__ == "__main__":  # Before the other imports, which would delay the first line.
    run_command("standard-features")

from datetime import date
from functools import partial

import polars as pl

from churnlib.errors import DataError
from churnlib.features import outcome, standard
from churnlib.io import datasets, storage
from churnlib.io.catalog import month_name
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import footer
from churnlib.settings import EngineSettings, StandardSettings
from flows.engine.building import build
from flows.engine.events import BatchDue
from flows.steps.raw_tables import STANDARD_KINDS
from flows.steps.reports import leaks, warn
from flows.steps.run import Run, churn_flow, is_part
from flows.steps.sources import note_sources
from flows.task import task


@churn_flow("standard-features")
def standard_features(run: Run) -> DatasetRef:
    """Builds all features but currency, and the day of each churn, from the raw tables."""
    warn(leaks(run.settings.standard))
    features = build_features(run)
    announce_due_batch(run)
    return features


def build_features(run: Run) -> DatasetRef:
    """Builds the standard features of a run, and notes what they were built from."""
    characters, subs, misses = run.tables(*STANDARD_KINDS)
    features = build_standard_features(
        characters.checked,
        subs.checked,
        misses.checked,
        run.catalog.standard_features(),
        as_of=run.as_of,
        churn_after_months=run.settings.churn_after_months,
        settings=run.settings.standard,
        engine=run.settings.engine,
    )
    sources = {t.checked.name: t.facts for t in (characters, subs, misses)}
    note_sources(sources, run.catalog.standard_sources())
    return features


def announce_due_batch(run: Run) -> None:
    """Tells Prefect that a batch can be scored by the features just built, if nobody has done so.

    A part of another run says nothing: the whole does, unless it scores the batch itself.
    """
    if is_part() or not run.settings.windows.batch_score.is_relative:
        return
    first, _ = run.window("batch_score")
    predictions = run.catalog.predictions(first)
    report = run.catalog.report("batch_score_report", first)
    if storage.exists(predictions.uri) and not storage.exists(report.uri):
        BatchDue(game=run.settings.game, month=month_name(first)).emit()


@task(
    reads=(
        "02_intermediate/{entity}",
        "02_intermediate/{subscriptions}",
        "02_intermediate/{misses}",
    ),
    writes=("03_primary/standard_features",),
    settings=("as_of", "churn_after_months", "standard", "engine"),
    notes=("engine",),
)
def build_standard_features(
    characters: DatasetRef,
    subs: DatasetRef,
    misses: DatasetRef,
    output: Dataset,
    *,
    as_of: date,
    churn_after_months: int,
    settings: StandardSettings,
    engine: EngineSettings,
) -> DatasetRef:
    """Builds the standard features of every subscription, and the day on which it churned."""
    refuse_none(subs, as_of)
    features = partial(
        subscription_features,
        as_of=as_of,
        churn_after_months=churn_after_months,
        undated_totals=settings.undated_totals,
    )
    facts = footer(
        as_of=as_of, churn_after_months=churn_after_months, standard=settings.model_dump()
    )
    return build(features, (characters, subs, misses), output, facts, engine)


def subscription_features(
    characters: pl.LazyFrame,
    subs: pl.LazyFrame,
    misses: pl.LazyFrame,
    *,
    as_of: date,
    churn_after_months: int,
    undated_totals: bool,
) -> pl.LazyFrame:
    """The standard features of every subscription, and the day on which it churned."""
    known = standard.standard_features(characters, subs, as_of=as_of, undated_totals=undated_totals)
    return outcome.add_churned_on(known, misses, as_of=as_of, churn_after_months=churn_after_months)


def refuse_none(subs: DatasetRef, as_of: date) -> None:
    """Refuses a day on which there was no subscription yet.

    Raises:
        DataError: Names the day and the first subscription.
    """
    first = datasets.scan(subs).select(pl.col("sub_start_date").min()).collect().item()
    if first is None or first > as_of:
        begins = f"the first starts on {first}" if first else f"{subs.name} has no rows"
        raise DataError(
            f"{subs.game}: no subscription had started by {as_of}, the day of the run: {begins}. "
            "Name a later day with --as-of."
        )
