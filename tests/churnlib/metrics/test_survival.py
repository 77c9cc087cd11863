"""Survival by tenure: against a slow oracle, published numbers, and known processes."""

from math import exp, log, sqrt
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnlib.metrics.intervals import wilson_interval
from churnlib.metrics.survival import MOST_TERMS, by_tenure, survival

COLUMNS = ("sub_months", "exit", "tenure_months", "subscriptions")
EXITS = ("churned", "ended", "running")
Exit = tuple[str, int]
"""How one subscription left, and when."""


def table(exits: list[Exit], term: int = 12) -> pl.DataFrame:
    rows = [(term, name, tenure, 1) for name, tenure in exits]
    schema = dict(zip(COLUMNS, (pl.Int32, pl.String, pl.Int32, pl.UInt32), strict=True))
    grouped = pl.DataFrame(rows, schema, orient="row").group_by(COLUMNS[:3])
    return grouped.agg(pl.col("subscriptions").sum())


def oracle(exits: list[Exit]) -> list[dict[str, float]]:
    """The estimates of each month, one subscription after the other."""
    months, not_churned, not_ended, running, so_far = [], 1.0, 1.0, 1.0, 0.0
    for month in range(1, max((tenure for _, tenure in exits), default=0) + 1):
        at_risk = sum(tenure >= month for _, tenure in exits)
        churned = exits.count(("churned", month))
        ended = exits.count(("ended", month))
        so_far += running * churned / at_risk
        running *= 1 - (churned + ended) / at_risk
        not_churned *= 1 - churned / at_risk
        not_ended *= 1 - ended / at_risk
        months.append(
            {
                "tenure_months": month,
                "at_risk": at_risk,
                "churned": churned,
                "ended": ended,
                "churn_rate": churned / at_risk,
                "not_churned": not_churned,
                "not_ended": not_ended,
                "churned_so_far": so_far,
            }
        )
    return months


@settings(max_examples=100)
@given(st.lists(st.tuples(st.sampled_from(EXITS), st.integers(0, 9)), max_size=40))
def test_estimates_equal_oracle_and_lie_in_their_intervals(exits: list[Exit]) -> None:
    exits = [(name, tenure) for name, tenure in exits if tenure or name == "running"]
    found = [month.to_json() for month in by_tenure(table(exits))]
    expected = oracle(exits)
    assert len(found) == len(expected)
    for month, known in zip(found, expected, strict=True):
        assert {name: month[name] for name in known} == pytest.approx(known)
        for name, (low, high) in month["intervals"].items():
            assert 0 <= low <= month[name] + 1e-12
            assert month[name] - 1e-12 <= high <= 1


def test_kaplan_meier_of_a_published_example() -> None:
    """Remission in weeks of the 21 patients on 6-mercaptopurine of Freireich et al. 1963."""
    events = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    months = by_tenure(
        table([*(("churned", t) for t in events), *(("running", t) for t in censored)])
    )
    survived = {m.tenure_months: round(m.values["not_churned"], 4) for m in months if m.churned}
    assert survived == {
        6: 0.8571, 7: 0.8067, 10: 0.7529, 13: 0.6902, 16: 0.6275, 22: 0.5378, 23: 0.4482
    }  # fmt: skip
    low, high = months[9].intervals["not_churned"]
    share, error = 0.7529, 0.0963  # The standard error as published.
    half = 1.96 * error / (share * log(share))
    assert (low, high) == pytest.approx((share ** exp(-half), share ** exp(half)), abs=5e-4)


def test_incidence_without_censoring_is_a_binomial_share() -> None:
    exits = (
        [("churned", 2)] * 15 + [("ended", 3)] * 40 + [("churned", 5)] * 10 + [("ended", 6)] * 35
    )
    for month in by_tenure(table(exits)):
        churned = sum(name == "churned" and t <= month.tenure_months for name, t in exits)
        share = churned / 100
        assert month.values["churned_so_far"] == pytest.approx(share)
        if churned:
            error = sqrt(share * (1 - share) / 100)
            half = 1.96 * error / ((1 - share) * -log(1 - share))
            ends = [1 - (1 - share) ** exp(sign * half) for sign in (-1, 1)]
            assert month.intervals["churned_so_far"] == pytest.approx(ends, abs=1e-4)
        assert month.intervals["churn_rate"] == wilson_interval(month.churned, month.at_risk)


def test_intervals_cover_the_truth_of_a_known_process() -> None:
    """Churn of 5 % a month, ends of 8 %, and days of the extract at random: 95 % of 400 draws."""
    rng, draws, size, month = np.random.default_rng(5), 400, 300, 6
    not_churned, running = 0.95**month, 0.87
    so_far = 0.05 * sum(running**at for at in range(month))
    truths = {"not_churned": not_churned, "not_ended": 0.92**month, "churned_so_far": so_far}
    covered = dict.fromkeys(truths, 0)
    for _ in range(draws):
        lasts = rng.geometric(0.13, size)
        seen = rng.integers(1, 15, size)
        names = np.where(rng.random(size) < 0.05 / 0.13, "churned", "ended")
        exits = [
            (str(name), int(last)) if last <= until else ("running", int(until))
            for name, last, until in zip(names, lasts, seen, strict=True)
        ]
        found = by_tenure(table(exits))[month - 1]
        for name, truth in truths.items():
            low, high = found.intervals[name]
            covered[name] += low <= truth <= high
    # not_ended and not_churned: both happen in the same month, of those at risk at its beginning.
    assert all(0.92 < times / draws < 0.98 for times in covered.values()), covered


def test_terms_are_apart_the_most_frequent_ones_in_order() -> None:
    tables = [table([("churned", 1), ("ended", 2), *[("running", 3)] * t], t) for t in range(1, 13)]
    found: dict[str, Any] = survival(pl.concat(tables), 2)
    assert found["subscriptions"] == sum(2 + t for t in range(1, 13))
    assert [term["sub_months"] for term in found["terms"]] == [*range(3, 13)]
    assert len(found["terms"]) == MOST_TERMS
    first = found["terms"][0]
    assert first["subscriptions"] == 5
    assert first["within_horizon"] == pytest.approx(1 / 5)
    longer = survival(table([("churned", 1), ("churned", 5), *[("running", 6)] * 2], 12), 3)
    (term,) = longer["terms"]
    assert (term["within_horizon"], term["in_all"]) == pytest.approx((0.25, 0.5))
    low, high = term["intervals"]["in_all"]
    assert low < 0.5 < high


def test_nothing_is_known_without_a_month_that_is_over() -> None:
    for exits in ([], [("running", 0)]):
        assert survival(table(exits), 6)["months"] == []
    (term,) = survival(table([("running", 0)]), 6)["terms"]
    assert term["within_horizon"] is term["intervals"]["in_all"] is None
