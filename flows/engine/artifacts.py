"""Artifacts on a run's page in Prefect's UI: its datasets, its progress and its report.

They are optional: if the server does not accept one, the run logs a warning and continues.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.context import FlowRunContext

from churnlib.io.datasets import DatasetRef
from churnlib.report.content import Report
from churnlib.report.markdown import to_markdown
from churnlib.shown import code, markdown
from churnlib.uris import is_remote, name_of
from flows.engine.ledger import Call
from flows.engine.tolerance import tolerant
from flows.engine.tries import TAG, is_try

FINGERPRINT_LENGTH = 12
"""Number of digits of a fingerprint that are shown."""


def show_datasets(game: str, calls: Sequence[Call]) -> None:
    """Creates a table of the datasets that a run wrote or took from the cache."""
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


def show_report(page: DatasetRef, data: Mapping[str, Any]) -> None:
    """Creates an artifact with a report, and one with a link to its page.

    Args:
        page: The report as HTML.
        data: The report as plain data; see `churnlib.report.content.Report.to_json`.
    """
    if not FlowRunContext.get():
        return
    report = Report.from_json(data)
    with tolerant("an artifact"):
        create_markdown_artifact(
            to_markdown(report),
            key=artifact_key(page.game, "scores"),
            description=markdown(report.title),
        )
    show_page(page, report.title)


def show_page(page: DatasetRef, title: str) -> None:
    """Creates a link to a page; that of a later run is a new version of it.

    Args:
        page: The page.
        title: Its title.
    """
    if FlowRunContext.get():
        with tolerant("an artifact"):
            create_link_artifact(
                page.uri if is_remote(page.uri) else Path(page.uri).absolute().as_uri(),
                link_text=markdown(f"{title} ({name_of(page.uri)})"),
                key=artifact_key(page.game, "report"),
                description=f"The report as a page, on the machine of the run: {code(page.uri)}",
            )


class Progress:
    """A progress bar for a run of many parts."""

    def __init__(self, game: str, what: str) -> None:
        """Creates the bar, at 0 %.

        Args:
            game: The game.
            what: What the run does.
        """
        self._id: UUID | None = None
        if FlowRunContext.get():
            with tolerant("an artifact"):
                key = artifact_key(game, "progress")
                artifact = create_progress_artifact(0, key=key, description=what)
                self._id = cast("UUID", artifact)  # A coroutine only in asynchronous callers.

    def at(self, share: float) -> None:
        """Moves the bar to a share of the work, from 0 to 1."""
        if self._id:
            with tolerant("an artifact"):
                update_progress_artifact(self._id, 100 * share)


def show_table(game: str, what: str, rows: Sequence[Mapping[str, str]]) -> None:
    """Creates a table if it has rows; that of a later run is a new version of it.

    Args:
        game: The game.
        what: The name of the table, one word.
        rows: Its rows, with the columns of the first. Texts are shown as they are written, although
            Prefect's page renders them as Markdown.
    """
    if rows and FlowRunContext.get():
        with tolerant("an artifact"):
            create_table_artifact(
                [{name: _cell(text) for name, text in row.items()} for row in rows],
                key=artifact_key(game, what),
                description=f"{what.capitalize()} of {game}",
            )


def _cell(text: str) -> str:
    """Escapes a text for a table; not its underscores, which at most make it italic."""
    return markdown(text).replace("\\_", "_")


def show_note(game: str, what: str, text: str) -> None:
    """Creates a note; that of a later run is a new version of it.

    Args:
        game: The game.
        what: The name of the note, one word.
        text: The note.
    """
    if FlowRunContext.get():
        with tolerant("an artifact"):
            create_markdown_artifact(
                markdown(text),
                key=artifact_key(game, what),
                description=f"{what.capitalize()} of {game}",
            )


def artifact_key(game: str, what: str) -> str:
    """Returns the key of an artifact of the current flow, the same in every run that is no try.

    >>> artifact_key("Game_2", "scores")
    'game-2-scores'
    """
    run = FlowRunContext.get()
    flow = run.flow.name if run and run.flow else ""
    parts = (flow, game, TAG if is_try() else "", what)
    return re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-")
