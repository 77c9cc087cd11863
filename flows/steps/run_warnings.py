"""Warnings about a run, for its log and for the readers of its reports."""

from collections.abc import Iterable
from itertools import chain

from churnlib.model.predict import Scored
from churnlib.report.formatting import counted_rows
from churnlib.settings import WindowName, label_overlap
from flows.engine.run_logger import run_logger, warn_once
from flows.steps.feeds import Feeds, check_feeds
from flows.steps.run import Run
from flows.steps.sources import Sources, stale_source_warnings

MOST_BEYOND = 0.5
"""The share of rows with numbers beyond those of training from which a run warns. High, because
counts and ages grow as a game does."""
FEWEST_BEYOND = 5
"""The number of such rows that it takes at least."""


def warn(*groups: Iterable[str], note: str | None = None) -> tuple[str, ...]:
    """Logs warnings, each once a run, and returns them for the reports.

    Args:
        groups: The warnings.
        note: A remark to log as well, which is not for the reports.
    """
    distinct = tuple(dict.fromkeys(chain(*groups)))
    for warning in distinct:
        warn_once(warning)
    if note:
        run_logger().info(note)
    return distinct


def leakage_warnings(run: Run) -> tuple[str, ...]:
    """Warns if the settings include features that leak the label."""
    undated = [
        name
        for spec in run.raw.of_kind("entity", "subscriptions")
        for name in spec.of_kind("undated")
    ]
    if not (undated and run.settings.standard.undated_totals):
        return ()
    return (
        f"standard.undated_totals: label leakage, because {', '.join(undated)} are known only as "
        "of the extract; metrics of back-tests are optimistic",
    )


def data_warnings(run: Run, flow: WindowName, sources: Sources, feeds: Feeds) -> tuple[str, ...]:
    """Warns of labels that are not reliable, and of features that are out of date.

    Args:
        run: The run.
        flow: The flow.
        sources: The facts of the raw tables behind the standard features.
        feeds: The rows by month of the tables behind labels and features.

    Raises:
        DataError: Subscriptions or misses are late; see `flows.steps.feeds.check_feeds`.
    """
    return (
        *run.day_warnings,
        *overlap_warnings(run),
        *check_feeds(run, feeds, flow),
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


def new_value_warnings(scored: Scored) -> tuple[str, ...]:
    """Warns of values that training did not see, and of far fewer values than it had."""
    rows = len(scored.rows)
    of = counted_rows(rows, scored.rows.columns)
    kinds = {
        "a category that did not occur in training": scored.unknown,
        "a category that was rare or absent in training, more than expected": scored.rare,
        "a number below or above all of training; if its unit changed, predictions are wrong": {
            name: count
            for name, count in scored.beyond.items()
            if count >= max(FEWEST_BEYOND, MOST_BEYOND * rows)
        },
    }
    few = tuple(
        f"{column}: {known:,} of {of} {'has' if known == 1 else 'have'} "
        f"a value, where about {expected:,} were to be expected from training: check that the last "
        "months of its table are complete"
        for column, (known, expected) in scored.unfilled.items()
    )
    return few + tuple(
        f"{column}: {count:,} of {of} "
        f"{'has' if count == 1 else 'have'} {what}{_respelled(scored, column)}"
        for what, counts in kinds.items()
        for column, count in counts.items()
    )


def _respelled(scored: Scored, column: str) -> str:
    """Another spelling of a category that training knows, if there is one."""
    if column not in scored.respelled:
        return ""
    new, known = scored.respelled[column]
    return f', such as "{new}", which training knows as "{known}"'
