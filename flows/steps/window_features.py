"""The features of the rows in a window, with their labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Literal

import polars as pl

from churnlib.errors import DataError
from churnlib.features.activity import ActivityFeatures, add_activity_features
from churnlib.features.campaign import add_campaign
from churnlib.features.cohort_rows import CohortRows, cohort_rows, in_window, monthly_rows
from churnlib.features.outcome import add_label
from churnlib.io import datasets
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import footer
from churnlib.raw.late_feeds import read_monthly_rows
from churnlib.schemas.columns import DAY, SUB_START_DATE
from churnlib.schemas.spec import TableSpec
from churnlib.settings import CohortSettings, EngineSettings, WindowName
from churnlib.settings.outcome import OutcomeSettings
from flows.engine.building import build
from flows.engine.publication import publish
from flows.steps.feeds import needed_kinds, refuse_late
from flows.steps.past_contacts import past_contacts
from flows.steps.raw_tables import RawTable
from flows.steps.run import Run, SubscriptionWindow
from flows.steps.sources import Sources
from flows.steps.table_checks import check_tables
from flows.task import task

READS = ("03_primary/standard_features", "02_intermediate/{cohort}", "04_feature/contacts")
SETTINGS = ("as_of", "horizon_months", "outcome", "cohort", "tables", "features", "engine")
"""What the features of a window are built from, for the map, besides the window itself."""


@dataclass(frozen=True)
class WindowRequest:
    """The window and settings that its features depend on.

    Attributes:
        window: The subscriptions.
        cohort: Which rows they have.
        horizon_months: The horizon of the label.
        outcome: What counts as churn.
        activity: Which features to build from histories and events.
    """

    window: SubscriptionWindow
    cohort: CohortRows
    horizon_months: int
    outcome: OutcomeSettings
    activity: ActivityFeatures

    @classmethod
    def of(cls, run: Run, window: SubscriptionWindow) -> "WindowRequest":
        """Takes the settings of a run."""
        settings = run.settings
        return cls(
            window,
            CohortRows.of(settings),
            settings.horizon_months,
            settings.outcome,
            ActivityFeatures.of(settings),
        )


@dataclass(frozen=True)
class Cohort:
    """The subscriptions of a window.

    Attributes:
        features: Their features and labels.
        sources: The facts of the raw tables behind these.
        contacts: Whom earlier batches contacted.
    """

    features: DatasetRef
    sources: Sources
    contacts: DatasetRef


def check_first(run: Run, flow: WindowName | None, *tables: TableSpec) -> None:
    """Checks the raw tables of a run before any of them replaces an earlier one.

    Args:
        run: The run.
        flow: The flow whose window must select subscriptions; None for `standard-features`, which
            has none.
        tables: All raw tables that the run reads.

    Raises:
        ChurnlibError: A table breaks rules or is late, or the window selects no subscription.
    """
    checked = check_tables(run.settings, run.catalog, tables, run.as_of)
    rows = {name: table.now for name, table in checked.items()}
    names = [spec.name for spec in run.raw.of_kind(*needed_kinds(run.settings, flow))]
    refuse_late(run, {name: read_monthly_rows(rows[name], run.raw[name]) for name in names}, flow)
    if flow is not None:
        subs = started_subs(rows[run.raw.subscriptions.name], run.as_of)
        check_selects_any(subs, run.window(flow), run.settings.game, run.settings.cohort)
    publish()


def window_cohort(
    run: Run,
    flow: Literal["train", "score"],
    standard: DatasetRef,
    sources: Sources,
    tables: Sequence[RawTable],
    window: SubscriptionWindow | None = None,
) -> Cohort:
    """Builds the features and labels of the subscriptions in the window of a flow.

    Args:
        run: The run.
        flow: The flow.
        standard: The standard features.
        sources: The facts of the raw tables that these were built from.
        tables: The raw tables of `flows.steps.raw_tables.cohort_kinds`.
        window: The window; that of the settings if None.
    """
    contacts = past_contacts(run, standard)
    features = build_window_features(
        standard,
        tuple(table.checked for table in tables),
        contacts,
        run.catalog.features(flow),
        WindowRequest.of(run, window or run.window(flow)),
        engine=run.settings.engine,
    )
    return Cohort(features, {**sources, **{t.checked.name: t.facts for t in tables}}, contacts)


@task(
    reads=READS,
    writes=("04_feature/{flow}_features",),
    settings=("windows.{flow}", *SETTINGS),
    notes=("engine",),
)
def build_window_features(
    standard: DatasetRef,
    tables: tuple[DatasetRef, ...],
    contacts: DatasetRef,
    output: Dataset,
    request: WindowRequest,
    *,
    engine: EngineSettings,
) -> DatasetRef:
    """Adds the other features to the standard ones of a window, and labels as known on the day."""
    return build_window((standard, contacts, *tables), output, request, engine)


def build_window(
    tables: tuple[DatasetRef, ...],
    output: Dataset,
    request: WindowRequest,
    engine: EngineSettings,
) -> DatasetRef:
    """See `build_window_features`, and `flows.steps.in_use.build_in_use_features`."""
    window, (standard, contacts, *_) = request.window, tables
    known = known_subs(datasets.scan(standard), window.as_of)
    rows = check_selects_any(known, window, standard.game, request.cohort.settings)
    facts = footer(as_of=window.as_of, window=window.span)
    # Even an empty table would be joined in every bucket.
    features = partial(window_features, request=request, any_contacted=contacts.rows != 0)
    several = rows if request.cohort.settings.is_monthly else 0
    return build(features, tables, output, facts, engine, several)


def window_features(
    subs: pl.LazyFrame,
    contacts: pl.LazyFrame,
    *tables: pl.LazyFrame,
    request: WindowRequest,
    any_contacted: bool = True,
) -> pl.LazyFrame:
    """The features and labels of the rows in a window, as known on the day of the run."""
    as_of, kinds = request.window.as_of, request.cohort.kinds
    of_cohort = dict(zip(kinds, tables, strict=False))
    rows = cohort_rows(
        known_subs(subs, as_of), request.cohort, of_cohort, as_of=as_of, span=request.window.span
    )
    labelled = add_label(
        rows,
        as_of=as_of,
        horizon_months=request.horizon_months,
        outcome=request.outcome,
    ).pipe(
        add_campaign,
        contacts if any_contacted else None,
        horizon_months=request.horizon_months,
    )
    activity = request.activity.named(tables[len(kinds) :])
    return add_activity_features(labelled, activity, request.activity, as_of=as_of, day=DAY)


def known_subs(standard: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    """The standard features as known on a day, even if they were built for a later one."""
    churned = pl.when(pl.col("churned_on") <= as_of).then(pl.col("churned_on"))
    return standard.filter(pl.col(SUB_START_DATE) <= as_of).with_columns(churned_on=churned)


def started_subs(subs: DatasetRef, as_of: date) -> pl.LazyFrame:
    """The subscriptions of a validated raw table that have started by a day."""
    return datasets.scan(subs).filter(pl.col(SUB_START_DATE) <= as_of)


def check_selects_any(
    subs: pl.LazyFrame, window: SubscriptionWindow, game: str, cohort: CohortSettings
) -> int:
    """Checks that a window selects at least one subscription, and counts the rows of all.

    Args:
        subs: One row per subscription; without `churned_on`, none counts as churned.
        window: The window.
        game: The game, for the message.
        cohort: Which rows a subscription has.

    Raises:
        DataError: It selects none; the message names the window, the days that the data cover and
            the setting to change.
    """
    start = pl.col(SUB_START_DATE)
    if cohort.is_monthly:
        if "churned_on" not in subs.collect_schema():
            subs = subs.with_columns(churned_on=pl.lit(None, pl.Date))
        rows = monthly_rows(subs, as_of=window.as_of, span=window.span)
        why = "none runs on the first day of a month from"
    else:
        rows = in_window(subs, *window.span)
        why = "none starts from"
    if number := rows.select(pl.len()).collect(engine="streaming").item():
        return int(number)
    first, last = subs.select(first=start.min(), last=start.max()).collect().row(0)
    cover = f"the data cover {first} to {last}" if first else "none starts by the day of the run"
    raise DataError(
        f"{game}: {window.setting} selects no subscription: {why} {window.first} to "
        f"{window.last}; {cover}. Change {window.setting}.start and {window.setting}.end, or "
        "--as-of."
    )
