"""Promotion of a version to champion, manually too, and the deletion of old versions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from churnlib.errors import ModelError
from churnlib.io.catalog import Catalog
from churnlib.io.commands import command_line
from churnlib.io.datasets import DatasetRef
from churnlib.uris import name_of
from churnlib.versions.champion import (
    DamagedPointerError,
    ForeignSignatureError,
    champion_and_registry,
    why_no_champion,
)
from churnlib.versions.folder import find_version, list_versions, load_model
from churnlib.versions.gate import Comparison
from churnlib.versions.model_state import ModelState
from churnlib.versions.registry import By, Promotion, Registry, read_registry
from churnlib.versions.transactions import commit, finish_interrupted, registry_lock


@dataclass(frozen=True)
class Cause:
    """Why a version becomes champion.

    Attributes:
        why: The reason in words.
        comparison: The comparison that decided; None if something else did.
    """

    why: str
    comparison: Comparison | None = None


def promote(state: ModelState, version: str, cause: Cause, *, by: By, when: datetime) -> Promotion:
    """Makes a version the champion, and records it; call it within `registry_lock`.

    Args:
        state: The state of the game's models, with the registry to write.
        version: The version.
        cause: Why.
        by: What made it the champion.
        when: The time.
    """
    comparison, registry = cause.comparison, state.registry
    promotion = Promotion(
        version=version,
        previous=state.pointer,
        when=when,
        by=by,
        why=cause.why,
        window=comparison and comparison.window,
        as_of=comparison and comparison.as_of,
    )
    update = {
        "candidate": None if registry.candidate == version else registry.candidate,
        "promotions": (*registry.promotions, promotion),
        "promoting": version,
    }
    commit(state.catalog, registry.model_copy(update=update))
    return promotion


def promote_manually(
    catalog: Catalog, version: str, *, when: datetime, force: bool, allow_joblib: bool
) -> Promotion | None:
    """Makes a version the champion at a user's request.

    Args:
        catalog: The game's data.
        version: The version.
        when: The time.
        force: Whether to promote a version that no comparison has accepted.
        allow_joblib: See `churnlib.versions.folder.load_model`.

    Returns:
        The promotion; None if the version is the champion already.

    Raises:
        ModelError: There is no such version; it cannot be loaded; or, without `force`, the gate
            refused it, or it was never compared and never champion.
        UnreadableError: Registry or champion cannot be read. A damaged pointer, and a champion
            whose signature is wrong, are replaced.
    """
    model = find_version(catalog, version)  # Before the lock, which would create the game's folder.
    load_model(model, allow_joblib=allow_joblib)
    with registry_lock(catalog):
        find_version(catalog, version)
        state, damage = _read_state(catalog)
        if version == state.pointer:
            return None
        no_champion = None if damage else why_no_champion(catalog)
        objection = None if no_champion else _objection(state.registry, version)
        if objection and not force:
            advice = _advice(model, state.registry)
            raise ModelError(f"{catalog.game}: model {version} {objection}. {advice}")
        why = f"although it {objection}" if objection else "on request"
        if no_champion or damage:
            why = f"because {no_champion or damage}"
        return promote(state, version, Cause(why), by="manual", when=when)


def roll_back(catalog: Catalog, *, when: datetime, allow_joblib: bool) -> Promotion:
    """Makes the previous champion the champion again.

    Returns:
        The promotion: that of a roll back that an earlier process did not finish, if there is one.

    Raises:
        ModelError: There is no previous champion, or it cannot be loaded.
        UnreadableError: Registry or champion cannot be read. A damaged pointer, and a champion
            whose signature is wrong, are replaced.
    """
    finished = finish_interrupted(catalog)
    if finished and finished.by == "roll back":
        return finished
    previous = _previous_champion(_read_state(catalog)[0])
    load_model(find_version(catalog, previous), allow_joblib=allow_joblib)
    with registry_lock(catalog):
        state, _ = _read_state(catalog)
        if _previous_champion(state) != previous:
            raise ModelError(
                f"{catalog.game}: the champion has changed in the meantime, so nothing was done. "
                f"List the versions: {command_line('models', catalog.models())}"
            )
        why = f"back from {state.pointer or 'a pointer that cannot be read'}"
        return promote(state, previous, Cause(why), by="roll back", when=when)


def _read_state(catalog: Catalog) -> tuple[ModelState, str | None]:
    """Reads the state of a game's models, and what is wrong with pointer or champion, if any."""
    try:
        return ModelState.read(catalog), None
    except ForeignSignatureError:
        version, registry = champion_and_registry(catalog)
        damage = f"the signature of {version} is wrong"
        return ModelState(catalog, registry, pointer=version, champion=None), damage
    except DamagedPointerError:
        registry = read_registry(catalog.registry())
        damage = f"{name_of(catalog.champion().uri)} is damaged"
        return ModelState(catalog, registry, pointer=None, champion=None), damage


