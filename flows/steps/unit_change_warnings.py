"""The warning of training rows whose numbers change their unit."""

from churnlib.features.unit_changes import UnitChange, find_unit_changes
from churnlib.io import datasets
from churnlib.io.catalog import month_name
from churnlib.io.datasets import DatasetRef


def unit_change_warnings(features: DatasetRef) -> tuple[str, ...]:
    """Warns of numbers that are suddenly ten times as great, or a tenth, and stay so.

    Args:
        features: The features of a training.
    """
    return tuple(map(_warning, find_unit_changes(datasets.scan(features))))


def _warning(change: UnitChange) -> str:
    return (
        f"{change.column}: about {change.factor:.2g} times as great in rows of "
        f"{month_name(change.month)} or later as in those before: if its unit changed, write "
        "all rows in the same unit, or the model learns from numbers that mean two things"
    )
