"""What a run leaves on its page in Prefect's UI: its datasets, and its report.

An artifact is a convenience: where the server does not take it, the run says so and goes on.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import httpx
from prefect.artifacts import (
    create_link_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.context import FlowRunContext
from prefect.exceptions import PrefectException

from churnlib.io.datasets import DatasetRef
from churnlib.report.content import GROUPS
from churnlib.report.text import FIGURES, TITLES, cell
from churnlib.report.verdict import gate_verdict, verdict
from churnlib.uris import is_remote, name_of
from flows.engine.cache import run_logger
from flows.engine.ledger import Call

FINGERPRINT_LENGTH = 12
"""How much of a fingerprint tells one content from another."""


def show_datasets(game: str, calls: Sequence[Call]) -> None:
    """Leaves a table of the datasets that a run wrote or took from the cache."""
    rows = [
        {
            "dataset": dataset.name,
            "rows": "" if dataset.rows is None else f"{dataset.rows:,}",
            "seconds": "" if call.seconds is None else f"{call.seconds:.1f}",
            "cached": "yes" if call.seconds is None else "no",
            "fingerprint": dataset.fingerprint[:FINGERPRINT_LENGTH],
            "place": dataset.uri,
        }
        for call in calls
        for dataset in call.outputs
    ]
    show_table(game, "datasets", rows)


def show_report(page: DatasetRef, report: Mapping[str, Any]) -> None:
    """Leaves the figures of a report as a table, and a link to its page.

    Args:
        page: The report as HTML.
        report: The same as plain data; see `churnlib.report.content.Report.to_json`.
    """
    if not FlowRunContext.get():
        return
    title = f"{TITLES[page.name]}: {page.game}"
    with tolerant():
        create_table_artifact(
            figures(report),
            key=artifact_key(page.game, "scores"),
            description=f"## {title}\n\n" + "\n\n".join(_words(report)),
        )
        create_link_artifact(
            page.uri if is_remote(page.uri) else Path(page.uri).absolute().as_uri(),
            link_text=f"{title} ({name_of(page.uri)})",
            key=artifact_key(page.game, "report"),
            description=f"The report as a page, as the machine of the run names it: `{page.uri}`",
        )


class Progress:
    """How far a run of many parts is, as a bar on its page."""

    def __init__(self, game: str, what: str) -> None:
        """Leaves the bar, at its start.

        Args:
            game: The game.
            what: What is under way.
        """
        self._id: UUID | None = None
        if FlowRunContext.get():
            with tolerant():
                key = artifact_key(game, "progress")
                made = create_progress_artifact(0, key=key, description=what)
                self._id = cast("UUID", made)  # A coroutine only where the caller is one.

    def at(self, share: float) -> None:
        """Moves the bar to a share of the whole, from 0 to 1."""
        if self._id:
            with tolerant():
                update_progress_artifact(self._id, 100 * share)


def show_table(game: str, what: str, rows: Sequence[Mapping[str, str]]) -> None:
    """Leaves a table, if it has rows; a later run's of the same name is another version of it.

    Args:
        game: The game.
        what: The name of the table, a word.
        rows: Its rows; the columns are those of the first.
    """
    if rows and FlowRunContext.get():
        with tolerant():
            create_table_artifact(
                [dict(row) for row in rows],
                key=artifact_key(game, what),
                description=f"{what.capitalize()} of {game}",
            )


def figures(report: Mapping[str, Any]) -> list[dict[str, str]]:
    """The figures of a report as rows, worded as in its text; columns are the groups.

    Args:
        report: See `show_report`. Of a training report the validation is shown.
    """
    scores = _scores(report)
    return [
        {"figure": label.strip(), **{GROUPS[g]: cell(scores[g], key, form) for g in scores}}
        for key, label, form in FIGURES
    ]


def artifact_key(game: str, what: str) -> str:
    """Names an artifact of the current flow, so that a later run's is another version of it.

    >>> artifact_key("Game_2", "scores")
    'game-2-scores'
    """
    run = FlowRunContext.get()
    flow = run.flow.name if run and run.flow else ""
    return re.sub(r"[^a-z0-9]+", "-", f"{flow}-{game}-{what}".lower()).strip("-")


@contextmanager
def tolerant() -> Iterator[None]:
    """Lets the run go on where the server refuses what the block sends: the outputs stand."""
    try:
        yield
    except (PrefectException, httpx.HTTPError) as error:
        run_logger().warning("Prefect's server did not take an artifact: %s", error)


def _scores(report: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    validation: Mapping[str, Mapping[str, Any]] | None = report.get("validation")
    return validation or {group: report[group] for group in GROUPS}


def _words(report: Mapping[str, Any]) -> Iterator[str]:
    first, last = report["window"]["start"], report["window"]["end"]
    yield f"Model {report['model_version']}, subscriptions begun {first} to {last}."
    for group, scores in _scores(report).items():
        judged = verdict(scores)
        yield f"**{GROUPS[group]}**: {judged.head} {judged.reason}"
    if comparison := report.get("comparison"):
        judged = gate_verdict(comparison)
        yield f"**Candidate against champion**: {judged.head} {judged.reason}"
    yield from (f"WARNING: {warning}" for warning in report["warnings"])
