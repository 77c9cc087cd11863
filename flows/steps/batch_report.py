"""The report on a batch: its predictions against the outcomes."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from churnlib.io.catalog import month_name
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import optional_fact
from churnlib.report.content import Report
from churnlib.report.verdicts import against_chance
from churnlib.report.write import write_report
from churnlib.schemas.columns import (
    PROBABILITY,
)
from churnlib.settings import words_of
from churnlib.versions.in_use import AS_TESTED
from flows.engine.events import BatchScored
from flows.steps.at_risk import count_by_group, not_at_risk_warnings
from flows.steps.batch_outcomes import (
    check_matched,
    count_not_at_risk,
    unmatched_warnings,
    with_outcomes,
    with_segments,
)
from flows.steps.contacts import is_acted_on
from flows.steps.past_model import past_importance, past_model_facts
from flows.steps.reports import ScoreContext
from flows.steps.runtime_code import REPORT_CODE
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
        used_by_campaigns=True,
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
    campaign["hold_out"] = None
    if has_contact:
        acted_on = known.filter(is_acted_on(predictions))
        campaign["hold_out"] = compare_hold_out(acted_on, threshold)
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