def _previous_champion(state: ModelState) -> str:
    previous = state.registry.previous_champion(state.pointer)
    if previous is None:
        models = command_line("models", state.catalog.models())
        raise ModelError(
            f"{state.catalog.game}: no champion before {state.pointer or 'this'} is recorded. List "
            f"the versions, and promote one with --version: {models}"
        )
    return previous


def _advice(model: DatasetRef, registry: Registry) -> str:
    """What to type if a version may not be promoted without `--force`."""
    version = name_of(model.uri)
    force = command_line("promote", model, "--version", version, "--force")
    if version != registry.candidate or registry.needs_manual_promotion(version):
        score = command_line("score", model, "--model", version)
        return (
            "It is not the candidate, so no back-test decides on it. Back-test it: "
            f"{score}; or promote it anyway: {force}"
        )
    compare = command_line("score", model)
    if registry.last_comparison(version) is None:
        return f"Compare it: {compare}; or promote it anyway: {force}"
    return (
        "With other subscriptions (windows.score) or terms (champion) it is compared "
        f"again: {compare}; or promote it anyway: {force}"
    )


def _objection(registry: Registry, version: str) -> str | None:
    """Why a version should not be champion; None if there is no objection."""
    last = registry.last_comparison(version)
    if last and last.decision == "refused":
        return f"was refused by the gate: {last.reason}"
    if registry.state(version, None) == "former" or (last and last.decision == "accepted"):
        return None
    if last is None:
        return "was never compared with the champion"
    return f"was compared without a decision: {last.reason}"


def delete_old_versions(catalog: Catalog, keep: int | None) -> tuple[str, ...]:
    """Deletes the oldest versions.

    Args:
        catalog: The game's data.
        keep: Number of newest versions to keep; all if None. The champion, the previous champion,
            the candidate, and the former champion that candidates are compared with, are always
            kept.

    Returns:
        The deleted versions.

    Raises:
        UnreadableError: Registry or champion cannot be read.
    """
    if keep is None or not list_versions(catalog)[keep:]:
        return ()
    with registry_lock(catalog):
        current, registry = champion_and_registry(catalog)
        needed = {current, registry.candidate, registry.previous_champion(current)}
        last = registry.comparisons[-1:]
        needed |= {registry.anchor(comparison.as_of) for comparison in last}
        old = versions_to_delete(list_versions(catalog), keep, {name for name in needed if name})
        if old:
            deleting = registry.without_evidence(old).model_copy(update={"deleting": old})
            commit(catalog, deleting)
    return old


def versions_to_delete(
    newest_first: Sequence[str], keep: int, needed: Iterable[str]
) -> tuple[str, ...]:
    """The versions that need not be kept.

    Args:
        newest_first: All versions.
        keep: Number of newest versions to keep.
        needed: Versions to keep at any age.

    >>> versions_to_delete(["v4", "v3", "v2", "v1"], 2, {"v1"})
    ('v2',)
    """
    return tuple(version for version in newest_first[keep:] if version not in set(needed))
