"""Promotion by hand: of a version that was accepted, or was champion before; or back."""

from datetime import datetime

from churnlib.errors import ModelError
from churnlib.io.catalog import Catalog
from churnlib.io.commands import command_line
from churnlib.io.datasets import DatasetRef
from churnlib.uris import name_of
from churnlib.versions.folder import load_model, no_champion, pointed_at
from churnlib.versions.registry import (
    Promotion,
    Registry,
    named,
    promote,
    read_registry,
    registry_lock,
)


def promote_by_hand(
    catalog: Catalog, version: str, *, when: datetime, force: bool, allow_joblib: bool
) -> Promotion | None:
    """Makes a version the champion.

    Args:
        catalog: Where the game's data lie.
        version: The version.
        when: The moment.
        force: Also one that no comparison has accepted.
        allow_joblib: See `churnlib.versions.folder.load_model`.

    Returns:
        What was done; null where the version is the champion already.

    Raises:
        ModelError: There is no such version, it cannot be opened, or, unless forced, the gate has
            refused it or it was never compared and was no champion.
    """
    model = named(catalog, version)  # Before the lock, which would make a folder of a mistake.
    load_model(model, allow_joblib=allow_joblib)
    with registry_lock(catalog):
        named(catalog, version)
        registry, pointed = read_registry(catalog.registry()), pointed_at(catalog.champion())
        if version == pointed:
            return None
        fault = no_champion(catalog)
        doubt = None if fault else _doubt(registry, version)
        if doubt and not force:
            advice = _advice(model, registry)
            raise ModelError(f"{catalog.game}: model {version} {doubt}. {advice}")
        why = f"although it {doubt}" if doubt else f"as {fault}" if fault else "as asked"
        return promote(catalog, version, registry, by="hand", why=why, when=when)


def roll_back(catalog: Catalog, *, when: datetime, allow_joblib: bool) -> Promotion:
    """Makes the version champion that was it before the one in use.

    Args:
        catalog: Where the game's data lie.
        when: The moment.
        allow_joblib: See `churnlib.versions.folder.load_model`.

    Raises:
        ModelError: There is none, or it cannot be opened.
    """
    before = _one_before(catalog)
    load_model(named(catalog, before), allow_joblib=allow_joblib)
    with registry_lock(catalog):
        if _one_before(catalog) != before:
            raise ModelError(
                f"{catalog.game}: the champion has changed meanwhile, so nothing was done. See "
                f"what there is now: {command_line('models', catalog.models())}"
            )
        registry = read_registry(catalog.registry())
        why = f"back from {pointed_at(catalog.champion()) or 'a pointer that cannot be read'}"
        return promote(catalog, before, registry, by="roll back", why=why, when=when)


def _one_before(catalog: Catalog) -> str:
    """The champion before the one in use."""
    registry, standing = read_registry(catalog.registry()), pointed_at(catalog.champion())
    before = registry.before(standing)
    if before is None:
        raise ModelError(
            f"{catalog.game}: it is not known which model was champion before "
            f"{standing or 'this'}. Name one with --version; "
            f"{command_line('models', catalog.models())} lists them."
        )
    return before


def _advice(model: DatasetRef, registry: Registry) -> str:
    """What to type where a version should not be champion as far as is known."""
    version = name_of(model.uri)
    force = command_line("promote", model, "--version", version, "--force")
    if version != registry.candidate or registry.needs_manual_promotion(version):
        look = command_line("score", model, "--model", version)
        return (
            "It is not the candidate, so no back-test decides on it. See what it is worth: "
            f"{look}; or promote it all the same: {force}"
        )
    compare = command_line("score", model)
    if registry.last_comparison(version) is None:
        return f"Have it compared: {compare}; or promote it all the same: {force}"
    return (
        "On other subscriptions (windows.score), or by other terms (champion), it is compared "
        f"again: {compare}; or promote it all the same: {force}"
    )


def _doubt(registry: Registry, version: str) -> str | None:
    """Why a version should not be champion, as far as is known; null where nothing speaks so."""
    last = registry.last_comparison(version)
    if last and last.decision == "refused":
        return f"was refused by the gate: {last.reason}"
    if registry.state(version, None) == "former" or (last and last.decision == "accepted"):
        return None
    if last is None:
        return "was never compared with the champion"
    return f"was compared without a decision: {last.reason}"
