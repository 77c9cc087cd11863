"""Batches to deliver."""

import hashlib
from datetime import date

import polars as pl

from churnlib.io.batches import Batch

JUNE, JULY = date(2024, 6, 1), date(2024, 7, 1)
V1, V2 = "20240801T000000000Z", "20240901T000000000Z"
KEY = ("game", "batch_month", "sub_id")


def batch(game: str, month: date, rows: int, version: str = V1, first: int = 0) -> Batch:
    """A batch with some subscriptions, the last of which has no prediction."""
    ids = range(first, first + rows)
    values = {
        "char_id": [f"it's {i}" for i in ids],
        "sub_id": list(ids),
        "sub_start_date": [month.replace(day=i % 28 + 1) for i in ids],
        "churn_probability": [*(i / 7 for i in ids[:-1]), None][:rows],
        "risk_rank": [*range(1, rows), None][:rows],
        "model_version": [version] * rows,
        "contact": [*(i % 2 == 0 for i in ids[:-1]), None][:rows],
    }
    types = {"churn_probability": pl.Float64, "contact": pl.Boolean, "risk_rank": pl.UInt32}
    predictions = pl.LazyFrame(values, schema_overrides=types)
    fingerprint = hashlib.sha256(repr((month, rows, version, first)).encode()).hexdigest()
    return Batch(game, month, date(2024, 8, 1), version, fingerprint, predictions)
