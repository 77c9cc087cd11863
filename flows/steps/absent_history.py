"""Subscriptions without rows of a history whose characters should have some."""

import polars as pl

from churnlib.io import datasets
from churnlib.io.datasets import DatasetRef
from churnlib.report.formatting import counted_rows
from churnlib.schemas.columns import LABEL
from churnlib.settings.history_features import age_feature
from flows.steps.run import Run

MOST_ABSENT = 0.01
"""The share of such subscriptions above which a run warns."""


def absent_history_warnings(run: Run, features: DatasetRef) -> tuple[str, ...]:
    """Warns if many subscriptions have no row of a history, although their character is not new.

    If the table leaves out characters by what happened to them later, such as those who have left,
    their missing features give the label away. A daily history may leave out days without news, so
    it is not judged.

    Args:
        run: The run.
        features: A feature table, with or without labels.
    """
    rows = datasets.scan(features)
    if "age_at_sub_months" not in (columns := rows.collect_schema()):
        return ()
    asked = run.settings.features.tables
    monthly = (spec.name for spec in run.raw.of_kind("history") if spec.every == "month")
    histories = [name for name in monthly if name in asked and age_feature(name) in columns]
    found = (_warning(rows, name) for name in histories)
    return tuple(filter(None, found))


def _warning(rows: pl.LazyFrame, history: str) -> str | None:
    columns = rows.collect_schema()
    churn = pl.col(LABEL) if LABEL in columns else pl.lit(None, pl.Int8).alias(LABEL)
    is_absent = pl.col(age_feature(history)).is_null() & (pl.col("age_at_sub_months") >= 1)
    flagged = rows.select(churn, absent=is_absent.fill_null(False)).collect()
    absent, others = (flagged.filter(pl.col("absent") == value)[LABEL] for value in (True, False))
    if len(absent) <= MOST_ABSENT * len(flagged):
        return None
    known = [labels.drop_nulls() for labels in (absent, others)]
    rates = [f"{labels.sum() / len(labels):.1%}" for labels in known if len(labels)]
    churned = f" ({rates[0]} of them churned, {rates[1]} of others)" if len(rates) == 2 else ""
    return (
        f"{len(absent):,} of {counted_rows(len(flagged), columns)} of the window have no row of "
        f"{history}, although their characters were created in an earlier month"
        f"{churned}: check that the table has the whole history of all characters. If it leaves "
        "out those who have left, or has only those, it tells the outcome, and metrics are "
        "optimistic"
    )
