"""The layout of a diagram: nodes in rows from top to bottom, with few crossing lines.

After Sugiyama, Tagawa and Toda, Methods for visual understanding of hierarchical system
structures, IEEE Transactions on Systems, Man, and Cybernetics 11 (1981) 109-125.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from flows.map.graph import Edge

HEIGHT, BETWEEN_ROWS, BETWEEN_BOXES = 44.0, 72.0, 26.0
ORDERINGS, PLACINGS = 24, 160
"""The numbers of passes over the rows: to order them, then to straighten the lines."""

Row = list[str]


@dataclass(frozen=True)
class Box:
    """A box: its centre and its width."""

    x: float
    y: float
    width: float


@dataclass(frozen=True)
class Band:
    """The rows that hold the datasets of a layer."""

    layer: str
    top: float
    bottom: float


@dataclass(frozen=True)
class Layout:
    """The layout of a diagram.

    Attributes:
        boxes: The box of each node.
        lines: The points that the line of each edge passes through.
        bands: The layers from top to bottom; empty if data flow up the layers.
        width: The width of the diagram.
        height: Its height.
    """

    boxes: dict[str, Box]
    lines: dict[Edge, list[tuple[float, float]]]
    bands: list[Band]
    width: float
    height: float


def lay_out(
    edges: Iterable[Edge], widths: Mapping[str, float], layers: Mapping[str, str]
) -> Layout:
    """Lays out a graph in rows so that every line leads downwards.

    Args:
        edges: The edges; the first node of each is placed above the second.
        widths: The width of each node's box.
        layers: The layer of each dataset; those of later layers are placed further down.

    Raises:
        ValueError: The graph has a cycle.
    """
    lines = list(dict.fromkeys(edges))
    nodes = list(dict.fromkeys(node for line in lines for node in line))
    layers = {node: layers[node] for node in nodes if node in layers}
    try:
        level = _levels(lines, nodes, layers)
    except ValueError:  # A dataset depends on a later layer.
        level, layers = _levels(lines, nodes, {}), {}
    chains = {line: _chain(line, level) for line in lines}
    steps = [step for chain in chains.values() for step in pairwise(chain)]
    level |= {
        step: level[chain[0]] + i for chain in chains.values() for i, step in enumerate(chain)
    }
    rows = _ordered(level, steps)
    across = _across(rows, steps, widths)
    shift = min(x - widths.get(node, 0) / 2 for node, x in across.items())
    at = {n: (x - shift, level[n] * BETWEEN_ROWS + HEIGHT / 2) for n, x in across.items()}
    return Layout(
        boxes={node: Box(*at[node], widths[node]) for node in nodes},
        lines={line: [at[step] for step in chain] for line, chain in chains.items()},
        bands=_bands(level, layers),
        width=max(at[node][0] + widths.get(node, 0) / 2 for node in at),
        height=(len(rows) - 1) * BETWEEN_ROWS + HEIGHT,
    )


def _levels(lines: list[Edge], nodes: Row, layers: Mapping[str, str]) -> dict[str, int]:
    """Places each node below its inputs, datasets in even rows and in the order of their layers."""
    level = dict.fromkeys(nodes, 0)
    order = sorted(set(layers.values()))
    for _ in range(len(nodes) + 2):
        before = dict(level)
        for above, below in lines:
            level[below] = max(level[below], level[above] + 1)
        for upper, lower in pairwise(order):
            floor = 2 + max(level[node] for node in layers if layers[node] == upper)
            for node in layers:
                if layers[node] == lower:
                    level[node] = max(level[node], floor)
        for node in layers:
            level[node] += level[node] % 2
        if level == before:
            return _without_gaps(level)
    raise ValueError("the graph has a cycle")


def _without_gaps(level: dict[str, int]) -> dict[str, int]:
    used = {old: new for new, old in enumerate(sorted(set(level.values())))}
    return {node: used[old] for node, old in level.items()}


def _chain(line: Edge, level: Mapping[str, int]) -> Row:
    """Returns the ends of a line, with a point between them in each row that it passes."""
    above, below = line
    passed = range(level[above] + 1, level[below])
    return [above, *(f"{above} > {below} {row}" for row in passed), below]


def _neighbours(steps: Iterable[Edge]) -> tuple[dict[str, Row], dict[str, Row]]:
    above, below = defaultdict[str, Row](list), defaultdict[str, Row](list)
    for one, other in steps:
        above[other].append(one)
        below[one].append(other)
    return above, below


def _ordered(level: Mapping[str, int], steps: list[Edge]) -> list[Row]:
    """Orders each row so that few lines cross: by the mean position of its nodes' neighbours."""
    above, below = _neighbours(steps)
    rows: list[Row] = [[] for _ in range(max(level.values()) + 1)]
    for node in level:
        rows[level[node]].append(node)
    best, fewest = [list(row) for row in rows], _crossings(rows, below)
    for sweep in range(ORDERINGS):
        downwards = sweep % 2 == 0
        joined = above if downwards else below
        for row in rows if downwards else reversed(rows):
            place = {node: i for other in rows for i, node in enumerate(other)}
            row.sort(key=lambda n, at=place: _mean([at[o] for o in joined[n]], at[n]))  # type: ignore[misc]
        if (crossings := _crossings(rows, below)) < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return best


def _crossings(rows: list[Row], below: Mapping[str, Row]) -> int:
    count = 0
    for upper, lower in pairwise(rows):
        place = {node: i for i, node in enumerate(lower)}
        ends = [(i, place[end]) for i, node in enumerate(upper) for end in below.get(node, ())]
        count += sum(a < b and c > d for a, c in ends for b, d in ends)
    return count


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _across(rows: list[Row], steps: list[Edge], widths: Mapping[str, float]) -> dict[str, float]:
    """Places the nodes of each row in order, without overlap, near their neighbours."""
    above, below = _neighbours(steps)
    x = {node: 150.0 * i for row in rows for i, node in enumerate(row)}
    for sweep in range(PLACINGS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted = [
                _mean(
                    [_mean([x[o] for o in side[n]], x[n]) for side in (above, below) if side[n]],
                    x[n],
                )
                for n in row
            ]
            x |= zip(row, _apart(wanted, [widths.get(n, 0.0) for n in row]), strict=True)
    return x


def _apart(wanted: Sequence[float], widths: Sequence[float]) -> list[float]:
    """Moves positions apart so that boxes do not overlap, with the least sum of squared moves.

    After the widths are subtracted this is isotonic regression, by pooling adjacent violators.
    """
    offsets = [0.0]
    for one, other in pairwise(widths):
        offsets.append(offsets[-1] + (one + other) / 2 + BETWEEN_BOXES)
    pools: list[tuple[float, int]] = []
    for goal, offset in zip(wanted, offsets, strict=True):
        total, size = goal - offset, 1
        while pools and pools[-1][0] / pools[-1][1] > total / size:
            more, others = pools.pop()
            total, size = total + more, size + others
        pools.append((total, size))
    means = [total / size for total, size in pools for _ in range(size)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _bands(level: Mapping[str, int], layers: Mapping[str, str]) -> list[Band]:
    rows = defaultdict[str, list[int]](list)
    for node, layer in sorted(layers.items(), key=lambda item: item[1]):
        rows[layer].append(level[node])
    margin = (BETWEEN_ROWS - HEIGHT) / 4
    return [
        Band(layer, min(r) * BETWEEN_ROWS - margin, max(r) * BETWEEN_ROWS + HEIGHT + margin)
        for layer, r in rows.items()
    ]
