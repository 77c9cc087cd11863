"""How the gate decides on the model of a back-test, as far as no metrics are needed."""

from dataclasses import dataclass
from typing import Any

from churnlib.errors import ModelError
from churnlib.io.datasets import DatasetRef
from churnlib.uris import name_of
from churnlib.versions.compatibility import check_label_leakage, check_same_features
from churnlib.versions.decision import Decision
from churnlib.versions.gate import Terms
from churnlib.versions.manifest import read_manifest
from churnlib.versions.model_state import ModelState
from flows.steps.own_settings import has_own_features
from flows.steps.run import Run


@dataclass(frozen=True)
class Ruling:
    """A decision about a candidate that is made without comparing metrics."""

    decision: Decision
    reason: str


@dataclass(frozen=True)
class Gate:
    """How the gate decides on the model of a back-test, and how it did before.

    Attributes:
        terms: The terms of a comparison.
        ruling: The decision, if metrics are not compared.
        past: The comparison that made the model champion, if one did.
        is_champion: Whether the model is the champion before the back-test.
        leaks: Whether the model's training labels became available after the window opens.
        contact_outcomes: How many subscriptions must have churned, and how many must not have,
            before anyone is contacted.
        configuration: The candidate's settings without its seed, identified.
        look: 1 + how often models of this configuration were compared on the cohort.
        first_loss: The loss that was allowed when the candidate was first compared.
    """

    terms: Terms
    ruling: Ruling | None
    past: dict[str, Any] | None
    is_champion: bool
    leaks: bool
    contact_outcomes: int
    configuration: str | None = None
    look: int = 1
    first_loss: float | None = None


def gate_of(run: Run, state: ModelState, model: DatasetRef, *, leaks: bool) -> Gate:
    """Returns the `Gate` of a back-test of a version, without a comparison."""
    version, past = name_of(model.uri), None
    if version == state.pointer:
        past = state.registry.promoting_comparison(version)
    return Gate(
        terms=Terms.of(run.settings.champion),
        ruling=None,
        past=past.model_dump(mode="json", exclude={"when"}) if past else None,
        is_champion=version == state.pointer,
        leaks=leaks,
        contact_outcomes=run.settings.contact_outcomes,
    )


def ruling_without_metrics(
    run: Run, champion: DatasetRef, *, candidate_leaks: bool
) -> Ruling | None:
    """Decides on a candidate without metrics; None if metrics have to be compared.

    If the champion's features or labels differ from the game's settings, no flow can use it, so the
    candidate is accepted. If they differ only from this run's settings, nothing is decided.
    """
    manifest, window = read_manifest(champion), run.window("score")
    try:
        check_same_features(manifest, run.settings, "")
    except ModelError:
        what = f"champion {manifest['version']} has other features or labels"
        if has_own_features(run):
            return Ruling("undecided", f"{what} than this run, and so has the game's own file")
        return Ruling("accepted", f"{what} than the game's settings now require")
    allowed = run.settings.allow_label_overlap
    try:
        champion_leaks = check_label_leakage(manifest, window.span, window.setting, allowed)
    except ModelError as error:
        champion_leaks = str(error)
    leaking = {"the candidate": candidate_leaks, "the champion": champion_leaks}
    models = " and ".join(model for model, leaks in leaking.items() if leaks)
    if not models:
        return None
    return Ruling(
        "undecided",
        f"training labels of {models} became available only after the start of this cohort, so "
        "its metrics are optimistic: score later months",
    )
