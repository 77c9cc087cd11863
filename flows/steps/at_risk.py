"""Subscriptions that cannot churn: not trained on, scored or predicted, but counted."""

import polars as pl

from churnlib.features.outcome import is_at_risk
from churnlib.io.datasets import DatasetRef
from churnlib.model.feature_table import FeatureTable
from churnlib.report.formatting import counted
from churnlib.settings.outcome import OutcomeSettings


def rows_at_risk(
    features: DatasetRef, outcome: OutcomeSettings
) -> tuple[FeatureTable, dict[str, int]]:
    """Opens the rows of a feature table whose subscriptions can churn, and counts the others.

    Args:
        features: The feature table.
        outcome: What counts as churn.

    Returns:
        The rows, and the number of the others by group; see `count_by_group`.
    """
    rows, at_risk = FeatureTable.read(features), is_at_risk(outcome)
    others = count_by_group(rows.table.filter(~at_risk))
    return (rows.where(at_risk) if any(others.values()) else rows), others


def count_by_group(subs: pl.LazyFrame | pl.DataFrame) -> dict[str, int]:
    """Counts subscriptions by the groups of reports; see `churnlib.report.content.GROUPS`."""
    is_new = pl.col("is_first_sub")
    counts = subs.lazy().select(general=pl.len(), new_characters=is_new.sum()).collect()
    return {name: int(number) for name, number in counts.row(0, named=True).items()}


def not_at_risk_warnings(
    number: int, outcome: OutcomeSettings, row: str = "subscription"
) -> tuple[str, ...]:
    """Tells the reader of a report how many rows it leaves out, and why.

    Args:
        number: The number of rows.
        outcome: What counts as churn.
        row: What a row is; see `churnlib.settings.RowWords`.
    """
    if not number:
        return ()
    return (
        f"{counted(number, row)} of the window cannot churn and "
        f"{'is' if number == 1 else 'are'} left out: {outcome.why_not_at_risk}",
    )
