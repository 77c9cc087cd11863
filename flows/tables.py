"""The raw tables made ready: checked, typed, sorted, kept as Parquet."""

from datetime import date
from pathlib import Path

import polars as pl

from churnlib import storage
from churnlib.datasets import Dataset, DatasetRef
from churnlib.errors import DataError
from churnlib.lineage import faults_metadata
from churnlib.raw.checks import check_table
from churnlib.settings import RawSettings
from flows.engine.cache import run_logger
from flows.task import task


@task
def check_raw(
    source: DatasetRef,
    table: str,
    settings: RawSettings,
    output: Dataset,
    rejected: Dataset,
    *,
    parent: DatasetRef | None = None,
) -> dict[str, DatasetRef]:
    """Checks a raw table and keeps it typed and sorted by key; sets faulty rows apart if allowed.

    Returns:
        `checked`, and where rows were set apart `rejected`.
    """
    above = None if parent is None else storage.scan(parent)
    result = check_table(source, table, settings, parent=above)
    for fact, rows in result.odd.items():
        run_logger().warning("%s: %s: %s: %d rows", source.game, table, fact, rows)
    metadata = faults_metadata(len(result.rejected), result.odd)
    made = {"checked": storage.write_parquet(result.rows.lazy(), output, metadata)}
    if result.rejected.is_empty():
        Path(rejected.uri).unlink(missing_ok=True)
    else:
        made["rejected"] = storage.write_parquet(result.rejected.lazy(), rejected)
        run_logger().warning(
            "%s: %s: %d faulty rows set apart in %s",
            source.game,
            table,
            len(result.rejected),
            rejected.uri,
        )
    return made


def latest_currency_date(currency: DatasetRef) -> date:
    """The day of a run that names none: the latest date in the currency table.

    Raises:
        DataError: The table is empty.
    """
    latest = storage.scan(currency).select(pl.col("date").max()).collect().item()
    if not isinstance(latest, date):
        raise DataError(
            f"{currency.game}: character_currency has no rows, so the day of the run cannot be "
            "told from it. Name it with --as-of."
        )
    return latest
