"""The flow `batch-predict`: the churn probability of a month's new subscriptions."""

from flows import run_command

if __name__ == "__main__":  # Before the other imports, which would delay the first line.
    run_command("batch-predict")

from datetime import date
from functools import partial
from typing import Any

import polars as pl

from churnlib.errors import error_prefix
from churnlib.features.cohort import in_window
from churnlib.features.history import add_currency_features
from churnlib.features.standard import standard_features
from churnlib.io import datasets
from churnlib.io.catalog import month_name
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import footer
from churnlib.model.feature_table import FeatureTable
from churnlib.raw.availability import known_by
from churnlib.schemas.raw_tables import raw_tables
from churnlib.settings import CampaignSettings, CurrencySettings, EngineSettings, StandardSettings
from churnlib.versions.manifest import read_manifest
from flows.engine.building import build
from flows.engine.cache import run_logger
from flows.engine.events import BatchPredicted
from flows.score import new_categories
from flows.steps.back_test_plan import usable_model
from flows.steps.reports import leaks, warn
from flows.steps.run import Run, churn_flow
from flows.steps.runtime_code import MODEL_CODE
from flows.steps.window_features import refuse_empty
from flows.task import task


@churn_flow("batch-predict", by_model=True)
def batch_predict(run: Run) -> DatasetRef:
    """Predicts the batch of the window from the raw tables, without the missed months."""
    model, flatters = usable_model(run, "batch_predict")
    warnings = warn((*leaks(run.settings.standard), *flatters))
    window = run.window("batch_predict")
    characters, subs, currency = run.tables("entity", "subscriptions", "history")
    features = build_predict_features(
        characters.checked,
        subs.checked,
        currency.checked,
        run.catalog.predict_features(window[0]),
        window=window,
        as_of=run.as_of,
        standard_settings=run.settings.standard,
        currency_settings=run.settings.currency,
        engine=run.settings.engine,
    )
    return predict_batch(
        model,
        features,
        run.catalog.predictions(window[0]),
        terms={
            "window": window,
            "horizon_months": run.settings.horizon_months,
            "churn_after_months": run.settings.churn_after_months,
            "warnings": warnings,
        },
        campaign=run.settings.campaign,
        allow_joblib=run.settings.train.model_format == "joblib",
    )


@task(
    reads=(
        "02_intermediate/{entity}",
        "02_intermediate/{subscriptions}",
        "02_intermediate/{history}",
    ),
    writes=("05_model_input/predict_features",),
    settings=("windows.batch_predict", "as_of", "standard", "currency", "engine"),
    notes=("engine",),
)
def build_predict_features(
    characters: DatasetRef,
    subs: DatasetRef,
    currency: DatasetRef,
    output: Dataset,
    *,
    window: tuple[date, date],
    as_of: date,
    standard_settings: StandardSettings,
    currency_settings: CurrencySettings,
    engine: EngineSettings,
) -> DatasetRef:
    """Builds the features of a batch, the same as in training, straight from the raw tables."""
    known = datasets.scan(subs).filter(known_by(raw_tables().subscriptions, as_of))
    refuse_empty(known, subs.game, "windows.batch_predict", window)
    features = partial(
        batch_features,
        window=window,
        as_of=as_of,
        undated_totals=standard_settings.undated_totals,
        currency_settings=currency_settings,
    )
    facts = footer(as_of=as_of, window=window)
    return build(features, (characters, subs, currency), output, facts, engine)


def batch_features(
    characters: pl.LazyFrame,
    subs: pl.LazyFrame,
    balances: pl.LazyFrame,
    *,
    window: tuple[date, date],
    as_of: date,
    undated_totals: bool,
    currency_settings: CurrencySettings,
) -> pl.LazyFrame:
    """The features of the subscriptions of a batch, as in training but without labels."""
    standard = standard_features(characters, subs, as_of=as_of, undated_totals=undated_totals)
    batch = in_window(standard, *window)
    return add_currency_features(batch, balances, currency_settings, as_of=as_of)


@task(
    reads=("06_models/champion", "05_model_input/predict_features"),
    writes=("07_model_output/predictions",),
    settings=(
        "windows.batch_predict",
        "horizon_months",
        "churn_after_months",
        "campaign",
        "train.model_format",
    ),
    uses=MODEL_CODE,
)
def predict_batch(
    model: DatasetRef,
    features: DatasetRef,
    output: Dataset,
    *,
    terms: dict[str, Any],
    campaign: CampaignSettings,
    allow_joblib: bool,
) -> DatasetRef:
    """Predicts every subscription of a batch, ranks them by risk, and says whom to contact.

    Args:
        model: The version to predict by.
        features: The features of the batch.
        output: Where the predictions go.
        terms: What the predictions are of, and what to warn of; kept with them.
        campaign: What decides whom to contact, and who is held out.
        allow_joblib: Open a joblib model file, too, which runs what it says.
    """
    from churnlib.metrics.contact import add_contact
    from churnlib.model.predict import predict_in_parts, rank_by_risk
    from churnlib.versions.folder import load_model
    from churnlib.versions.threshold import contact_threshold

    loaded = load_model(model, allow_joblib=allow_joblib)
    with error_prefix(model.game):
        rows = FeatureTable.read(features)
        batch = predict_in_parts(loaded, rows)
    warn(new_categories(batch))
    version = read_manifest(model)["version"]
    with error_prefix(model.game):
        threshold = contact_threshold(model, campaign.offer)
    ranked = rank_by_risk(batch.rows, version)
    told = add_contact(ranked, threshold, campaign.hold_out_share)
    to_contact, held_out = (int(told[column].sum()) for column in ("contact", "held_out"))
    words = "contact nobody" if threshold is None else f"contact from {threshold:.4f} on"
    run_logger().info("%s: %d of %d; %d held out", words, to_contact, len(told), held_out)
    facts = footer(model_version=version, threshold=threshold, base_rate=loaded.base_rate, **terms)
    made = datasets.write_parquet(told.lazy(), output, facts)
    BatchPredicted(
        game=model.game,
        month=month_name(terms["window"][0]),
        version=version,
        rows=len(batch.rows),
        uri=made.uri,
    ).emit()
    return made
