"""Settings of the gate, which decides whether a new model replaces the champion."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from churnlib.settings.fields import Flag, Number, Section, Whole

MAX_LOSS: dict[str, float] = {
    "roc_auc": 0.02,
    "average_precision": 0.02,
    "log_loss": 0.01,
    "brier": 0.005,
}
"""The metrics by which models can be compared, with the most that `max_loss` is if it is null."""
LEAST_LOSS_SHARE = 0.25
"""The least that `max_loss` is if it is null, as a share of the most."""
ERRORS_ALLOWED = 3
"""What `max_loss` is if it is null, in standard errors of the difference, within these bounds."""

if TYPE_CHECKING:  # Type checkers do not know literals that are computed.
    GateMetric = str
else:
    GateMetric = Literal[tuple(MAX_LOSS)]


class ChampionSettings(Section):
    """How a new model, the candidate, is compared with the champion, and how many are kept."""

    metric: GateMetric = "roc_auc"
    """The metric of the comparison, on all subscriptions of the back-test's window."""
    max_loss: Annotated[Number, Field(ge=0)] | None = Field(
        None,
        description="By how much the candidate may be worse than the champion, and than the best "
        "champion of the last 12 months, in units of the metric: it becomes champion if the "
        "confidence intervals of both differences exclude larger losses. If null, "
        f"{ERRORS_ALLOWED} standard errors of the difference, from "
        + ", ".join(
            f"{LEAST_LOSS_SHARE * most:g} to {most:g} of `{metric}`"
            for metric, most in MAX_LOSS.items()
        )
        + ".",
    )
    min_outcomes: Annotated[Whole, Field(ge=1)] = 30
    """The minimum number of churned, and of other, subscriptions in the back-test for a decision:
    with fewer, the confidence interval is unreliable, so the candidate waits. Nobody is contacted
    either before the champion's own back-test has as many."""
    promote: Flag = True
    """Whether a candidate that passes becomes champion at once; else the back-test only reports,
    and `churn promote` promotes it."""
    keep_versions: Annotated[Whole, Field(ge=1)] | None = 10
    """The number of newest model versions that are kept; the champion, its predecessor, the
    candidate, and the best champion of the last 12 months always are. All if null."""
    keep_in_use: Annotated[Whole, Field(ge=1)] | None = 4
    """The number of newest models in use of each version that are kept. A batch that an older one
    has delivered is made again by a newer one, or as tested. All if null."""
