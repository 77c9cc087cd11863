"""The features computed once more, slowly and obviously: plain Python over lists of rows.

Whatever the settings can ask for and this module does not compute is an error: a new aggregation
function or a new setting must be written here a second time, from its definition.
"""

import math
from calendar import monthrange
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from fractions import Fraction
from statistics import fmean, median, stdev
from typing import Any

import polars as pl
from pydantic import BaseModel

from churnlib.settings.history_features import (
    Aggregation,
    Difference,
    Fill,
    HistoryFeatures,
    HistoryFunction,
)
from churnlib.settings.outcome import OutcomeSettings
from tests.base import raw_tables

UNDATED = raw_tables().characters.of_kind("undated")

Row = dict[str, Any]


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
    return sorted(rows, key=lambda r: (r["char_id"], r["sub_start_date"], r["sub_id"]))


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
    earlier = [day for day in own_starts if day < start]
    first = min(own_starts)
    return {
        **sub,
        **_lasting_facts(character, undated_totals),
        "age_at_sub_months": None if created > start else months(created, start),
        **_mastery(character, start),
        "first_sub_date": first,
        "is_first_sub": start == first,
        "sub_number": 1 + len(earlier),
        "months_since_previous_sub": months(max(earlier), start) if earlier else None,
        "expected_revenue": sub["sub_months"] * sub["price"],
    }


def _mastery(character: Row, day: date) -> Row:
    """Whether a character was a master by a day, and after how many months."""
    created, mastery = character["creation_date"], character["class_mastery_date"]
    mastered: bool | None = mastery is not None and mastery <= day
    if mastered and mastery < created:
        mastered = None
    return {
        "is_mastered": mastered,
        "months_to_mastery": months(created, mastery) if mastered else None,
    }


def _lasting_facts(character: Row, undated_totals: bool) -> Row:
    """What is known of a character at any time, and its totals if asked for."""
    apart = {"class_mastery_date"} if undated_totals else {"class_mastery_date", *UNDATED}
    return {column: value for column, value in character.items() if column not in apart}


def churned_on(
    sub: Row, subs: Sequence[Row], misses: Sequence[Row], outcome: OutcomeSettings, as_of: date
) -> date | None:
    """The first day of a month on which a subscription has churned, up to a day."""
    others = [
        other
        for other in subs
        if other["char_id"] == sub["char_id"] and other["sub_id"] != sub["sub_id"]
    ]
    for month in range(month_number(FIRST_DAY), month_number(as_of) + 1):
        day = month_start(month)
        before = day - timedelta(days=1)
        missed = _has_missed(sub, misses, outcome.missed_months, month, as_of)
        ended = _has_ended(sub, others, outcome.not_renewed_months, month)
        if outcome.of == "character":
            missed = missed and not any(
                runs_on(other, d) for other in others for d in (before, day)
            )
            ended = ended and not any(runs_on(other, day) for other in others)
        if day <= as_of and (missed or ended):
            return day
    return None


FIRST_DAY = date(2010, 1, 1)
"""A day before all of the data."""


def _has_missed(
    sub: Row, misses: Sequence[Row], months: int | None, month: int, as_of: date
) -> bool:
    """Whether a subscription missed the months before a month."""
    missed = {
        month
        for miss in misses
        if miss["sub_id"] == sub["sub_id"]
        for month in range(month_number(miss["start_date"]), month_after(miss, as_of))
    }
    return months is not None and all(month - 1 - k in missed for k in range(months))


def _has_ended(sub: Row, others: Sequence[Row], months: int | None, month: int) -> bool:
    """Whether a subscription ended some months before a month, and was not renewed."""
    end = month_number(sub["sub_start_date"]) + sub["sub_months"]
    if months is None or month < end + months:
        return False
    starts = [s["sub_start_date"] for s in others if s["sub_start_date"] > sub["sub_start_date"]]
    return not any(end - months <= month_number(start) < end + months for start in starts)


def runs_on(sub: Row, day: date) -> bool:
    """Whether the term of a subscription has begun and not ended."""
    start = sub["sub_start_date"]
    first = month_start(month_number(start) + sub["sub_months"])
    length = monthrange(first.year, first.month)[1]
    ends_on = first.replace(day=min(start.day, length))
    return bool(start <= day < ends_on)


def month_after(miss: Row, as_of: date) -> int:
    """The month after the last one of a run that is known; a run without an end goes on."""
    if miss["end_date"] is None:
        return month_number(as_of)
    return month_number(miss["end_date"]) + 1


