"""Warnings about a run, for its log and for the readers of its reports."""

from collections.abc import Iterable
from datetime import date
from itertools import chain

import polars as pl

from churnlib.io import datasets, storage
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.model.predict import Scored
from churnlib.months import months_apart
from churnlib.report.formatting import counted
from churnlib.schemas.columns import DATE
from churnlib.settings import StandardSettings, label_overlap
from flows.engine.cache import run_logger
from flows.steps.run import Run
from flows.steps.sources import Sources, stale_source_warnings


def warn(*groups: Iterable[str], note: str | None = None) -> tuple[str, ...]:
    """Logs warnings, each once, and returns them for the reports.

    Args:
        groups: The warnings.
        note: A remark to log as well, which is not for the reports.
    """
    distinct = tuple(dict.fromkeys(chain(*groups)))
    for warning in distinct:
        run_logger().warning(warning)
    if note:
        run_logger().info(note)
    return distinct


def leakage_warnings(settings: StandardSettings) -> tuple[str, ...]:
    """Warns if the settings include features that leak the label."""
    if not settings.undated_totals:
        return ()
    return (
        "standard.undated_totals: label leakage, because total_kills and total_deaths are known "
        "only as of the extract; metrics of back-tests are optimistic",
    )


def data_warnings(run: Run, sources: Sources, currency: Dataset | DatasetRef) -> tuple[str, ...]:
    """Warns of labels that are not reliable, and of features that are out of date."""
    return (
        *run.day_warnings,
        *overlap_warnings(run),
        *late_data_warnings(run, currency),
        *stale_source_warnings(run, sources),
    )


def overlap_warnings(run: Run) -> tuple[str, ...]:
    """Warns if training labels become available only within the scoring window."""
    overlap = label_overlap(run.settings, run.as_of)
    if overlap is None:
        return ()
    available, opens = overlap
    return (
        f"training labels become available only by {available}, after windows.score opens on "
        f"{opens}; metrics of back-tests are optimistic (allow_label_overlap is set)",
    )


def late_data_warnings(run: Run, currency: Dataset | DatasetRef) -> tuple[str, ...]:
    """Warns if the data end so long before the day of the run that labels may be wrong.

    Args:
        run: The run.
        currency: The checked currency table, which shows where the data end; it may not exist.
    """
    if not storage.exists(currency.uri):  # A flow that starts from features may have none.
        return ()
    latest: date | None = datasets.scan(currency).select(pl.col(DATE).max()).collect().item()
    if latest is None or (months := months_apart(latest, run.as_of)) <= 1:
        return ()
    return (
        f"the latest currency is of {latest}, {months} months before the day of the run, "
        f"{run.as_of}: if the missed months since then are missing as well, labels are 0 that "
        "should be 1 or null",
    )


def new_category_warnings(scored: Scored) -> tuple[str, ...]:
    """Warns of categories that did not occur in training, and of unusually many rare ones."""
    kinds = {
        "did not occur in training": scored.unknown,
        "was rare or absent in training, more than expected": scored.rare,
    }
    return tuple(
        f"{column}: {count:,} of {counted(len(scored.rows), 'subscription')} "
        f"{'has' if count == 1 else 'have'} a category that {what}"
        for what, counts in kinds.items()
        for column, count in counts.items()
    )
