"""New versions on their way to be champion: registered by training, decided on by a back-test."""

import json
from datetime import UTC, datetime
from typing import Any, Literal

from churnlib.errors import ModelError
from churnlib.io import datasets, storage
from churnlib.io.catalog import Catalog, catalog_of
from churnlib.io.commands import command_line
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.uris import name_of
from churnlib.versions.champion import champion_version, find_champion, why_no_champion
from churnlib.versions.folder import load_model
from churnlib.versions.gate import Comparison
from churnlib.versions.manifest import read_manifest
from churnlib.versions.promotion import delete_old_versions, promote
from churnlib.versions.registry import Registry, read_registry, registry_lock, write_registry
from churnlib.versions.verification import check_version
from flows.engine.cache import run_logger
from flows.engine.events import ModelCompared, ModelPromoted, ModelRegistered
from flows.steps.run import Run
from flows.steps.runtime_code import MODEL_CODE
from flows.task import task


def register_version(run: Run, model: DatasetRef) -> None:
    """Makes a trained model the candidate, if it is not known as such; the first one champion."""
    standing, version = find_champion(run.catalog), name_of(model.uri)
    if is_registered(run.catalog, version, standing):
        return
    register(
        model,
        run.catalog.registry(),
        run.catalog.champion(),
        before=state_of(run.catalog),
        may_promote=run.settings.champion.promote,
        keep_versions=run.settings.champion.keep_versions,
        allow_joblib=run.settings.train.model_format == "joblib",
    )


def settle_comparison(run: Run, model: DatasetRef, report: DatasetRef) -> None:
    """Does what a back-test has decided, if that was not done yet.

    Args:
        run: The run.
        model: The version that the back-test is of.
        report: Its report, as JSON.
    """
    comparison = comparison_in(report)
    if is_settled(run.catalog, comparison):
        return
    settle(
        model,
        comparison,
        run.catalog.registry(),
        before=state_of(run.catalog),
        keep_versions=run.settings.champion.keep_versions,
    )


def comparison_in(report: DatasetRef) -> dict[str, Any] | None:
    """What a report tells of the gate, as plain data; null where nothing was compared."""
    found: dict[str, Any] | None = json.loads(storage.read_bytes(report.uri)).get("comparison")
    return found


def is_registered(catalog: Catalog, version: str, standing: DatasetRef | None) -> bool:
    """Whether there is nothing to do about a trained model."""
    candidate = read_registry(catalog.registry()).candidate
    if standing is None or version != (candidate or name_of(standing.uri)):
        return False
    try:
        check_version(standing)
    except ModelError:
        return False
    return True


def is_settled(catalog: Catalog, comparison: dict[str, Any] | None) -> bool:
    """Whether there is nothing to do about what a report tells of the gate."""
    if comparison is None or comparison["candidate"] == champion_version(catalog):
        return True
    return read_registry(catalog.registry()).has_comparison(Comparison.model_validate(comparison))


def state_of(catalog: Catalog) -> str:
    """What tells one state of registry and champion from another."""
    registry, standing = catalog.registry().uri, find_champion(catalog)
    known = storage.fingerprint(registry) if storage.exists(registry) else "none"
    return f"registry {known}, champion {standing.fingerprint if standing else 'none'}"


# Both tasks change what they read. `before` is part of their key, so that a kept result counts only
# where they would change nothing.


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
    may_promote: bool,
    keep_versions: int | None,
    allow_joblib: bool,
) -> tuple[DatasetRef, ...]:
    """Makes a model the candidate; where there is no champion that can be opened, the champion.

    Args:
        model: The version.
        registry: What is known of all versions.
        pointer: The champion's pointer.
        before: What registry and champion were.
        may_promote: Whether it may take the place of a champion that cannot be opened.
        keep_versions: See `churnlib.settings.ChampionSettings`.
        allow_joblib: See `churnlib.versions.folder.load_model`.
    """
    catalog, manifest = catalog_of(registry), read_manifest(model)
    version, changed = manifest["version"], [registry]
    tried = find_champion(catalog)
    fault = fault_of(tried, allow_joblib) if tried else None  # Opened before others must wait.
    with registry_lock(catalog):
        known, standing = read_registry(registry), find_champion(catalog)
        is_new = known.last_comparison(version) is None
        if standing is None:
            fault = why_no_champion(catalog)
        elif standing != tried:
            fault = fault_of(standing, allow_joblib)
        if fault and (may_promote or standing is None):
            _promote(catalog, manifest, known, "training", fault)
            changed.append(pointer)
        else:
            is_champion = version == champion_version(catalog)
            candidate = None if is_champion or known.needs_manual_promotion(version) else version
            write_registry(known.model_copy(update={"candidate": candidate}), registry)
            run_logger().info(_told(known, version, is_champion=is_champion))
            is_new = is_new and candidate is not None
    if is_new:
        ModelRegistered(
            game=model.game,
            version=version,
            state="champion" if version == champion_version(catalog) else "candidate",
            roc_auc=_roc_auc(manifest),
        ).emit()
    _retire(catalog, keep_versions)
    return tuple(map(datasets.ref, changed))


