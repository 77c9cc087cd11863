"""What is known of each version of a game's model, from its manifest and the registry."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from churnlib.datasets import Catalog
from churnlib.errors import ModelError
from churnlib.model.registry import Registry, State, read_registry, versions
from churnlib.model.store import MANIFEST, pointed_at, read_manifest
from churnlib.storage import read_bytes, written_at
from churnlib.uris import join


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
        made: When its manifest was written, in ISO form.
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
    made: str
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
    written = written_at(join(model.uri, MANIFEST)) or 0
    known = Version(
        version=name,
        state=registry.state(name, champion),
        made=datetime.fromtimestamp(written / 1e9, UTC).isoformat(timespec="seconds"),
        lineage=tuple(line for _, line in sorted(_lineage(name, registry))),
    )
    try:
        manifest = read_manifest(model)
    except ModelError as error:
        return replace(known, damage=str(error))
    scores = manifest["metrics"]["validation"]["general"]
    steps = manifest["settings"].get("train", {}).get("pipeline") or [{"type": "unknown"}]
    return replace(
        known,
        as_of=manifest["as_of"],
        window=(manifest["window"][0], manifest["window"][1]),
        algorithm=steps[-1]["type"].rpartition(".")[2],
        roc_auc=scores.get("roc_auc"),
        roc_auc_ci=scores.get("roc_auc_ci"),
        back_test=_compared(name, registry) or _reported(catalog, name),
    )


def _lineage(name: str, registry: Registry) -> Iterator[tuple[datetime, str]]:
    for c in registry.comparisons:
        if c.candidate == name:
            what = f"compared with {c.champion or 'none'}: {c.decision}, {c.reason}"
            yield c.when, f"{c.when:%Y-%m-%d}: {what}"
    for p in registry.promotions:
        if p.version == name:
            place = f"in place of {p.previous}" if p.previous else "the first"
            yield p.when, f"{p.when:%Y-%m-%d}: champion {place}, by {p.by}: {p.why}"
        elif p.previous == name:
            yield p.when, f"{p.when:%Y-%m-%d}: gave way to {p.version}"


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
