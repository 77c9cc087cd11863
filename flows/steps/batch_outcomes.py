"""The predictions of a batch beside the outcomes of its rows."""

import polars as pl

from churnlib.errors import DataError
from churnlib.features.cohort_rows import in_window, rows_on_days
from churnlib.features.outcome import add_label, is_at_risk
from churnlib.io import datasets
from churnlib.io.datasets import DatasetRef
from churnlib.report.formatting import counted
from churnlib.schemas.columns import (
    DAY,
    LABEL,
    PROBABILITY,
    SEGMENTS_BY_MONTH,
    SUB_ID,
    SUB_START_DATE,
    day_column,
)
from churnlib.settings import CohortSettings, EvaluationSettings
from flows.steps.at_risk import count_by_group
from flows.steps.reports import ScoreContext
from flows.steps.run import SubscriptionWindow
from flows.steps.window_features import check_selects_any, known_subs


def with_outcomes(
    standard: DatasetRef, predictions: DatasetRef, context: ScoreContext
) -> pl.DataFrame:
    """Joins the predictions of a window with the labels of its subscriptions, in full.

    Raises:
        DataError: The window selects no subscription, or none that can churn.
    """
    window, row = context.window, (SUB_ID, DAY)
    segments = {*SEGMENTS_BY_MONTH, *context.evaluation.segment_columns}
    subs = known_subs(datasets.scan(standard), window.as_of)
    check_selects_any(subs, window, standard.game, context.cohort)
    at_risk = is_at_risk(context.outcome)
    rows = rows_of(standard, window, context.cohort)
    wanted = {*row, "is_first_sub", LABEL, *segments.intersection(rows.collect_schema())}
    outcomes = add_label(rows, as_of=window.as_of, horizon_months=context.horizon_months).select(
        sorted(wanted), at_risk=at_risk
    )
    predicted = in_window(with_day(datasets.scan(predictions)), *window.span)
    predicted = predicted.drop_nulls(PROBABILITY)
    # Earlier versions also predicted subscriptions that cannot churn.
    predicted = predicted.join(outcomes.filter(~pl.col("at_risk")), on=row, how="anti")
    known = outcomes.filter("at_risk").drop("at_risk")
    joined = known.join(predicted, on=row, how="full", coalesce=True).collect()
    if joined.is_empty():
        raise DataError(
            f"{standard.game}: {window.setting} has nothing to score: no subscription from "
            f"{window.first} to {window.last} can churn: {context.outcome.why_not_at_risk}, in all "
            "of them. Choose another window."
        )
    return joined


def with_segments(
    rows: pl.DataFrame, features: DatasetRef | None, evaluation: EvaluationSettings
) -> tuple[pl.DataFrame, tuple[str, ...], tuple[str, ...]]:
    """Adds the columns of segments that only the features of the batch have.

    Args:
        rows: The rows of `with_outcomes`.
        features: The features; None if they do not exist any more.
        evaluation: The segments in the settings.

    Returns:
        The rows, the columns in the settings that they have, and a warning if they lack any.
    """
    columns = evaluation.segment_columns
    if features is not None:
        table = datasets.scan(features)
        schema = table.collect_schema()
        row = [SUB_ID, day_column(schema)]
        others = [
            name
            for name in dict.fromkeys((*SEGMENTS_BY_MONTH, *columns))
            if name in schema and name not in rows.columns
        ]
        if others:
            added = table.select(SUB_ID, pl.col(row[1]).alias(DAY), *others).collect()
            rows = rows.join(added, on=(SUB_ID, DAY), how="left", maintain_order="left")
    missing = [name for name in columns if name not in rows.columns]
    warning = (
        f"no performance by {', '.join(missing)} (evaluation.segments): only the features of a "
        "batch tell it, and those of this one do not exist any more, or lack it"
    )
    known = tuple(name for name in columns if name in rows.columns)
    return rows, known, (warning,) if missing else ()


def rows_of(
    standard: DatasetRef, window: SubscriptionWindow, cohort: CohortSettings
) -> pl.LazyFrame:
    """The rows of the subscriptions of a window, with their standard features as at the start."""
    subs = known_subs(datasets.scan(standard), window.as_of)
    return rows_on_days(subs, cohort, as_of=window.as_of, span=window.span)


def with_day(predictions: pl.LazyFrame) -> pl.LazyFrame:
    """Fills in the day of predictions that an earlier version wrote: that of the start."""
    day = pl.col(SUB_START_DATE)
    if DAY in predictions.collect_schema():
        day = pl.col(DAY).fill_null(day)
    return predictions.with_columns(day.alias(DAY))


def count_not_at_risk(
    standard: DatasetRef, window: SubscriptionWindow, context: ScoreContext
) -> dict[str, int]:
    """Counts the rows of a window whose subscriptions cannot churn, by group."""
    rows = rows_of(standard, window, context.cohort)
    return count_by_group(rows.filter(~is_at_risk(context.outcome)))


def check_matched(predictions: DatasetRef, known: pl.DataFrame, window: SubscriptionWindow) -> None:
    """Checks that the predictions are of known subscriptions, one for each.

    Raises:
        DataError: Names the file.
    """
    if known.is_empty():
        raise DataError(
            f"{predictions.game}: {predictions.uri} predicts none of the subscriptions in the "
            f"standard features from {window.first} to {window.last}. Predict the batch again."
        )
    if twice := len(known) - known.select(SUB_ID, DAY).n_unique():
        raise DataError(
            f"{predictions.game}: {predictions.uri} predicts "
            f"{counted(twice, 'subscription')} twice. Predict the batch again."
        )


def unmatched_warnings(rows: pl.DataFrame, row: str = "subscription") -> tuple[str, ...]:
    """Warns of rows without a prediction, and the reverse, in rows joined in full.

    Args:
        rows: The rows of `with_outcomes`.
        row: What a row is; see `churnlib.settings.RowWords`.
    """
    missed, gone = rows[PROBABILITY].null_count(), rows["is_first_sub"].null_count()
    warnings = []
    if missed:
        were = "was" if missed == 1 else "were"
        warnings.append(f"{counted(missed, row)} of the window {were} not predicted, so not scored")
    if gone:
        of = f"is of a {row}" if gone == 1 else f"are of {row}s"
        warnings.append(
            f"{counted(gone, 'prediction')} {of} that the standard features do not hold any "
            "more, so not scored"
        )
    return tuple(warnings)
