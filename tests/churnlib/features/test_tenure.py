"""How long subscriptions ran, and how that ended: against an oracle, and by examples."""

from collections import Counter
from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnlib.errors import DataError
from churnlib.features.tenure import exits_by_tenure
from churnlib.settings.outcome import OutcomeSettings
from tests.churnlib.features.strategies import as_of_days, examples

SCHEMA = {
    "sub_start_date": pl.Date,
    "sub_months": pl.Int32,
    "churned_on": pl.Date,
}
Sub = tuple[date, int, date | None]
days = st.dates(date(2023, 1, 1), date(2025, 3, 31))
subs = st.lists(
    st.tuples(days, st.integers(0, 14), st.none() | days.map(lambda d: d.replace(day=1)))
)
outcomes = st.builds(
    OutcomeSettings, missed_months=st.just(3), not_renewed_months=st.sampled_from((None, 1, 2))
)


def exits(rows: list[Sub], outcome: OutcomeSettings, as_of: date) -> Counter[tuple[int, str, int]]:
    frame = pl.LazyFrame(rows, SCHEMA, orient="row")
    found = exits_by_tenure(frame, outcome, as_of=as_of).collect()
    columns = ("sub_months", "exit", "tenure_months", "subscriptions")
    counts = [(row[:3], row[3]) for row in found.select(columns).iter_rows()]
    assert len(dict(counts)) == len(counts)
    return Counter(dict(counts))


def exit_of(sub: Sub, outcome: OutcomeSettings, as_of: date) -> tuple[int, str, int] | None:
    """Walks from month to month, as long as the month of tenure is over."""
    start, term, churned_on = sub
    least = 0 if outcome.not_renewed_months else 3
    if start > as_of or term < max(least, 1):
        return None
    churn = None if churned_on is None else apart(start, churned_on)
    if churn is not None and churn <= 0:
        return None
    end, tenure = term + (outcome.not_renewed_months or 0), 0
    while month_over(start, tenure + 1) <= as_of:
        tenure += 1
        if tenure == churn:
            return term, "churned", tenure
        if tenure == end and not (churn and month_over(start, churn) <= as_of):
            return term, "ended", tenure
    return term, "running", tenure


def apart(start: date, end: date) -> int:
    return 12 * (end.year - start.year) + end.month - start.month


def month_over(start: date, tenure: int) -> date:
    """The day on which so many months of tenure are over."""
    index = 12 * start.year + start.month - 1 + tenure
    for day in range(start.day, 0, -1):
        try:
            return date(index // 12, index % 12 + 1, day)
        except ValueError:
            continue
    raise AssertionError


@examples(200)
@given(subs, outcomes, as_of_days)
def test_exits_equal_oracle(rows: list[Sub], outcome: OutcomeSettings, as_of: date) -> None:
    known = [(s, t, c if c and c <= as_of else None) for s, t, c in rows]
    expected = Counter(filter(None, (exit_of(sub, outcome, as_of) for sub in known)))
    assert exits(known, outcome, as_of) == expected


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        (date(2024, 5, 31), (6, "running", 3)),  # A month of tenure is over on the 10th.
        (date(2024, 6, 9), (6, "running", 3)),
        (date(2024, 6, 10), (6, "churned", 4)),
        (date(2030, 1, 1), (6, "churned", 4)),
    ],
)
def test_churn_counts_once_its_month_of_tenure_is_over(
    as_of: date, expected: tuple[int, str, int]
) -> None:
    sub = date(2024, 2, 10), 6, date(2024, 6, 1)
    assert exits([sub], OutcomeSettings(), as_of) == {expected: 1}


def test_a_term_ends_once_it_can_no_longer_turn_out_as_churn() -> None:
    sub, as_of = (date(2024, 1, 31), 1, None), date(2024, 3, 30)
    assert exits([sub], OutcomeSettings(not_renewed_months=1), as_of) == {(1, "running", 1): 1}
    as_of = date(2024, 3, 31)
    assert exits([sub], OutcomeSettings(not_renewed_months=1), as_of) == {(1, "ended", 2): 1}
    assert not exits([sub], OutcomeSettings(), as_of)  # It cannot churn.


def test_missing_columns_are_named() -> None:
    with pytest.raises(DataError, match="churned_on"):
        frame = pl.LazyFrame(schema={"sub_start_date": pl.Date, "sub_months": pl.Int32})
        exits_by_tenure(frame, OutcomeSettings(), as_of=date(2025, 1, 1))
