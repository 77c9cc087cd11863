"""A batch of predictions, as it is delivered."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

GAME, MONTH, AS_OF, DELIVERY = "game", "batch_month", "as_of", "delivery_id"
"""The columns of a delivered batch in addition to those of the predictions."""
VERSION = "model_version"
DIGITS = 12
"""The digits of a fingerprint that identify a delivery."""


@dataclass(frozen=True)
class Batch:
    """The predictions of a batch.

    Attributes:
        game: The game.
        month: The first day of the month that the batch is named by.
        as_of: The day of the run that predicted it.
        version: The model version that predicted it.
        fingerprint: That of the predictions.
        predictions: The rows.
    """

    game: str
    month: date
    as_of: date
    version: str
    fingerprint: str
    predictions: "pl.LazyFrame"

    @property
    def delivery(self) -> str:
        """Identifies the content of the batch."""
        return self.fingerprint[:DIGITS]

    @property
    def rows(self) -> "pl.LazyFrame":
        """The rows to deliver: what they are of, and the predictions."""
        import polars as pl

        facts = {GAME: self.game, MONTH: self.month, AS_OF: self.as_of, DELIVERY: self.delivery}
        columns = [pl.lit(value).alias(name) for name, value in facts.items()]
        return self.predictions.select(*columns, pl.all())


def replaced_message(place: str, batch: Batch, versions: Iterable[str]) -> str:
    """Says that a place holds a batch by other model versions, and what to do.

    Args:
        place: The place.
        batch: The batch that would replace it.
        versions: The model versions that predicted what is there.
    """
    return (
        f"{place} holds the batch {batch.month:%Y-%m} of {batch.game} as predicted by model "
        f"{', '.join(versions)}, and this run would replace it by predictions of {batch.version}. "
        "To replace it, add --replace; to leave it as it is, add --set delivery.to=null"
    )
