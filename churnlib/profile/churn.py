"""How many subscriptions of a game churn: by month of start, by months since it, and in windows."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import get_args

import polars as pl

from churnlib.features.cohort_rows import rows_on_days
from churnlib.features.label_windows import churn_by_months, suggest_label_window
from churnlib.features.outcome import add_churned_on, add_label, is_at_risk
from churnlib.months import first_day
from churnlib.schemas.columns import LABEL, SUB_MONTHS, SUB_START_DATE
from churnlib.settings import Settings, WindowName

MOST_MONTHS = 36
"""The number of months since the start up to which churn is shown."""


@dataclass(frozen=True)
class Outcomes:
    """What became of some subscriptions.

    Attributes:
        started: How many there are.
        at_risk: How many of them can churn.
        labelled: How many of these have a label, because the horizon is over.
        churned: How many of these churned within the horizon.
    """

    started: int
    at_risk: int
    labelled: int
    churned: int


@dataclass(frozen=True)
class Survival:
    """Churn up to some months after the start.

    Attributes:
        months: The months.
        known: The subscriptions at risk that started at least so long ago.
        churned: How many of them had churned by then.
    """

    months: int
    known: int
    churned: int


@dataclass(frozen=True)
class WindowFit:
    """A window of subscription starts, and what the data have in it.

    Attributes:
        name: The flow that uses it.
        first: The first day.
        last: The last day.
        outcomes: The subscriptions that it selects.
        problem: Why a run would be refused; empty if it would not.
    """

    name: WindowName
    first: date
    last: date
    outcomes: Outcomes
    problem: str = ""


@dataclass(frozen=True)
class ChurnProfile:
    """The churn of a game as of a day.

    Attributes:
        total: All subscriptions that had started.
        by_month: The same by the month of their start.
        by_age: Churn by months since the start.
        windows: The windows of the settings.
    """

    total: Outcomes
    by_month: dict[date, Outcomes]
    by_age: tuple[Survival, ...]
    windows: tuple[WindowFit, ...]


def profile_churn(
    subs: pl.LazyFrame, misses: pl.LazyFrame, settings: Settings, as_of: date
) -> ChurnProfile:
    """Counts subscriptions and churn as of a day.

    Args:
        subs: The checked subscriptions.
        misses: The checked misses.
        settings: The windows, and what churn is.
        as_of: The day; later subscriptions and misses do not count.
    """
    missed, horizon = settings.outcome, settings.horizon_months
    rows = (
        subs.filter(pl.col(SUB_START_DATE) <= as_of)
        .pipe(add_churned_on, misses, as_of=as_of, outcome=missed)
        .pipe(add_label, as_of=as_of, horizon_months=horizon, outcome=missed)
        .select(SUB_START_DATE, SUB_MONTHS, "churned_on", LABEL, at_risk=is_at_risk(missed))
        .collect(engine="streaming")
    )
    month = pl.col(SUB_START_DATE).dt.truncate("1mo")
    counted = rows.group_by(month).agg(_counts()).sort(SUB_START_DATE)
    ages = churn_by_months(rows.lazy().filter("at_risk"), as_of=as_of).collect()
    windows = (_fit(name, rows.lazy(), settings, as_of) for name in get_args(WindowName))
    return ChurnProfile(
        total=_outcomes(rows),
        by_month={first: Outcomes(*counts) for first, *counts in counted.iter_rows()},
        by_age=tuple(_by_age(ages)),
        windows=tuple(windows),
    )


def _counts() -> list[pl.Expr]:
    label = pl.col(LABEL)
    return [
        pl.len().alias("started"),
        pl.col("at_risk").sum(),
        label.count().alias("labelled"),
        label.cast(pl.Int64).sum().alias("churned"),
    ]


def _outcomes(rows: pl.DataFrame) -> Outcomes:
    return Outcomes(*rows.select(_counts()).row(0))


def _by_age(ages: pl.DataFrame) -> Iterator[Survival]:
    """Counts churn up to each number of months since the start, as long as any is known."""
    oldest = ages["start_months"].max()
    if not isinstance(oldest, int):
        return
    for months in range(1, min(oldest, MOST_MONTHS) + 1):
        known = ages.filter(pl.col("start_months") >= months)
        churned = known.filter(pl.col("churn_months") <= months)
        yield Survival(months, _total(known), _total(churned))


def _total(counts: pl.DataFrame) -> int:
    return int(counts["subscriptions"].sum())


def _fit(name: WindowName, subs: pl.LazyFrame, settings: Settings, as_of: date) -> WindowFit:
    first, last = getattr(settings.windows, name).span(as_of)
    if first > last:
        return WindowFit(name, first, last, Outcomes(0, 0, 0, 0), "it ends before it starts")
    rows = rows_on_days(subs, settings.cohort, as_of=as_of, span=(first, last)).pipe(
        add_label, as_of=as_of, horizon_months=settings.horizon_months, outcome=settings.outcome
    )
    found = _outcomes(rows.select("at_risk", LABEL).collect(engine="streaming"))
    problem = _problem(name, found, settings)
    if problem and name == "train" and found.started:
        problem = f"{problem}; {_suggestion(subs, settings, as_of)}"
    return WindowFit(name, first, last, found, problem)


def _problem(name: WindowName, found: Outcomes, settings: Settings) -> str:
    """Why a flow would refuse its window; empty if it would not."""
    if not found.started:
        return "it selects no subscription"
    if not found.at_risk:
        return f"none of its subscriptions can churn: {settings.outcome.why_not_at_risk}"
    if name == "train" and found.churned in (0, found.labelled):
        if not found.labelled:
            return "no label is known yet, so no model can be fitted"
        which = "all" if found.churned else "none"
        return (
            f"{which} of its {found.labelled:,} known labels are churn, so no model can be fitted"
        )
    return ""


def _suggestion(subs: pl.LazyFrame, settings: Settings, as_of: date) -> str:
    """Which window and horizon have labels of both outcomes."""
    rows = rows_on_days(subs.filter("at_risk"), settings.cohort, as_of=as_of)
    ages = churn_by_months(rows, as_of=as_of).collect(engine="streaming")
    score = settings.windows.score.span(as_of)[0]
    window = suggest_label_window(
        ages, as_of=as_of, horizon_months=settings.horizon_months, score_start=score
    )
    if window is None:
        return "no window and horizon have both outcomes before windows.score"
    return (
        f"{_days(settings)} from {first_day(window.first)} to {window.last} with horizon_months = "
        f"{window.horizon_months} have {window.churned:,} churned of "
        f"{window.churned + window.stayed:,}"
    )


def _days(settings: Settings) -> str:
    return "months" if settings.cohort.is_monthly else "starts"
