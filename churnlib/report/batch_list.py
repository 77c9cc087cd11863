"""The list of a batch: its riskiest subscriptions, and what changed since the batch before."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any

import polars as pl

from churnlib.io.catalog import batch_name
from churnlib.metrics.batch_changes import (
    LISTED,
    LISTED_SHARE,
    BatchChanges,
    add_listed,
    compare_batches,
    most_moved,
)
from churnlib.report.campaign import RULES
from churnlib.report.formatting import capital, count, counted, exact_share, points, share
from churnlib.report.sections import Section
from churnlib.report.tables import Cell, Table
from churnlib.report.text import for_terminal, section_lines
from churnlib.schemas.columns import (
    CHAR_ID,
    IN_A_ROW,
    MONTHS_LEFT,
    PREVIOUS,
    PROBABILITY,
    SUB_ID,
    SUB_START_DATE,
    TENURE,
)

MOST_ROWS = 100
"""The number of subscriptions of the list that the page shows; the predictions have all."""
FIRST_ROWS = 20
"""The number of them in the text."""
MOST_MOVED = 10
"""The number of subscriptions whose risk moved most that are shown."""
_COLUMNS = {
    SUB_ID: "subscription",
    CHAR_ID: "character",
    SUB_START_DATE: "started",
    TENURE: "tenure",
    MONTHS_LEFT: "left",
    IN_A_ROW: "missed",
    PROBABILITY: "risk",
    PREVIOUS: "before",
    "change": "change",
    "action": "action",
}
"""The headings of columns; those that the rows lack are left out."""
_MEANINGS = {
    TENURE: "tenure: months since the start",
    MONTHS_LEFT: "left: months left of the term",
    IN_A_ROW: "missed: months missed in a row up to now",
    PREVIOUS: "before: the risk in the batch before",
    "change": "change: in percentage points",
}


@dataclass(frozen=True)
class BatchList:
    """The riskiest subscriptions of a batch.

    Attributes:
        game: The game.
        window: The first and the last day of the batch.
        as_of: The day of the run.
        horizon_months: The number of months within which churn counts.
        model_version: The model that predicted.
        predicted: The number of subscriptions with a probability.
        on_list: The number on the list: contacted or held out; the riskiest if nobody may be yet.
        contacted: The number contacted; None if nobody may be yet.
        held_out: The number at or above the threshold that are held out.
        threshold: The lowest probability that is contacted; None if there is none.
        mean_probability: The mean of the probabilities; None without any.
        rule: How the threshold was chosen, one of `RULES`; None if not known.
        no_contact: Why nobody is contacted; None if there is no reason against it.
        before: The name of the batch before; None if there is none to compare with.
        changes: What changed since; None likewise.
        listed: The riskiest subscriptions, as plain data.
        moved: Those whose risk moved most, as plain data.
        warnings: What the reader must know.
    """

    game: str
    window: tuple[date, date]
    as_of: date
    horizon_months: int
    model_version: str
    predicted: int
    on_list: int
    contacted: int | None
    held_out: int
    threshold: float | None
    mean_probability: float | None
    rule: str | None = None
    no_contact: str | None = None
    before: str | None = None
    changes: BatchChanges | None = None
    listed: tuple[Mapping[str, Any], ...] = ()
    moved: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[str, ...] = field(default=())

    @property
    def title(self) -> str:
        """The title of the page."""
        return f"At risk: {self.game}, {batch_name(*self.window)}"

    @property
    def subtitle(self) -> str:
        """The model, the day, and what the risk is of."""
        risk = f"risk: of churn within {counted(self.horizon_months, 'month')}"
        return f"model {self.model_version}, as of {self.as_of}; {risk}"

    @property
    def head(self) -> str:
        """What to do, in a sentence."""
        of = f"of {counted(self.predicted, 'subscription')}"
        if self.contacted is None:
            return f"Contact nobody yet {of}: {self.no_contact}."
        held_out = f"; {count(self.held_out)} more are held out" if self.held_out else ""
        return f"Contact {count(self.contacted)} {of}{held_out}."

    def to_json(self) -> dict[str, Any]:
        """The list as plain data, always with the same keys."""
        plain = asdict(self)
        return {
            "report": "batch_list",
            "title": self.title,
            **plain,
            "window": {"start": str(self.window[0]), "end": str(self.window[1])},
        }

    def texts(self) -> dict[str, str]:
        """The list in all formats, by the suffix of their files."""
        from churnlib.report.html import template  # It loads Matplotlib.

        return {
            ".json": json.dumps(self.to_json(), indent=2, default=str) + "\n",
            ".txt": for_terminal(_lines(self)),
            ".html": template("plain.html.jinja").render(
                title=self.title,
                subtitle=self.subtitle,
                verdict=self.head,
                points=(),
                warnings=self.warnings,
                sections=tuple(_sections(self)),
            ),
        }


@dataclass(frozen=True)
class Predicted:
    """The predictions of a batch, and how it was decided whom to contact.

    Attributes:
        rows: The predictions.
        threshold: The lowest probability that is contacted; None if there is none.
    """

    rows: pl.DataFrame
    threshold: float | None

    @property
    def is_decided(self) -> bool:
        """Whether anyone may be contacted."""
        return self.rows["contact"].null_count() < len(self.rows)

    @property
    def listed(self) -> pl.DataFrame:
        """The rows with a probability, with the flag `listed`."""
        return add_listed(self.rows.drop_nulls(PROBABILITY), self.threshold)


def list_riskiest(now: Predicted, before: Predicted | None = None) -> dict[str, Any]:
    """Selects the subscriptions of a batch to show, and counts what changed.

    Args:
        now: The predictions of a batch, one row per subscription, with the columns of the features
            to show.
        before: Those of the batch before; None if there is none to compare with.

    Returns:
        `listed`, `moved` and `changes` of a `BatchList`, and its numbers.
    """
    rows = now.listed
    action = (
        pl.when("held_out").then(pl.lit("held out")).when("contact").then(pl.lit("contact"))
    ).alias("action")
    shown = [name for name in _COLUMNS if name in rows.columns]
    if TENURE in shown:
        shown.remove(SUB_START_DATE)
    reached = rows.filter(LISTED).sort("risk_rank")
    # Lists that follow different rules say nothing about a change.
    is_alike = before is not None and before.is_decided == now.is_decided
    return {
        "predicted": len(rows),
        "on_list": len(reached),
        "contacted": int(rows["contact"].sum()) if now.is_decided else None,
        "held_out": int(reached["held_out"].sum()),
        "threshold": now.threshold,
        "mean_probability": rows[PROBABILITY].mean(),
        "listed": tuple(reached.head(MOST_ROWS).select(*shown, action).to_dicts()),
        "moved": tuple(most_moved(rows, MOST_MOVED).select(*shown, "change").to_dicts()),
        "changes": compare_batches(rows, before.listed) if before and is_alike else None,
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
        whole = f"The list has {count(batch.on_list)}"
        more = f"{whole}; the predictions have all of them, also as CSV with [delivery]."
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
    names = [name for name in _COLUMNS if rows and name in rows[0]]
    forms = {PROBABILITY: exact_share, PREVIOUS: exact_share, "change": points}
    cells = tuple(tuple(Cell(row[name], forms.get(name, str)) for name in names) for row in rows)
    headings = tuple(_COLUMNS[name] for name in names)
    meanings = "; ".join(text for name, text in _MEANINGS.items() if name in names)
    notes = (f"{capital(meanings)}.",) if meanings else ()
    return Table(title, headings, cells, notes, first_rows=FIRST_ROWS)
