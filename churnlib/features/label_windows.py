"""Training windows and horizons for which the data have labels of both outcomes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import polars as pl

from churnlib.months import last_day, month_index, months_apart, months_from, shift_months
from churnlib.schemas.columns import day_column
from churnlib.schemas.validation import require

ENOUGH = 30
"""The number of each outcome from which a window is good enough to suggest."""


@dataclass(frozen=True)
class LabelWindow:
    """A training window and a horizon, with the outcomes that are known.

    Attributes:
        horizon_months: The horizon.
        first: The first day of the window.
        last: The last day of the window.
        churned: The number of subscriptions with the label 1.
        stayed: The number of subscriptions with the label 0.
    """

    horizon_months: int
    first: date
    last: date
    churned: int
    stayed: int


def churn_by_months(subs: pl.LazyFrame, *, as_of: date) -> pl.LazyFrame:
    """Counts rows by the month of their day and the months until they churned.

    Args:
        subs: Rows of a cohort, with `day` and `churned_on`; or one row per subscription, whose day
            is `sub_start_date`.
        as_of: The day of the run; later rows are left out, and later churn is not known. Churn up
            to the day does not count, as in the label.

    Returns:
        One row per combination: `start_months`, calendar months from the day to `as_of`;
        `churn_months`, from the day to the churn, null without churn; and `subscriptions`.

    Raises:
        DataError: A column is missing.
    """
    columns = subs.collect_schema()
    require(columns, (day_column(columns), "churned_on"), "the subscriptions")
    start, churned_on = pl.col(day_column(columns)), pl.col("churned_on")
    known = pl.when((churned_on <= as_of) & (churned_on > start)).then(churned_on)
    return (
        subs.filter(start <= as_of)
        .group_by(
            start_months=months_from(start, pl.lit(as_of)),
            churn_months=month_index(known) - month_index(start),
        )
        .agg(subscriptions=pl.len())
        .sort("start_months", "churn_months")
    )


def suggest_label_window(
    counts: pl.DataFrame, *, as_of: date, horizon_months: int, score_start: date
) -> LabelWindow | None:
    """Finds a training window with both outcomes whose labels are known before a back-test starts.

    The window reaches from the first subscription to the last whose label is known by then.

    Args:
        counts: The rows of `churn_by_months`.
        as_of: The day of the run.
        horizon_months: The horizon to stay close to.
        score_start: The first day of the scoring window.

    Returns:
        The window with the nearest horizon that has at least `ENOUGH` subscriptions of either
        outcome; else that with the most of the rarer outcome; None if each has one outcome only.
    """
    windows = list(_label_windows(counts, as_of, score_start))
    windows.sort(key=lambda window: abs(window.horizon_months - horizon_months))
    rarer = [min(window.churned, window.stayed) for window in windows]
    if not any(rarer):
        return None
    enough = (i for i, number in enumerate(rarer) if number >= ENOUGH)
    return windows[next(enough, rarer.index(max(rarer)))]


def _label_windows(counts: pl.DataFrame, as_of: date, score_start: date) -> Iterator[LabelWindow]:
    """Yields the longest window of each horizon within which a subscription churned."""
    month = as_of.replace(day=1)
    oldest: int = counts["start_months"].to_list()[-1] if len(counts) else -1
    since_score = months_apart(score_start, month)
    for horizon in counts["churn_months"].drop_nulls().unique().sort():
        newest = since_score + horizon
        if horizon < 1 or newest > oldest:
            continue
        rows = counts.filter(pl.col("start_months") >= newest)
        churned = int(rows.filter(pl.col("churn_months") <= horizon)["subscriptions"].sum())
        yield LabelWindow(
            horizon_months=horizon,
            first=shift_months(month, -oldest),
            last=last_day(shift_months(month, -newest)),
            churned=churned,
            stayed=int(rows["subscriptions"].sum()) - churned,
        )
