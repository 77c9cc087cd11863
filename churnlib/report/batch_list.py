"""The list of a batch: its riskiest subscriptions, and what changed since the batch before."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

import polars as pl

from churnlib.io.catalog import batch_name
from churnlib.metrics.batch_changes import (
    LISTED,
    BatchChanges,
    add_listed,
    compare_batches,
    most_moved,
)
from churnlib.report.formatting import count, counted
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
MOST_MOVED = 10
"""The number of subscriptions whose risk moved most that are shown."""
COLUMNS = {
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


@dataclass(frozen=True)
class BatchList:
    """The riskiest subscriptions of a batch.

    Attributes:
        game: The game.
        window: The first and the last day of the batch.
        as_of: The day of the run.
        horizon_months: The number of months within which churn counts.
        model_version: The model that predicted.
        predictions: The fingerprint of the predictions.
        predicted: The number of subscriptions with a probability.
        on_list: The number on the list: contacted or held out; the riskiest if nobody may be yet.
        contacted: The number contacted; None if nobody may be yet.
        held_out: The number at or above the threshold that are held out.
        threshold: The lowest probability that is contacted; None if there is none.
        mean_probability: The mean of the probabilities; None without any.
        rule: How the threshold was chosen, one of `churnlib.report.campaign.RULES`; None if not
            known.
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
    predictions: str
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
        more = "more is" if self.held_out == 1 else "more are"
        held_out = f"; {count(self.held_out)} {more} held out" if self.held_out else ""
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
    shown = [name for name in COLUMNS if name in rows.columns]
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
