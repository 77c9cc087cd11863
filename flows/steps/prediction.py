"""Prediction of a batch: its features from the raw tables, and its churn probabilities."""

from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import partial

import polars as pl

from churnlib.errors import error_prefix
from churnlib.features.activity import ActivityFeatures, add_activity_features
from churnlib.features.cohort_rows import CohortRows, cohort_rows
from churnlib.features.outcome import add_churned_on, is_at_risk
from churnlib.features.standard import standard_features
from churnlib.io import datasets
from churnlib.io.catalog import month_name
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import facts, footer, optional_fact
from churnlib.schemas.columns import DAY
from churnlib.settings import CohortSettings, EngineSettings, grain_of, words_of
from churnlib.settings.outcome import OutcomeSettings
from churnlib.uris import name_of
from churnlib.versions.in_use import AS_TESTED
from churnlib.versions.manifest import read_manifest
from flows.engine.building import build
from flows.engine.events import BatchPredicted
from flows.steps.at_risk import not_at_risk_warnings, rows_at_risk
from flows.steps.contacts import ContactPlan
from flows.steps.run import SubscriptionWindow
from flows.steps.run_warnings import new_value_warnings
from flows.steps.runtime_code import MODEL_CODE
from flows.steps.window_features import check_selects_any, started_subs
from flows.task import task


@dataclass(frozen=True)
class BatchRequest:
    """The day, window and settings that the features of a batch depend on."""

    window: SubscriptionWindow
    cohort: CohortRows
    outcome: OutcomeSettings
    activity: ActivityFeatures


@dataclass(frozen=True)
class BatchFacts:
    """Facts that are stored with predictions, for scoring them later.

    Attributes:
        window: First and last day of the rows.
        as_of: The day of the run.
        made_of: The rows of each raw table that were known on the day.
        newest: The latest complete month with rows of each dated table.
        fingerprints: The fingerprint of each checked table, of all its rows.
        horizon_months: The horizon of the label.
        outcome: What counts as churn.
        cohort: Which rows a subscription has.
        is_past: Whether later months had arrived, so that nobody acted on the batch.
        warnings: Warnings for the reader of the score.
    """

    window: tuple[date, date]
    as_of: date
    made_of: dict[str, int]
    newest: dict[str, str]
    fingerprints: dict[str, str]
    horizon_months: int
    outcome: OutcomeSettings
    cohort: CohortSettings
    is_past: bool
    warnings: tuple[str, ...]


@task(
    reads=("02_intermediate/{batch}",),
    writes=("05_model_input/predict_features",),
    settings=(
        "windows.batch_predict",
        "as_of",
        "outcome",
        "cohort",
        "standard",
        "tables",
        "features",
        "engine",
    ),
    notes=("engine",),
)
def build_predict_features(
    tables: tuple[DatasetRef, ...],
    output: Dataset,
    request: BatchRequest,
    *,
    engine: EngineSettings,
) -> DatasetRef:
    """Builds the features of a batch, the same as in training, straight from the raw tables.

    Args:
        tables: The checked tables, in the order of `flows.steps.raw_tables.batch_kinds`.
        output: Where to write.
        request: The day, the window and the features.
        engine: The settings of the engine.
    """
    window, subs = request.window, tables[request.cohort.batch_kinds.index("subscriptions")]
    started = started_subs(subs, window.as_of)
    rows = check_selects_any(started, window, subs.game, request.cohort.settings)
    described = footer(as_of=window.as_of, window=window.span)
    features = partial(batch_features, request=request)
    several = rows if request.cohort.settings.is_monthly else 0
    return build(features, tables, output, described, engine, several)


def batch_features(*tables: pl.LazyFrame, request: BatchRequest) -> pl.LazyFrame:
    """The features of the rows of a batch, as in training but without labels."""
    cohort, as_of = request.cohort, request.window.as_of
    of_kind = dict(zip(cohort.batch_kinds, tables, strict=False))
    subs = standard_features(
        of_kind["entity"], of_kind["subscriptions"], cohort.standard, as_of=as_of
    )
    if "misses" in of_kind:
        subs = add_churned_on(subs, of_kind["misses"], request.outcome, as_of=as_of)
    rows = cohort_rows(subs, cohort, of_kind, as_of=as_of, span=request.window.span)
    activity = request.activity.named(tables[len(of_kind) :])
    return add_activity_features(
        rows.drop("churned_on", strict=False), activity, request.activity, as_of=as_of, day=DAY
    )


