"""Which model version a run uses, and what a back-test holds it against."""

from dataclasses import dataclass
from typing import Any, Literal

from churnlib.errors import ModelError, SettingsError
from churnlib.io.catalog import Catalog
from churnlib.io.commands import command_line
from churnlib.io.datasets import DatasetRef
from churnlib.io.storage import is_folder
from churnlib.model.feature_table import FeatureTable
from churnlib.model.predict import Scored, predict_in_parts
from churnlib.schemas.columns import PROBABILITY
from churnlib.settings import load_settings
from churnlib.uris import name_of
from churnlib.versions.champion import champion, champion_version, find_champion, why_no_champion
from churnlib.versions.compatibility import (
    check_label_leakage,
    check_same_features,
    decisive_settings,
)
from churnlib.versions.folder import find_version, load_model
from churnlib.versions.gate import Decision, Terms, compare_models
from churnlib.versions.manifest import read_manifest
from churnlib.versions.registry import find_candidate, read_registry
from flows.steps.run import Run


@dataclass(frozen=True)
class BackTestPlan:
    """The version that a back-test is of.

    Attributes:
        model: The version: a candidate, or else the champion, or the one that was named.
        rival: The champion that a candidate is held against.
        ruling: What of a candidate is decided without figures, because these would say nothing.
        past: The comparison that made a champion what it is, where it was one.
        warnings: What to warn of.
        note: What to tell besides, in the log.
    """

    model: DatasetRef
    rival: DatasetRef | None = None
    ruling: dict[str, str] | None = None
    past: dict[str, Any] | None = None
    warnings: tuple[str, ...] = ()
    note: str | None = None


def usable_model(
    run: Run, flow: Literal["score", "batch_predict"]
) -> tuple[DatasetRef, tuple[str, ...]]:
    """The version named for the run, or else the champion, and what to warn of.

    Raises:
        ModelError: There is none, its features are others, or it has seen the future.
    """
    model = asked_for(run)
    return model, refuse_unfit(run, model, flow)


def asked_for(run: Run) -> DatasetRef:
    """The version named for the run, or else the champion.

    Raises:
        ModelError: There is none.
    """
    return champion(run.catalog) if run.model is None else find_version(run.catalog, run.model)


def refuse_unfit(
    run: Run, model: DatasetRef, flow: Literal["score", "batch_predict"]
) -> tuple[str, ...]:
    """Refuses a version that may not be used on the window of a flow; tells what to warn of.

    Raises:
        ModelError: Its features are others, or it has seen the future.
    """
    manifest = read_manifest(model)
    check_same_features(manifest, run.settings, run.command("train", "--from-raw"))
    allowed = run.settings.allow_label_overlap
    warning = check_label_leakage(manifest, run.window(flow), f"windows.{flow}", allowed)
    return (warning,) if warning else ()


def back_test_plan(run: Run) -> BackTestPlan:
    """The candidate and the champion; where there is no candidate, or one is named, one version.

    A candidate that cannot be back-tested leaves its place to the champion, so that a trial of
    somebody's does not stop the back-tests of the game.

    Raises:
        ModelError: What the back-test is of cannot be used; see `refuse_useless`.
    """
    new = find_candidate(run.catalog) if run.model is None else None
    if new is None:
        return plan_of_one_version(run)
    try:
        warnings = refuse_useless(run, new)
    except ModelError as error:
        return champion_instead(run, new, error)
    rival = find_champion(run.catalog)
    if rival is None:
        why = why_no_champion(run.catalog) or "there was no champion"
        return BackTestPlan(new, ruling=_ruling("accepted", why), warnings=warnings)
    ruling = ruling_on(run, rival, flattered=bool(warnings))
    return BackTestPlan(new, rival, ruling, warnings=warnings)


def plan_of_one_version(run: Run) -> BackTestPlan:
    """The version named for the run, or else the champion.

    Raises:
        ModelError: There is none, or it cannot be back-tested.
    """
    model = asked_for(run)
    try:
        warnings = refuse_useless(run, model)
    except ModelError as error:
        if run.model is None or model != find_candidate(run.catalog):
            raise
        raise ModelError(
            f"{model.game}: the newest candidate, {run.model}, cannot be back-tested (the champion "
            f"is, without --model: {run.command('score')}): {_why(error, model)}"
        ) from None
    past = told_of(run.catalog, name_of(model.uri))
    return BackTestPlan(model, past=past, warnings=warnings, note=no_candidate(run))


def no_candidate(run: Run) -> str | None:
    """Tells of the candidate that the gate has refused, where a run names no version."""
    registry, standing = read_registry(run.catalog.registry()), champion_version(run.catalog)
    last = registry.last_refusal(standing) if run.model is None else None
    if last is None or not is_folder(run.catalog.model(last.candidate).uri):
        return None
    place, version = run.catalog.models(), last.candidate
    look = command_line("score", place, "--model", version)
    force = command_line("promote", place, "--version", version, "--force")
    return (
        f"candidate {version} was refused on {last.when:%Y-%m-%d}, which is final, so this is a "
        f"back-test of the champion, {standing}; see the candidate: {look}; or promote it all the "
        f"same: {force}"
    )


