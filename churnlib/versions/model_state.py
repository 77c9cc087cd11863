"""The state of a game's models: champion and registry, read together and passed on."""

import hashlib
from dataclasses import dataclass

from churnlib.io import storage
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import DatasetRef, ref
from churnlib.uris import name_of
from churnlib.versions.champion import champion_and_registry, usable_version
from churnlib.versions.registry import Registry


@dataclass(frozen=True)
class ModelState:
    """The champion and registry of a game.

    Attributes:
        catalog: The places of the game's data.
        registry: The candidate, and the history of all versions.
        pointer: The version that is champion, whether or not it exists; None if there is none.
        champion: That version; None if it does not exist or is damaged.
    """

    catalog: Catalog
    registry: Registry
    pointer: str | None
    champion: DatasetRef | None

    @classmethod
    def read(cls, catalog: Catalog) -> "ModelState":
        """Reads the state, all as of the same moment.

        Raises:
            UnreadableError: Pointer, registry or champion cannot be read.
        """
        version, registry = champion_and_registry(catalog)
        return cls(catalog, registry, version, usable_version(catalog, version))

    @property
    def candidate(self) -> DatasetRef | None:
        """The version to compare with the champion; None if there is none, or it was removed."""
        version = self.registry.next_candidate(self.pointer)
        model = self.catalog.model(version) if version else None
        return ref(model) if model and storage.is_folder(model.uri) else None

    @property
    def champion_name(self) -> str | None:
        """The version of the champion; None if there is none."""
        return name_of(self.champion.uri) if self.champion else None

    @property
    def fingerprint(self) -> str:
        """A string that identifies the state, for cache keys."""
        registry = hashlib.sha256(self.registry.model_dump_json().encode()).hexdigest()
        champion = self.champion.fingerprint if self.champion else "none"
        return f"registry {registry}, champion {champion}"
