"""Promotion: a back-test is recorded, and the candidate becomes champion if it is accepted."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

from churnlib.io import datasets, storage
from churnlib.io.catalog import Catalog, catalog_of
from churnlib.io.commands import command_line
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.uris import name_of
from churnlib.versions.champion import champion_version
from churnlib.versions.evidence import Evidence, stronger
from churnlib.versions.gate import Comparison
from churnlib.versions.manifest import read_manifest
from churnlib.versions.model_state import ModelState
from churnlib.versions.promotion import Cause, delete_old_versions, promote
from churnlib.versions.transactions import commit, registry_lock
from flows.engine.cache import run_logger
from flows.engine.events import ModelCompared, ModelPromoted
from flows.steps.back_test_plan import BackTestPlan
from flows.steps.own_settings import back_test_changes
from flows.steps.run import Run
from flows.task import task


def apply_back_test(run: Run, plan: BackTestPlan, cohort: DatasetRef, report: DatasetRef) -> None:
    """Records what a back-test showed and applies its decision, each once.

    If the run names the version, nothing is decided. If its settings are not the game's own, what
    it showed is not recorded.
    """
    content = json.loads(storage.read_bytes(report.uri))
    version, state = name_of(plan.model.uri), ModelState.read(run.catalog)
    earlier = evidence = state.registry.evidence.get(version)
    if not back_test_changes(run):
        shown = Evidence.of(content, cohort.fingerprint, leaks=plan.gate.leaks)
        evidence = evidence_to_keep(run, version, shown, earlier)
    comparison = content["comparison"] if run.model is None else None
    if comparison and (
        comparison["candidate"] == state.pointer
        or state.registry.has_comparison(Comparison.model_validate(comparison))
    ):
        comparison = None
    keep = run.settings.champion.keep_versions
    if comparison is None and earlier == evidence:
        delete_versions(run.catalog, keep)  # A run that was killed may not have.
        return
    record_back_test(
        plan.model,
        evidence.model_dump(mode="json") if evidence else None,
        comparison,
        run.catalog.registry(),
        before=state.fingerprint,
        keep_versions=keep,
    )


def is_of_champion(run: Run, plan: BackTestPlan) -> bool:
    """Whether a back-test is that of the champion, with the game's own settings."""
    return plan.gate.is_champion and run.model is None and not back_test_changes(run)


def promotes(run: Run, report: DatasetRef) -> bool:
    """Whether a back-test makes its model the champion, unless another run does first."""
    comparison = json.loads(storage.read_bytes(report.uri))["comparison"]
    if run.model is not None or comparison is None:
        return False
    result = Comparison.model_validate(comparison)
    return result.promotes and result.candidate != champion_version(run.catalog)


def evidence_to_keep(run: Run, version: str, shown: Evidence, earlier: Evidence | None) -> Evidence:
    """Returns the evidence to keep of a version; warns if it is not that of this back-test."""
    evidence, why = stronger(shown, earlier, run.settings.contact_outcomes)
    if why:
        run_logger().warning(
            "model %s: the back-test as of %s still decides on contacts, and not this one: %s",
            version,
            evidence.as_of,
            why,
        )
    return evidence


@task(
    reads=("06_models/models",),
    writes=("06_models/registry", "06_models/champion"),
    settings=("champion.keep_versions",),
)
def record_back_test(
    model: DatasetRef,
    evidence: dict[str, Any] | None,
    comparison: dict[str, Any] | None,
    registry: Dataset,
    *,
    before: str,  # noqa: ARG001
    keep_versions: int | None,
) -> tuple[DatasetRef, ...]:
    """Records a back-test, and promotes the candidate if its comparison is accepted.

    Args:
        model: The version that was back-tested.
        evidence: What the back-test showed: an `Evidence` as plain data; None if it is not to be
            recorded.
        comparison: A `churnlib.versions.gate.Comparison` of the version as plain data; None if
            nothing is to be decided.
        registry: The registry.
        before: The state before, `ModelState.fingerprint`: the task changes what it reads, so a
            cached result counts only while that state lasts.
        keep_versions: Number of versions to keep; see `churnlib.settings.ChampionSettings`.
    """
    catalog, changed = catalog_of(registry), [registry]
    with registry_lock(catalog):
        state = ModelState.read(catalog)
        recorded = state.registry
        if evidence is not None:
            shown = Evidence.model_validate(evidence)
            recorded = recorded.with_evidence(name_of(model.uri), shown)
        if comparison is None:
            commit(catalog, recorded)
            return (datasets.ref(registry),)
        result = confirmed(Comparison.model_validate(comparison), state)
        recorded = recorded.with_comparison(result, datetime.now(UTC))
        if result.promotes:
            manifest = read_manifest(model)
            cause = Cause(result.reason, result)
            promote_version(replace(state, registry=recorded), manifest, cause, by="back-test")
            changed.append(catalog.champion())
        else:
            commit(catalog, recorded)
    run_logger().info("model %s: %s, because %s", result.candidate, result.decision, result.reason)
    if result.decision != "accepted":
        force = command_line("promote", model, "--version", result.candidate, "--force")
        again = "does not reconsider it" if result.decision == "refused" else "compares it again"
        run_logger().info("the gate %s; to promote it anyway: %s", again, force)
    ModelCompared(
        game=registry.game,
        version=result.candidate,
        **result.model_dump(include={"champion", "decision", "metric", "difference", "interval"}),
    ).emit()
    delete_versions(catalog, keep_versions)
    return tuple(map(datasets.ref, changed))


def confirmed(comparison: Comparison, state: ModelState) -> Comparison:
    """Returns the comparison, undecided if another run has changed champion or candidate."""
    if comparison.champion != state.champion_name:
        champion = state.champion_name or "none"
        why = f"the champion has changed in the meantime, to {champion}: score again"
    elif state.registry.needs_manual_promotion(comparison.candidate):
        why = "it was refused or rolled back in the meantime"
    else:
        return comparison
    run_logger().warning("model %s: nothing is decided, because %s", comparison.candidate, why)
    reason = (
        f"{why} (compared with {comparison.champion or 'none'}, it was {comparison.decision}: "
        f"{comparison.reason})"
    )
    return comparison.model_copy(update={"decision": "undecided", "reason": reason})


def promote_version(
    state: ModelState,
    manifest: dict[str, Any],
    cause: Cause,
    *,
    by: Literal["training", "back-test"],
) -> None:
    """Makes a version the champion, logs it and emits the event; call it within `registry_lock`."""
    version = manifest["version"]
    promotion = promote(state, version, cause, by=by, when=datetime.now(UTC))
    previous = promotion.previous
    run_logger().info("model %s is the champion now; before: %s", version, previous or "none")
    roc_auc = roc_auc_of(manifest)
    ModelPromoted(
        game=state.catalog.game, version=version, previous=previous, by=by, roc_auc=roc_auc
    ).emit()


def delete_versions(catalog: Catalog, keep: int | None) -> None:
    """Deletes the oldest versions, and logs it; see `delete_old_versions`."""
    for version in delete_old_versions(catalog, keep):
        run_logger().info("model %s is deleted: champion.keep_versions = %s", version, keep)


def roc_auc_of(manifest: dict[str, Any]) -> float | None:
    """The ROC AUC of a version on its validation months; None if undefined."""
    scores = manifest["metrics"].get("validation", {}).get("general", {})
    roc_auc: float | None = scores.get("roc_auc")
    return roc_auc
