"""The events that runs tell Prefect of, for automations to act on, each with a schema of its own.

An event is about a resource, `churn.model.<game>` or `churn.batch.<game>`. Its fields are the
payload; those that are text are labels of the resource, too (`churn.game`, `churn.verdict`, ...),
because automations match labels. One label more, `churn.as_deployed`, tells production from what
somebody tries.
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
def telling_as_deployed(*, changed: bool) -> Iterator[None]:
    """Tells of all events of the block whether they come of a deployment, run as it stands.

    A block within another changes nothing: parts of a run get a day from the whole.

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
    """What all events have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: ClassVar[str]
    about: ClassVar[Literal["model", "batch"]]

    game: str
    """The game."""

    @property
    def resource(self) -> dict[str, str]:
        """What the event is about, with the labels that automations match."""
        texts = {name: value for name, value in self if isinstance(value, str)}
        return {
            "prefect.resource.id": f"churn.{self.about}.{self.game}",
            "prefect.resource.name": f"{self.game}: {self.about}",
            **{f"churn.{name}": value for name, value in texts.items()},
            "churn.as_deployed": _AS_DEPLOYED.get() or "no",
        }

    def emit(self) -> None:
        """Tells Prefect; does nothing outside of a run, where nobody listens."""
        if TaskRunContext.get() or FlowRunContext.get():
            emit_event(self.kind, self.resource, payload=self.model_dump(mode="json"))


class ModelRegistered(ChurnEvent):
    """A new version was trained: it is the candidate, or the champion where there was none."""

    kind = "churn.model.registered"
    about = "model"

    version: str
    """The model's version."""
    state: Literal["candidate", "champion"]
    """What it is."""
    roc_auc: float | None
    """ROC AUC on the validation months; null where not defined."""


class ModelCompared(ChurnEvent):
    """A candidate was held against the champion by a back-test."""

    kind = "churn.model.compared"
    about = "model"

    version: str
    """The candidate's version."""
    champion: str | None
    """The champion's; null if there was none."""
    decision: Literal["accepted", "refused", "undecided"]
    """What follows from the comparison."""
    metric: str
    """What was compared."""
    difference: float | None
    """Candidate less champion, in units of the metric; null where nothing was computed."""
    interval: tuple[float, float] | None
    """Its 95 % interval."""


class ModelPromoted(ChurnEvent):
    """Another model became the champion."""

    kind = "churn.model.promoted"
    about = "model"

    version: str
    """The model's version."""
    previous: str | None
    """The version that was the champion before; null if there was none."""
    by: Literal["training", "back-test"]
    """What made it the champion; of what is promoted by hand there is no run that could tell."""
    roc_auc: float | None
    """ROC AUC on the validation months; null where not defined."""


class BatchPredicted(ChurnEvent):
    """The predictions of a batch were written."""

    kind = "churn.batch.predicted"
    about = "batch"

    month: Month
    """The month of the batch, as its files are named."""
    version: str
    """The model that predicted."""
    rows: int
    """How many subscriptions were predicted."""
    uri: str
    """The file."""


class BatchDue(ChurnEvent):
    """The truth of a batch that was predicted is known by now, and nobody has scored it."""

    kind = "churn.batch.due"
    about = "batch"

    month: Month
    """The month of the batch, as its files are named."""


class BatchScored(ChurnEvent):
    """The predictions of a batch were held against the truth."""

    kind = "churn.batch.scored"
    about = "batch"

    month: Month
    """The month of the batch, as its files are named."""
    version: str
    """The model that predicted."""
    by_champion: YesNo
    """Whether that model is still the champion."""
    verdict: Literal["better", "worse", "unsure", "undefined"]
    """Whether the model ranks better than chance, by the interval of its ROC AUC."""
    n: int
    """How many subscriptions were scored."""
    positives: int
    """How many of them churned."""
    roc_auc: float | None
    """ROC AUC of all subscriptions; null where not defined."""
    roc_auc_ci: tuple[float, float] | None
    """Its 95 % interval."""


EVENTS: tuple[type[ChurnEvent], ...] = (
    ModelRegistered,
    ModelCompared,
    ModelPromoted,
    BatchPredicted,
    BatchDue,
    BatchScored,
)
"""Every event there is."""
