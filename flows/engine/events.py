"""The events that runs emit, for Prefect's automations to act on; each class is a schema.

An event is about a resource, such as `churn.model.<game>` or `churn.batch.<game>`. Its fields are
the payload. Text fields are labels of the resource as well (`churn.game`, `churn.verdict`, ...),
because automations match labels. The label `churn.as_deployed` distinguishes production runs from
experiments.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, ClassVar, Literal

from prefect.context import FlowRunContext, TaskRunContext
from prefect.events import emit_event
from pydantic import BaseModel, ConfigDict, Field

YesNo = Literal["yes", "no"]
Month = Annotated[str, Field(pattern=r"^\d{4}-\d{2}$")]


_AS_DEPLOYED: ContextVar[YesNo | None] = ContextVar("as_deployed", default=None)


@contextmanager
def labelled_as_deployed(*, changed: bool) -> Iterator[None]:
    """Labels the events of the block by whether an unchanged deployment runs it.

    A nested block keeps the label of the outer one: sub-flows are given the day of the whole run.

    Args:
        changed: Whether the run was given another day, other data or other settings.
    """
    context = FlowRunContext.get()
    deployed = context and context.flow_run and context.flow_run.deployment_id
    answer: YesNo = "yes" if deployed and not changed else "no"
    token = _AS_DEPLOYED.set(_AS_DEPLOYED.get() or answer)
    try:
        yield
    finally:
        _AS_DEPLOYED.reset(token)


class ChurnEvent(BaseModel):
    """The base class of all events."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: ClassVar[str]
    about: ClassVar[Literal["model", "batch", "feed"]]

    game: str
    """The game."""

    @property
    def resource(self) -> dict[str, str]:
        """The resource that the event is about, with the labels that automations match."""
        texts = {name: value for name, value in self if isinstance(value, str)}
        return {
            "prefect.resource.id": f"churn.{self.about}.{self.game}",
            "prefect.resource.name": f"{self.game}: {self.about}",
            **{f"churn.{name}": value for name, value in texts.items()},
            "churn.as_deployed": _AS_DEPLOYED.get() or "no",
        }

    def emit(self) -> None:
        """Sends the event to Prefect; does nothing outside a run."""
        if TaskRunContext.get() or FlowRunContext.get():
            emit_event(self.kind, self.resource, payload=self.model_dump(mode="json"))


class ModelRegistered(ChurnEvent):
    """A new version was trained. It is the candidate, or the champion if there was none."""

    kind = "churn.model.registered"
    about = "model"

    version: str
    """The model's version."""
    state: Literal["candidate", "champion"]
    """Its state."""
    roc_auc: float | None
    """ROC AUC on the validation months; null if undefined."""


class ModelCompared(ChurnEvent):
    """A back-test compared a candidate with the champion."""

    kind = "churn.model.compared"
    about = "model"

    version: str
    """The candidate's version."""
    champion: str | None
    """The champion's version; null if there was none."""
    decision: Literal["accepted", "refused", "undecided"]
    """The decision of the gate."""
    metric: str
    """The metric that was compared."""
    difference: float | None
    """Candidate minus champion, in units of the metric; null if not computed."""
    interval: tuple[float, float] | None
    """Its 95 % confidence interval."""


class ModelPromoted(ChurnEvent):
    """Another model became the champion."""

    kind = "churn.model.promoted"
    about = "model"

    version: str
    """The model's version."""
    previous: str | None
    """The version that was the champion before; null if there was none."""
    by: Literal["training", "back-test"]
    """What promoted it. Manual promotion emits no event, because it is not a run."""
    roc_auc: float | None
    """ROC AUC on the validation months; null if undefined."""


class BatchPredicted(ChurnEvent):
    """The predictions of a batch were written."""

    kind = "churn.batch.predicted"
    about = "batch"

    month: Month
    """The month of the batch, as its files are named."""
    version: str
    """The version that predicted."""
    rows: int
    """Number of predicted subscriptions."""
    uri: str
    """The file."""


class BatchDue(ChurnEvent):
    """The outcomes of a predicted batch are known by now, and it has not been scored."""

    kind = "churn.batch.due"
    about = "batch"

    month: Month
    """The month of the batch, as its files are named."""


class BatchScored(ChurnEvent):
    """The predictions of a batch were scored against the outcomes."""

    kind = "churn.batch.scored"
    about = "batch"

    month: Month
    """The month of the batch, as its files are named."""
    version: str
    """The version that predicted."""
    by_champion: YesNo
    """Whether that version is still the champion."""
    verdict: Literal["better", "worse", "unsure", "undefined"]
    """Whether the model ranks better than chance, by the confidence interval of its ROC AUC."""
    complete: YesNo
    """Whether nearly all subscriptions of the batch were predicted. If not, the verdict says little
    about the model."""
    n: int
    """Number of scored subscriptions."""
    positives: int
    """Number of them that churned."""
    roc_auc: float | None
    """ROC AUC of all subscriptions; null if undefined."""
    roc_auc_ci: tuple[float, float] | None
    """Its 95 % confidence interval."""


class BatchMissing(ChurnEvent):
    """Batches up to the newest that is due are missing, incomplete or far too small.

    A backfill makes those that are missing or incomplete.
    """

    kind = "churn.batch.missing"
    about = "batch"

    first_month: Month
    """The first month of such a batch."""
    last_month: Month
    """The last month of such a batch."""
    missing: tuple[Month, ...]
    """The months without predictions."""
    incomplete: tuple[Month, ...]
    """The months whose predictions were made of fewer rows than are known by now."""
    too_small: YesNo
    """Whether the newest batch is far smaller than those before, or its window ends after the day
    of the run."""


class FeedLate(ChurnEvent):
    """The last months of raw tables hold far fewer rows than those before."""

    kind = "churn.feed.late"
    about = "feed"

    tables: str
    """The raw tables, separated by commas."""
    first_month: Month
    """The first of these months, by the day of the rows."""
    last_month: Month
    """The last of them."""
    rows: int
    """Number of rows in them."""
    expected: int
    """Number of rows to be expected."""
    refused: YesNo
    """Whether the run stopped, because it needs a table and `raw.on_late` is `fail`."""
    run_waiting: YesNo
    """Whether another run of the same deployment waits that its schedule has not made, such as that
    of the next day after an earlier refusal."""


EVENTS: tuple[type[ChurnEvent], ...] = (
    ModelRegistered,
    ModelCompared,
    ModelPromoted,
    BatchPredicted,
    BatchDue,
    BatchScored,
    BatchMissing,
    FeedLate,
)
"""All events."""
