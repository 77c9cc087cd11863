"""The graph as Mermaid diagrams, for the documentation."""

import re
from collections.abc import Iterable, Iterator

from flows.map.graph import Edge, Graph


def overview(graph: Graph) -> str:
    """Draws the base flows and the datasets that they pass on."""
    return _diagram(graph, graph.overview())


def flow_diagram(graph: Graph, flow: str) -> str:
    """Draws the tasks of a flow and their datasets, or the flows that a composite calls."""
    parts = graph.flows[flow].parts
    if not parts:
        return _diagram(graph, graph.edges(flow))
    outside = (
        edge
        for part in parts
        for edge in (
            *((dataset, part) for dataset in graph.needs(part)),
            *((part, dataset) for dataset in graph.gives(part)),
        )
    )
    return _diagram(graph, outside)


def _diagram(graph: Graph, edges: Iterable[Edge]) -> str:
    lines = list(dict.fromkeys(edges))
    nodes = dict.fromkeys(node for line in lines for node in line)
    return "\n".join(
        [
            "```mermaid",
            "flowchart LR",
            *(f"  {_id(node)}{_shape(graph, node)}" for node in nodes),
            *(f"  {_id(above)} --> {_id(below)}" for above, below in lines),
            "```",
        ]
    )


def _id(node: str) -> str:
    return re.sub(r"\W", "_", f"n{node}")


def _shape(graph: Graph, node: str) -> str:
    if node in graph.flows:
        return f'[["{node}"]]'
    if node in graph.tasks:
        return f'["{graph.tasks[node].name}"]'
    dataset = graph.datasets[node]
    return f'[("{dataset.name}<br/>{dataset.layer}")]'


def page(graph: Graph) -> Iterator[str]:
    """Yields the lines of a page with all diagrams."""
    yield "Generated from the declarations of flows and tasks. A cylinder is a dataset, with its"
    yield "folder in the data tree; a box is a task, a box with double sides a flow. Quarantined"
    yield "rows are not shown."
    yield "The backfill runs `batch-predict` or `batch-score` month by month and has no diagram."
    yield "`churn map` writes an interactive page of them, with the current state of the data."
    yield from ("", "## All flows", "", overview(graph))
    for name, flow in graph.flows.items():
        yield from ("", f"## {name}", "", flow.about, "")
        if flow.parts:
            yield from (f"It calls {' and then '.join(f'`{part}`' for part in flow.parts)}.", "")
        yield from (f"`{flow.command}`", "", flow_diagram(graph, name))
    yield ""
