"""The plan of a back-test: the version to report on, and what to compare it with."""

from dataclasses import dataclass, replace
from datetime import date

from churnlib.errors import ModelError, UnreadableError
from churnlib.io.commands import command_line
from churnlib.io.datasets import DatasetRef
from churnlib.io.storage import is_folder
from churnlib.months import first_day, last_day, shift_months
from churnlib.uris import name_of
from churnlib.versions.champion import why_no_champion
from churnlib.versions.compatibility import configuration_of
from churnlib.versions.folder import find_version
from churnlib.versions.manifest import read_manifest
from churnlib.versions.model_state import ModelState
from churnlib.versions.registry import Registry
from churnlib.versions.transactions import finish_interrupted
from flows.steps.gate import Gate, Ruling, gate_of, ruling_without_metrics
from flows.steps.model_choice import check_back_testable, requested_model
from flows.steps.run import Run, SubscriptionWindow


@dataclass(frozen=True)
class BackTestPlan:
    """The models of a back-test.

    Attributes:
        model: The version to report on: the candidate, else the champion, or the one requested.
        window: The subscriptions to score.
        gate: See `Gate`; `gate_on` completes it for a cohort.
        registry: The registry at the time.
        rivals: The models to compare a candidate with: the champion, and the anchor if there is
            one; see `churnlib.versions.registry.Registry.anchor`.
        warnings: Warnings about the model.
        note: A remark for the log.
        shared_months: How many months apart the rows of two windows may be and still tell the same
            churn: the horizon, where a subscription has a row for each month.
    """

    model: DatasetRef
    window: SubscriptionWindow
    gate: Gate
    registry: Registry
    rivals: tuple[DatasetRef, ...] = ()
    warnings: tuple[str, ...] = ()
    note: str | None = None
    shared_months: int = 0

    def gate_on(self, cohort: DatasetRef) -> Gate:
        """Counts the looks at the cohort, and finds the loss that was allowed at the first."""
        if not self.rivals or self.gate.configuration is None:
            return self.gate
        version, champion = (name_of(model.uri) for model in (self.model, self.rivals[0]))
        looks = self.registry.looks(
            self.gate.configuration,
            self._outcomes_of,
            candidate=version,
            cohort=cohort.fingerprint,
        )
        earlier = self.registry.earlier_comparisons(version, champion, cohort.fingerprint)
        losses = [c.max_loss for c in earlier if c.metric == self.gate.terms.metric]
        return replace(self.gate, look=looks + 1, first_loss=losses[0] if losses else None)

    @property
    def _outcomes_of(self) -> tuple[date, date]:
        """The days of all rows whose outcomes are in part those of the window."""
        first, last = (first_day(day) for day in self.window.span)
        months = self.shared_months
        if not months:
            return self.window.span
        return shift_months(first, -months), last_day(shift_months(last, months))


def back_test_plan(run: Run) -> BackTestPlan:
    """Chooses the models of a back-test: candidate and champion, or one version alone.

    If the candidate cannot be back-tested, the champion is, so that an experiment does not stop the
    back-tests of the game. Finishes first what a killed run has left of a promotion.

    Raises:
        ModelError: The version to report on cannot be back-tested.
        UnreadableError: The registry or a version cannot be read.
    """
    finish_interrupted(run.catalog)
    state = ModelState.read(run.catalog)
    candidate = state.candidate if run.model is None else None
    if candidate is None:
        return plan_of_one_version(run, state)
    try:
        warnings = check_back_testable(run, candidate)
    except UnreadableError:
        raise
    except ModelError as error:
        return plan_of_champion(run, state, candidate, error)
    gate = gate_of(run, state, candidate, leaks=bool(warnings))
    plan = BackTestPlan(candidate, run.window("score"), gate, state.registry, (), warnings)
    if state.champion is None:
        reason = why_no_champion(run.catalog) or "there was no champion"
        return replace(plan, gate=replace(gate, ruling=Ruling("accepted", reason)))
    ruling = ruling_without_metrics(run, state.champion, candidate_leaks=bool(warnings))
    rivals = (state.champion, *anchor_of(run, state))
    if ruling:
        return replace(plan, gate=replace(gate, ruling=ruling), rivals=rivals)
    configuration = configuration_of(read_manifest(candidate))
    return replace(
        plan,
        window=waiting_window(run, state, candidate, state.champion),
        gate=replace(gate, configuration=configuration),
        rivals=rivals,
        shared_months=run.settings.horizon_months if run.settings.cohort.is_monthly else 0,
    )


def anchor_of(run: Run, state: ModelState) -> tuple[DatasetRef, ...]:
    """Returns the anchor of a comparison, or nothing if there is none that can be back-tested."""
    version = state.registry.anchor(run.as_of)
    if version is None or version == state.pointer:
        return ()
    try:
        anchor = find_version(run.catalog, version)
        return () if check_back_testable(run, anchor) else (anchor,)
    except UnreadableError:
        raise
    except ModelError:
        return ()


def waiting_window(
    run: Run, state: ModelState, candidate: DatasetRef, champion: DatasetRef
) -> SubscriptionWindow:
    """The window of a comparison; that of a waiting candidate adds the months compared before.

    It never opens before the last training label of candidate and champion was available.
    """
    window, version = run.window("score"), name_of(candidate.uri)
    earlier = state.registry.earlier_comparisons(version, name_of(champion.uri))
    if not earlier:
        return window
    known = (read_manifest(model)["labels_known_by"] for model in (candidate, champion))
    opens = max(min(c.window[0] for c in earlier), *map(date.fromisoformat, known))
    return replace(window, first=min(window.first, opens))


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
    gate = gate_of(run, state, model, leaks=bool(warnings))
    window = run.window("score")
    return BackTestPlan(model, window, gate, state.registry, warnings=warnings, note=note)


def refused_candidate_note(run: Run, state: ModelState) -> str | None:
    """Says that the gate has refused the last candidate, if the run names no version."""
    last = state.registry.last_refusal(state.pointer) if run.model is None else None
    if last is None or not is_folder(run.catalog.model(last.candidate).uri):
        return None
    place, version = run.catalog.models(), last.candidate
    score = run.command("score", "--model", version)
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
    gate = gate_of(run, state, state.champion, leaks=bool(warnings))
    window = run.window("score")
    return BackTestPlan(state.champion, window, gate, state.registry, warnings=(warning, *warnings))


def _reason(error: ModelError, model: DatasetRef) -> str:
    return str(error).removeprefix(f"{model.game}: ").rstrip(".")
