"""The windows and the horizon that the data of a new game can carry."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import product
from typing import Any

import polars as pl

from churnlib.features.label_windows import churn_by_months
from churnlib.features.outcome import add_churned_on, is_at_risk
from churnlib.months import first_day, shift_months
from churnlib.proposal.columns import File
from churnlib.proposal.tables import Roles, Table
from churnlib.raw.availability import latest_arrival, latest_start, rows_by_month
from churnlib.settings import Settings
from churnlib.settings.outcome import OutcomeSettings
from churnlib.settings.windows import WindowName

SCORE_MONTHS = {3: 0, 6: 2, 12: 5}
"""The lengths of scoring windows that are tried, and how many months of another horizon each costs.
"""
LONGEST_HORIZON = 12
MOST_TRAIN_MONTHS = 60


@dataclass(frozen=True)
class Tried:
    """Windows for a horizon, in months before that of the run's day, with the known outcomes.

    Attributes:
        horizon_months: The horizon.
        train: The first and the last month of the training window.
        score: Those of the scoring window.
        churned: The number that churned, of the training and of the scoring window.
        stayed: The number that did not.
    """

    horizon_months: int
    train: tuple[int, int]
    score: tuple[int, int]
    churned: tuple[int, int]
    stayed: tuple[int, int]

    @property
    def rarer(self) -> int:
        """The least number of an outcome in a window."""
        return min(*self.churned, *self.stayed)

    @property
    def settings(self) -> dict[WindowName, dict[str, int]]:
        """The windows as in the settings: the batch that is scored is the newest with labels."""
        oldest, newest = self.train
        batch = -(self.horizon_months + 1)
        return {
            "train": {"start": -oldest, "end": -newest},
            "score": {"start": -self.score[0], "end": -self.score[1]},
            "batch_score": {"start": batch, "end": batch},
        }


@dataclass(frozen=True)
class Fitting:
    """The windows that fit the data.

    Attributes:
        as_of: The day of a run that names none; None if there are no rows to derive it from.
        subscriptions: The number of subscriptions that had started by then.
        chosen: The windows; None if none has both outcomes.
        tried: All that were tried.
    """

    as_of: date | None
    subscriptions: int = 0
    chosen: Tried | None = None
    tried: tuple[Tried, ...] = ()


def fit_windows(roles: Roles, base: Settings) -> Fitting:
    """Finds a horizon and windows in which enough subscriptions churned, and enough did not.

    They are as near to those that all games share as the data allow: first the horizon, then the
    length of the training window.

    Args:
        roles: The tables of the game.
        base: The settings that all games share.
    """
    subs = next(iter(roles.of_kind("subscriptions")), None)
    needed = ("sub_id", "sub_start_date", "sub_months")
    if subs is None or any(role not in subs.roles for role in needed):
        return Fitting(None)
    as_of = _as_of(roles, subs, base)
    if as_of is None:
        return Fitting(None)
    churned = _with_churned_on(roles, subs, as_of, base.outcome)
    counts = churn_by_months(churned, as_of=as_of).collect()
    tried = tuple(_all_windows(counts, base))
    enough = base.champion.min_outcomes
    best = max(tried, key=lambda each: min(each.rarer, enough), default=None)  # the first of equal
    chosen = best if best is not None and best.rarer > 0 else None
    return Fitting(as_of, int(counts["subscriptions"].sum()), chosen, tried)


def first_start(roles: Roles) -> date | None:
    """The start of the first subscription."""
    for subs in roles.of_kind("subscriptions"):
        if "sub_start_date" in subs.roles:
            first = subs.roles["sub_start_date"].least
            return first if first is None or type(first) is date else first.date()
    return None


def _as_of(roles: Roles, subs: Table, base: Settings) -> date | None:
    """The day of a run that names none; see `churnlib.raw.availability.default_day`."""
    share = base.raw.arrived_share
    arrivals = [
        latest_arrival(_rows_by_month(table.file, table.roles["date"].name), share)
        for table in roles.of_kind("history")
    ]
    if arrivals:
        return min((arrival.month for arrival in arrivals if arrival), default=None)
    start = latest_start(_rows_by_month(subs.file, subs.roles["sub_start_date"].name), share)
    return shift_months(start.month, 1) if start else None


def _rows_by_month(file: File, day: str) -> Mapping[date, int]:
    month = pl.col(day).dt.truncate("1mo").alias("month")
    counts = file.frame.select(month).drop_nulls().group_by("month").len().collect()
    return rows_by_month({first_day(day): count for day, count in counts.iter_rows()})


def _with_churned_on(
    roles: Roles, subs: Table, as_of: date, outcome: OutcomeSettings
) -> pl.LazyFrame:
    """The subscriptions that can churn, with the day on which they did."""
    rows = _renamed(subs).drop_nulls().filter(is_at_risk(outcome))
    misses = next(iter(roles.of_kind("misses")), None)
    if misses is None or not {"start_date", "end_date"} <= misses.roles.keys():
        return rows.with_columns(churned_on=pl.lit(None, pl.Date))
    runs = _renamed(misses).drop_nulls(["sub_id", "start_date"]).sort("sub_id")
    return add_churned_on(rows, runs, outcome, as_of=as_of)


def _renamed(table: Table) -> pl.LazyFrame:
    """The columns of a table that have a role, under the names of these."""
    named = {role: column.name for role, column in table.roles.items()}
    return table.file.frame.select(pl.col(name).alias(role) for role, name in named.items())


def _all_windows(counts: pl.DataFrame, base: Settings) -> Iterator[Tried]:
    """Yields the windows to choose from, the preferred first."""
    usual = _length(base.windows.train)
    oldest = int(counts["start_months"].to_list()[-1]) if len(counts) else 0
    for horizon, length in _by_preference(base):
        newest = 2 * horizon + length - 1
        if newest + base.train.validation_months > oldest:
            continue
        for months in (usual, min(MOST_TRAIN_MONTHS, oldest - newest + 1)):
            first = min(newest + months - 1, oldest)
            yield _outcomes(counts, horizon, (first, newest), (horizon + length - 1, horizon))
            if first == oldest:
                break


def _by_preference(base: Settings) -> list[tuple[int, int]]:
    """The horizons, each with the lengths of scoring windows, the preferred first."""
    horizons = range(max(1, base.outcome.least_months), LONGEST_HORIZON + 1)

    def cost(pair: tuple[int, int]) -> tuple[int, int, int]:
        away = abs(pair[0] - base.horizon_months)
        return away + SCORE_MONTHS[pair[1]], away, pair[0]

    return sorted(product(horizons, SCORE_MONTHS), key=cost)


def _length(window: Any) -> int:
    first, last = window.start, window.end
    return last - first + 1 if isinstance(first, int) and isinstance(last, int) else 18


def _outcomes(
    counts: pl.DataFrame, horizon: int, train: tuple[int, int], score: tuple[int, int]
) -> Tried:
    months, churn, number = pl.col("start_months"), pl.col("churn_months"), pl.col("subscriptions")
    churned, stayed = [], []
    for oldest, newest in (train, score):
        rows = counts.filter(months.is_between(newest, oldest))
        total = int(rows["subscriptions"].sum())
        of_these = int(rows.filter(churn <= horizon).select(number.sum()).item())
        churned.append(of_these)
        stayed.append(total - of_these)
    return Tried(horizon, train, score, (churned[0], churned[1]), (stayed[0], stayed[1]))
