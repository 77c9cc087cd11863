"""The registry: the candidate of a game, and all comparisons and promotions of its versions."""

from collections.abc import Collection, Iterable
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, ValidationError

from churnlib.errors import UnreadableModelError
from churnlib.io.datasets import Dataset, DatasetRef, ref
from churnlib.io.storage import write_text
from churnlib.months import months_apart
from churnlib.settings import Offer
from churnlib.versions.evidence import Evidence, why_no_contact
from churnlib.versions.files import read_model_file
from churnlib.versions.gate import Comparison
from churnlib.versions.manifest import VersionName

ANCHOR_MONTHS = 12
"""For how long a former champion may be the anchor of comparisons."""
State = Literal["champion", "candidate", "refused", "former", "superseded"]
"""The state of a version: in use; to be compared next; refused by the gate; used before; or
replaced by another candidate before it was compared."""
By = Annotated[
    Literal["training", "back-test", "manual", "roll back"],
    BeforeValidator(lambda value: "manual" if value == "hand" else value),
]
"""What made a version the champion. Registries of earlier versions say `hand` for `manual`."""


class RecordedComparison(Comparison):
    """A comparison, and when it was made."""

    when: AwareDatetime


class Promotion(BaseModel):
    """A version that became champion.

    Attributes:
        version: The version.
        previous: The champion before it; None if there was none.
        when: The time of the promotion.
        by: What made it the champion.
        why: The reason in words.
        window: First and last start of the subscriptions of the back-test that decided; None if
            no back-test did, or the promotion is older than this field.
        as_of: The day as of which their outcomes were known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: VersionName
    previous: VersionName | None
    when: AwareDatetime
    by: By
    why: str
    window: tuple[date, date] | None = None
    as_of: date | None = None


class Registry(BaseModel):
    """The history of a game's versions; the champion itself is named by a pointer file.

    Attributes:
        candidate: The version to compare with the champion next; None if there is none.
        comparisons: All comparisons, the oldest first.
        promotions: All changes of the champion, the oldest first.
        evidence: What the last back-test of each version showed, by version; not of versions that
            were deleted.
        promoting: The version that is becoming champion: its promotion is recorded, but the pointer
            may not name it yet; see `churnlib.versions.transactions`. None at any other time.
        deleting: The versions that are being deleted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    candidate: VersionName | None = None
    comparisons: tuple[RecordedComparison, ...] = ()
    promotions: tuple[Promotion, ...] = ()
    evidence: dict[VersionName, Evidence] = {}
    promoting: VersionName | None = None
    deleting: tuple[VersionName, ...] = ()

    def last_comparison(self, version: str) -> RecordedComparison | None:
        """The latest comparison in which a version was the candidate."""
        return next((c for c in reversed(self.comparisons) if c.candidate == version), None)

    def promoting_comparison(self, champion: str) -> RecordedComparison | None:
        """The comparison by which the champion was promoted; None if no back-test promoted it."""
        last = self.promotions[-1] if self.promotions else None
        if last is None or last.version != champion:
            return None
        return self._comparison_behind(last)

    def earlier_comparisons(
        self, version: str, champion: str | None, cohort: str | None = None
    ) -> tuple[RecordedComparison, ...]:
        """The comparisons of a waiting candidate with the champion, the oldest first.

        Args:
            version: The candidate.
            champion: The champion.
            cohort: Leaves out those on this cohort.
        """
        return tuple(
            c
            for c in self.comparisons
            if (c.candidate, c.champion) == (version, champion)
            and c.cohort != cohort
            and c.difference is not None
        )

    def looks(
        self, configuration: str, window: tuple[date, date], *, candidate: str, cohort: str
    ) -> int:
        """How often models of a configuration were compared on subscriptions of a window before.

        Args:
            configuration: The configuration; see `Comparison`.
            window: First and last start of the subscriptions.
            candidate: The candidate of the next comparison.
            cohort: Its cohort; the same comparison again is the same look.
        """
        first, last = window
        seen = {
            (c.candidate, c.cohort)
            for c in self.comparisons
            if c.look is not None
            and c.configuration == configuration
            and c.window[0] <= last
            and c.window[1] >= first
        }
        return len(seen - {(candidate, cohort)})

    def anchor(self, as_of: date) -> str | None:
        """The best champion of the last 12 months, to compare candidates with; None without one.

        The first of the champions that back-tests replaced in this time, until a later one was
        significantly better than the champion and the anchor of its time. A promotion by anything
        other than a comparison of metrics starts anew.

        Args:
            as_of: The day of the run.

        Returns:
            A version other than the current champion.
        """
        anchor = None
        for promotion in self.promotions:
            behind = self._comparison_behind(promotion)
            if behind is None or behind.interval is None or behind.is_better:
                anchor = None
            elif months_apart(behind.as_of, as_of) <= ANCHOR_MONTHS:
                anchor = anchor or promotion.previous
        return anchor

    def _comparison_behind(self, promotion: Promotion) -> RecordedComparison | None:
        if promotion.by != "back-test":
            return None
        own = (c for c in reversed(self.comparisons) if c.candidate == promotion.version)
        return next((c for c in own if c.promotes and c.when <= promotion.when), None)

    def previous_champion(self, champion: str | None) -> str | None:
        """The champion that the current one replaced, not counting roll backs to it.

        Args:
            champion: The current one. If it is not the last that was promoted, the pointer was
                changed without the registry, and the last promoted is the previous one.
        """
        if self.promotions and self.promotions[-1].version != champion:
            return self.promotions[-1].version
        promotions = (p for p in reversed(self.promotions) if p.by != "roll back")
        return next((p.previous for p in promotions if p.version == champion), None)

    def was_rolled_back(self, version: str) -> bool:
        """Whether the last change of the champion that concerns a version rolled it back."""
        own = (p for p in reversed(self.promotions) if version in (p.version, p.previous))
        last = next(own, None)
        return last is not None and last.by == "roll back" and last.previous == version

    def was_refused(self, version: str) -> bool:
        """Whether the gate refused a version that has not been promoted manually since."""
        last = _last_decided(c for c in self.comparisons if c.candidate == version)
        if last is None or last.decision != "refused":
            return False
        return all(p.when < last.when for p in self.promotions if p.version == version)

    def needs_manual_promotion(self, version: str) -> bool:
        """Whether a version cannot be candidate again: it was refused, or rolled back.

        It was significantly worse, or users have found it so; a further comparison could promote
        it by chance.
        """
        return self.was_refused(version) or self.was_rolled_back(version)

    def next_candidate(self, champion: str | None) -> str | None:
        """The version to compare with the champion; None if there is none."""
        version = self.candidate
        if version is None or version == champion:
            return None
        # An older release, or a run that was killed between two writes, may have left a candidate
        # that was decided on.
        return None if self.needs_manual_promotion(version) else version

    def last_refusal(self, champion: str | None) -> RecordedComparison | None:
        """The comparison with the champion that refused the last candidate; None if none did."""
        last = _last_decided(self.comparisons)
        if last is None or last.champion != champion or self.candidate is not None:
            return None
        return last if self.was_refused(last.candidate) else None

    def state(self, version: str, champion: str | None) -> State:
        """The state of a version, given the current champion."""
        if version == champion:
            return "champion"
        if self.was_refused(version):
            return "refused"
        if version == self.candidate:
            return "candidate"
        champions = {name for p in self.promotions for name in (p.version, p.previous)}
        return "former" if version in champions else "superseded"

    def has_comparison(self, comparison: Comparison) -> bool:
        """Whether an equal comparison was recorded before."""
        return any(
            Comparison(**c.model_dump(exclude={"when"})) == comparison for c in self.comparisons
        )

    def with_evidence(self, version: str, evidence: Evidence) -> "Registry":
        """The registry after a back-test of a version."""
        return self.model_copy(update={"evidence": {**self.evidence, version: evidence}})

    def without_evidence(self, versions: Collection[str]) -> "Registry":
        """The registry after the deletion of versions; their history stays."""
        kept = {name: shown for name, shown in self.evidence.items() if name not in versions}
        return self.model_copy(update={"evidence": kept})

    def why_no_contact(
        self, version: str, champion: str | None, min_outcomes: int, offer: Offer
    ) -> str | None:
        """Why nobody may be contacted by the predictions of a version; None if some may.

        Args:
            version: The version.
            champion: The current champion.
            min_outcomes: See `churnlib.versions.evidence.why_no_contact`.
            offer: See there.
        """
        if self.state(version, champion) not in ("champion", "former"):
            return "the gate has not made the model champion"
        return why_no_contact(self.evidence.get(version), min_outcomes, offer)

    def with_comparison(self, comparison: Comparison, when: datetime) -> "Registry":
        """The registry after a comparison; a refused version is no longer the candidate."""
        recorded = RecordedComparison(**comparison.model_dump(), when=when)
        is_refused = recorded.decision == "refused" and recorded.candidate == self.candidate
        update = {
            "comparisons": (*self.comparisons, recorded),
            "candidate": None if is_refused else self.candidate,
        }
        return self.model_copy(update=update)


