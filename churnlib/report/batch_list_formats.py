"""Renders the list of a batch as JSON, for terminals and as a page."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from churnlib.metrics.batch_changes import LISTED_SHARE, BatchChanges
from churnlib.report.batch_list import COLUMNS, BatchList
from churnlib.report.campaign import RULES
from churnlib.report.formatting import capital, count, exact_share, points, share
from churnlib.report.sections import Section
from churnlib.report.tables import Cell, Table
from churnlib.report.text import for_terminal, section_lines
from churnlib.schemas.columns import IN_A_ROW, MONTHS_LEFT, PREVIOUS, PROBABILITY, TENURE

IN_TEXT = 20
"""The number of subscriptions of the list that the text shows."""
_MEANINGS = {
    TENURE: "tenure: months since the start",
    MONTHS_LEFT: "left: months left of the term",
    IN_A_ROW: "missed: months missed in a row up to now",
    PREVIOUS: "before: the risk in the batch before",
    "change": "change: in percentage points",
}


def render_list(batch: BatchList) -> dict[str, str]:
    """Renders a list in all formats.

    Returns:
        The text of each file, by its suffix.
    """
    from churnlib.report.html import template  # It loads Matplotlib.

    return {
        ".json": json.dumps(batch.to_json(), indent=2, default=str) + "\n",
        ".txt": for_terminal(_lines(replace(batch, listed=batch.listed[:IN_TEXT]))),
        ".html": template("plain.html.jinja").render(
            title=batch.title,
            subtitle=batch.subtitle,
            verdict=batch.head,
            points=(),
            warnings=batch.warnings,
            sections=tuple(_sections(batch)),
        ),
    }


def _lines(batch: BatchList) -> Iterator[str]:
    yield batch.title
    yield batch.subtitle
    yield ""
    yield batch.head
    yield from (f"WARNING: {warning}" for warning in batch.warnings)
    for section in _sections(batch):
        yield from section_lines(section)


def _sections(batch: BatchList) -> Iterator[Section]:
    if batch.contacted is None:
        lead = f"The riskiest {share(LISTED_SHARE)} of the batch."
    elif batch.threshold is None:
        lead = "Nobody reaches the threshold."
    else:
        rule = f", {RULES[batch.rule]}" if batch.rule in RULES else ""
        lowest = f"{exact_share(batch.threshold)} or more{rule}"
        lead = f"Those with a risk of {lowest}. The riskiest come first."
    mean = batch.mean_probability
    average = "" if mean is None else f" The mean risk of the batch is {exact_share(mean)}."
    title = "This month's list"
    shown = _table(title, batch.listed)
    if batch.on_list > len(batch.listed):
        first = f"These are the first {count(len(batch.listed))} of {count(batch.on_list)}"
        more = f"{first}; the predictions have all, also as CSV if delivery.to names a folder."
        shown = replace(shown, notes=(more, *shown.notes))
    yield Section("list", title, f"{lead}{average}", (shown,))
    if batch.changes is not None:
        yield _changes(batch, batch.changes)


def _changes(batch: BatchList, changes: BatchChanges) -> Section:
    facts = {
        f"on the list of {batch.before}": changes.listed_before,
        "still on it": changes.stayed,
        "left it, because the risk fell": changes.fell,
        "left it, because they churned or ended": changes.gone,
        "new on it, because the risk rose": changes.rose,
        "new on it, not predicted before": changes.began,
        "on the list now": changes.listed,
    }
    rows = tuple((Cell(name), Cell(number, count)) for name, number in facts.items())
    shown = [Table("The list", (), rows)]
    if batch.moved:
        shown.append(_table("Whose risk moved most", batch.moved))
    lead = f"Compared with batch {batch.before}."
    return Section("changes", "Changes", lead, tuple(shown))


def _table(title: str, rows: tuple[Mapping[str, Any], ...]) -> Table:
    names = [name for name in COLUMNS if rows and name in rows[0]]
    forms = {PROBABILITY: exact_share, PREVIOUS: exact_share, "change": points}
    cells = tuple(tuple(Cell(row[name], forms.get(name, str)) for name in names) for row in rows)
    headings = tuple(COLUMNS[name] for name in names)
    meanings = "; ".join(text for name, text in _MEANINGS.items() if name in names)
    notes = (f"{capital(meanings)}.",) if meanings else ()
    return Table(title, headings, cells, notes)
