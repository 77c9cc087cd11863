"""The map as a page for browsers, which needs no other file."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from churnlib.io import datasets, storage
from churnlib.io.catalog import LAYERS, Catalog
from churnlib.metrics.definitions import metrics_in
from churnlib.schemas.outputs import all_tables
from churnlib.schemas.raw_tables import raw_tables
from churnlib.settings import Settings, load_settings
from churnlib.uris import is_remote
from flows.map.build import build_graph
from flows.map.graph import Edge, Graph
from flows.map.layout import lay_out
from flows.map.stale import stale
from flows.map.state import look

EXAMPLE_DAY = date(2025, 1, 1)
"""The day of a run by which windows are told where no currency tells the latest."""
LETTER, PADDING = 7.4, 44.0
"""The width of a letter and of what stands around them, in a box."""
OVERVIEW, ALL_TASKS = "overview", "all tasks"
"""The pictures besides one of each flow."""


def to_html(games: Mapping[str, str | None], beside: str) -> str:
    """Draws the pipelines, with what now stands there.

    Args:
        games: The games, each with its data folder; that of its settings if null.
        beside: The folder that the page will lie in, to refer to reports from.

    Returns:
        HTML that refers to nothing but the reports in the data folder.

    Raises:
        SettingsError: A game's settings cannot be.
    """
    environment = Environment(
        loader=PackageLoader("flows", "map"), autoescape=True, undefined=StrictUndefined
    )
    environment.policies["json.dumps_kwargs"] = {}  # Keys in their order, not sorted.
    here = files("flows.map")
    return environment.get_template("page.html.jinja").render(
        content={
            "games": {game: game_content(game, place, beside) for game, place in games.items()},
            "layers": LAYERS,
            "schemas": dict(_schemas()),
            "metrics": [
                {"key": metric.key, "name": metric.name, "format": metric.format}
                for metric in metrics_in("groups")
            ],
        },
        style=Markup((here / "page.css").read_text(encoding="utf-8")),
        script=Markup((here / "page.js").read_text(encoding="utf-8")),
        written=datetime.now(UTC).astimezone().strftime("%Y-%m-%d %H:%M"),
    )


def game_content(game: str, data_dir: str | None, beside: str) -> dict[str, Any]:
    """Gathers what the page tells of one game, as plain data."""
    settings = load_settings(game, {} if data_dir is None else {"data_dir": data_dir})
    as_of = settings.as_of or _latest_day(settings)
    graph = build_graph(settings, as_of or EXAMPLE_DAY)
    standing = look(graph, game, settings.data_dir)
    return {
        "description": settings.description,
        "as_of": str(as_of or ""),
        "data": _relative(settings.data_dir, beside),
        "graph": asdict(graph),
        "standing": {dataset: asdict(state) for dataset, state in standing.items()},
        "stale": stale(graph, standing, settings),
        "pictures": {name: _picture(graph, edges) for name, edges in _edges(graph)},
    }


def _relative(data_dir: str, beside: str) -> str:
    """The way to the data folder from the page; where there is none, its URI."""
    if is_remote(data_dir) != is_remote(beside):
        return data_dir
    return Path(os.path.relpath(data_dir, beside)).as_posix()


def _latest_day(settings: Settings) -> date | None:
    """The latest day in the currency as it was last checked; null if it never was."""
    history = raw_tables(settings.raw).history.name
    currency = Catalog(settings.data_dir, settings.game).checked(history)
    if not storage.exists(currency.uri):
        return None
    latest: date | None = datasets.scan(currency).select(pl.col("date").max()).collect().item()
    return latest


def _edges(graph: Graph) -> Iterator[tuple[str, list[Edge]]]:
    yield OVERVIEW, list(graph.overview())
    yield ALL_TASKS, list(graph.edges())
    for name in graph.flows:
        yield name, list(graph.edges(name))


def _picture(graph: Graph, edges: list[Edge]) -> dict[str, Any]:
    layers = {node: dataset.layer for node, dataset in graph.datasets.items()}
    nodes = {node: node for edge in edges for node in edge}
    names = nodes | {
        n: (graph.datasets | graph.tasks)[n].name for n in nodes if n not in graph.flows
    }
    widths = {node: max(LETTER * len(names[node]) + PADDING, 150) for node in nodes}
    picture = lay_out(edges, widths, layers)
    lines = [{"ends": ends, "points": points} for ends, points in picture.lines.items()]
    return asdict(picture) | {"lines": lines}


def _schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, table in all_tables().items():
        yield (
            name,
            {
                "about": table.description,
                "key": list(table.key),
                "columns": {
                    column: {
                        "type": str(facts.dtype),
                        "null": facts.nullable,
                        "about": facts.description or "",
                    }
                    for column, facts in table.columns.items()
                },
            },
        )
