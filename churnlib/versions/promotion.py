"""Promotion of a version to champion, manually too, and the deletion of old versions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from churnlib.errors import ModelError
from churnlib.io.catalog import Catalog
from churnlib.io.commands import command_line
from churnlib.io.datasets import DatasetRef
from churnlib.io.storage import remove, remove_folder
from churnlib.uris import join, name_of
from churnlib.versions.champion import champion_version, set_champion, why_no_champion
from churnlib.versions.folder import find_version, list_versions, load_model
from churnlib.versions.gate import Comparison
from churnlib.versions.manifest import MANIFEST
from churnlib.versions.registry import (
    By,
    Promotion,
    Registry,
    read_registry,
    registry_lock,
    write_registry,
)


@dataclass(frozen=True)
class Cause:
    """Why a version becomes champion.

    Attributes:
        why: The reason in words.
        comparison: The comparison that decided; None if something else did.
    """

    why: str
    comparison: Comparison | None = None


def promote(
    catalog: Catalog, version: str, registry: Registry, cause: Cause, *, by: By, when: datetime
) -> Promotion:
    """Makes a version the champion, and records it; call it within `registry_lock`."""
    comparison = cause.comparison
    promotion = Promotion(
        version=version,
        previous=champion_version(catalog),
        when=when,
        by=by,
        why=cause.why,
        window=comparison and comparison.window,
        as_of=comparison and comparison.as_of,
    )
    update = {
        "candidate": None if registry.candidate == version else registry.candidate,
        "promotions": (*registry.promotions, promotion),
    }
    # The pointer first: if the second write fails, the champion is the promoted version, and
    # `Registry.previous_champion` still finds the one before. In the other order, the registry
    # would record a promotion that has not happened.
    set_champion(catalog, version)
    write_registry(registry.model_copy(update=update), catalog.registry())
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
    """
    model = find_version(catalog, version)  # Before the lock, which would create the game's folder.
    load_model(model, allow_joblib=allow_joblib)
    with registry_lock(catalog):
        find_version(catalog, version)
        registry, current = read_registry(catalog.registry()), champion_version(catalog)
        if version == current:
            return None
        no_champion = why_no_champion(catalog)
        objection = None if no_champion else _objection(registry, version)
        if objection and not force:
            advice = _advice(model, registry)
            raise ModelError(f"{catalog.game}: model {version} {objection}. {advice}")
        why = f"although it {objection}" if objection else "on request"
        if no_champion:
            why = f"because {no_champion}"
        return promote(catalog, version, registry, Cause(why), by="manual", when=when)


def roll_back(catalog: Catalog, *, when: datetime, allow_joblib: bool) -> Promotion:
    """Makes the previous champion the champion again.

    Raises:
        ModelError: There is no previous champion, or it cannot be loaded.
    """
    previous = _previous_champion(catalog)
    load_model(find_version(catalog, previous), allow_joblib=allow_joblib)
    with registry_lock(catalog):
        if _previous_champion(catalog) != previous:
            raise ModelError(
                f"{catalog.game}: the champion has changed in the meantime, so nothing was done. "
                f"List the versions: {command_line('models', catalog.models())}"
            )
        registry = read_registry(catalog.registry())
        why = f"back from {champion_version(catalog) or 'a pointer that cannot be read'}"
        return promote(catalog, previous, registry, Cause(why), by="roll back", when=when)


def _previous_champion(catalog: Catalog) -> str:
    registry, current = read_registry(catalog.registry()), champion_version(catalog)
    previous = registry.previous_champion(current)
    if previous is None:
        raise ModelError(
            f"{catalog.game}: no champion before {current or 'this'} is recorded. List the "
            f"versions, and promote one with --version: "
            f"{command_line('models', catalog.models())}"
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
    """
    if keep is None:
        return ()
    with registry_lock(catalog):
        registry, current = read_registry(catalog.registry()), champion_version(catalog)
        needed = {current, registry.candidate, registry.previous_champion(current)}
        last = registry.comparisons[-1:]
        needed |= {registry.anchor(comparison.as_of) for comparison in last}
        old = versions_to_delete(list_versions(catalog), keep, {name for name in needed if name})
        if not registry.evidence.keys().isdisjoint(old):
            write_registry(registry.without_evidence(old), catalog.registry())
        for version in old:  # A folder without a manifest is not a version.
            remove(join(catalog.model(version).uri, MANIFEST))
    for version in old:
        remove_folder(catalog.model(version).uri)
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
