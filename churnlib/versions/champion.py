"""The champion: the version in use, named by a pointer file."""

import json

from churnlib.errors import ModelError
from churnlib.io.catalog import Catalog, is_version_name
from churnlib.io.commands import command_line
from churnlib.io.datasets import DatasetRef, ref
from churnlib.io.storage import is_file, read_bytes, write_text
from churnlib.uris import join, name_of
from churnlib.versions.manifest import MANIFEST, manifest_fault, retrain_command, why_untrusted


def champion(catalog: Catalog) -> DatasetRef:
    """Finds the version in use.

    Raises:
        ModelError: The game has no champion yet, or the pointer names a version that cannot be
            read.
    """
    pointer = catalog.champion()
    if not is_file(pointer.uri):
        raise ModelError(
            f"{catalog.game}: there is no model yet ({pointer.uri} is missing). "
            f"Train one: {command_line('train', pointer, '--from-raw')}"
        )
    version = champion_version(catalog)
    if why := _why_unusable(catalog, version):
        promote = command_line("promote", pointer, "--version", "VERSION")
        back = command_line("promote", pointer, "--back")
        raise ModelError(
            f"{catalog.game}: {why} ({pointer.uri}). List the versions: "
            f"{command_line('models', pointer)}; promote one of them: {promote}; or roll back to "
            f"the previous champion: {back}; or train again: {retrain_command(pointer)}"
        )
    return ref(catalog.model(str(version)))


def find_champion(catalog: Catalog) -> DatasetRef | None:
    """Finds the version in use; None if there is none, or the pointer cannot be followed."""
    try:
        return champion(catalog)
    except ModelError:
        return None


def champion_version(catalog: Catalog) -> str | None:
    """Reads which version the pointer names; None if the pointer is missing or damaged.

    A name that leads to another folder counts as damaged.
    """
    try:
        version = str(json.loads(read_bytes(catalog.champion().uri))["version"])
        return version if is_version_name(version) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def set_champion(catalog: Catalog, version: str) -> DatasetRef:
    """Points the champion at a version; readers see either the old or the new one."""
    pointer = catalog.champion()
    write_text(json.dumps({"version": version}) + "\n", pointer.uri)
    return ref(pointer)


def why_no_champion(catalog: Catalog) -> str | None:
    """Why a game has no usable champion; None if it has one."""
    return _why_unusable(catalog, champion_version(catalog))


def _why_unusable(catalog: Catalog, version: str | None) -> str | None:
    pointer = catalog.champion()
    file = name_of(pointer.uri)
    if version is None:
        return f"{file} is damaged" if is_file(pointer.uri) else "there was no champion"
    what = f"{file} names the version '{version}'"
    try:
        text = read_bytes(join(catalog.model(version).uri, MANIFEST))
    except OSError as error:
        return f"{what}, which cannot be read ({error.strerror})"
    if fault := manifest_fault(text):
        return f"{what}, whose {MANIFEST} is damaged: {fault}"
    why = why_untrusted(catalog.model(version), json.loads(text))
    return f"{what}, whose {MANIFEST} {why.rstrip('.')}" if why else None
