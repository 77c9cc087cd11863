"""Where boxes and lines go."""

from itertools import combinations, pairwise

import pytest

from flows.map.graph import Graph
from flows.map.layout import HEIGHT, Layout, lay_out


def drawn(graph: Graph) -> Layout:
    edges = list(graph.edges())
    layers = {name: dataset.layer for name, dataset in graph.datasets.items()}
    return lay_out(edges, {node: 150.0 for edge in edges for node in edge}, layers)


def test_layout_lines_lead_downwards_from_box_to_box(graph: Graph) -> None:
    layout = drawn(graph)
    assert set(layout.lines) == set(graph.edges())
    for (above, below), points in layout.lines.items():
        ends = [(layout.boxes[node].x, layout.boxes[node].y) for node in (above, below)]
        assert [points[0], points[-1]] == ends
        assert all(one[1] < other[1] for one, other in pairwise(points))


def test_layout_boxes_do_not_overlap_and_lie_inside(graph: Graph) -> None:
    layout = drawn(graph)
    for one, other in combinations(layout.boxes.values(), 2):
        apart = abs(one.x - other.x) >= (one.width + other.width) / 2
        assert apart or abs(one.y - other.y) > HEIGHT
    for box in layout.boxes.values():
        assert box.x - box.width / 2 + 1e-6 >= 0
        assert box.x + box.width / 2 <= layout.width + 1e-6
        assert 0 < box.y < layout.height


def test_layout_bands_hold_the_datasets_of_their_layer(graph: Graph) -> None:
    layout = drawn(graph)
    assert all(upper.bottom <= lower.top for upper, lower in pairwise(layout.bands))
    bands = {band.layer: band for band in layout.bands}
    for name, dataset in graph.datasets.items():
        if name in layout.boxes:
            band = bands[dataset.layer]
            assert band.top < layout.boxes[name].y < band.bottom


def test_layout_crosses_no_lines_where_none_need_cross() -> None:
    edges = [("a", "y"), ("b", "x"), ("c", "z")]
    layout = lay_out(edges, dict.fromkeys("abcxyz", 50.0), {})
    x = {node: box.x for node, box in layout.boxes.items()}
    assert sorted("abc", key=x.__getitem__) == sorted("abc", key=lambda node: x[dict(edges)[node]])
    assert all(abs(x[one] - x[other]) < 1 for one, other in edges)


def test_layout_of_the_overview_has_bands(graph: Graph) -> None:
    edges = list(graph.overview())
    layers = {name: dataset.layer for name, dataset in graph.datasets.items()}
    assert lay_out(edges, {n: 50.0 for edge in edges for n in edge}, layers).bands
    shown = {name for edge in edges for name in edge}
    assert "05_model_input/predict_features" not in shown
    assert "07_model_output/predictions" in shown


def test_layout_without_order_of_layers_has_no_bands() -> None:
    layers = {"late": "08_reporting", "early": "01_raw"}
    assert lay_out([("late", "early")], dict.fromkeys(layers, 50.0), layers).bands == []


def test_layout_of_a_cycle_is_refused() -> None:
    with pytest.raises(ValueError, match="cycle"):
        lay_out([("a", "b"), ("b", "a")], {"a": 1, "b": 1}, {})
