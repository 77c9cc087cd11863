"""What is known of each version of a game's model, from its manifest and the registry."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

from churnlib.errors import ModelError
from churnlib.io.catalog import Catalog
from churnlib.io.storage import read_bytes
from churnlib.versions.folder import made_at, pointed_at, read_manifest
from churnlib.versions.registry import Registry, State, read_registry, versions


@dataclass(frozen=True)
class BackTest:
    """What a version was worth on a later cohort.

    Attributes:
        metric: What was measured.
        value: The figure; null where it is not defined.
        window: First and last start of the cohort's subscriptions.
        as_of: The day by which its outcomes were known.
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
        state: What it is.
        made: When it was made, in ISO form, by the name that it was given then: a file's time is
            another in a copy. Null where the name does not tell.
        damage: What is wrong with its manifest, so that the following is not known; null where
            nothing is.
        as_of: The day of its training.
        window: First and last start of the subscriptions that it was trained on.
        algorithm: The class of its last step.
        roc_auc: ROC AUC on the validation months; null where not defined.
        roc_auc_ci: Its 95 % interval.
        back_test: The latest; null where there was none.
        lineage: What it was compared with, and whose place it took, the oldest first.
    """

    version: str
    state: State
    made: str | None
    damage: str | None = None
    as_of: str | None = None
    window: tuple[str, str] | None = None
    algorithm: str | None = None
    roc_auc: float | None = None
    roc_auc_ci: tuple[float, float] | None = None
    back_test: BackTest | None = None
    lineage: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The version as plain data."""
        return asdict(self)


def history(catalog: Catalog) -> tuple[Version, ...]:
    """Tells of all versions of a game, the newest first.

    Raises:
        ModelError: The registry is damaged.
    """
    registry, champion = read_registry(catalog.registry()), pointed_at(catalog.champion())
    return tuple(_version(catalog, v, registry, champion) for v in versions(catalog))


def _version(catalog: Catalog, name: str, registry: Registry, champion: str | None) -> Version:
    model = catalog.model(name)
    known = Version(
        version=name,
        state=registry.state(name, champion),
        made=_made(name),
        lineage=tuple(line for _, line in sorted(_lineage(name, registry))),
    )
    try:
        manifest = read_manifest(model)
    except ModelError as error:
        return replace(known, damage=str(error))
    scores = manifest["metrics"].get("validation", {}).get("general", {})
    steps = manifest["settings"].get("train", {}).get("pipeline") or [{"type": "unknown"}]
    return replace(
        known,
        made=known.made or _made(manifest["version"]),
        as_of=manifest["as_of"],
        window=(manifest["window"][0], manifest["window"][1]),
        algorithm=steps[-1]["type"].rpartition(".")[2],
        roc_auc=scores.get("roc_auc"),
        roc_auc_ci=scores.get("roc_auc_ci"),
        back_test=_latest(_reported(catalog, name), _compared(name, registry)),
    )


def _made(version: str) -> str | None:
    moment = made_at(version)
    return moment.isoformat(timespec="seconds") if moment else None


def _lineage(name: str, registry: Registry) -> Iterator[tuple[datetime, str]]:
    for c in registry.comparisons:
        if c.candidate == name:
            rival, on = c.champion or "none", _cohort(c.window, c.as_of)
            what = f"compared with {rival} {on}: {c.decision}, {c.reason}"
            yield c.when, f"{c.when:%Y-%m-%d}: {what}"
    for p in registry.promotions:
        if p.version == name:
            place = f"in place of {p.previous}" if p.previous else "the first"
            by = f"{p.by} {_cohort(p.window, p.as_of)}" if p.window else p.by
            yield p.when, f"{p.when:%Y-%m-%d}: champion {place}, by {by}: {p.why}"
        elif p.previous == name:
            yield p.when, f"{p.when:%Y-%m-%d}: gave way to {p.version}"


def _cohort(window: tuple[date, date], as_of: date | None) -> str:
    return f"on {window[0]} to {window[1]} as of {as_of}"


def _latest(*found: BackTest | None) -> BackTest | None:
    """The back-test of the latest outcomes; of two of one day the last that is given."""
    there = sorted((test for test in found if test), key=lambda test: test.as_of)
    return there[-1] if there else None


def _compared(name: str, registry: Registry) -> BackTest | None:
    """The latest back-test by a comparison, as candidate or as champion."""
    for c in reversed(registry.comparisons):
        values = {c.candidate: c.candidate_value, c.champion: c.champion_value}
        if values.get(name) is not None:
            first, last = map(str, c.window)
            return BackTest(c.metric, values[name], (first, last), str(c.as_of))
    return None


def _reported(catalog: Catalog, name: str) -> BackTest | None:
    """The back-test that the report tells of, if it is of this version."""
    try:
        report = json.loads(read_bytes(catalog.report("score_report").uri))
        if report["model_version"] != name:
            return None
        window = report["window"]["start"], report["window"]["end"]
        return BackTest("roc_auc", report["general"]["roc_auc"], window, report["as_of"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
