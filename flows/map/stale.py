"""Which datasets are out of date: made of something that has changed since."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from churnlib.errors import ModelError
from churnlib.io.catalog import Catalog
from churnlib.io.commands import command_line
from churnlib.settings import Settings
from churnlib.versions.compatibility import check_same_features
from flows.map.graph import Graph
from flows.map.state import File, Standing

CHOSEN = frozenset({"champion", "registry"})
"""What a gate decides, so that it is not out of date because of what the gate has seen since."""


def stale(
    graph: Graph, standing: Mapping[str, Standing], settings: Settings
) -> dict[str, tuple[str, ...]]:
    """Tells of each dataset that is out of date why.

    What a dataset tells itself counts first: the content that it was made of, its model, the
    settings. Only where it tells nothing of its inputs, their times of writing decide.

    Args:
        graph: What is made of what.
        standing: What stands where.
        settings: The settings as they are now.
    """
    found = {
        dataset: tuple(dict.fromkeys(_reasons(graph, standing, settings, dataset)))
        for dataset, state in standing.items()
        if state.files
    }
    reasons = {dataset: why for dataset, why in found.items() if why}
    while True:  # What is made of something out of date is so, too.
        more = {
            dataset: tuple(f"{graph.datasets[source].name} is out of date" for source in sources)
            for dataset in found
            if dataset not in reasons
            and (sources := [s for s in _sources(graph, dataset) if s in reasons])
        }
        if not more:
            return reasons
        reasons |= more


def _sources(graph: Graph, dataset: str) -> list[str]:
    if graph.datasets[dataset].name in CHOSEN:
        return []
    tasks = graph.writers(dataset)
    return list(dict.fromkeys(source for task in tasks for source in task.inputs))


def _reasons(
    graph: Graph, standing: Mapping[str, Standing], settings: Settings, dataset: str
) -> Iterator[str]:
    own = standing[dataset]
    made = {graph.datasets[d].name: s for d, s in standing.items() if [*graph.writers(d)]}
    for name, then in own.made_of.items():
        if name in made and made[name].files and made[name].fingerprint != then:
            yield f"{name} has changed since"
    models = {}
    for source in _sources(graph, dataset):
        name, other = graph.datasets[source].name, standing[source]
        if not other.files:
            continue
        if own.model and other.model:
            models[name] = other.model
        elif not own.made_of and _same_batch(own, other).written > own.files[0].written:
            yield f"{name} ({graph.datasets[source].layer}) is newer"
    if models and own.model not in models.values():
        others = ", ".join(f"{name} is {model}" for name, model in models.items())
        yield f"it is of model {own.model}, {others}"
    yield from _other_settings(own, settings)


def _same_batch(own: Standing, other: Standing) -> File:
    """The file of the same month, or else the newest."""
    month = own.files[0].month
    return next((file for file in other.files if month and file.month == month), other.files[0])


def _other_settings(own: Standing, settings: Settings) -> Iterator[str]:
    if "settings" in own.facts:
        place = Catalog(settings.data_dir, settings.game).models()
        again = command_line("train", place, "--from-raw")
        try:
            check_same_features(own.facts, settings, again)
        except ModelError as error:
            yield str(error)
        train = settings.train.model_dump(mode="json")
        for name, was in own.facts["settings"].get("train", {}).items():
            if name in train and train[name] != was:
                yield _changed(f"train.{name}", was, train[name])
        return
    now, facts = settings.model_dump(mode="json"), dict(own.facts)
    if campaign := facts.pop("campaign", None):  # Of the settings a report tells only the terms.
        now["campaign"], facts["campaign"] = settings.campaign.offer.model_dump(), campaign["terms"]
    for name, was in facts.items():
        if now.get(name) is not None and now[name] != was:
            yield _changed(name, was, now[name])


def _changed(name: str, was: Any, now: Any) -> str:
    then, today = (json.dumps(value) for value in (was, now))
    if len(then) + len(today) > 120:
        return f"the setting {name} has changed since"
    return f"the setting {name} was {then} and is {today}"
