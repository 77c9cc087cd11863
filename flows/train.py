"""The flow `train`, and `train-from-raw`: standard features to a model and its report."""

from flows import run_command

if __name__ == "__main__":  # Before the other imports, which would delay the first line.
    run_command("train")

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from importlib.metadata import version
from typing import Any

from churnlib.errors import error_prefix
from churnlib.features.cohort import feature_columns
from churnlib.io import datasets
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import fact
from churnlib.model.sample import describe
from churnlib.report.content import Report
from churnlib.report.write import write_report
from churnlib.settings import (
    CurrencySettings,
    EvaluationSettings,
    Offer,
    StandardSettings,
    TrainSettings,
    labels_known_by,
)
from churnlib.uris import join
from churnlib.versions.compatibility import decisive_settings
from churnlib.versions.folder import new_version, read_scored, save_model
from churnlib.versions.manifest import read_manifest
from churnlib.versions.registry import read_registry
from flows.engine.cache import run_logger
from flows.engine.code_digest import code_digest
from flows.standard_features import (
    announce_due_batch,
    build_standard_features,
    standard_features,
)
from flows.steps.promotion import register_version
from flows.steps.raw_tables import check_known, check_raw
from flows.steps.reports import (
    about_model,
    changed_settings,
    check_segments,
    data_faults,
    leaks,
    overlap,
    short_data,
    show,
    warn,
)
from flows.steps.run import Run, churn_flow
from flows.steps.runtime_code import MODEL_CODE, REPORT_CODE
from flows.steps.sources import stale_source_warnings
from flows.steps.window_features import Cohort, build_window_features, check_first, window_cohort
from flows.task import task


@churn_flow("train")
def train(run: Run) -> DatasetRef:
    """Trains a model on the training window, reports on it, and makes it the candidate."""
    check_segments(run.settings)
    read_registry(run.catalog.registry())  # A damaged one stops the run before the work.
    check_model(run.settings.game, run.settings.train, run.settings.standard, run.settings.currency)
    (currency,) = run.tables("history")
    warnings = warn(
        (
            *leaks(run.settings.standard),
            *overlap(run),
            *short_data(run, currency.checked),
            *stale_source_warnings(run),
        )
    )
    cohort = window_cohort(run, "train", currency)
    model = fit_version(run, cohort)
    reports = report_training(
        model,
        run.catalog.report("in_sample_report"),
        features=cohort.features,
        evaluation=run.settings.evaluation,
        data=data_faults(cohort.tables),
        warnings=warnings,
    )
    register_version(run, model)
    show(reports)
    return model


def fit_version(run: Run, cohort: Cohort) -> DatasetRef:
    """Fits a model on the training window of a run, with all in its manifest to make it again."""
    return fit_model(
        cohort.features,
        run.catalog.models(),
        settings=run.settings.train,
        labels_known_by=labels_known_by(run.settings, run.as_of),
        feature_settings=decisive_settings(run.settings),
        offer=run.settings.campaign.offer,
        seed=run.settings.train.seed,
        origin={
            "settings": run.settings.model_dump(
                mode="json", exclude={"data_dir", "schedules", "engine"}
            ),
            "changes": changed_settings(run.settings),
            "tables": cohort.tables,
            "code": code_version(),
        },
    )


def code_version() -> dict[str, str]:
    """What tells the code that makes a model from that of another day."""
    making = (check_raw, check_known, build_standard_features, build_window_features, fit_model)
    digests = [
        code_digest(task.fn, getattr(task.cache_policy, "uses", ())).value for task in making
    ]
    digest = hashlib.sha256("".join(digests).encode()).hexdigest()
    return {"version": version("churnlib"), "digest": digest}


@churn_flow("train-from-raw")
def train_from_raw(run: Run) -> DatasetRef:
    """Builds the standard features, then trains on them."""
    check_segments(run.settings)
    check_model(run.settings.game, run.settings.train, run.settings.standard, run.settings.currency)
    check_first(run, "train", *run.raw.values())
    standard_features(**run.parameters)
    model: DatasetRef = train(**run.parameters)
    announce_due_batch(run)
    return model


@task(
    settings=("game", "train", "standard", "currency"),
    uses=MODEL_CODE,
)
def check_model(
    game: str,
    settings: TrainSettings,
    standard_settings: StandardSettings,
    currency_settings: CurrencySettings,
) -> str:
    """Refuses settings of which no model can be made, before hours go into its features.

    Args:
        game: The game.
        settings: How the model is made.
        standard_settings: What it can be made of: the standard features,
        currency_settings: and those of the currency.

    Returns:
        The steps of the pipeline, for the log.
    """
    from churnlib.model.pipeline import check_pipeline

    with error_prefix(game):
        check_pipeline(settings, feature_columns(standard_settings, currency_settings))
    return " > ".join(step.type for step in settings.pipeline)