@task(
    reads=("06_models/champion", "06_models/model_in_use", "05_model_input/predict_features"),
    writes=("07_model_output/predictions",),
    settings=(
        "windows.batch_predict",
        "as_of",
        "horizon_months",
        "outcome",
        "cohort",
        "campaign",
        "champion.min_outcomes",
        "evaluation.min_outcomes",
        "train.model_format",
    ),
    earlier=("07_model_output/predictions",),
    uses=MODEL_CODE,
    notes=("batch.fingerprints",),
)
def predict_batch(
    model: DatasetRef,
    features: DatasetRef,
    output: Dataset,
    batch: BatchFacts,
    *,
    in_use: DatasetRef | None,
    contacts: ContactPlan,
    before: DatasetRef | None,
    allow_joblib: bool,
) -> DatasetRef:
    """Predicts every subscription of a batch, ranks them by risk, and decides whom to contact.

    The model in use of the version predicts, or the version itself if it has none.

    The footer of the predictions has all warnings for their reader, so another warning makes the
    task run again; `footer_warnings` reads them, also of cached predictions.
    """
    from churnlib.metrics.batch_changes import add_previous
    from churnlib.metrics.contact import add_contact
    from churnlib.model.predict import predict_in_parts, rank_by_risk
    from churnlib.versions.folder import open_model
    from churnlib.versions.threshold import contact_threshold

    manifest, campaign = read_manifest(model), contacts.campaign
    version, no_contact = manifest["version"], contacts.no_contact
    predicting = in_use or model
    used = read_manifest(predicting)
    loaded = open_model(predicting, used, allow_joblib=allow_joblib)
    rows, not_at_risk = rows_at_risk(features, batch.outcome)
    with error_prefix(model.game):
        scored = predict_in_parts(loaded, rows)
        threshold = contact_threshold(model, manifest, campaign.offer, campaign.threshold)
    ranked = rank_by_risk(with_others(scored.rows, features, batch.outcome), version)
    predictions = add_contact(
        ranked, threshold, campaign.hold_out_share, may_contact=no_contact is None
    ).pipe(add_previous, None if before is None else datasets.read(before))
    if batch.cohort.is_monthly:  # Of several months, only what runs in the last is contacted.
        is_newest = pl.col(DAY) == pl.col(DAY).max()
        predictions = predictions.with_columns(contact=pl.col("contact") & is_newest)
    contacted = int(predictions["contact"].sum())
    described = footer(
        model_version=version,
        model_in_use=name_of(in_use.uri) if in_use else AS_TESTED,
        labels_known_by=used["labels_known_by"],
        threshold=threshold,
        threshold_rule=campaign.threshold,
        contacted=None if no_contact else contacted,
        before=None if before is None else name_of(before.uri),
        no_contact=no_contact,
        base_rate=loaded.base_rate,
        not_at_risk=not_at_risk["general"],
        **contacts.settings,
        **asdict(replace(batch, warnings=(*batch.warnings, *new_value_warnings(scored))))
        | {"outcome": batch.outcome.model_dump(), "cohort": batch.cohort.model_dump()},
    )
    written = datasets.write_parquet(predictions.lazy(), output, described)
    BatchPredicted(
        game=model.game,
        month=month_name(batch.window[0]),
        version=version,
        rows=len(scored.rows),
        uri=written.uri,
    ).emit()
    return written


def footer_warnings(predictions: DatasetRef) -> tuple[str, ...]:
    """Reads the warnings about predictions from their footer, and what they leave out."""
    names = ("warnings", "not_at_risk", "outcome", "window")
    warnings, not_at_risk, outcome, window = facts(predictions, *names)
    cohort = {"cohort": optional_fact(predictions, "cohort")}
    row = words_of(grain_of(cohort), *map(date.fromisoformat, window)).row
    judged = OutcomeSettings.model_validate(outcome)
    return (*warnings, *not_at_risk_warnings(not_at_risk, judged, row))


def with_others(
    predicted: pl.DataFrame, features: DatasetRef, outcome: OutcomeSettings
) -> pl.DataFrame:
    """Adds the subscriptions of a batch that cannot churn, without a probability."""
    others = datasets.scan(features).filter(~is_at_risk(outcome))
    shared = [name for name in predicted.columns if name in others.collect_schema()]
    return pl.concat([predicted, others.select(shared).collect()], how="diagonal")
