"""Registration: a trained model becomes the candidate, or the champion if there is none."""

from dataclasses import dataclass
from typing import Literal

from churnlib.errors import ModelError, UnreadableModelError
from churnlib.io import datasets
from churnlib.io.catalog import catalog_of
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.uris import name_of
from churnlib.versions.champion import find_champion, why_no_champion
from churnlib.versions.folder import load_model
from churnlib.versions.manifest import read_manifest
from churnlib.versions.model_state import ModelState
from churnlib.versions.promotion import Cause
from churnlib.versions.transactions import commit, registry_lock
from churnlib.versions.verification import check_version
from flows.engine.cache import run_logger
from flows.engine.events import ModelRegistered
from flows.steps.promotion import delete_versions, promote_version, roc_auc_of
from flows.steps.run import Run
from flows.steps.runtime_code import MODEL_CODE
from flows.task import task


@dataclass(frozen=True)
class RegistrationPolicy:
    """What registering a version may do.

    Attributes:
        may_promote: Whether it may replace a champion that cannot be loaded.
        keep_versions: Number of versions to keep; see `churnlib.settings.ChampionSettings`.
        allow_joblib: See `churnlib.versions.folder.load_model`.
    """

    may_promote: bool
    keep_versions: int | None
    allow_joblib: bool


def register_version(run: Run, model: DatasetRef) -> None:
    """Makes a trained model the candidate, or the champion if there is none; once."""
    state, settings = ModelState.read(run.catalog), run.settings.champion
    if is_registered(state, name_of(model.uri)):
        delete_versions(run.catalog, settings.keep_versions)  # A run that was killed may not have.
        return
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
    except UnreadableModelError:
        raise
    except ModelError:
        return False
    return True


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
    """Makes a model the candidate, or the champion if there is none that can be loaded.

    Args:
        model: The version.
        registry: The registry.
        pointer: The champion's pointer.
        before: The state before, `ModelState.fingerprint`: the task changes what it reads, so a
            cached result counts only while that state lasts.
        policy: What may be done.
    """
    catalog, manifest = catalog_of(registry), read_manifest(model)
    version = manifest["version"]
    # Loaded outside the lock, so that others need not wait.
    opened = find_champion(catalog)
    fault = fault_of(opened, policy.allow_joblib)
    with registry_lock(catalog):
        state = ModelState.read(catalog)
        if state.champion is None:
            fault = why_no_champion(catalog)
        elif state.champion != opened:
            fault = fault_of(state.champion, policy.allow_joblib)
        if fault and (policy.may_promote or state.champion is None):
            promote_version(state, manifest, Cause(fault), by="training")
            became: Literal["champion", "candidate"] | None = "champion"
        else:
            became = _make_candidate(state, version)
    if became and state.registry.last_comparison(version) is None:
        ModelRegistered(
            game=model.game, version=version, state=became, roc_auc=roc_auc_of(manifest)
        ).emit()
    delete_versions(catalog, policy.keep_versions)
    changed = (registry, pointer) if became == "champion" else (registry,)
    return tuple(map(datasets.ref, changed))


def fault_of(model: DatasetRef | None, allow_joblib: bool) -> str | None:
    """Returns why a version cannot be loaded; None if it can, or there is no version.

    Raises:
        UnreadableError: It cannot be told.
    """
    try:
        if model is not None:
            load_model(model, allow_joblib=allow_joblib)
    except UnreadableModelError:
        raise
    except ModelError as error:
        return f"it could not be opened any more ({error})"
    return None


def _make_candidate(state: ModelState, version: str) -> Literal["champion", "candidate"] | None:
    """Records a version as the candidate, unless it is the champion or may not be one."""
    known = state.registry
    is_eligible = version != state.pointer and not known.needs_manual_promotion(version)
    candidate = version if is_eligible else None
    commit(state.catalog, known.model_copy(update={"candidate": candidate}))
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