def monthly(
    rows: Sequence[Row], characters: Sequence[Row], misses: Sequence[Row], as_of: date
) -> list[Row]:
    """The rows of running subscriptions, with what was known on the first day of each month.

    Args:
        rows: Standard features, each with `churned_on` as known on the day of the run.
        characters: All characters.
        misses: All misses.
        as_of: The day of the run.
    """
    found = []
    for sub in rows:
        (character,) = (c for c in characters if c["char_id"] == sub["char_id"])
        for month in range(month_number(FIRST_DAY), month_number(as_of) + 1):
            day = month_start(month)
            churned = sub["churned_on"] is not None and sub["churned_on"] <= day
            if runs_on(sub, day) and not churned:
                tenure = months(sub["sub_start_date"], day)
                found.append(
                    {
                        **sub,
                        **_mastery(character, day),
                        "day": day,
                        "tenure_months": tenure,
                        "months_left": sub["sub_months"] - tenure,
                        **_missed_months(sub, misses, day, as_of),
                        **previous(sub, rows, day),
                    }
                )
    return found


def _missed_months(sub: Row, misses: Sequence[Row], day: date, as_of: date) -> Row:
    """The missed months of a subscription that are over by a day."""
    missed = {
        month
        for miss in misses
        if miss["sub_id"] == sub["sub_id"]
        for month in range(month_number(miss["start_date"]), month_after(miss, as_of))
        if month_number(sub["sub_start_date"]) <= month < month_number(day)
    }
    in_a_row = 0
    while month_number(day) - 1 - in_a_row in missed:
        in_a_row += 1
    return {
        "months_missed": len(missed),
        "months_missed_in_a_row": in_a_row,
        "months_since_miss": month_number(day) - max(missed) if missed else None,
    }


def previous(sub: Row, rows: Sequence[Row], day: date) -> Row:
    """Whether the character's subscription before one had churned by a day."""
    own = [row for row in rows if row["char_id"] == sub["char_id"]]
    starts = [s["sub_start_date"] for s in own if s["sub_start_date"] < sub["sub_start_date"]]
    churned = [
        row["churned_on"] is not None and row["churned_on"] <= day
        for row in own
        if starts and row["sub_start_date"] == max(starts)
    ]
    return {"previous_sub_churned": any(churned) if churned else None}


def label(
    sub: Row,
    churn_day: date | None,
    as_of: date,
    horizon_months: int,
    outcome: OutcomeSettings | None = None,
) -> int | None:
    """Whether the subscription churned within the horizon; None while that is not known.

    None as well if it is too short to miss enough months in a row.
    """
    start = sub["sub_start_date"]
    missed = outcome and outcome.not_renewed_months is None and outcome.missed_months
    if missed and sub["sub_months"] < missed:
        return None
    if months(start, as_of) < horizon_months:
        return None
    if churn_day is None or churn_day <= start:
        return 0
    return int(months(start, churn_day) <= horizon_months)


def currency(
    sub: Row,
    rows: Sequence[Row],
    settings: HistoryFeatures,
    as_of: date,
    known_after_days: int = 0,
) -> Row:
    """The currency features of one subscription."""
    _check_fields()
    visible = _visible(sub, rows, settings, as_of, known_after_days)
    newest = visible[-1] if visible else None
    features: Row = {column: newest and newest[column] for column in settings.latest}
    for column in settings.latest_known:
        known = [row[column] for row in visible if row[column] is not None]
        features[column] = known[-1] if known else None
    features["currency_age_months"] = newest and months(newest["date"], sub["sub_start_date"])
    for aggregation in settings.aggregations:
        lookback = aggregation.lookback_months
        own = (
            settings
            if lookback is None
            else settings.model_copy(update={"lookback_months": lookback})
        )
        recent = _visible(sub, rows, own, as_of, known_after_days)
        features |= _aggregations(aggregation, recent)
    for difference in settings.differences:
        features |= _differences(difference, visible)
    return features


FIELDS: dict[type[BaseModel], set[str]] = {
    HistoryFeatures: {
        *("lookback_months", "fill_values", "latest", "latest_known", "aggregations"),
        "differences",
    },
    Fill: {"columns", "value"},
    Aggregation: {"columns", "functions", "fill", "lookback_months"},
    Difference: {"columns", "periods", "fill"},
}
"""The settings that the oracle follows."""


def _check_fields() -> None:
    for model, fields in FIELDS.items():
        if unknown := sorted(set(model.model_fields) - fields):
            raise NotImplementedError(f"the oracle ignores {unknown} of {model.__name__}")


