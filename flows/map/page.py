"""The map as an HTML page that needs no other file."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from churnlib.io import storage
from churnlib.io.catalog import LAYERS, Catalog
from churnlib.io.footer import optional_fact
from churnlib.metrics.definitions import metrics_in
from churnlib.raw.availability import default_day
from churnlib.raw.quality_warnings import ROWS_BY_DAY, rows_by_day
from churnlib.report.content import GROUPS
from churnlib.schemas.outputs import all_tables
from churnlib.schemas.raw_tables import raw_tables
from churnlib.settings import Settings, load_settings
from churnlib.uris import is_remote
from flows.map.build import build_graph
from flows.map.graph import Edge, Graph
from flows.map.layout import lay_out
from flows.map.stale import stale_reasons
from flows.map.state import read_states

EXAMPLE_DAY = date(2025, 1, 1)
"""The day that windows are shown for if no table was checked yet."""
LETTER, PADDING, NARROWEST = 7.4, 44.0, 150.0
"""The widths of a letter in a box, of the space around them, and of the narrowest box."""
OVERVIEW, ALL_TASKS = "overview", "all tasks"
"""The diagrams that are not of a single flow."""
COUNTS = {"n": "scored", "positives": "churned", "immature": "label not yet available"}
"""The counts that are shown above the metrics."""
SCRIPTS = ("elements", "nodes", "diagram", "details", "main")


def to_html(games: Mapping[str, str | None], folder: str) -> str:
    """Draws the pipelines and the present state of their data.

    Args:
        games: The data folder of each game; None for the one in its settings.
        folder: The folder that the page is written to, for relative links to reports.

    Returns:
        HTML that refers only to the reports in the data folder.

    Raises:
        SettingsError: The settings of a game are invalid.
    """
    environment = Environment(
        loader=PackageLoader("flows.map", "web"), autoescape=True, undefined=StrictUndefined
    )
    environment.policies["json.dumps_kwargs"] = {}  # Keeps the order of keys.
    web = files("flows.map") / "web"
    scripts = [(web / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    return environment.get_template("page.html.jinja").render(
        content={
            "games": {game: game_content(game, place, folder) for game, place in games.items()},
            "layers": LAYERS,
            "metrics": list(_metrics()),
            "groups": GROUPS,
            "example_day": str(EXAMPLE_DAY),
        },
        style=Markup((web / "page.css").read_text(encoding="utf-8")),
        script=Markup("\n".join(scripts)),
        written=datetime.now(UTC).astimezone().strftime("%Y-%m-%d %H:%M"),
    )


def game_content(game: str, data_dir: str | None, folder: str) -> dict[str, Any]:
    """Collects what the page shows of one game, as plain data."""
    settings = load_settings(game, {} if data_dir is None else {"data_dir": data_dir})
    as_of = settings.as_of or _latest_day(settings)
    graph = build_graph(settings, as_of or EXAMPLE_DAY)
    states = read_states(graph, game, settings.data_dir)
    return {
        "description": settings.description,
        "as_of": str(as_of or ""),
        "data": _relative(settings.data_dir, folder),
        "graph": asdict(graph),
        "schemas": dict(_schemas(settings)),
        "states": {dataset: asdict(state) for dataset, state in states.items()},
        "stale": stale_reasons(graph, states, settings),
        "diagrams": {name: _diagram(graph, edges) for name, edges in _views(graph)},
    }


def _relative(data_dir: str, folder: str) -> str:
    """Returns the path from the page to the data folder, or else the folder's URI."""
    if is_remote(data_dir) != is_remote(folder):
        return data_dir
    return Path(os.path.relpath(data_dir, folder)).as_posix()


def _latest_day(settings: Settings) -> date | None:
    """Returns the default day of a run; None if its tables were never checked."""
    catalog, tables = Catalog(settings.data_dir, settings.game), raw_tables(settings)
    days = {}
    for spec in tables.of_kind("history", "subscriptions"):
        checked = catalog.checked(spec.name)
        if storage.exists(checked.uri):
            days[spec.name] = rows_by_day(optional_fact(checked, ROWS_BY_DAY) or {})
    return default_day(days, tables, settings.raw.arrived_share)


def _views(graph: Graph) -> Iterator[tuple[str, list[Edge]]]:
    yield OVERVIEW, list(graph.overview())
    yield ALL_TASKS, list(graph.edges())
    for name in graph.flows:
        yield name, list(graph.edges(name))


def _diagram(graph: Graph, edges: list[Edge]) -> dict[str, Any]:
    layers = {node: dataset.layer for node, dataset in graph.datasets.items()}
    names = {node: node for node in graph.flows}
    names |= {task.id: task.name for task in graph.tasks.values()}
    names |= {dataset.id: dataset.name for dataset in graph.datasets.values()}
    widths = {
        node: max(LETTER * len(names[node]) + PADDING, NARROWEST) for edge in edges for node in edge
    }
    layout = lay_out(edges, widths, layers)
    lines = [{"ends": ends, "points": points} for ends, points in layout.lines.items()]
    return asdict(layout) | {"lines": lines}


def _metrics() -> Iterator[dict[str, str]]:
    yield from ({"key": key, "name": name, "format": "count"} for key, name in COUNTS.items())
    for metric in metrics_in("groups"):
        yield {"key": metric.key, "name": metric.name, "format": metric.format}


def _schemas(settings: Settings) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, table in all_tables(settings).items():
        columns = {
            column: {
                "type": str(facts.dtype),
                "null": facts.nullable,
                "about": facts.description or "",
            }
            for column, facts in table.columns.items()
        }
        yield name, {"about": table.description, "key": list(table.key), "columns": columns}
