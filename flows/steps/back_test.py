"""The back-test: a model's predictions against the outcomes, and a candidate against a champion."""

from dataclasses import asdict, replace
from typing import Any

from churnlib.errors import ModelError, UnreadableError, error_prefix
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.model.feature_table import FeatureTable
from churnlib.model.predict import Scored, predict_in_parts
from churnlib.report.content import Report
from churnlib.report.write import write_report
from churnlib.schemas.columns import CAMPAIGN, PROBABILITY
from churnlib.uris import name_of
from churnlib.versions.evidence import Evidence, why_no_contact
from churnlib.versions.gate import ANCHOR, CANDIDATE, CHAMPION, Comparison, compare_models
from flows.steps.at_risk import not_at_risk_warnings, rows_at_risk
from flows.steps.gate import Gate
from flows.steps.model_choice import open_version
from flows.steps.reports import ScoreContext, model_facts
from flows.steps.run_warnings import new_value_warnings
from flows.steps.runtime_code import REPORT_CODE
from flows.task import task


@task(
    reads=("06_models/models", "06_models/champion", "04_feature/score_features"),
    writes=("08_reporting/score_report",),
    settings=(
        "champion.metric",
        "champion.max_loss",
        "champion.min_outcomes",
        "champion.promote",
        "windows.score",
        "as_of",
        "horizon_months",
        "outcome",
        "cohort",
        "campaign",
        "evaluation",
        "train.model_format",
    ),
    uses=REPORT_CODE,
)
def score_model(
    model: DatasetRef,
    rivals: tuple[DatasetRef, ...],
    features: DatasetRef,
    output: Dataset,
    gate: Gate,
    context: ScoreContext,
) -> tuple[DatasetRef, ...]:
    """Predicts the subscriptions of a window and compares the predictions with the outcomes.

    A candidate is also compared with its rivals, the champion and the anchor, unless the gate rules
    without metrics.
    """
    from churnlib.metrics.campaign import evaluate_campaign
    from churnlib.metrics.evaluate import evaluate
    from churnlib.metrics.few_outcomes import require_outcomes
    from churnlib.metrics.segments import breakdown
    from churnlib.model.importance import permutation_importance
    from churnlib.versions.threshold import contact_threshold

    manifest, loaded = open_version(model, allow_joblib=context.allow_joblib)
    rows, not_at_risk = rows_at_risk(features, context.outcome)
    segments = context.evaluation.segment_columns
    with error_prefix(model.game):
        scored = predict_in_parts(loaded, rows, also=(*segments, CAMPAIGN))
    threshold = contact_threshold(model, manifest, context.offer, context.rule)
    groups = evaluate(scored.rows, threshold=threshold, base_rate=loaded.base_rate)
    comparison = gate.past
    if rivals or gate.ruling:
        comparison = compare(model, rivals, features, scored, gate, context)
    importance = permutation_importance(loaded, rows)
    report = Report(
        name="score_report",
        game=model.game,
        as_of=context.window.as_of,
        window=context.window.span,
        horizon_months=context.horizon_months,
        grain=context.cohort.grain,
        model_version=manifest["version"],
        groups=require_outcomes(
            {name: scores.to_json() for name, scores in groups.items()},
            context.evaluation.min_outcomes,
        ),
        not_at_risk=not_at_risk["general"],
        left_out={"not_at_risk": not_at_risk},
        **breakdown(scored.rows, segments, context.evaluation.most_values),
        campaign=evaluate_campaign(scored.rows, context.offer, threshold, context.rule).to_json(),
        comparison=comparison,
        used_by_campaigns=gate.is_champion,
        importance=[feature.to_json() for feature in importance],
        **model_facts(manifest, features, in_use=context.in_use),
        **context.data,
        warnings=(
            *context.warnings,
            *not_at_risk_warnings(not_at_risk["general"], context.outcome, context.cohort.row_name),
            *new_value_warnings(scored),
        ),
    )
    evidence = Evidence.of(report.to_json(), features.fingerprint, leaks=gate.leaks)
    no_contact = why_no_contact(evidence, gate.contact_outcomes, context.offer)
    return write_report(replace(report, no_contact=no_contact), output, scored.rows)


def compare(
    model: DatasetRef,
    rivals: tuple[DatasetRef, ...],
    features: DatasetRef,
    scored: Scored,
    gate: Gate,
    context: ScoreContext,
) -> dict[str, Any]:
    """Compares a candidate with the champion and the anchor on a cohort, and decides.

    Returns:
        A `Comparison` as plain data.
    """
    names = [name_of(rival.uri) for rival in rivals]
    if gate.ruling:
        result: dict[str, Any] = {**asdict(gate.ruling), "anchor": None}
    else:
        rows, _ = rows_at_risk(features, context.outcome)
        result = compare_metrics(scored, rivals, rows, gate, context.allow_joblib)
    comparison = Comparison(
        **{
            **gate.terms.model_dump(),
            "champion": names[0] if names else None,
            "anchor": names[1] if len(names) > 1 else None,
            **result,
        },
        candidate=name_of(model.uri),
        cohort=features.fingerprint,
        window=context.window.span,
        as_of=context.window.as_of,
        configuration=gate.configuration,
    )
    return comparison.model_dump(mode="json")


def compare_metrics(
    scored: Scored,
    rivals: tuple[DatasetRef, ...],
    rows: FeatureTable,
    gate: Gate,
    allow_joblib: bool,
) -> dict[str, Any]:
    """Compares the predictions of a candidate with those of the champion and the anchor.

    Returns:
        See `churnlib.versions.gate.compare_models`. If the champion cannot be loaded any more, or
        fails on the cohort, the candidate is accepted; such an anchor is left out.
    """
    columns = {}
    for name, rival in zip((CHAMPION, ANCHOR), rivals, strict=False):
        try:
            _, loaded = open_version(rival, allow_joblib=allow_joblib)
            columns[name] = predict_in_parts(loaded, rows, baseline=False).rows[PROBABILITY]
        except UnreadableError:
            raise
        except ModelError as error:
            if name == CHAMPION:
                reason = f"the champion cannot be used any more: {error}"
                return {"decision": "accepted", "reason": reason}
    both = scored.rows.rename({PROBABILITY: CANDIDATE}).with_columns(**columns)
    result = compare_models(both, gate.terms, look=gate.look, first_loss=gate.first_loss)
    return result if ANCHOR in columns else {**result, "anchor": None}
