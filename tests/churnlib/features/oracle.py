"""The features once more, slow and obvious: plain Python over lists of rows."""

import math
from collections.abc import Sequence
from datetime import date
from statistics import fmean, stdev
from typing import Any

import polars as pl

from churnlib.settings import Aggregation, CurrencySettings, Difference

Row = dict[str, Any]

CHARACTER_COLUMNS = ("gender", "race", "class", "territory", "creation_date")
TOTALS = ("total_kills", "total_deaths")


def months(a: date, b: date) -> int:
    """Calendar months from `a` to `b`."""
    return 12 * (b.year - a.year) + b.month - a.month


def month_number(day: date) -> int:
    """Numbers the months one after another."""
    return 12 * day.year + day.month - 1


def month_start(number: int) -> date:
    """The first day of a numbered month."""
    return date(number // 12, number % 12 + 1, 1)


def in_order(rows: Sequence[Row]) -> list[Row]:
    """Sorts subscriptions as the feature tables do."""
    return sorted(
        rows, key=lambda r: (_hash(r["char_id"]), r["char_id"], r["sub_start_date"], r["sub_id"])
    )


def _hash(number: int) -> int:
    """The finalizer of MurmurHash3."""
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        number = ((number ^ number >> 33) * factor) % 2**64
    return number ^ number >> 33


def standard(
    characters: Sequence[Row], subs: Sequence[Row], as_of: date, undated_totals: bool = False
) -> list[Row]:
    """The features that need no currency, one row a subscription."""
    rows = []
    for sub in subs:
        owners = [c for c in characters if c["char_id"] == sub["char_id"]]
        if owners and sub["sub_start_date"] <= as_of:
            own_starts = [s["sub_start_date"] for s in subs if s["char_id"] == sub["char_id"]]
            rows.append(_standard_row(owners[0], sub, own_starts, undated_totals))
    return in_order(rows)


def _standard_row(character: Row, sub: Row, own_starts: list[date], undated_totals: bool) -> Row:
    start, created = sub["sub_start_date"], character["creation_date"]
    mastery = character["class_mastery_date"]
    mastered = mastery is not None and mastery <= start
    earlier = [day for day in own_starts if day < start]
    first = min(own_starts)
    return {
        **sub,
        **{column: character[column] for column in CHARACTER_COLUMNS},
        **({column: character[column] for column in TOTALS} if undated_totals else {}),
        "age_at_sub_months": months(created, start),
        "is_mastered": mastered,
        "months_to_mastery": months(created, mastery) if mastered else None,
        "first_sub_date": first,
        "is_first_sub": start == first,
        "sub_number": 1 + len(earlier),
        "months_since_previous_sub": months(max(earlier), start) if earlier else None,
        "expected_revenue": sub["sub_months"] * sub["price"],
    }


def churned_on(
    sub: Row, misses: Sequence[Row], as_of: date, churn_after_months: int
) -> date | None:
    """The first day after so many missed months in a row, where that day has come."""
    missed = {
        month
        for miss in misses
        if miss["sub_id"] == sub["sub_id"]
        for month in range(month_number(miss["start_date"]), month_number(miss["end_date"]) + 1)
    }
    for month in sorted(missed):
        if all(month + k in missed for k in range(churn_after_months)):
            day = month_start(month + churn_after_months)
            return day if day <= as_of else None
    return None


def label(sub: Row, churn_day: date | None, as_of: date, horizon_months: int) -> int | None:
    """Whether the subscription churned within the horizon; null while that is not known."""
    start = sub["sub_start_date"]
    if months(start, as_of) < horizon_months:
        return None
    return int(churn_day is not None and months(start, churn_day) <= horizon_months)


def currency(sub: Row, rows: Sequence[Row], settings: CurrencySettings, as_of: date) -> Row:
    """The currency features of one subscription."""
    visible = _visible(sub, rows, settings, as_of)
    newest = visible[-1] if visible else None
    features: Row = {column: newest and newest[column] for column in settings.latest}
    features["currency_age_months"] = newest and months(newest["date"], sub["sub_start_date"])
    for wanted in settings.aggregations:
        features |= _aggregations(wanted, visible)
    for asked in settings.differences:
        features |= _differences(asked, visible)
    return features


def _visible(sub: Row, rows: Sequence[Row], settings: CurrencySettings, as_of: date) -> list[Row]:
    start, lookback = sub["sub_start_date"], settings.lookback_months
    seen = [
        dict(row)
        for row in rows
        if row["char_id"] == sub["char_id"]
        and row["date"] <= start
        and row["date"] <= as_of
        and (lookback is None or months(row["date"], start) < lookback)
    ]
    for row in seen:
        for fill in settings.fill_values:
            for column in fill.columns:
                if row[column] is None:
                    row[column] = fill.value
    return sorted(seen, key=lambda row: row["date"])


def _aggregations(wanted: Aggregation, visible: list[Row]) -> Row:
    features: Row = {}
    for column in wanted.columns:
        for function in wanted.functions:
            result = None
            if visible:
                result = _aggregate(function, [row[column] for row in visible])
                if result is None:
                    result = wanted.fill
            features[f"{column}_{function}"] = result
    return features


def _aggregate(function: str, values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if function == "first":
        return values[0]
    if function == "count":
        return len(known)
    if function == "sum":
        return math.fsum(known)
    if function == "std":
        return stdev(known) if len(known) > 1 else None
    if not known:
        return None
    if function == "mean":
        return fmean(known)
    return max(known) if function == "max" else min(known)


def _differences(asked: Difference, visible: list[Row]) -> Row:
    features: Row = {}
    for column in asked.columns:
        for period in asked.periods:
            result = None
            if visible:
                result = _difference(column, period, visible)
                if result is None:
                    result = visible[-1][column] if asked.fill == "self" else asked.fill
            features[f"{column}_diff_{period}"] = result
    return features


def _difference(column: str, period: int, visible: list[Row]) -> float | None:
    newest = visible[-1]
    for row in visible:
        exactly = months(row["date"], newest["date"]) == period
        if exactly and row[column] is not None and newest[column] is not None:
            return float(newest[column] - row[column])
    return None


def assert_rows(found: pl.DataFrame, expected: Sequence[Row]) -> None:
    """Compares a frame with rows: same columns, order and values, floats to a relative 1e-9."""
    rows = found.to_dicts()
    assert [row["sub_id"] for row in rows] == [row["sub_id"] for row in expected]
    for row, wanted in zip(rows, expected, strict=True):
        assert set(row) == set(wanted)
        for column, value in wanted.items():
            assert _same(row[column], value), (
                f"{column} of sub_id {row['sub_id']}: found {row[column]!r}, expected {value!r}"
            )


def _same(found: Any, expected: Any) -> bool:
    if isinstance(found, float) and isinstance(expected, float | int):
        # Amounts have two decimals; below a millionth there is only the rounding of sums.
        return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-6)
    return bool(found == expected)
