"""The flow `batch-predict`: the churn probability of a month's new subscriptions."""

if __name__ == "__main__":  # Before the imports below: the first line is printed while they load.
    from flows.command import main

    raise SystemExit(main("batch_predict"))

from datetime import date

from churnlib import storage
from churnlib.datasets import Dataset, DatasetRef
from churnlib.errors import naming
from churnlib.features.currency import add_currency_features
from churnlib.features.standard import standard_features
from churnlib.features.windows import in_window
from churnlib.lineage import metadata_of
from churnlib.model.store import read_manifest
from churnlib.settings import CurrencySettings, StandardSettings
from flows.engine.cache import run_logger
from flows.features import refuse_empty
from flows.run import Run, churn_flow
from flows.score import usable_champion
from flows.standard_features import warn_of_totals
from flows.task import task


@churn_flow("batch-predict")
def batch_predict(run: Run) -> DatasetRef:
    """Predicts the batch of the window from the raw tables, without the missed months."""
    model, warning = usable_champion(run, "batch_predict")
    if warning:
        run_logger().warning(warning)
    window = run.window("batch_predict")
    characters = run.checked("character_data")
    features = build_predict_features(
        characters,
        run.checked("sub_data", parent=characters),
        run.checked("character_currency"),
        run.catalog.predict_features(window[0]),
        window=window,
        as_of=run.as_of,
        standard_settings=run.settings.standard,
        currency_settings=run.settings.currency,
    )
    return predict_batch(model, features, run.catalog.predictions(window[0]))


@task
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
) -> DatasetRef:
    """Builds the features of a batch, the same as in training, straight from the raw tables."""
    warn_of_totals(standard_settings)
    standard = standard_features(
        storage.scan(characters),
        storage.scan(subs),
        as_of=as_of,
        undated_totals=standard_settings.undated_totals,
    )
    refuse_empty(standard, subs.game, "windows.batch_predict", window)
    features = add_currency_features(
        in_window(standard, *window), storage.scan(currency), currency_settings, as_of=as_of
    )
    metadata = metadata_of(characters, subs, currency, as_of=as_of, window=window)
    return storage.write_parquet(features, output, metadata)


@task(uses=("churnlib.model",))
def predict_batch(model: DatasetRef, features: DatasetRef, output: Dataset) -> DatasetRef:
    """Predicts every subscription of a batch, and ranks them by risk."""
    from churnlib.model.predict import predict, rank_by_risk
    from churnlib.model.store import load_model

    loaded = load_model(model)
    rows = storage.scan(features).collect()
    for column, count in loaded.schema.unknown_categories(rows).items():
        run_logger().warning("%s: %d rows with a category not met in training", column, count)
    with naming(model.game):
        batch = rows.with_columns(predict(loaded.pipeline, loaded.schema, rows))
    version = read_manifest(model)["version"]
    metadata = metadata_of(features, model_version=version)
    return storage.write_parquet(rank_by_risk(batch, version).lazy(), output, metadata)