@task(
    reads=("06_models/models",),
    writes=("06_models/registry", "06_models/champion"),
    settings=("champion.keep_versions",),
)
def settle(
    candidate: DatasetRef,
    comparison: dict[str, Any] | None,
    registry: Dataset,
    *,
    before: str,  # noqa: ARG001
    keep_versions: int | None,
) -> tuple[DatasetRef, ...]:
    """Keeps a comparison, and makes the candidate champion where that follows from it.

    Args:
        candidate: The version.
        comparison: A `churnlib.versions.gate.Comparison` as plain data.
        registry: What is known of all versions.
        before: What registry and champion were.
        keep_versions: See `churnlib.settings.ChampionSettings`.
    """
    catalog, changed = catalog_of(registry), [registry]
    with registry_lock(catalog):
        known = read_registry(registry)
        made = _still(Comparison.model_validate(comparison), catalog, known)
        known = known.with_comparison(made, datetime.now(UTC))
        if made.promotes:
            _promote(
                catalog, read_manifest(candidate), known, "back-test", made.reason, comparison=made
            )
            changed.append(catalog.champion())
        else:
            write_registry(known, registry)
    run_logger().info("model %s: %s, because %s", made.candidate, made.decision, made.reason)
    if made.decision == "refused":
        force = command_line("promote", candidate, "--version", made.candidate, "--force")
        run_logger().info("that is final for the gate; to promote it all the same: %s", force)
    ModelCompared(
        game=registry.game,
        version=made.candidate,
        champion=made.champion,
        decision=made.decision,
        metric=made.metric,
        difference=made.difference,
        interval=made.interval,
    ).emit()
    _retire(catalog, keep_versions)
    return tuple(map(datasets.ref, changed))


def _still(made: Comparison, catalog: Catalog, known: Registry) -> Comparison:
    """A comparison as far as it still holds: another run may have changed what it rests on."""
    standing = find_champion(catalog)
    now = name_of(standing.uri) if standing else None
    if made.champion != now:
        why = f"the champion has changed meanwhile, to {now or 'none'}: score again"
    elif known.needs_manual_promotion(made.candidate):
        why = "it was refused, or taken back, meanwhile"
    else:
        return made
    run_logger().warning("model %s: nothing is decided, because %s", made.candidate, why)
    reason = (
        f"{why} (held against {made.champion or 'none'}, it was {made.decision}: {made.reason})"
    )
    return made.model_copy(update={"decision": "undecided", "reason": reason})


def fault_of(model: DatasetRef, allow_joblib: bool) -> str | None:
    """Why a version cannot be used any more; null where it can."""
    try:
        load_model(model, allow_joblib=allow_joblib)
    except ModelError as error:
        return f"it could not be opened any more ({error})"
    return None


def _promote(
    catalog: Catalog,
    manifest: dict[str, Any],
    known: Registry,
    by: Literal["training", "back-test"],
    why: str,
    comparison: Comparison | None = None,
) -> None:
    made = promote(
        catalog,
        manifest["version"],
        known,
        by=by,
        why=why,
        when=datetime.now(UTC),
        comparison=comparison,
    )
    run_logger().info(
        "model %s is the champion now; before: %s", made.version, made.previous or "none"
    )
    ModelPromoted(
        game=catalog.game,
        version=made.version,
        previous=made.previous,
        by=by,
        roc_auc=_roc_auc(manifest),
    ).emit()


def _retire(catalog: Catalog, keep: int | None) -> None:
    for version in delete_old_versions(catalog, keep):
        run_logger().info("model %s is removed: champion.keep_versions = %s", version, keep)


def _told(known: Registry, version: str, *, is_champion: bool) -> str:
    if is_champion:
        return f"model {version} is the champion already"
    if known.was_rolled_back(version):
        return f"model {version} was rolled back from by hand, so only a hand promotes it again"
    last = known.last_comparison(version)
    if last and known.was_refused(version):
        return (
            f"model {version} was refused on {last.when:%Y-%m-%d}, so only a hand promotes it: "
            f"{last.reason}"
        )
    return f"model {version} is the candidate now; a back-test compares it with the champion"


def _roc_auc(manifest: dict[str, Any]) -> float | None:
    scores = manifest["metrics"].get("validation", {}).get("general", {})
    found: float | None = scores.get("roc_auc")
    return found
