"""Which model version is the candidate, and what became of the others."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from churnlib.errors import ModelError, closest
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import Dataset, DatasetRef, ref
from churnlib.io.storage import (
    exclusive_lock,
    is_folder,
    list_files,
    read_bytes,
    remove,
    remove_folder,
    write_text,
)
from churnlib.uris import join
from churnlib.versions.folder import MANIFEST, pointed_at, set_champion
from churnlib.versions.gate import Comparison

State = Literal["champion", "candidate", "refused", "former", "superseded"]
"""What a version is: in use; to be compared next; refused by the gate; once in use; none of these,
because a later candidate came before it was decided on."""
By = Literal["training", "back-test", "hand", "roll back"]
"""What made a version the champion."""


class Compared(Comparison):
    """A comparison, and when it was made."""

    when: datetime


class Promotion(BaseModel):
    """A version that became champion.

    Attributes:
        version: The version.
        previous: The champion before it; null if there was none.
        when: The moment.
        by: What made it so.
        why: The reason in words.
        window: First and last start of the subscriptions by which a back-test decided; null where
            something else did, or the promotion is older than this.
        as_of: The day by which their outcomes were known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    previous: str | None
    when: datetime
    by: By
    why: str
    window: tuple[date, date] | None = None
    as_of: date | None = None


class Registry(BaseModel):
    """What is known of a game's versions beside who is champion, which the pointer alone tells.

    Attributes:
        candidate: The version to compare with the champion, of the last training; null if none.
        comparisons: All comparisons, the oldest first.
        promotions: All changes of the champion, the oldest first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    candidate: str | None = None
    comparisons: tuple[Compared, ...] = ()
    promotions: tuple[Promotion, ...] = ()

    def last_comparison(self, version: str) -> Compared | None:
        """The latest comparison in which a version was the candidate."""
        return next((c for c in reversed(self.comparisons) if c.candidate == version), None)

    def comparison_behind(self, champion: str) -> Compared | None:
        """The comparison that made the champion what it is; null where something else did."""
        last = self.promotions[-1] if self.promotions else None
        if last is None or last.version != champion or last.by != "back-test":
            return None
        own = (c for c in reversed(self.comparisons) if c.candidate == champion and c.promotes)
        return next((c for c in own if c.when <= last.when), None)

    def before(self, champion: str | None) -> str | None:
        """The champion that the one in use took the place of, not counting roll backs to it.

        Args:
            champion: The one in use. Where it is not the last that was promoted as far as is known,
                something moved the pointer and did not come to tell: the last was the one before.
        """
        if self.promotions and self.promotions[-1].version != champion:
            return self.promotions[-1].version
        given = (p for p in reversed(self.promotions) if p.by != "roll back")
        return next((p.previous for p in given if p.version == champion), None)

    def was_rolled_back(self, version: str) -> bool:
        """Whether the last that happened to a champion was a roll back from it."""
        own = (p for p in reversed(self.promotions) if version in (p.version, p.previous))
        last = next(own, None)
        return last is not None and last.by == "roll back" and last.previous == version

    def was_refused(self, version: str) -> bool:
        """Whether the gate has refused a version that no hand has made champion since."""
        last = _last_decided(c for c in self.comparisons if c.candidate == version)
        if last is None or last.decision != "refused":
            return False
        return all(p.when < last.when for p in self.promotions if p.version == version)

    def needs_manual_promotion(self, version: str) -> bool:
        """Whether a version is no candidate again: the gate refused it, or a hand took it back.

        A model that is worse by what is allowed passes by luck in 2.5 % of cases. Looked at again
        and again, it would pass ever more often.
        """
        return self.was_refused(version) or self.was_rolled_back(version)

    def last_refused(self, champion: str | None) -> Compared | None:
        """The comparison with the champion that refused a version after which none came."""
        last = _last_decided(self.comparisons)
        if last is None or last.champion != champion or self.candidate is not None:
            return None
        return last if self.was_refused(last.candidate) else None

    def state(self, version: str, champion: str | None) -> State:
        """What a version is.

        Args:
            version: The version.
            champion: The one in use.
        """
        if version == champion:
            return "champion"
        if self.was_refused(version):
            return "refused"
        if version == self.candidate:
            return "candidate"
        once = {name for p in self.promotions for name in (p.version, p.previous)}
        return "former" if version in once else "superseded"

    def knows(self, comparison: Comparison) -> bool:
        """Whether the same was compared before, to the same end."""
        return any(
            Comparison(**c.model_dump(exclude={"when"})) == comparison for c in self.comparisons
        )

    def and_compared(self, comparison: Comparison, when: datetime) -> "Registry":
        """The registry after a comparison; what it refuses is the candidate no more."""
        made = Compared(**comparison.model_dump(), when=when)
        is_out = made.decision == "refused" and made.candidate == self.candidate
        left = None if is_out else self.candidate
        update = {"comparisons": (*self.comparisons, made), "candidate": left}
        return self.model_copy(update=update)


def _last_decided(comparisons: Iterable[Compared]) -> Compared | None:
    return next((c for c in reversed([*comparisons]) if c.decision != "undecided"), None)


def read_registry(place: Dataset) -> Registry:
    """Reads a game's registry; an empty one where there is none yet.

    Raises:
        ModelError: It is damaged.
    """
    try:
        return Registry.model_validate_json(read_bytes(place.uri))
    except OSError:
        return Registry()
    except ValidationError as error:
        raise ModelError(
            f"{place.game}: {place.uri} is damaged: {error.errors()[0]['msg']}. Bring it back from "
            "a copy, or remove it: the champion stays, and what became of the others is forgotten."
        ) from None


def registry_lock(catalog: Catalog) -> AbstractContextManager[None]:
    """Keeps all others waiting who change registry or champion, for the block's time.

    What is written in the block must follow from what was read in it, or what another run has
    written between would be lost.
    """
    return exclusive_lock(catalog.registry().uri)


def write_registry(registry: Registry, place: Dataset) -> DatasetRef:
    """Replaces a game's registry; whoever reads meanwhile sees the old or the new."""
    write_text(registry.model_dump_json(indent=2) + "\n", place.uri)
    return ref(place)


