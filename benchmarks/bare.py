"""A lower bound for any engine: reads the inputs of the features, and copies the features."""

from pathlib import Path

import polars as pl

from churnlib.io.catalog import Catalog
from churnlib.io.datasets import ROWS_PER_GROUP
from churnlib.schemas.raw_tables import raw_tables
from churnlib.settings import load_settings


def copy(data_dir: Path, game: str, target: Path) -> None:
    """Reads every value of the prepared tables, and copies the feature tables.

    Args:
        data_dir: The data folder in which the engine has built the features.
        game: The game.
        target: The folder to write to.
    """
    catalog = Catalog(str(data_dir), game)
    tables = raw_tables(load_settings(game))
    unread = tables.characters.of_kind("undated")  # No feature uses them.
    for table in tables:
        rows = pl.scan_parquet(catalog.checked(table).uri)
        # Counting nulls this way decodes every page, and does not use the file's statistics.
        rows.select(pl.exclude(unread).null_count()).collect(engine="streaming")
    for features in (catalog.standard_features(), catalog.features("train")):
        copy = target / f"{features.name}.parquet"
        rows = pl.scan_parquet(features.uri)
        rows.sink_parquet(copy, row_group_size=ROWS_PER_GROUP, engine="streaming", mkdir=True)
