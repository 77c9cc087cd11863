"""The flow `score`, and `score-from-raw`: a candidate or the champion, now that truth is known."""

from flows import run_command

if __name__ == "__main__":  # Before the other imports, which would delay the first line.
    run_command("score")

from datetime import date
from typing import Any

from churnlib.errors import error_prefix
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.model.feature_table import FeatureTable
from churnlib.model.predict import Scored
from churnlib.report.content import Report
from churnlib.report.formatting import counted
from churnlib.report.write import write_report
from churnlib.settings import EvaluationSettings, Offer
from churnlib.uris import name_of
from churnlib.versions.champion import champion_version
from churnlib.versions.gate import Comparison, Terms
from churnlib.versions.manifest import read_manifest
from flows.engine.cache import run_logger
from flows.standard_features import announce_due_batch, standard_features
from flows.steps.back_test_plan import back_test_plan, compare
from flows.steps.promotion import settle_comparison
from flows.steps.reports import (
    about_model,
    check_segments,
    data_faults,
    leaks,
    overlap,
    short_data,
    show,
    warn,
)
from flows.steps.run import Run, churn_flow
from flows.steps.runtime_code import REPORT_CODE
from flows.steps.sources import stale_source_warnings
from flows.steps.window_features import check_first, window_cohort
from flows.task import task


@churn_flow("score", by_model=True)
def score(run: Run) -> tuple[DatasetRef, ...]:
    """Back-tests the candidate against the champion, or the champion alone, and reports."""
    check_segments(run.settings)
    contest = back_test_plan(run)
    (currency,) = run.tables("history")
    warnings = warn(
        (
            *leaks(run.settings.standard),
            *overlap(run),
            *contest.warnings,
            *short_data(run, currency.checked),
            *stale_source_warnings(run),
        )
    )
    if contest.note:
        run_logger().info(contest.note)
    cohort = window_cohort(run, "score", currency)
    reports = score_model(
        contest.model,
        contest.rival,
        cohort.features,
        run.catalog.report("score_report"),
        terms=Terms.of(run.settings.champion),
        ruling=contest.ruling,
        past=contest.past,
        in_use=name_of(contest.model.uri) == champion_version(run.catalog),
        window=run.window("score"),
        as_of=run.as_of,
        horizon_months=run.settings.horizon_months,
        offer=run.settings.campaign.offer,
        evaluation=run.settings.evaluation,
        data=data_faults(cohort.tables),
        warnings=warnings,
        allow_joblib=run.settings.train.model_format == "joblib",
    )
    if run.model is None:
        settle_comparison(run, contest.model, reports[0])
    show(reports)
    return reports


@churn_flow("score-from-raw", by_model=True)
def score_from_raw(run: Run) -> tuple[DatasetRef, ...]:
    """Builds the standard features, then back-tests on them."""
    check_segments(run.settings)
    back_test_plan(run)
    check_first(run, "score", *run.raw.values())
    standard_features(**run.parameters)
    reports: tuple[DatasetRef, ...] = score(**run.parameters, model=run.model)
    announce_due_batch(run)
    return reports


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
        "campaign",
        "evaluation",
        "train.model_format",
    ),
    uses=REPORT_CODE,
)
def score_model(
    model: DatasetRef,
    rival: DatasetRef | None,
    features: DatasetRef,
    output: Dataset,
    *,
    terms: Terms,
    ruling: dict[str, str] | None,
    past: dict[str, Any] | None,
    in_use: bool,
    window: tuple[date, date],
    as_of: date,
    horizon_months: int,
    offer: Offer,
    evaluation: EvaluationSettings,
    data: dict[str, Any],
    warnings: tuple[str, ...],
    allow_joblib: bool,
) -> tuple[DatasetRef, ...]:
    """Predicts the subscriptions of a window and holds the predictions against the truth.

    Args:
        model: The version that the report is of.
        rival: The champion, which a candidate is compared with.
        features: The subscriptions of the window.
        output: Where the report goes.
        terms: By what the two are compared.
        ruling: See `flows.steps.back_test_plan.BackTestPlan`.
        past: See there.
        in_use: Whether the version is champion before the back-test.
        window: First and last start of the subscriptions.
        as_of: The day of the run.
        horizon_months: Within how many months churn counts.
        offer: What a campaign costs and brings.
        evaluation: What is told apart.
        data: See `flows.steps.reports.data_faults`.
        warnings: What the reader must know.
        allow_joblib: Open a joblib model file, too, which runs what it says.
    """
    from churnlib.metrics.campaign import evaluate_campaign
    from churnlib.metrics.evaluate import evaluate
    from churnlib.metrics.segments import breakdown
    from churnlib.model.importance import permutation_importance
    from churnlib.model.predict import predict_in_parts
    from churnlib.versions.folder import load_model
    from churnlib.versions.threshold import contact_threshold

    loaded = load_model(model, allow_joblib=allow_joblib)
    with error_prefix(model.game):
        scored = predict_in_parts(loaded, FeatureTable.read(features), also=evaluation.segments)
    threshold = contact_threshold(model, offer)
    groups = evaluate(scored.rows, threshold=threshold, base_rate=loaded.base_rate)
    comparison = past
    if rival or ruling:
        found = ruling or compare(scored, rival, features, terms, allow_joblib=allow_joblib)
        made = Comparison(
            **terms.model_dump(),
            **found,
            candidate=name_of(model.uri),
            champion=name_of(rival.uri) if rival else None,
            cohort=features.fingerprint,
            window=window,
            as_of=as_of,
        )
        comparison = made.model_dump(mode="json")
    importance = permutation_importance(loaded, FeatureTable.read(features))
    manifest = read_manifest(model)
    report = Report(
        name="score_report",
        game=model.game,
        as_of=as_of,
        window=window,
        horizon_months=horizon_months,
        model_version=manifest["version"],
        groups={name: scores.to_json() for name, scores in groups.items()},
        **breakdown(scored.rows, evaluation.segments, evaluation.most_values),
        campaign=evaluate_campaign(scored.rows, offer, threshold).to_json(),
        comparison=comparison,
        in_use=in_use,
        importance=[feature.to_json() for feature in importance],
        **about_model(manifest, features),
        **data,
        warnings=(*warnings, *new_categories(scored)),
    )
    return write_report(report, output, scored.rows)


def new_categories(scored: Scored) -> tuple[str, ...]:
    """Warns of values that the model has not met in training."""
    return tuple(
        f"{column}: {count:,} of {counted(len(scored.rows), 'subscription')} "
        f"{'has' if count == 1 else 'have'} a category that the model has not met in training"
        for column, count in scored.unknown.items()
    )