def promote(
    catalog: Catalog,
    version: str,
    registry: Registry,
    *,
    by: By,
    why: str,
    when: datetime,
    behind: Comparison | None = None,
) -> Promotion:
    """Makes a version the champion, and keeps who was it before and why; within `registry_lock`.

    Args:
        catalog: Where the game's data lie.
        version: The version.
        registry: What is known so far; it is kept, too.
        by: What makes it so.
        why: The reason in words.
        when: The moment.
        behind: The comparison by which it was decided; null where something else decided.
    """
    made = Promotion(
        version=version,
        previous=pointed_at(catalog.champion()),
        when=when,
        by=by,
        why=why,
        window=behind and behind.window,
        as_of=behind and behind.as_of,
    )
    left = None if registry.candidate == version else registry.candidate
    after = {"candidate": left, "promotions": (*registry.promotions, made)}
    # In this order: where the second does not happen, the champion is the one that was decided on,
    # and that before it is the last the registry knows of (`Registry.before`). The other way round
    # the decision would count as done, and the champion be another.
    set_champion(catalog.champion(), version)
    write_registry(registry.model_copy(update=after), catalog.registry())
    return made


def candidate(catalog: Catalog) -> DatasetRef | None:
    """Finds the version to compare with the champion; null if there is none, or it is gone.

    Raises:
        ModelError: The registry is damaged.
    """
    registry = read_registry(catalog.registry())
    version = registry.candidate
    if version is None or version == pointed_at(catalog.champion()):
        return None
    if registry.needs_manual_promotion(
        version
    ):  # As an older version, or a death between writes, left it.
        return None
    model = catalog.model(version)
    return ref(model) if is_folder(model.uri) else None


def versions(catalog: Catalog) -> tuple[str, ...]:
    """Names all versions of a game, the newest first."""
    names = (entry.name.rpartition("/") for entry in list_files(catalog.models().uri))
    found = {folder for folder, _, name in names if name == MANIFEST}
    return tuple(sorted((f for f in found if "/" not in f and f[:1] != "."), reverse=True))


def named(catalog: Catalog, version: str) -> DatasetRef:
    """Finds the version of a name.

    Raises:
        ModelError: There is none.
    """
    known = versions(catalog)
    if version not in known:
        raise ModelError(
            f"{catalog.game}: there is no model version '{version}' in {catalog.models().uri}. "
            f"{closest(version, known)}"
        )
    return ref(catalog.model(version))


def retire(catalog: Catalog, keep: int | None) -> tuple[str, ...]:
    """Removes the oldest versions.

    Args:
        catalog: Where the game's data lie.
        keep: How many stay; besides, always the champion, the version before it and the candidate.
            All if null.

    Returns:
        Those removed.
    """
    if keep is None:
        return ()
    with registry_lock(catalog):
        registry, champion = read_registry(catalog.registry()), pointed_at(catalog.champion())
        needed = {champion, registry.candidate, registry.before(champion)}
        old = versions_to_delete(versions(catalog), keep, {name for name in needed if name})
        for version in old:  # Without their manifests the other files are no version.
            remove(join(catalog.model(version).uri, MANIFEST))
    for version in old:
        remove_folder(catalog.model(version).uri)
    return old


def versions_to_delete(
    newest_first: Sequence[str], keep: int | None, needed: Iterable[str]
) -> tuple[str, ...]:
    """Names the versions that need not be kept.

    Args:
        newest_first: All versions.
        keep: How many stay; all if null.
        needed: Those that stay however old they are.

    >>> versions_to_delete(["v4", "v3", "v2", "v1"], 2, {"v1"})
    ('v2',)
    """
    old = newest_first[len(newest_first) if keep is None else keep :]
    return tuple(version for version in old if version not in set(needed))
