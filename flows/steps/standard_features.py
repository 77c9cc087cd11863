"""The standard features: built from raw tables, and opened again by the flows that need them."""

from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import polars as pl

from churnlib.errors import DataError
from churnlib.features.outcome import add_churned_on
from churnlib.features.standard import StandardColumns, standard_features
from churnlib.io import datasets, storage
from churnlib.io.catalog import month_name
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import fact, facts, footer, read_metadata
from churnlib.io.table_writer import ROW_GROUPS
from churnlib.schemas.outputs import output_tables
from churnlib.settings import EngineSettings, StandardSettings
from churnlib.settings.outcome import OutcomeSettings
from flows.engine.building import build
from flows.engine.events import BatchDue
from flows.steps.flow import is_subflow
from flows.steps.raw_tables import STANDARD_KINDS
from flows.steps.run import Run
from flows.steps.sources import MONTHS, check_written_by_flow, note_sources
from flows.task import task


@dataclass(frozen=True)
class StandardRequest:
    """The day and settings that the standard features depend on.

    Attributes:
        as_of: The day of the run.
        outcome: What counts as churn.
        standard: Which features to build.
        columns: From which columns.
    """

    as_of: date
    outcome: OutcomeSettings
    standard: StandardSettings
    columns: StandardColumns


def build_features(run: Run) -> DatasetRef:
    """Builds the standard features of a run, and notes what they were built from."""
    characters, subs, misses = run.tables(*STANDARD_KINDS)
    features = build_standard_features(
        characters.checked,
        subs.checked,
        misses.checked,
        run.catalog.standard_features(),
        StandardRequest(
            run.as_of,
            run.settings.outcome,
            run.settings.standard,
            StandardColumns.of(run.settings),
        ),
        engine=run.settings.engine,
    )
    tables = (characters, subs, misses)
    sources = {table.checked.name: {**table.facts, MONTHS: table.months} for table in tables}
    note_sources(features, sources, run.catalog.standard_sources())
    return features


def open_standard_features(run: Run, *built_with: str) -> DatasetRef:
    """Opens the standard features that an earlier flow has built.

    Args:
        run: The run.
        built_with: The settings that they must have been built with.

    Raises:
        DataError: They are missing, do not have the schema, are not those that a flow has written,
            or were built for an earlier day or with other settings.
    """
    again = run.command("standard_features")
    features = run.existing(run.catalog.standard_features(), again)
    datasets.scan(features, output_tables(run.settings)["standard_features"].schema)
    if ROW_GROUPS not in read_metadata(features):
        raise DataError(
            f"{features.game}: an earlier version wrote {features.uri}, in another order. Build "
            f"the standard features again: {again}"
        )
    built = fact(features, "as_of")
    if built < run.as_of.isoformat():
        raise DataError(
            f"{features.game}: the standard features were built as of {built}, so they lack what "
            f"has become known until {run.as_of}, the day of this run. Build them again: {again}"
        )
    _check_built_with(run, features, *built_with)
    check_written_by_flow(features, run)
    return features


def _check_built_with(run: Run, features: DatasetRef, *settings: str) -> None:
    """Checks that standard features were built with the settings of a run.

    Args:
        run: The run.
        features: The standard features.
        settings: The settings that must be equal.

    Raises:
        DataError: A setting had another value.
    """
    values, again = facts(features, *settings), run.command("standard_features")
    current: dict[str, Any] = run.settings.model_dump(mode="json", include=set(settings))
    for name, was in zip(settings, values, strict=True):
        if was != current[name]:
            raise DataError(
                f"{features.game}: the standard features were built with {name} = {was}, but the "
                f"settings say {current[name]}. Build them again: {again}"
            )


def announce_due_batch(run: Run) -> None:
    """Emits an event if a batch can be scored with the features just built, but has not been.

    A sub-flow emits none: the enclosing flow does, unless it scores the batch itself.
    """
    if is_subflow() or not run.settings.windows.batch_score.is_relative:
        return
    first = run.window("batch_score").first
    predictions = run.catalog.predictions(first)
    report = run.catalog.batch_report(first)
    if storage.exists(predictions.uri) and not storage.exists(report.uri):
        BatchDue(game=run.settings.game, month=month_name(first)).emit()


@task(
    reads=(
        "02_intermediate/{entity}",
        "02_intermediate/{subscriptions}",
        "02_intermediate/{misses}",
    ),
    writes=("03_primary/standard_features",),
    settings=("as_of", "outcome", "standard", "tables", "engine"),
    notes=("engine",),
)
def build_standard_features(
    characters: DatasetRef,
    subs: DatasetRef,
    misses: DatasetRef,
    output: Dataset,
    request: StandardRequest,
    *,
    engine: EngineSettings,
) -> DatasetRef:
    """Builds the standard features of every subscription, and the day on which it churned."""
    check_any_started(subs, request.as_of)
    described = footer(
        as_of=request.as_of,
        outcome=request.outcome.model_dump(),
        standard=request.standard.model_dump(),
    )
    features = partial(subscription_features, request=request)
    return build(features, (characters, subs, misses), output, described, engine)


def subscription_features(
    characters: pl.LazyFrame, subs: pl.LazyFrame, misses: pl.LazyFrame, *, request: StandardRequest
) -> pl.LazyFrame:
    """The standard features of every subscription, and the day on which it churned."""
    features = standard_features(characters, subs, request.columns, as_of=request.as_of)
    return add_churned_on(features, misses, request.outcome, as_of=request.as_of)


def check_any_started(subs: DatasetRef, as_of: date) -> None:
    """Checks that at least one subscription has started by a day.

    Raises:
        DataError: None has; the message names the day and the first start.
    """
    first = datasets.scan(subs).select(pl.col("sub_start_date").min()).collect().item()
    if first is None or first > as_of:
        begins = f"the first starts on {first}" if first else f"{subs.name} has no rows"
        raise DataError(
            f"{subs.game}: no subscription had started by {as_of}, the day of the run: {begins}. "
            "Name a later day with --as-of."
        )
