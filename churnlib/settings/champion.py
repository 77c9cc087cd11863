"""Settings of the gate: when a new model takes the champion's place."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from churnlib.settings.parts import Flag, Number, Section, Whole

MAX_LOSS: dict[str, float] = {
    "roc_auc": 0.02,
    "average_precision": 0.02,
    "log_loss": 0.01,
    "brier": 0.005,
}
"""The metrics that models can be compared by, and by how much a new model may be worse in each."""

if TYPE_CHECKING:  # Type checkers do not know literals that are computed.
    GateMetric = str
else:
    GateMetric = Literal[tuple(MAX_LOSS)]


class ChampionSettings(Section):
    """How a new model, the candidate, is compared with the champion, and which versions stay."""

    metric: GateMetric = "roc_auc"
    """What the two are compared by, on all subscriptions of the back-test's window."""
    max_loss: Annotated[Number, Field(ge=0)] | None = Field(
        None,
        description="By how much the candidate may be worse, in units of the metric: it becomes "
        "champion if the 95 % confidence interval of the difference leaves no larger loss. If null "
        + ", ".join(f"{loss} of `{metric}`" for metric, loss in MAX_LOSS.items())
        + ".",
    )
    min_outcomes: Annotated[Whole, Field(ge=1)] = 30
    """How many subscriptions of the back-test must have churned, and how many must not, for a
    decision by the metric: on fewer the interval promises too much, so the candidate waits."""
    promote: Flag = True
    """Whether the candidate that passes becomes champion at once; else the back-test only reports,
    and `python -m flows.promote` does it."""
    keep_versions: Annotated[Whole, Field(ge=1)] | None = 10
    """How many model versions are kept, the newest; besides, always the champion, the one before
    it, and the candidate. All if null."""

    @property
    def largest_loss(self) -> float:
        """`max_loss`, or where that is null the metric's own."""
        return MAX_LOSS[self.metric] if self.max_loss is None else self.max_loss