def _visible(
    sub: Row,
    rows: Sequence[Row],
    settings: HistoryFeatures,
    as_of: date,
    known_after_days: int,
) -> list[Row]:
    start, lookback = sub["sub_start_date"], settings.lookback_months
    delay = timedelta(days=known_after_days)
    visible = [
        dict(row)
        for row in rows
        if row["char_id"] == sub["char_id"]
        and row["date"] + delay <= start
        and row["date"] + delay <= as_of
        and (lookback is None or months(row["date"], start) < lookback)
    ]
    for row in visible:
        for fill in settings.fill_values:
            for column in fill.columns:
                if row[column] is None:
                    row[column] = fill.value
    return sorted(visible, key=lambda row: row["date"])


def _aggregations(aggregation: Aggregation, visible: list[Row]) -> Row:
    features: Row = {}
    lookback = aggregation.lookback_months
    months = "" if lookback is None else f"_{lookback}mo"
    for column in aggregation.columns:
        for function in aggregation.functions:
            result = None
            if visible:
                result = _aggregate(function, column, visible)
                if result is None:
                    result = aggregation.fill
            features[f"{column}_{function}{months}"] = result
    return features


def _aggregate(function: HistoryFunction, column: str, visible: list[Row]) -> float | None:
    """An aggregation of the values of all visible rows, oldest first."""
    if function == "first":
        first: float | None = visible[0][column]
        return first
    rows = [row for row in visible if row[column] is not None]
    known = [row[column] for row in rows]
    if function == "slope":
        return slope([_time(row["date"]) for row in rows], known)
    if function not in AGGREGATIONS:
        raise NotImplementedError(f"the oracle does not know the aggregation function '{function}'")
    fewest, aggregate = AGGREGATIONS[function]
    return aggregate(known) if len(known) >= fewest else None


def _time(day: date) -> Fraction:
    """A day in months: its calendar month, and the part of it before the day."""
    length = monthrange(day.year, day.month)[1]
    return month_number(day) + Fraction(day.day - 1, length)


def slope(times: Sequence[Fraction], values: Sequence[float | Fraction]) -> float | None:
    """The slope of the line of least squares, in exact arithmetic."""
    if len({*times}) < 2:
        return None
    exact = [Fraction(value) for value in values]
    middle, level = sum(times) / len(times), sum(exact) / len(exact)
    products = ((t - middle) * (v - level) for t, v in zip(times, exact, strict=True))
    return float(sum(products) / sum((t - middle) ** 2 for t in times))


AGGREGATIONS: dict[str, tuple[int, Callable[[list[float]], float]]] = {
    "count": (0, len),
    "sum": (0, math.fsum),
    "mean": (1, fmean),
    "min": (1, min),
    "max": (1, max),
    "median": (1, median),
    "std": (2, stdev),
}
"""How values are aggregated that are not null, and how many there must be."""


def _differences(difference: Difference, visible: list[Row]) -> Row:
    features: Row = {}
    for column in difference.columns:
        for period in difference.periods:
            result = None
            if visible:
                result = _difference(column, period, visible)
                if result is None:
                    result = visible[-1][column] if difference.fill == "self" else difference.fill
            features[f"{column}_diff_{period}"] = result
    return features


def _difference(column: str, period: int, visible: list[Row]) -> float | None:
    newest = visible[-1]
    then = month_start(month_number(newest["date"]) - period)
    last = monthrange(then.year, then.month)[1]
    for row in visible:
        exactly = row["date"] == then.replace(day=min(newest["date"].day, last))
        if exactly and row[column] is not None and newest[column] is not None:
            return float(newest[column] - row[column])
    return None


def assert_rows(actual: pl.DataFrame, expected: Sequence[Row]) -> None:
    """Compares a frame with rows: same columns, order and values, floats to a relative 1e-9."""
    rows = actual.to_dicts()
    assert [row["sub_id"] for row in rows] == [row["sub_id"] for row in expected]
    for row, expected_row in zip(rows, expected, strict=True):
        assert set(row) == set(expected_row)
        for column, value in expected_row.items():
            assert _equal(row[column], value), (
                f"{column} of sub_id {row['sub_id']}: found {row[column]!r}, expected {value!r}"
            )


def _equal(actual: Any, expected: Any) -> bool:
    if isinstance(actual, float) and isinstance(expected, float | int):
        # Amounts have two decimals; below a millionth there is only the rounding of sums.
        return math.isclose(actual, expected, rel_tol=1e-9, abs_tol=1e-6)
    return bool(actual == expected)
