"""The report on a batch: its predictions against the outcomes."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from churnlib.errors import DataError
from churnlib.features.cohort_rows import in_window, rows_on_days
from churnlib.features.outcome import add_label, is_at_risk
from churnlib.io import datasets
from churnlib.io.catalog import month_name
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import optional_fact
from churnlib.report.content import Report
from churnlib.report.formatting import counted
from churnlib.report.verdicts import against_chance
from churnlib.report.write import write_report
from churnlib.schemas.columns import (
    DAY,
    LABEL,
    PROBABILITY,
    SEGMENTS_BY_MONTH,
    SUB_ID,
    SUB_START_DATE,
    day_column,
)
from churnlib.settings import CohortSettings, EvaluationSettings, words_of
from churnlib.versions.in_use import AS_TESTED
from flows.engine.events import BatchScored
from flows.steps.at_risk import count_by_group, not_at_risk_warnings
from flows.steps.past_model import past_importance, past_model_facts
from flows.steps.reports import ScoreContext
from flows.steps.run import SubscriptionWindow
from flows.steps.runtime_code import REPORT_CODE
from flows.steps.window_features import check_selects_any, known_subs
from flows.task import task


@dataclass(frozen=True)
class BatchScoreContext(ScoreContext):
    """Further inputs of the report on a batch.

    Attributes:
        champion: The version of the champion, for the event.
    """

    champion: str | None


@task(
    reads=(
        "03_primary/standard_features",
        "07_model_output/predictions",
        "05_model_input/predict_features",
        "06_models/models",
    ),
    writes=("08_reporting/batch_score_report",),
    settings=(
        "windows.batch_score",
        "as_of",
        "horizon_months",
        "outcome",
        "cohort",
        "campaign",
        "evaluation",
        "train.model_format",
    ),
    uses=REPORT_CODE,
    notes=("context.champion",),
)
def score_batch(
    standard: DatasetRef,
    predictions: DatasetRef,
    features: DatasetRef | None,
    model: DatasetRef | None,
    output: Dataset,
    context: BatchScoreContext,
) -> tuple[DatasetRef, ...]:
    """Compares the predictions of a batch with the outcomes of its subscriptions.

    Its features and its model are None if they do not exist any more.
    """
    from churnlib.metrics.evaluate import evaluate
    from churnlib.metrics.few_outcomes import require_outcomes
    from churnlib.metrics.segments import breakdown

    window, evaluation = context.window, context.evaluation
    rows = with_outcomes(standard, predictions, context)
    rows, segments, missing = with_segments(rows, features, evaluation)
    words = words_of(context.cohort.grain, *window.span)
    not_at_risk = count_not_at_risk(standard, window, context)
    known = rows.drop_nulls([PROBABILITY, "is_first_sub"])
    check_matched(predictions, known, window)
    groups = evaluate(
        known,
        threshold=optional_fact(predictions, "threshold"),
        base_rate=optional_fact(predictions, "base_rate"),
    )
    plain = {name: scores.to_json() for name, scores in groups.items()}
    scores = require_outcomes(plain, evaluation.min_outcomes)
    facts = past_model_facts(model, *filter(None, (standard, predictions, features)))
    report = Report(
        name="batch_score_report",
        game=standard.game,
        as_of=window.as_of,
        window=window.span,
        horizon_months=context.horizon_months,
        grain=context.cohort.grain,
        model_version=", ".join(known["model_version"].unique().sort()),
        groups=scores,
        not_at_risk=not_at_risk["general"],
        left_out={
            "not_at_risk": not_at_risk,
            "not_predicted": count_by_group(rows.filter(pl.col(PROBABILITY).is_null())),
        },
        in_use=True,
        no_contact=optional_fact(predictions, "no_contact"),
        campaign=_campaign(known, predictions, context),
        **breakdown(known, segments, evaluation.most_values),
        **past_importance(model, features, known, allow_joblib=context.allow_joblib),
        **facts | {"facts": {**predicted_by(predictions, known), **facts["facts"]}},
        **context.data,
        warnings=(
            *context.warnings,
            *not_at_risk_warnings(not_at_risk["general"], context.outcome, words.row),
            *unmatched_warnings(rows, words.row),
            *missing,
        ),
        not_predicted=rows[PROBABILITY].null_count(),
    )
    written = write_report(report, output, known)
    _event(report, context).emit()
    return written


def predicted_by(predictions: DatasetRef, known: pl.DataFrame) -> dict[str, Any]:
    """Facts for the report: how many predictions are scored, and which model made them."""
    in_use = optional_fact(predictions, "model_in_use") or AS_TESTED
    what = "the model as tested" if in_use == AS_TESTED else f"the model in use {in_use}"
    return {"predictions": len(known), "predicted by": what}


def _campaign(
    known: pl.DataFrame, predictions: DatasetRef, context: BatchScoreContext
) -> dict[str, Any]:
    """The result of the campaign, at the threshold that the batch was contacted by."""
    from churnlib.metrics.campaign import evaluate_campaign
    from churnlib.metrics.contact import compare_hold_out

    threshold = optional_fact(predictions, "threshold")
    rule = optional_fact(predictions, "threshold_rule")
    campaign = evaluate_campaign(known, context.offer, threshold, rule).to_json()
    is_decided = not optional_fact(predictions, "no_contact")
    has_contact = is_decided and {"contact", "held_out"} <= set(known.columns)
    campaign["hold_out"] = compare_hold_out(known, threshold) if has_contact else None
    return campaign


def _event(report: Report, context: BatchScoreContext) -> BatchScored:
    general = report.groups["general"]
    return BatchScored(
        game=report.game,
        month=month_name(context.window.first),
        version=report.model_version,
        by_champion="yes" if report.model_version == context.champion else "no",
        verdict=against_chance(general).kind,
        complete="no" if report.is_incomplete else "yes",
        **{name: general[name] for name in ("n", "positives", "roc_auc", "roc_auc_ci")},
    )


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