def contacts_text(reason: str | None) -> str:
    """Says whom predictions of a version contact, given why nobody is; see `Registry`."""
    if reason:
        return f"nobody, because {reason}"
    return "allowed by the last back-test; the column contact of the predictions says whom"


def _last_decided(comparisons: Iterable[RecordedComparison]) -> RecordedComparison | None:
    return next((c for c in reversed([*comparisons]) if c.decision != "undecided"), None)


def read_registry(place: Dataset) -> Registry:
    """Reads a game's registry; an empty one if there is no file yet.

    Raises:
        UnreadableModelError: The file is damaged, or cannot be read.
    """
    unknown = "The history of the model versions is not known, so nothing was changed."
    content = read_model_file(place.uri, place.game, unknown)
    try:
        return Registry() if content is None else Registry.model_validate_json(content)
    except ValidationError as error:
        raise UnreadableModelError(
            f"{place.game}: {place.uri} is damaged: {error.errors()[0]['msg']}. Restore it from a "
            "copy, or remove it: the champion stays, and the history of the others is lost."
        ) from None


def write_registry(registry: Registry, place: Dataset) -> DatasetRef:
    """Replaces a game's registry; readers see either the old or the new one."""
    unset = {name for name in ("promoting", "deleting") if not getattr(registry, name)}
    write_text(registry.model_dump_json(indent=2, exclude=unset) + "\n", place.uri)
    return ref(place)
