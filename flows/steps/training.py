"""Training: a new model version from the features of the training window."""

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime
from importlib.metadata import version
from typing import Any

import polars as pl
from prefect.tasks import Task

from churnlib.errors import error_prefix
from churnlib.features.activity import own_functions_digest
from churnlib.features.cohort import feature_columns
from churnlib.features.outcome import is_at_risk
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import facts
from churnlib.model.sample import describe_sample
from churnlib.settings import (
    TrainSettings,
    changes,
    labels_known_by,
)
from churnlib.uris import join, name_of
from churnlib.versions.champion import find_champion
from churnlib.versions.compatibility import decisive_settings, outcome_of
from churnlib.versions.folder import new_version, save_model
from churnlib.versions.transactions import finish_interrupted
from flows.engine.cache import changed_files, run_logger
from flows.engine.code_digest import code_digest
from flows.steps.manifest_facts import (
    ModelRequest,
    contact_facts,
    not_at_risk_facts,
    origin_facts,
    training_facts,
)
from flows.steps.reports import check_segments
from flows.steps.run import Run
from flows.steps.runtime_code import MODEL_CODE
from flows.steps.standard_features import build_standard_features
from flows.steps.table_tasks import check_known, check_raw
from flows.steps.window_features import Cohort, build_window_features
from flows.task import task


def check_training(run: Run) -> None:
    """Checks everything that can stop a training, before its features are built.

    Finishes first what a killed run has left of a promotion.

    Raises:
        SettingsError: Segments or pipeline are invalid.
        UnreadableError: The registry or the champion cannot be read.
    """
    settings = run.settings
    check_segments(settings)
    finish_interrupted(run.catalog)
    find_champion(run.catalog)
    columns = {name: str(dtype) for name, dtype in feature_columns(settings).items()}
    check_model(settings.game, settings.train, columns)


def fit_version(run: Run, cohort: Cohort) -> DatasetRef:
    """Fits a model on a cohort; its manifest has everything needed to fit it again."""
    settings = run.settings
    return fit_model(
        cohort.features,
        run.catalog.models(),
        ModelRequest(
            train=settings.train,
            features=decisive_settings(settings),
            functions=own_functions_digest(settings),
            labels_known_by=labels_known_by(settings, run.as_of),
            offer=settings.campaign.offer,
            rule=settings.campaign.threshold,
        ),
        seed=settings.train.seed,
        origin={
            "settings": settings.model_dump(
                mode="json",
                exclude={"data_dir", "delivery", "schedules", "retention", "engine"},
            ),
            "changes": changes(settings),
            "tables": {**cohort.sources, **contact_facts(cohort.contacts, settings.train)},
            "code": code_version(),
        },
    )


def code_version(*more: Task[..., Any]) -> dict[str, str]:
    """The version of this package, and a digest of the code that makes a model.

    The digest is `unknown` if the code has changed on disk since this process started, so that it
    may not be what runs.

    Args:
        more: Further tasks that make it.
    """
    tasks: tuple[Task[..., Any], ...] = (
        *(check_raw, check_known, build_standard_features, build_window_features, fit_model),
        *more,
    )
    digests = [code_digest(task.fn, getattr(task.cache_policy, "uses", ())) for task in tasks]
    digest = hashlib.sha256("".join(code.value for code in digests).encode()).hexdigest()
    is_known = not any(map(changed_files, digests))
    return {"version": version("churnlib"), "digest": digest if is_known else "unknown"}


@task(
    settings=("game", "train", "standard", "tables", "features"),
    uses=MODEL_CODE,
)
def check_model(
    game: str,
    train: TrainSettings,
    columns: dict[str, str],
) -> str:
    """Checks that the settings describe a model that can be fitted, before the long work starts.

    Args:
        game: The game, for messages.
        train: The settings of the model.
        columns: The types of the columns of the feature table, by name.

    Returns:
        The steps of the pipeline, for the log.
    """
    from churnlib.model.pipeline import check_pipeline

    with error_prefix(game):
        check_pipeline(train, pl.Schema({n: getattr(pl, dtype)() for n, dtype in columns.items()}))
    return " > ".join(step.type for step in train.pipeline)


@task(
    reads=("04_feature/train_features",),
    writes=("06_models/models",),
    settings=(
        "train",
        "horizon_months",
        "outcome",
        "standard",
        "tables",
        "features",
        "campaign",
    ),
    uses=MODEL_CODE,
    notes=("origin", "request.offer", "request.rule"),
)
def fit_model(
    features: DatasetRef,
    models: Dataset,
    request: ModelRequest,
    *,
    seed: int | None,
    origin: dict[str, Any],
) -> DatasetRef:
    """Validates and fits the configured pipeline, and saves it as a new version.

    Args:
        features: Features and labels of the training window.
        models: The folder of all versions.
        request: The settings of the model.
        seed: The seed of every random element.
        origin: For the manifest: all settings, those that differ from `base.toml`, the facts of the
            raw tables, and the version of the code.
    """
    from churnlib.model.sample import draw_sample, naming_sample_setting
    from churnlib.model.training import train as train_model
    from churnlib.versions.verification import GOLDEN_ROWS

    assert seed is not None  # The decorator draws one.
    as_of, window = facts(features, "as_of", "window")
    drawn = draw_sample(features, request.train)
    at_risk = is_at_risk(outcome_of(request.features))
    sample = replace(drawn, rows=drawn.rows.where(at_risk))
    run_logger().info("sample: %s", describe_sample(sample.to_json()))
    with error_prefix(features.game), naming_sample_setting(sample):
        training = train_model(
            sample.rows,
            request.train,
            date.fromisoformat(window[1]),
            seed,
            horizon_months=request.features["horizon_months"],
        )
    manifest = {
        "as_of": as_of,
        "window": window,
        "seed": seed,
        **training_facts(training, request),
        **origin_facts(features, sample, request, origin),
        **not_at_risk_facts(drawn.rows.where(~at_risk), request.train, window[1]),
    }
    target = Dataset("model", models.game, join(models.uri, new_version(datetime.now(UTC))))
    golden = sample.rows.sample(GOLDEN_ROWS).collect()
    with error_prefix(models.game):
        saved = save_model(
            target, training.model, training.scored, golden, manifest, request.train.model_format
        )
    if saved.uri != target.uri:
        same = name_of(saved.uri)
        run_logger().info("model %s has these features, settings, seed and code, and is kept", same)
    return saved
