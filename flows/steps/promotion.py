"""Changes of the models in use: training registers a candidate, a back-test may promote it."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from churnlib.errors import ModelError
from churnlib.io import datasets, storage
from churnlib.io.catalog import Catalog, catalog_of
from churnlib.io.commands import command_line
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.uris import name_of
from churnlib.versions.champion import find_champion, why_no_champion
from churnlib.versions.folder import load_model
from churnlib.versions.gate import Comparison
from churnlib.versions.manifest import read_manifest
from churnlib.versions.model_state import ModelState
from churnlib.versions.promotion import delete_old_versions, promote
from churnlib.versions.registry import Registry, registry_lock, write_registry
from churnlib.versions.verification import check_version
from flows.engine.cache import run_logger
from flows.engine.events import ModelCompared, ModelPromoted, ModelRegistered
from flows.steps.run import Run
from flows.steps.runtime_code import MODEL_CODE
from flows.task import task


@dataclass(frozen=True)
class RegistrationPolicy:
    """What registering a version may do.

    Attributes:
        may_promote: Whether it may replace a champion that cannot be opened.
        keep_versions: Number of versions to keep; see `churnlib.settings.ChampionSettings`.
        allow_joblib: See `churnlib.versions.folder.load_model`.
    """

    may_promote: bool
    keep_versions: int | None
    allow_joblib: bool


def register_version(run: Run, model: DatasetRef) -> None:
    """Makes a trained model the candidate, or the champion if there is none; once."""
    state = ModelState.read(run.catalog)
    if is_registered(state, name_of(model.uri)):
        return
    settings = run.settings.champion
    register(
        model,
        run.catalog.registry(),
        run.catalog.champion(),
        before=state.fingerprint,
        policy=RegistrationPolicy(settings.promote, settings.keep_versions, run.allow_joblib),
    )


def is_registered(state: ModelState, version: str) -> bool:
    """Whether registering a version would change nothing."""
    if state.champion is None or version != (state.registry.candidate or state.champion_name):
        return False
    try:
        check_version(state.champion)
    except ModelError:
        return False
    return True


def apply_comparison(run: Run, model: DatasetRef, report: DatasetRef) -> None:
    """Does what a back-test has decided; once, and not if the run names the version.

    Args:
        run: The run.
        model: The version that was back-tested.
        report: The report of the back-test, as JSON.
    """
    comparison = comparison_in(report)
    if run.model is not None or comparison is None:
        return
    state = ModelState.read(run.catalog)
    is_known = state.registry.has_comparison(Comparison.model_validate(comparison))
    if is_known or comparison["candidate"] == state.pointer:
        return
    record_comparison(
        model,
        comparison,
        run.catalog.registry(),
        before=state.fingerprint,
        keep_versions=run.settings.champion.keep_versions,
    )


def comparison_in(report: DatasetRef) -> dict[str, Any] | None:
    """Reads the comparison of a report, as plain data; None if nothing was compared."""
    comparison: dict[str, Any] | None = json.loads(storage.read_bytes(report.uri))["comparison"]
    return comparison


# Both tasks change what they read. `before` is part of their keys, so that a cached result is used
# only where they would change nothing.


@task(
    reads=("06_models/models",),
    writes=("06_models/registry", "06_models/champion"),
    settings=("champion.promote", "champion.keep_versions", "train.model_format"),
    uses=MODEL_CODE,
)
def register(
    model: DatasetRef,
    registry: Dataset,
    pointer: Dataset,
    *,
    before: str,  # noqa: ARG001
    policy: RegistrationPolicy,
) -> tuple[DatasetRef, ...]:
    """Makes a model the candidate, or the champion if there is none that can be opened.

    Args:
        model: The version.
        registry: The registry.
        pointer: The champion's pointer.
        before: The state before; see `ModelState.fingerprint`.
        policy: What may be done.
    """
    catalog, manifest = catalog_of(registry), read_manifest(model)
    version = manifest["version"]
    # The champion is opened before the lock, which others may be waiting for.
    opened = find_champion(catalog)
    fault = fault_of(opened, policy.allow_joblib)
    with registry_lock(catalog):
        state = ModelState.read(catalog)
        if state.champion is None:
            fault = why_no_champion(catalog)
        elif state.champion != opened:
            fault = fault_of(state.champion, policy.allow_joblib)
        if fault and (policy.may_promote or state.champion is None):
            _promote(catalog, manifest, state.registry, "training", fault)
            became: Literal["champion", "candidate"] | None = "champion"
        else:
            became = _make_candidate(state, version, registry)
    if became and state.registry.last_comparison(version) is None:
        ModelRegistered(
            game=model.game, version=version, state=became, roc_auc=_roc_auc(manifest)
        ).emit()
    _delete_old_versions(catalog, policy.keep_versions)
    changed = (registry, pointer) if became == "champion" else (registry,)
    return tuple(map(datasets.ref, changed))


@task(
    reads=("06_models/models",),
    writes=("06_models/registry", "06_models/champion"),
    settings=("champion.keep_versions",),
)
def record_comparison(
    candidate: DatasetRef,
    comparison: dict[str, Any],
    registry: Dataset,
    *,
    before: str,  # noqa: ARG001
    keep_versions: int | None,
) -> tuple[DatasetRef, ...]:
    """Records a comparison, and promotes the candidate if that follows from it.

    Args:
        candidate: The version.
        comparison: A `churnlib.versions.gate.Comparison` as plain data.
        registry: The registry.
        before: The state before; see `ModelState.fingerprint`.
        keep_versions: Number of versions to keep; see `churnlib.settings.ChampionSettings`.
    """
    catalog, changed = catalog_of(registry), [registry]
    with registry_lock(catalog):
        state = ModelState.read(catalog)
        result = confirmed(Comparison.model_validate(comparison), state)
        recorded = state.registry.with_comparison(result, datetime.now(UTC))
        if result.promotes:
            manifest = read_manifest(candidate)
            _promote(catalog, manifest, recorded, "back-test", result.reason, comparison=result)
            changed.append(catalog.champion())
        else:
            write_registry(recorded, registry)
    run_logger().info("model %s: %s, because %s", result.candidate, result.decision, result.reason)
    if result.decision == "refused":
        force = command_line("promote", candidate, "--version", result.candidate, "--force")
        run_logger().info("the gate does not reconsider it; to promote it nevertheless: %s", force)
    ModelCompared(
        game=registry.game,
        version=result.candidate,
        **result.model_dump(include={"champion", "decision", "metric", "difference", "interval"}),
    ).emit()
    _delete_old_versions(catalog, keep_versions)
    return tuple(map(datasets.ref, changed))


def confirmed(comparison: Comparison, state: ModelState) -> Comparison:
    """The comparison, undecided if another run has changed what it rests on.

    Args:
        comparison: The comparison.
        state: Champion and registry now.
    """
    if comparison.champion != state.champion_name:
        why = f"the champion has changed meanwhile, to {state.champion_name or 'none'}: score again"
    elif state.registry.needs_manual_promotion(comparison.candidate):
        why = "it was refused or rolled back meanwhile"
    else:
        return comparison
    run_logger().warning("model %s: nothing is decided, because %s", comparison.candidate, why)
    reason = (
        f"{why} (compared with {comparison.champion or 'none'}, it was {comparison.decision}: "
        f"{comparison.reason})"
    )
    return comparison.model_copy(update={"decision": "undecided", "reason": reason})


def fault_of(model: DatasetRef | None, allow_joblib: bool) -> str | None:
    """Says why a version cannot be opened; None if it can, or there is no version."""
    try:
        if model is not None:
            load_model(model, allow_joblib=allow_joblib)
    except ModelError as error:
        return f"it could not be opened any more ({error})"
    return None


def _make_candidate(
    state: ModelState, version: str, registry: Dataset
) -> Literal["champion", "candidate"] | None:
    """Records a version as the candidate, unless it is the champion or may not be one."""
    known = state.registry
    is_eligible = version != state.pointer and not known.needs_manual_promotion(version)
    candidate = version if is_eligible else None
    write_registry(known.model_copy(update={"candidate": candidate}), registry)
    if is_eligible:
        text = "is the candidate now; a back-test compares it with the champion"
    elif version == state.pointer:
        text = "is the champion already"
    elif known.was_rolled_back(version):
        text = "was rolled back, so it can only be promoted manually"
    else:
        last = known.last_comparison(version)
        when, why = (f"{last.when:%Y-%m-%d}", last.reason) if last else ("an earlier day", "")
        text = f"was refused on {when}, so it can only be promoted manually: {why}"
    run_logger().info("model %s %s", version, text)
    return "candidate" if is_eligible else None


def _promote(
    catalog: Catalog,
    manifest: dict[str, Any],
    registry: Registry,
    by: Literal["training", "back-test"],
    why: str,
    comparison: Comparison | None = None,
) -> None:
    version = manifest["version"]
    promotion = promote(
        catalog, version, registry, by=by, why=why, when=datetime.now(UTC), comparison=comparison
    )
    previous = promotion.previous
    run_logger().info("model %s is the champion now; before: %s", version, previous or "none")
    roc_auc = _roc_auc(manifest)
    ModelPromoted(
        game=catalog.game, version=version, previous=previous, by=by, roc_auc=roc_auc
    ).emit()


def _delete_old_versions(catalog: Catalog, keep: int | None) -> None:
    for version in delete_old_versions(catalog, keep):
        run_logger().info("model %s is deleted: champion.keep_versions = %s", version, keep)


def _roc_auc(manifest: dict[str, Any]) -> float | None:
    scores = manifest["metrics"].get("validation", {}).get("general", {})
    roc_auc: float | None = scores.get("roc_auc")
    return roc_auc
