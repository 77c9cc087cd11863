"""The model in use of a champion: its settings and seed, fitted on all labels that are known."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

from churnlib.errors import ChurnlibError, ModelError, UnreadableError
from churnlib.features.activity import own_functions_digest
from churnlib.features.outcome import is_at_risk
from churnlib.io.catalog import catalog_of
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import facts
from churnlib.model.sample import describe_sample
from churnlib.months import first_day, shift_months
from churnlib.settings import EngineSettings
from churnlib.uris import name_of
from churnlib.versions.champion import find_champion
from churnlib.versions.compatibility import changed_features
from churnlib.versions.folder import new_version, open_model, save_model
from churnlib.versions.in_use import (
    delete_old_in_use,
    describe_in_use,
    describe_learnt,
    has_learnt,
    last_known_start,
    list_in_use,
)
from churnlib.versions.manifest import read_manifest
from churnlib.versions.replay import settings_from
from flows.engine.cache import run_logger
from flows.steps.manifest_facts import contact_facts, data_facts
from flows.steps.raw_tables import RawTable
from flows.steps.registration import fault_of
from flows.steps.run import Run, SubscriptionWindow
from flows.steps.runtime_code import MODEL_CODE
from flows.steps.sources import Sources
from flows.steps.training import code_version
from flows.steps.window_features import READS, SETTINGS, WindowRequest, build_window
from flows.task import task

AS_TRAINED = ("seed", "settings", "changes", "settings_hash", "calibration")
"""What the manifest of a model in use has in common with that of its version."""


@dataclass(frozen=True)
class RefitRequest:
    """What a model in use depends on, in addition to its version and its training rows.

    Attributes:
        labels_known_by: The day on which the last of its labels became available.
        functions: A digest of the project's own functions that compute features.
        allow_joblib: See `churnlib.versions.folder.load_model`.
    """

    labels_known_by: date
    functions: str
    allow_joblib: bool


@dataclass(frozen=True)
class KnownTables:
    """The tables that the features and labels of a model in use are built from.

    Attributes:
        standard: The standard features, with the day on which each subscription churned.
        sources: The facts of the raw tables behind them.
        tables: The raw tables of `flows.steps.raw_tables.cohort_kinds`.
        contacts: Whom earlier batches contacted.
    """

    standard: DatasetRef
    sources: Sources
    tables: Sequence[RawTable]
    contacts: DatasetRef


def champion_after(run: Run, trained: DatasetRef) -> DatasetRef:
    """The version that is champion once a trained model is registered; see `register`."""
    champion = find_champion(run.catalog)
    if champion is None:
        return trained
    may_replace = run.settings.champion.promote and champion != trained
    return trained if may_replace and fault_of(champion, run.allow_joblib) else champion


def refresh_in_use(run: Run, model: DatasetRef, known: KnownTables) -> tuple[str, ...]:
    """Fits the model in use of a version on all labels known by the day of the run.

    Nothing is done if `train.in_use` says so; if the version has other features or labels than the
    run, or knows all these labels already; or if it has a model in use of a later day.

    Returns:
        A warning if it cannot be fitted. Batches are then predicted by the model in use before it,
        or by the model as tested.
    """
    version, catalog = name_of(model.uri), run.catalog
    if run.settings.train.in_use == "as_tested" or _is_of_later_day(model, run.as_of):
        return ()
    try:
        manifest = read_manifest(model)
        if changed_features(manifest, run.settings):
            return ()
        made = make_in_use(run, model, known)
    except UnreadableError:
        raise
    except ChurnlibError as error:
        made = str(error)
    if made is None:
        return ()
    if isinstance(made, str):
        return (
            f"model {version} could not be fitted on all labels known by {run.as_of}, so batches "
            f"are predicted as before: {made}",
        )
    delete_old_in_use(catalog, version, run.settings.champion.keep_in_use)
    learnt = describe_learnt(read_manifest(made))
    run_logger().info("model %s has a model in use, fitted on %s", version, learnt)
    return ()


def _is_of_later_day(model: DatasetRef, as_of: date) -> bool:
    """Whether a version has a model in use that was made as of a later day; not, if damaged."""
    catalog, version = catalog_of(model), name_of(model.uri)
    try:
        made = (read_manifest(catalog.model_in_use(version, n)) for n in list_in_use(model))
        return any(date.fromisoformat(manifest["as_of"]) > as_of for manifest in islice(made, 1))
    except UnreadableError:
        raise
    except ModelError:
        return False


def make_in_use(run: Run, model: DatasetRef, known: KnownTables) -> DatasetRef | str | None:
    """Builds the features of all known labels, and fits the model in use of a version on them.

    Returns:
        The model; why it cannot be fitted; or None if the version has learnt all these labels.

    Raises:
        ChurnlibError: The settings of the version are not valid any more, or the features cannot
            be built.
    """
    manifest = read_manifest(model)
    trained = settings_from(manifest, run.catalog.data_dir, run.settings.engine)
    first, _ = trained.windows.train.span(run.as_of)
    last = last_known_start(run.as_of, trained.horizon_months)
    if first > last or has_learnt(manifest, last):
        return None
    window = SubscriptionWindow("windows.train", first, last, run.as_of)
    features = build_in_use_features(
        known.standard,
        tuple(table.checked for table in known.tables),
        known.contacts,
        run.catalog.features("in_use"),
        WindowRequest.of(run, window),
        engine=run.settings.engine,
    )
    made: DatasetRef | str = fit_in_use(
        model,
        features,
        run.catalog.models(),
        RefitRequest(
            labels_known_by=shift_months(first_day(last), trained.horizon_months),
            functions=own_functions_digest(run.settings),
            allow_joblib=run.allow_joblib,
        ),
        origin={
            "tables": {
                **known.sources,
                **{table.checked.name: table.facts for table in known.tables},
                **contact_facts(known.contacts, trained.train),
            },
            "code": code_version(build_in_use_features, fit_in_use),
        },
    )
    return made


@task(
    reads=READS,
    writes=("04_feature/in_use_features",),
    settings=("windows.train", *SETTINGS),
    notes=("engine",),
)
def build_in_use_features(
    standard: DatasetRef,
    tables: tuple[DatasetRef, ...],
    contacts: DatasetRef,
    output: Dataset,
    request: WindowRequest,
    *,
    engine: EngineSettings,
) -> DatasetRef:
    """Builds the features of all rows with a known label, as those of the training window."""
    return build_window((standard, contacts, *tables), output, request, engine)


@task(
    reads=("06_models/models", "04_feature/in_use_features"),
    writes=("06_models/model_in_use",),
    settings=("train.model_format",),
    uses=MODEL_CODE,
    notes=("origin",),
)
def fit_in_use(
    model: DatasetRef,
    features: DatasetRef,
    models: Dataset,
    request: RefitRequest,
    *,
    origin: dict[str, Any],
) -> DatasetRef | str:
    """Fits the model in use: the settings and the seed of a version, on all known labels.

    Its probabilities are calibrated as those of the version, and contacts follow the threshold of
    the version: both were tested.

    Args:
        model: The version.
        features: Features and labels of all rows whose label is known.
        models: The folder of all versions.
        request: What the fit depends on besides.
        origin: For the manifest: the facts of the raw tables, and the version of the code.

    Returns:
        The model in use; or why it cannot be fitted.
    """
    from churnlib.model.fit import fit_in_use as fit
    from churnlib.model.sample import draw_sample, naming_sample_setting
    from churnlib.versions.verification import GOLDEN_ROWS

    manifest, catalog = read_manifest(model), catalog_of(models)
    trained = settings_from(manifest, catalog.data_dir, EngineSettings())
    drawn = draw_sample(features, trained.train)
    sample = replace(drawn, rows=drawn.rows.where(is_at_risk(trained.outcome)))
    run_logger().info("sample: %s", describe_sample(sample.to_json()))
    place = catalog.model_in_use(manifest["version"], new_version(datetime.now(UTC)))
    try:
        tested = open_model(model, manifest, allow_joblib=request.allow_joblib)
        with naming_sample_setting(sample):
            fitted = fit(sample.rows, trained.train, manifest["seed"], tested)
        as_of, window = facts(features, "as_of", "window")
        about = {
            **{name: manifest.get(name) for name in AS_TRAINED},
            "in_use": name_of(place.uri),
            "as_of": as_of,
            "window": window,
            "labels_known_by": request.labels_known_by,
            "left_out_features": fitted.schema.left_out,
            "code": origin["code"] | {"features": request.functions},
            "metrics": {},
            **data_facts(features, sample, origin["tables"]),
        }
        golden = sample.rows.sample(GOLDEN_ROWS).collect()
        return save_model(place, fitted, None, golden, about, trained.train.model_format)
    except UnreadableError:
        raise
    except ModelError as error:
        return str(error).removeprefix(f"{model.game}: ")


def describe_predictor(run: Run, model: DatasetRef) -> str:
    """Says which model predicts batches if a version is champion, and what it learnt."""
    if run.settings.train.in_use == "as_tested":
        return "the model as tested (train.in_use)"
    return describe_in_use(model, run.as_of) or (
        "the model as tested, until it is fitted on all known labels: when it becomes champion, "
        "and by each later training or back-test of it"
    )