def champion_instead(run: Run, new: DatasetRef, error: ModelError) -> BackTestPlan:
    """The champion alone, with a warning of why the candidate is not compared with it.

    Args:
        run: The run, which names no version.
        new: The candidate.
        error: Why it cannot be back-tested, and what to do.

    Raises:
        ModelError: There is no champion, or it cannot be back-tested either.
    """
    game, what = new.game, f"the newest candidate, {name_of(new.uri)}, cannot be back-tested"
    standing = find_champion(run.catalog)
    if standing is None:
        raise ModelError(
            f"{game}: {what}, and there is no champion instead: {_why(error, new)}"
        ) from None
    try:
        warnings = refuse_useless(run, standing)
    except ModelError as other:
        raise ModelError(
            f"{game}: {what}: {_why(error, new)}; nor can the champion: {_why(other, new)}"
        ) from None
    version = name_of(standing.uri)
    warning = (
        f"{what}, so this is a back-test of the champion, {version}, and nothing is decided: "
        f"{_why(error, new)}"
    )
    return BackTestPlan(standing, past=told_of(run.catalog, version), warnings=(warning, *warnings))


def _why(error: ModelError, model: DatasetRef) -> str:
    return str(error).removeprefix(f"{model.game}: ").rstrip(".")


def refuse_useless(run: Run, model: DatasetRef) -> tuple[str, ...]:
    """Refuses a version that cannot be back-tested; tells what to warn of.

    Raises:
        ModelError: See `refuse_unfit`; or it cannot be opened.
    """
    warnings = refuse_unfit(run, model, "score")
    load_model(model, allow_joblib=run.settings.train.model_format == "joblib")
    return warnings


def told_of(catalog: Catalog, version: str) -> dict[str, Any] | None:
    """The comparison by which a version is champion today; null if it is not, or by a hand."""
    if version != champion_version(catalog):
        return None
    past = read_registry(catalog.registry()).promoting_comparison(version)
    return past.model_dump(mode="json", exclude={"when"}) if past else None


def ruling_on(run: Run, rival: DatasetRef, *, flattered: bool) -> dict[str, str] | None:
    """What is decided of a candidate without figures; null where the champion fits the cohort.

    A champion that the game's settings have left behind is of no use to any flow, so it gives way.
    One that only this run's own settings do not suit stays.

    Args:
        run: The run.
        rival: The champion.
        flattered: Whether the candidate has seen the future of the cohort.
    """
    manifest = read_manifest(rival)
    try:
        check_same_features(manifest, run.settings, "")
    except ModelError:
        what = f"champion {manifest['version']} has other features or labels"
        if tries_other_features(run):
            return _ruling("undecided", f"{what} than this run, and so has the game's own file")
        return _ruling("accepted", f"{what} than the game's settings now ask for")
    allowed = run.settings.allow_label_overlap
    try:
        late = check_label_leakage(manifest, run.window("score"), "windows.score", allowed)
    except ModelError as error:
        late = str(error)
    if not (flattered or late):
        return None
    who = [name for name, seen in (("the candidate", flattered), ("the champion", late)) if seen]
    have = "has" if len(who) == 1 else "have"
    what = f"{' and '.join(who)} {have} seen the future of this cohort, so its figures flatter"
    return _ruling("undecided", f"{what}: score later months")


def _ruling(decision: Decision, reason: str) -> dict[str, str]:
    return {"decision": decision, "reason": reason}


def tries_other_features(run: Run) -> bool:
    """Whether the run's settings of features and labels are others than the game's own."""
    try:
        own = load_settings(run.settings.game)
    except SettingsError:
        return True
    return decisive_settings(own) != decisive_settings(run.settings)


def compare(
    scored: Scored,
    rival: DatasetRef | None,
    features: DatasetRef,
    terms: Terms,
    *,
    allow_joblib: bool,
) -> dict[str, Any]:
    """Holds what a candidate says of a cohort against what the champion says.

    Args:
        scored: What the candidate says, in the order of the cohort's rows.
        rival: The champion.
        features: The cohort.
        terms: By what they are compared.
        allow_joblib: See `churnlib.versions.folder.load_model`.

    Returns:
        See `churnlib.versions.gate.measure`. A champion that cannot be opened any more, or fails on
        the cohort, gives way.
    """
    assert rival is not None  # Where there is none, there was a ruling.
    try:
        loaded = load_model(rival, allow_joblib=allow_joblib)
        other = predict_in_parts(loaded, FeatureTable.read(features), baseline=False)
    except ModelError as error:
        why = f"the champion cannot be used any more: {error}"
        return {"decision": "accepted", "reason": why}
    both = scored.rows.rename({PROBABILITY: "candidate"})
    return compare_models(
        both.with_columns(champion=other.rows[PROBABILITY]),
        terms.metric,
        terms.max_loss,
        terms.min_outcomes,
    )
