"""The flow `standard-features`: raw tables to the small feature store."""

if __name__ == "__main__":  # Before the imports below: the first line is printed while they load.
    from flows.command import main

    raise SystemExit(main("standard_features"))

from datetime import date

from churnlib import storage
from churnlib.datasets import Dataset, DatasetRef
from churnlib.features import churn, standard
from churnlib.lineage import metadata_of
from churnlib.settings import StandardSettings
from flows.engine.cache import run_logger
from flows.run import Run, churn_flow
from flows.task import task


@churn_flow("standard-features")
def standard_features(run: Run) -> DatasetRef:
    """Builds all features but currency, and the day of each churn, from the raw tables."""
    characters = run.checked("character_data")
    subs = run.checked("sub_data", parent=characters)
    misses = run.checked("sub_miss", parent=subs)
    return build_standard_features(
        characters,
        subs,
        misses,
        run.catalog.standard_features(),
        as_of=run.as_of,
        churn_after_months=run.settings.churn_after_months,
        settings=run.settings.standard,
    )


@task
def build_standard_features(
    characters: DatasetRef,
    subs: DatasetRef,
    misses: DatasetRef,
    output: Dataset,
    *,
    as_of: date,
    churn_after_months: int,
    settings: StandardSettings,
) -> DatasetRef:
    """Builds the standard features of every subscription, and the day on which it churned."""
    warn_of_totals(settings)
    features = standard.standard_features(
        storage.scan(characters),
        storage.scan(subs),
        as_of=as_of,
        undated_totals=settings.undated_totals,
    )
    with_churn = churn.add_churned_on(
        features, storage.scan(misses), as_of=as_of, churn_after_months=churn_after_months
    )
    metadata = metadata_of(
        characters,
        subs,
        misses,
        as_of=as_of,
        churn_after_months=churn_after_months,
        standard=settings.model_dump(),
    )
    return storage.write_parquet(with_churn, output, metadata)


def warn_of_totals(settings: StandardSettings) -> None:
    """Warns where the settings ask for features that leak the future."""
    if settings.undated_totals:
        run_logger().warning(
            "standard.undated_totals: total_kills and total_deaths are known only as of the "
            "extract; as features they leak the future, and back-tests flatter."
        )
