"""The flow `score`, and `score-from-raw`: the champion on a window whose truth is known."""

if __name__ == "__main__":  # Before the imports below: the first line is printed while they load.
    from flows.command import main

    raise SystemExit(main("score"))

from datetime import date
from typing import Any, Literal

from churnlib.datasets import RAW_TABLES, Dataset, DatasetRef
from churnlib.errors import naming
from churnlib.model.fitness import refuse_late_labels, refuse_other_features
from churnlib.model.predict import Scored
from churnlib.model.rows import Rows
from churnlib.model.store import champion, read_manifest
from churnlib.report.content import Report
from churnlib.report.write import write_report
from churnlib.settings import EvaluationSettings
from flows.features import check_first, window_cohort
from flows.reports import (
    TEMPLATE,
    check_segments,
    data_faults,
    leaks,
    overlap,
    short_data,
    show,
    warn,
)
from flows.run import Run, churn_flow
from flows.sources import doubted_sources
from flows.standard_features import announce_due_batch, standard_features
from flows.task import task


@churn_flow("score")
def score(run: Run) -> tuple[DatasetRef, ...]:
    """Back-tests the champion on the scoring window, and reports."""
    check_segments(run.settings)
    model, flatters = usable_champion(run, "score")
    warnings = warn(
        (
            *leaks(run.settings.standard),
            *overlap(run),
            *flatters,
            *short_data(run),
            *doubted_sources(run),
        )
    )
    cohort = window_cohort(run, "score")
    reports = score_model(
        model,
        cohort.features,
        run.catalog.report("score_report"),
        window=run.window("score"),
        as_of=run.as_of,
        horizon_months=run.settings.horizon_months,
        evaluation=run.settings.evaluation,
        data=data_faults(cohort.tables),
        warnings=warnings,
        allow_joblib=run.settings.train.model_format == "joblib",
    )
    show(reports)
    return reports


@churn_flow("score-from-raw")
def score_from_raw(run: Run) -> tuple[DatasetRef, ...]:
    """Builds the standard features, then back-tests the champion on them."""
    check_segments(run.settings)
    usable_champion(run, "score")
    check_first(run, "score", *RAW_TABLES)
    standard_features(**run.parameters)
    reports: tuple[DatasetRef, ...] = score(**run.parameters)
    announce_due_batch(run)
    return reports


def usable_champion(
    run: Run, flow: Literal["score", "batch_predict"]
) -> tuple[DatasetRef, tuple[str, ...]]:
    """The model in use, if it may be used on the window of a flow, and what to warn of.

    Raises:
        ModelError: There is none, its features are others, or it has seen the future.
    """
    model = champion(run.catalog)
    manifest = read_manifest(model)
    refuse_other_features(manifest, run.settings, run.command("train", "--from-raw"))
    allowed = run.settings.allow_label_overlap
    warning = refuse_late_labels(manifest, run.window(flow), f"windows.{flow}", allowed)
    return model, (warning,) if warning else ()


@task(uses=("churnlib.model", TEMPLATE))
def score_model(
    model: DatasetRef,
    features: DatasetRef,
    output: Dataset,
    *,
    window: tuple[date, date],
    as_of: date,
    horizon_months: int,
    evaluation: EvaluationSettings,
    data: dict[str, Any],
    warnings: tuple[str, ...],
    allow_joblib: bool,
) -> tuple[DatasetRef, ...]:
    """Predicts the subscriptions of a window and holds the predictions against the truth."""
    from churnlib.model.evaluate import evaluate
    from churnlib.model.predict import predict_in_parts
    from churnlib.model.segments import breakdown
    from churnlib.model.store import load_model

    loaded = load_model(model, allow_joblib=allow_joblib)
    with naming(model.game):
        scored = predict_in_parts(
            loaded.pipeline,
            loaded.schema,
            Rows.read(features),
            baseline=loaded.baseline,
            also=evaluation.segments,
        )
    groups = evaluate(scored.rows, base_rate=loaded.base_rate)
    report = Report(
        name="score_report",
        game=model.game,
        as_of=as_of,
        window=window,
        horizon_months=horizon_months,
        model_version=read_manifest(model)["version"],
        groups={name: scores.to_json() for name, scores in groups.items()},
        **breakdown(scored.rows, evaluation.segments, evaluation.most_values),
        **data,
        warnings=(*warnings, *new_categories(scored)),
    )
    return write_report(report, output, scored.rows)


def new_categories(scored: Scored) -> tuple[str, ...]:
    """Warns of values that the model has not met in training."""
    return tuple(
        f"{column}: {count:,} of {len(scored.rows):,} subscriptions have a category that the model "
        "has not met in training"
        for column, count in scored.unknown.items()
    )
