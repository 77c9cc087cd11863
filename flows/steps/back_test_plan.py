"""The plan of a back-test: the version to report on, and what to compare it with."""

from dataclasses import dataclass
from typing import Any

from churnlib.errors import ModelError, SettingsError
from churnlib.io.commands import command_line
from churnlib.io.datasets import DatasetRef
from churnlib.io.storage import is_folder
from churnlib.settings import load_settings
from churnlib.uris import name_of
from churnlib.versions.champion import why_no_champion
from churnlib.versions.compatibility import (
    check_label_leakage,
    check_same_features,
    decisive_settings,
)
from churnlib.versions.gate import Decision, Terms
from churnlib.versions.manifest import read_manifest
from churnlib.versions.model_state import ModelState
from flows.steps.model_choice import check_back_testable, requested_model
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
        in_use: Whether the model is the champion before the back-test.
    """

    terms: Terms
    ruling: Ruling | None
    past: dict[str, Any] | None
    in_use: bool


@dataclass(frozen=True)
class BackTestPlan:
    """The models of a back-test.

    Attributes:
        model: The version to report on: the candidate, else the champion, or the one requested.
        champion: The champion to compare a candidate with.
        gate: See `Gate`.
        warnings: Warnings about the model.
        note: A remark for the log.
    """

    model: DatasetRef
    champion: DatasetRef | None
    gate: Gate
    warnings: tuple[str, ...] = ()
    note: str | None = None


def back_test_plan(run: Run) -> BackTestPlan:
    """Chooses the models of a back-test: candidate and champion, or one version alone.

    If the candidate cannot be back-tested, the champion is, so that an experiment does not stop the
    back-tests of the game.

    Raises:
        ModelError: The version to report on cannot be back-tested.
    """
    state = ModelState.read(run.catalog)
    candidate = state.candidate if run.model is None else None
    if candidate is None:
        return plan_of_one_version(run, state)
    try:
        warnings = check_back_testable(run, candidate)
    except ModelError as error:
        return plan_of_champion(run, state, candidate, error)
    if state.champion is None:
        reason = why_no_champion(run.catalog) or "there was no champion"
        ruling: Ruling | None = Ruling("accepted", reason)
    else:
        ruling = ruling_without_metrics(run, state.champion, candidate_leaks=bool(warnings))
    return BackTestPlan(candidate, state.champion, gate_of(run, state, candidate, ruling), warnings)


def gate_of(run: Run, state: ModelState, model: DatasetRef, ruling: Ruling | None = None) -> Gate:
    """Returns the `Gate` of a back-test of a version."""
    version, past = name_of(model.uri), None
    if version == state.pointer:
        past = state.registry.promoting_comparison(version)
    return Gate(
        terms=Terms.of(run.settings.champion),
        ruling=ruling,
        past=past.model_dump(mode="json", exclude={"when"}) if past else None,
        in_use=version == state.pointer,
    )


def plan_of_one_version(run: Run, state: ModelState) -> BackTestPlan:
    """Plans the back-test of the version that the run names, else of the champion.

    Raises:
        ModelError: There is none, or it cannot be back-tested.
    """
    model = requested_model(run)
    try:
        warnings = check_back_testable(run, model)
    except ModelError as error:
        if run.model is None or model != state.candidate:
            raise
        raise ModelError(
            f"{model.game}: the newest candidate, {run.model}, cannot be back-tested (to back-test "
            f"the champion instead: {run.command('score')}): {_reason(error, model)}"
        ) from None
    note = refused_candidate_note(run, state)
    return BackTestPlan(model, None, gate_of(run, state, model), warnings, note)


def refused_candidate_note(run: Run, state: ModelState) -> str | None:
    """Says that the gate has refused the last candidate, if the run names no version."""
    last = state.registry.last_refusal(state.pointer) if run.model is None else None
    if last is None or not is_folder(run.catalog.model(last.candidate).uri):
        return None
    place, version = run.catalog.models(), last.candidate
    score = command_line("score", place, "--model", version)
    promote = command_line("promote", place, "--version", version, "--force")
    return (
        f"candidate {version} was refused on {last.when:%Y-%m-%d}, which is final, so this is a "
        f"back-test of the champion, {state.pointer}. Back-test the candidate: {score}; or promote "
        f"it anyway: {promote}"
    )


def plan_of_champion(
    run: Run, state: ModelState, candidate: DatasetRef, error: ModelError
) -> BackTestPlan:
    """Plans the back-test of the champion in place of a candidate, with a warning that says why.

    Raises:
        ModelError: There is no champion, or it cannot be back-tested either.
    """
    game, why = candidate.game, _reason(error, candidate)
    what = f"the newest candidate, {name_of(candidate.uri)}, cannot be back-tested"
    if state.champion is None:
        raise ModelError(f"{game}: {what}, and there is no champion: {why}") from None
    try:
        warnings = check_back_testable(run, state.champion)
    except ModelError as other:
        reason = _reason(other, candidate)
        raise ModelError(f"{game}: {what}: {why}; nor can the champion: {reason}") from None
    warning = (
        f"{what}, so this is a back-test of the champion, {state.champion_name}, and nothing "
        f"is decided: {why}"
    )
    gate = gate_of(run, state, state.champion)
    return BackTestPlan(state.champion, None, gate, (warning, *warnings))


def _reason(error: ModelError, model: DatasetRef) -> str:
    return str(error).removeprefix(f"{model.game}: ").rstrip(".")


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


def has_own_features(run: Run) -> bool:
    """Whether the run's settings of features and labels differ from those of the game."""
    try:
        own = load_settings(run.settings.game)
    except SettingsError:
        return True
    return decisive_settings(own) != decisive_settings(run.settings)
