"""The champion: the version in use, named by a pointer file."""

import json

from churnlib.errors import ModelError, UnreadableModelError
from churnlib.io.catalog import Catalog, is_version_name
from churnlib.io.commands import command_line
from churnlib.io.datasets import DatasetRef, ref
from churnlib.io.storage import write_text
from churnlib.uris import name_of
from churnlib.versions.files import read_model_file
from churnlib.versions.manifest import (
    MANIFEST,
    manifest_fault,
    read_version_file,
    retrain_command,
    why_untrusted,
)
from churnlib.versions.registry import Registry, read_registry
from churnlib.versions.signature import SIGNATURE, signature_fault


class DamagedPointerError(UnreadableModelError):
    """The champion's pointer is a file that names no version."""


class ForeignSignatureError(UnreadableModelError):
    """The champion's manifest was changed after it was signed, or signed with another key."""


def champion(catalog: Catalog, *, train: str | None = None) -> DatasetRef:
    """Finds the version in use.

    Args:
        catalog: The game's data.
        train: The command to suggest if there is no model yet; if None, one without settings.

    Raises:
        ModelError: The game has no champion yet, or the pointer names a version that does not exist
            or is damaged.
        UnreadableError: Pointer, registry or version cannot be read, or the signature of the
            version is wrong.
    """
    pointer, version = catalog.champion(), champion_version(catalog)
    if version is None:
        raise ModelError(
            f"{catalog.game}: there is no model yet ({pointer.uri} is missing). "
            f"Train one: {train or command_line('train', pointer, '--from-raw')}"
        )
    if why := _why_unusable(catalog, version):
        back = command_line("promote", pointer, "--back")
        raise ModelError(
            f"{catalog.game}: {why} ({pointer.uri}). List the versions, and promote one of them "
            f"with --version: {command_line('models', pointer)}; or roll back to the previous "
            f"champion: {back}; or train again: {retrain_command(pointer)}"
        )
    return ref(catalog.model(version))


def find_champion(catalog: Catalog) -> DatasetRef | None:
    """Finds the version in use; None if there is none, or it does not exist or is damaged.

    Raises:
        UnreadableError: It cannot be told, because pointer, registry or version cannot be read, or
            the signature of the version is wrong.
    """
    return usable_version(catalog, champion_version(catalog))


def usable_version(catalog: Catalog, version: str | None) -> DatasetRef | None:
    """Finds the version that is champion; None if there is none, or it is missing or damaged.

    Raises:
        UnreadableError: It cannot be read, or its signature is wrong.
    """
    is_usable = version is not None and _why_unusable(catalog, version) is None
    return ref(catalog.model(str(version))) if is_usable else None


def champion_version(catalog: Catalog) -> str | None:
    """Reads which version is champion, whether or not it exists; None if there is no pointer.

    Raises:
        UnreadableError: Pointer or registry cannot be read.
    """
    return champion_and_registry(catalog)[0]


def champion_and_registry(catalog: Catalog) -> tuple[str | None, Registry]:
    """Reads which version is champion, and the registry, both as of the same moment.

    Once a promotion is recorded, its version is champion, even if the pointer was not moved yet.

    Raises:
        UnreadableError: Pointer or registry cannot be read.
    """
    version = _read_pointer(catalog)
    while True:
        registry = read_registry(catalog.registry())
        if registry.promoting:
            return registry.promoting, registry
        before, version = version, _read_pointer(catalog)
        if version == before:  # Else another run has promoted a version in between.
            return version, registry


def _read_pointer(catalog: Catalog) -> str | None:
    pointer = catalog.champion()
    unknown = "It is not known which version is champion, so nothing was changed."
    content = read_model_file(pointer.uri, catalog.game, unknown)
    if content is None:
        return None
    if (version := _named_in(content)) is None:
        raise DamagedPointerError(
            f"{catalog.game}: {name_of(pointer.uri)} is damaged ({pointer.uri}). {unknown} "
            "Restore it from a copy; promote a version with --version; or make the one that was "
            f"promoted last champion again: {command_line('promote', pointer, '--back')}"
        )
    return version


def _named_in(pointer: bytes) -> str | None:
    """The version that a pointer names; None if it names none, or leads to another folder."""
    try:
        version = str(json.loads(pointer)["version"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return version if is_version_name(version) else None


def set_champion(catalog: Catalog, version: str) -> DatasetRef:
    """Points the champion at a version; readers see either the old or the new one."""
    pointer = catalog.champion()
    write_text(json.dumps({"version": version}) + "\n", pointer.uri)
    return ref(pointer)


def why_no_champion(catalog: Catalog) -> str | None:
    """Why a game has no usable champion; None if it has one.

    Raises:
        UnreadableError: It cannot be told; see `find_champion`.
    """
    return _why_unusable(catalog, champion_version(catalog))


def _why_unusable(catalog: Catalog, version: str | None) -> str | None:
    if version is None:
        return "there was no champion"
    what = f"{name_of(catalog.champion().uri)} names the version '{version}'"
    text = read_version_file(catalog.model(version), MANIFEST)
    if text is None:
        return f"{what}, which cannot be read (there is no {MANIFEST})"
    if fault := manifest_fault(text):
        return f"{what}, whose {MANIFEST} is damaged: {fault}"
    manifest = json.loads(text)
    why = why_untrusted(catalog.model(version), manifest)
    # A version that is not signed may be from before the key, and any training replaces it. One
    # with a wrong signature is no reason to do without the gate.
    if SIGNATURE in manifest and (fault := signature_fault(manifest)):
        raise ForeignSignatureError(_refusal(catalog, f"{what}, whose {MANIFEST} {fault}"))
    return f"{what}, whose {MANIFEST} {why.rstrip('.')}" if why else None


def _refusal(catalog: Catalog, what: str) -> str:
    pointer = catalog.champion()
    return (
        f"{catalog.game}: {what} ({pointer.uri}), so nothing was decided. Set the key that it was "
        f"signed with, or restore {MANIFEST} from a copy; or make another version champion: "
        f"{command_line('promote', pointer, '--back')}, or promote one with --version. If the key "
        f"was replaced on purpose, remove {pointer.uri}, so that the next training makes its model "
        f"champion without a comparison: {retrain_command(pointer)}"
    )
