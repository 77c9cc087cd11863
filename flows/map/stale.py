"""Finds datasets that are out of date: their inputs, model or settings have changed since."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from churnlib.errors import ModelError
from churnlib.io.catalog import Catalog
from churnlib.io.commands import command_line
from churnlib.settings import Settings
from churnlib.versions.compatibility import check_same_features
from flows.map.graph import Graph
from flows.map.state import DatasetState, File

DECIDED = frozenset({"champion", "registry"})
"""Datasets that hold decisions, which stay valid when their inputs change."""
GROWING = frozenset({"contacts", "model_in_use"})
"""Datasets to which each month adds; what was made of them before stays valid."""
MAX_LENGTH = 120
"""Values that are longer than this together are not shown."""

States = Mapping[str, DatasetState]


def stale_reasons(graph: Graph, states: States, settings: Settings) -> dict[str, tuple[str, ...]]:
    """Returns why datasets are out of date, for each that is.

    The inputs, model and settings that a dataset records are compared with the present ones. The
    times of writing are compared only if it records no inputs.
    """
    own = {
        dataset: tuple(dict.fromkeys(_own_reasons(graph, states, settings, dataset)))
        for dataset, state in states.items()
        if state.files
    }
    reasons = {dataset: why for dataset, why in own.items() if why}
    while True:  # Datasets made from one that is out of date are out of date, too.
        inherited = {
            dataset: tuple(f"{graph.datasets[source].name} is out of date" for source in sources)
            for dataset in own
            if dataset not in reasons
            and (sources := [s for s in _sources(graph, dataset) if s in reasons])
        }
        if not inherited:
            return reasons
        reasons |= inherited


def _sources(graph: Graph, dataset: str) -> list[str]:
    if graph.datasets[dataset].name in DECIDED:
        return []
    tasks = graph.writers(dataset)
    return list(dict.fromkeys(source for task in tasks for source in task.inputs))


def _own_reasons(graph: Graph, states: States, settings: Settings, dataset: str) -> Iterator[str]:
    yield from _changed_inputs(graph, states, states[dataset])
    yield from _changed_sources(graph, states, dataset)
    yield from _changed_settings(states[dataset], settings)


def _changed_inputs(graph: Graph, states: States, state: DatasetState) -> Iterator[str]:
    """Compares the fingerprints that a dataset records of its inputs with the present ones."""
    written = {graph.datasets[d].name: s for d, s in states.items() if any(graph.writers(d))}
    for name, fingerprint in state.inputs.items():
        if name in written and written[name].files and written[name].fingerprint != fingerprint:
            yield f"{name} has changed since"


def _changed_sources(graph: Graph, states: States, dataset: str) -> Iterator[str]:
    """Compares a dataset's model with those of its sources, or its time of writing with theirs."""
    state, models = states[dataset], dict[str, str]()
    for source in _sources(graph, dataset):
        name, other = graph.datasets[source].name, states[source]
        if not other.files or name in GROWING:
            continue
        if state.model and other.model:
            models[name] = other.model
        elif not state.inputs and _same_month(state, other).written > state.files[0].written:
            yield f"{name} ({graph.datasets[source].layer}) is newer"
    if models and state.model not in models.values():
        present = ", ".join(f"{name} is {model}" for name, model in models.items())
        yield f"it comes from model {state.model}, but {present}"


def _same_month(state: DatasetState, other: DatasetState) -> File:
    """Returns the other's file of the same month, or its newest."""
    month = state.files[0].month
    return next((file for file in other.files if month and file.month == month), other.files[0])


def _changed_settings(state: DatasetState, settings: Settings) -> Iterator[str]:
    """Compares the settings that a dataset records with the present ones."""
    if "settings" in state.facts:
        yield from _changed_training(state.facts, settings)
        return
    recorded, present = dict(state.facts), settings.model_dump(mode="json")
    campaign = recorded.get("campaign")
    if campaign and "terms" in campaign:  # A report records only the terms of the offer.
        recorded["campaign"] = campaign["terms"]
        present["campaign"] = settings.campaign.offer.model_dump()
    for name, was in recorded.items():
        now = present.get(name)
        if isinstance(was, Mapping) and isinstance(now, Mapping):  # Perhaps a part of a section.
            parts = ((part, value, now.get(part)) for part, value in was.items())
            yield from (
                _change(f"{name}.{part}", *both) for part, *both in parts if both[0] != both[1]
            )
        elif now is not None and now != was:
            yield _change(name, was, now)


def _changed_training(manifest: Mapping[str, Any], settings: Settings) -> Iterator[str]:
    models = Catalog(settings.data_dir, settings.game).models()
    try:
        check_same_features(manifest, settings, command_line("train", models, "--from-raw"))
    except ModelError as error:
        yield str(error)
    present = settings.train.model_dump(mode="json")
    for name, was in manifest["settings"].get("train", {}).items():
        if name in present and present[name] != was:
            yield _change(f"train.{name}", was, present[name])


def _change(name: str, was: Any, now: Any) -> str:
    before, present = json.dumps(was), json.dumps(now)
    if len(before) + len(present) > MAX_LENGTH:
        return f"the setting {name} has changed since"
    return f"the setting {name} was {before} and is now {present}"