@task(
    reads=("04_feature/train_features",),
    writes=("06_models/models",),
    settings=(
        "train",
        "horizon_months",
        "churn_after_months",
        "standard",
        "currency",
        "campaign",
    ),
    uses=MODEL_CODE,
    notes=("origin",),
)
def fit_model(
    features: DatasetRef,
    models: Dataset,
    *,
    settings: TrainSettings,
    labels_known_by: date,
    feature_settings: dict[str, Any],
    offer: Offer,
    seed: int | None,
    origin: dict[str, Any],
) -> DatasetRef:
    """Validates and fits the configured pipeline, and keeps it as a new version.

    Args:
        features: Features and labels of the training window.
        models: The folder of all versions.
        settings: How the model is made.
        labels_known_by: The day on which the last label of the window is known.
        feature_settings: The settings that features and labels depend on.
        offer: What contacting a subscriber costs and brings, which decides the threshold.
        seed: Where randomness begins.
        origin: All settings, those that are not the base's, the facts of the raw tables and the
            code's version, for the manifest.
    """
    from churnlib.metrics.campaign import plan_campaign
    from churnlib.metrics.evaluate import evaluate
    from churnlib.model.fit import train as train_model
    from churnlib.model.sample import attribute_read_errors, draw
    from churnlib.versions.verification import GOLDEN_ROWS

    assert seed is not None  # The decorator draws one.
    window = fact(features, "window")
    sample = draw(features, settings)
    run_logger().info("learns from %s", describe(sample.to_json()))
    with error_prefix(features.game), attribute_read_errors(sample):
        training = train_model(
            sample.rows,
            settings,
            date.fromisoformat(window[1]),
            seed,
            horizon_months=feature_settings["horizon_months"],
        )
    slices = training.scored.partition_by("slice", as_dict=True)
    campaign = plan_campaign(slices["validation",], offer)
    labels = sample.rows.columns("sub_churn")["sub_churn"]
    metrics = {
        str(name): evaluate(
            scored, threshold=campaign.threshold, base_rate=training.base_rates[name]
        )
        for (name,), scored in slices.items()
    }
    made_with = {**origin["settings"], **feature_settings}
    facts = {
        "as_of": fact(features, "as_of"),
        "window": window,
        "labels_known_by": labels_known_by,
        "left_out_features": training.model.schema.left_out,
        "validation_warning": training.warning,
        "calibration": training.calibrations,
        "campaign": campaign.to_json(curve=False),
        "importance": [feature.to_json() for feature in training.importance],
        "seed": seed,
        "settings": made_with,
        "changes": origin["changes"],
        "settings_hash": hashlib.sha256(json.dumps(made_with, sort_keys=True).encode()).hexdigest(),
        "sample": sample.to_json(),
        "code": origin["code"],
        "rows": len(labels),
        "labelled_rows": labels.count(),
        "positives": int(labels.sum()),
        "immature": labels.null_count(),
        "inputs": {
            features.name: {"fingerprint": features.fingerprint, "rows": features.rows},
            **origin["tables"],
        },
        "metrics": {
            part: {name: scores.to_json() for name, scores in groups.items()}
            for part, groups in metrics.items()
        },
    }
    target = Dataset("model", models.game, join(models.uri, new_version(datetime.now(UTC))))
    golden = sample.rows.part(0).head(GOLDEN_ROWS)
    with error_prefix(models.game):
        return save_model(
            target, training.model, training.scored, golden, facts, settings.model_format
        )


@task(
    reads=("06_models/models", "04_feature/train_features"),
    writes=("08_reporting/in_sample_report",),
    settings=("evaluation",),
    uses=REPORT_CODE,
)
def report_training(
    model: DatasetRef,
    output: Dataset,
    *,
    features: DatasetRef,
    evaluation: EvaluationSettings,
    data: dict[str, Any],
    warnings: tuple[str, ...],
) -> tuple[DatasetRef, ...]:
    """Reports how the model does on the rows it was fitted on, and on its validation months."""
    from churnlib.metrics.campaign import evaluate_campaign
    from churnlib.metrics.segments import breakdown

    manifest = read_manifest(model)
    offer = Offer(**manifest["campaign"]["terms"])
    validation = read_scored(model).filter(slice="validation")
    first, last = manifest["window"]
    told = datasets.scan(features).select("sub_id", *evaluation.segments).collect()
    judged = validation.join(told, on="sub_id", maintain_order="left")
    report = Report(
        name="in_sample_report",
        game=model.game,
        as_of=date.fromisoformat(manifest["as_of"]),
        window=(date.fromisoformat(first), date.fromisoformat(last)),
        horizon_months=manifest["settings"]["horizon_months"],
        model_version=manifest["version"],
        groups=manifest["metrics"]["in_sample"],
        validation=manifest["metrics"]["validation"],
        campaign=evaluate_campaign(validation, offer, manifest["campaign"]["threshold"]).to_json(),
        **breakdown(judged, evaluation.segments, evaluation.most_values),
        importance=manifest["importance"],
        **about_model(manifest),
        **data,
        warnings=(*warnings, *doubts(manifest)),
    )
    return write_report(report, output, validation)


def doubts(manifest: dict[str, Any]) -> Iterator[str]:
    """What the reader of a training report must know of the model."""
    if manifest["validation_warning"]:
        yield manifest["validation_warning"]
    if left_out := manifest["left_out_features"]:
        yield f"left out, because no row has a value: {', '.join(left_out)}"
