"""The features of the subscriptions in a window, with their labels."""

from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, Literal

import polars as pl

from churnlib.errors import DataError
from churnlib.features.cohort import in_window
from churnlib.features.history import add_currency_features
from churnlib.features.outcome import add_label
from churnlib.io import datasets
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import fact, footer
from churnlib.raw.availability import known_by
from churnlib.schemas.spec import TableSpec
from churnlib.settings import CurrencySettings, EngineSettings, WindowName
from flows.engine.building import build
from flows.steps.raw_tables import RawTable, check_tables
from flows.steps.run import Run
from flows.steps.sources import read_sources, standard_of
from flows.task import task


def check_first(run: Run, flow: WindowName, *tables: TableSpec) -> None:
    """Checks what a composite needs from the raw tables, before it builds anything of them.

    A fault in one stops the run before any is used; and so does a window that selects nothing,
    which would otherwise be found when the feature store was built anew for that day.

    Args:
        run: The run.
        flow: The flow that follows on the standard features.
        tables: All raw tables that the composite's parts read.

    Raises:
        ChurnlibError: A table breaks rules, or the flow's window selects no subscription.
    """
    made = check_tables(run.settings, run.catalog, tables, run.as_of)
    refuse_empty_window(run, flow, made[run.raw.subscriptions.name].checked)


def refuse_empty_window(run: Run, flow: WindowName, subs: DatasetRef) -> None:
    """Refuses a flow's window in which no subscription of a checked table starts."""
    known = datasets.scan(subs).filter(known_by(run.raw.subscriptions, run.as_of))
    refuse_empty(known, subs.game, f"windows.{flow}", run.window(flow))


@dataclass(frozen=True)
class Cohort:
    """The subscriptions of a window.

    Attributes:
        features: Their features and labels.
        tables: The facts of the raw tables behind these; see `flows.steps.raw_tables.RawTable`.
    """

    features: DatasetRef
    tables: dict[str, Any]


def window_cohort(run: Run, flow: Literal["train", "score"], currency: RawTable) -> Cohort:
    """The features and labels of the subscriptions in the window of a flow."""
    standard = standard_of(run)
    fits_run(run, standard, "churn_after_months", "standard")
    features = build_window_features(
        standard,
        currency.checked,
        run.catalog.features(flow),
        setting=f"windows.{flow}",
        window=run.window(flow),
        as_of=run.as_of,
        horizon_months=run.settings.horizon_months,
        currency_settings=run.settings.currency,
        engine=run.settings.engine,
    )
    return Cohort(features, {**read_sources(run), currency.checked.name: currency.facts})


@task(
    reads=("03_primary/standard_features", "02_intermediate/{history}"),
    writes=("04_feature/{flow}_features",),
    settings=("windows.{flow}", "as_of", "horizon_months", "currency", "engine"),
    notes=("engine",),
)
def build_window_features(
    standard: DatasetRef,
    currency: DatasetRef,
    output: Dataset,
    *,
    setting: str,
    window: tuple[date, date],
    as_of: date,
    horizon_months: int,
    currency_settings: CurrencySettings,
    engine: EngineSettings,
) -> DatasetRef:
    """Joins standard and currency features of a window, and labels them as known on the day."""
    refuse_empty(known_subs(datasets.scan(standard), as_of), standard.game, setting, window)
    features = partial(
        window_features,
        window=window,
        as_of=as_of,
        horizon_months=horizon_months,
        currency_settings=currency_settings,
    )
    facts = footer(as_of=as_of, window=window)
    return build(features, (standard, currency), output, facts, engine)


def window_features(
    subs: pl.LazyFrame,
    balances: pl.LazyFrame,
    *,
    window: tuple[date, date],
    as_of: date,
    horizon_months: int,
    currency_settings: CurrencySettings,
) -> pl.LazyFrame:
    """The features and labels of the subscriptions in a window, as known on the day."""
    known = in_window(known_subs(subs, as_of), *window)
    labelled = add_label(known, as_of=as_of, horizon_months=horizon_months)
    return add_currency_features(labelled, balances, currency_settings, as_of=as_of)


def fits_run(run: Run, standard: DatasetRef, *settings: str) -> None:
    """Refuses standard features that were built for an earlier day or by other settings.

    Args:
        run: The run.
        standard: The standard features.
        settings: The settings that must be those by which they were built.

    Raises:
        DataError: They know less than the run's day allows, or know something else.
    """
    game, again = standard.game, f"Build them again: {run.command('standard_features')}"
    built = fact(standard, "as_of")
    if built < run.as_of.isoformat():
        raise DataError(
            f"{game}: the standard features were built as of {built}, so they do not know "
            f"what came until {run.as_of}, the day of this run. {again}"
        )
    stated = run.settings.model_dump(mode="json", include=set(settings))
    for name, value in stated.items():
        if (was := fact(standard, name)) != value:
            raise DataError(
                f"{game}: the standard features were built with {name} = {was}, "
                f"but the settings say {value}. {again}"
            )


def known_subs(standard: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    """The standard features as they were known on a day, though built for a later one."""
    churned = pl.when(pl.col("churned_on") <= as_of).then(pl.col("churned_on"))
    return standard.filter(pl.col("sub_start_date") <= as_of).with_columns(churned_on=churned)


def refuse_empty(subs: pl.LazyFrame, game: str, setting: str, window: tuple[date, date]) -> None:
    """Refuses a window that selects nothing.

    Raises:
        DataError: Names the window, the days that the data cover and the setting to change.
    """
    start = pl.col("sub_start_date")
    found, first, last = (
        subs.select(
            start.is_between(*window).sum().alias("found"),
            start.min().alias("first"),
            start.max().alias("last"),
        )
        .collect()
        .row(0)
    )
    if not found:
        cover = (
            f"the data cover {first} to {last}" if first else "none starts by the day of the run"
        )
        raise DataError(
            f"{game}: {setting} selects no subscription: none starts from {window[0]} to "
            f"{window[1]}; {cover}. Change {setting}.start and {setting}.end, or --as-of."
        )
