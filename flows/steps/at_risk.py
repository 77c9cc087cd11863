"""Subscriptions that cannot churn: not trained on, scored or predicted, but counted."""

from churnlib.features.outcome import is_at_risk
from churnlib.io.datasets import DatasetRef
from churnlib.model.feature_table import FeatureTable
from churnlib.report.formatting import counted


def rows_at_risk(features: DatasetRef, churn_after_months: int) -> tuple[FeatureTable, int]:
    """Opens the rows of a feature table whose subscriptions can churn, and counts the others.

    Args:
        features: The feature table.
        churn_after_months: The number of missed months in a row that are churn.
    """
    rows, at_risk = FeatureTable.read(features), is_at_risk(churn_after_months)
    others = int(rows.table.select((~at_risk).sum()).collect().item())
    return (rows.where(at_risk) if others else rows), others


def not_at_risk_warnings(number: int, churn_after_months: int) -> tuple[str, ...]:
    """Tells the reader of a report how many subscriptions it leaves out, and why."""
    if not number:
        return ()
    return (
        f"{counted(number, 'subscription')} of the window cannot churn and "
        f"{'is' if number == 1 else 'are'} left out: sub_months is less than the "
        f"{churn_after_months} missed months in a row that are churn (churn_after_months)",
    )
