"""All versions of a game's model, described from their manifests and the registry."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

from churnlib.errors import ModelError
from churnlib.io.catalog import Catalog
from churnlib.settings import Grain, Offer, grain_of
from churnlib.versions.champion import champion_and_registry
from churnlib.versions.evidence import Evidence
from churnlib.versions.files import read_model_file
from churnlib.versions.folder import created_at, list_versions
from churnlib.versions.in_use import describe_in_use
from churnlib.versions.manifest import read_manifest
from churnlib.versions.registry import By, Registry, State

PROMOTED: dict[By, str] = {
    "training": "by training",
    "back-test": "by back-test",
    "manual": "manually",
    "roll back": "by roll back",
}
"""How a version became champion, in words."""


@dataclass(frozen=True)
class ListedBackTest:
    """The result of a version's back-test.

    Attributes:
        metric: The metric.
        value: Its value; None where it is not defined.
        window: First and last start of the subscriptions.
        as_of: The day as of which their outcomes were known.
    """

    metric: str
    value: float | None
    window: tuple[str, str]
    as_of: str


@dataclass(frozen=True)
class Version:
    """A version of a game's model.

    Attributes:
        version: Its name.
        state: Its state.
        made: The time of creation in ISO format, taken from the name because a copied file has
            another time; None if the name has another form.
        damage: What is wrong with its manifest, if anything; the fields below are then unknown.
        as_of: The day as of which it was trained.
        window: The first and the last day of the rows that it was trained on.
        grain: Which rows these are; see `churnlib.settings.CohortSettings`.
        in_use: What its newest model in use was fitted on; None if it has none.
        algorithm: The class of its last step.
        roc_auc: ROC AUC on the validation months; None where not defined.
        roc_auc_ci: Its 95 % confidence interval.
        back_test: The latest back-test; None if there was none.
        evidence: What the last recorded back-test showed; it decides on contacts. None if there was
            none.
        lineage: Its comparisons, and which champion it replaced, the oldest first.
    """

    version: str
    state: State
    made: str | None
    damage: str | None = None
    as_of: str | None = None
    window: tuple[str, str] | None = None
    grain: Grain = "start"
    in_use: str | None = None
    algorithm: str | None = None
    roc_auc: float | None = None
    roc_auc_ci: tuple[float, float] | None = None
    back_test: ListedBackTest | None = None
    evidence: Evidence | None = None
    lineage: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The version as plain data."""
        evidence = self.evidence and self.evidence.model_dump(mode="json")
        return {**asdict(self), "evidence": evidence}


def describe_versions(catalog: Catalog) -> tuple[Version, ...]:
    """Describes all versions of a game, the newest first.

    Raises:
        UnreadableError: The registry or the champion's pointer cannot be read.
    """
    champion, registry = champion_and_registry(catalog)
    return tuple(_describe(catalog, v, registry, champion) for v in list_versions(catalog))


def contact_reasons(
    catalog: Catalog, versions: Iterable[Version], min_outcomes: int, offer: Offer
) -> list[str | None]:
    """Why nobody is contacted by each version; see `Registry.why_no_contact`."""
    champion, registry = champion_and_registry(catalog)
    return [registry.why_no_contact(v.version, champion, min_outcomes, offer) for v in versions]


def _describe(catalog: Catalog, name: str, registry: Registry, champion: str | None) -> Version:
    model = catalog.model(name)
    described = Version(
        version=name,
        state=registry.state(name, champion),
        made=_created(name),
        evidence=registry.evidence.get(name),
        lineage=tuple(line for _, line in sorted(_lineage(name, registry))),
    )
    try:
        manifest = read_manifest(model)
    except ModelError as error:
        return replace(described, damage=str(error))
    scores = manifest["metrics"].get("validation", {}).get("general", {})
    interval = scores.get("roc_auc_ci")
    bounds = [*map(_number, interval)] if isinstance(interval, list) else []
    return replace(
        described,
        as_of=manifest["as_of"],
        window=(manifest["window"][0], manifest["window"][1]),
        grain=grain_of(manifest["settings"]),
        in_use=describe_in_use(model, date.max),
        algorithm=_algorithm(manifest),
        roc_auc=_number(scores.get("roc_auc")),
        roc_auc_ci=interval if len(bounds) == 2 and None not in bounds else None,
        back_test=_latest(_reported(catalog, name), _compared(name, registry)),
    )


def _algorithm(manifest: Mapping[str, Any]) -> str:
    """The name of the classifier's class, of what nothing but this list reads."""
    try:
        return str(manifest["settings"]["train"]["pipeline"][-1]["type"]).rpartition(".")[2]
    except (LookupError, TypeError):
        return "unknown"


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) else None


def _created(version: str) -> str | None:
    created = created_at(version)
    return created.isoformat(timespec="seconds") if created else None


def _lineage(name: str, registry: Registry) -> Iterator[tuple[datetime, str]]:
    for c in registry.comparisons:
        if c.candidate == name:
            on = _cohort(c.window, c.as_of)
            what = f"compared with {c.champion or 'none'} {on}: {c.decision}, {c.reason}"
            yield c.when, f"{c.when:%Y-%m-%d}: {what}"
    for p in registry.promotions:
        if p.version == name:
            place = f"replacing {p.previous}" if p.previous else "the first"
            how = PROMOTED[p.by] + (f" {_cohort(p.window, p.as_of)}" if p.window else "")
            yield p.when, f"{p.when:%Y-%m-%d}: champion {place}, {how}: {p.why}"
        elif p.previous == name:
            yield p.when, f"{p.when:%Y-%m-%d}: replaced by {p.version}"


def _cohort(window: tuple[date, date], as_of: date | None) -> str:
    return f"on {window[0]} to {window[1]} as of {as_of}"


def _latest(*back_tests: ListedBackTest | None) -> ListedBackTest | None:
    """The back-test with the latest outcomes; the last argument if the days are equal."""
    by_day = sorted((test for test in back_tests if test), key=lambda test: test.as_of)
    return by_day[-1] if by_day else None


def _compared(name: str, registry: Registry) -> ListedBackTest | None:
    """The latest back-test in a comparison, as candidate or as champion."""
    for c in reversed(registry.comparisons):
        values = {c.candidate: c.candidate_value, c.champion: c.champion_value}
        if values.get(name) is not None:
            first, last = map(str, c.window)
            return ListedBackTest(c.metric, values[name], (first, last), str(c.as_of))
    return None


def _reported(catalog: Catalog, name: str) -> ListedBackTest | None:
    """The back-test in the report that the version keeps, or in the latest if it tests it."""
    for place in (
        catalog.version_report(name, "score_report.json"),
        catalog.report("score_report"),
    ):
        content = read_model_file(place.uri, catalog.game, "The latest back-test is not known.")
        if content is not None and (found := _told_by(content, name)):
            return found
    return None


def _told_by(content: bytes, name: str) -> ListedBackTest | None:
    try:
        report = json.loads(content)
        if report["model_version"] != name:
            return None
        window = report["window"]["start"], report["window"]["end"]
        value = _number(report["general"]["roc_auc"])
        return ListedBackTest("roc_auc", value, window, str(report["as_of"]))
    # The report of another version of this package, or a damaged one.
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
