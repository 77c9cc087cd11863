"""The least that any engine must do: read what the features are made of, write what they are."""

from pathlib import Path

import polars as pl

from churnlib.io.catalog import Catalog
from churnlib.io.datasets import ROWS_PER_GROUP
from churnlib.schemas.raw_tables import raw_tables

UNREAD = raw_tables().characters.of_kind("undated")
"""Columns of the prepared tables that no feature is made of."""


def copy(data_dir: Path, game: str, target: Path) -> None:
    """Reads every value of the prepared tables, and copies the tables of features.

    Args:
        data_dir: The data folder in which the engine has built the features.
        game: The game.
        target: The folder to write to.
    """
    catalog = Catalog(str(data_dir), game)
    for table in raw_tables():
        rows = pl.scan_parquet(catalog.checked(table).uri)
        # To count nulls, every page is decoded: none is answered by the file's statistics.
        rows.select(pl.exclude(UNREAD).null_count()).collect(engine="streaming")
    for made in (catalog.standard_features(), catalog.features("train")):
        copy = target / f"{made.name}.parquet"
        rows = pl.scan_parquet(made.uri)
        rows.sink_parquet(copy, row_group_size=ROWS_PER_GROUP, engine="streaming", mkdir=True)
