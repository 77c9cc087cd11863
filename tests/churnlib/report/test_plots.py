"""The plots: the same bytes each time, the page's colours, ids of their own."""

import re
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from churnlib.report.plots import COLOURS, gains_plot, reliability_plot, roc_plot

from churnlib.report.curves import TENTHS, RiskGroup

GROUPS = [RiskGroup(12_345, 9000, 0.7, 0.6, 0.8), RiskGroup(950, 0, 0.1, 0.0, 0.05)]
LABEL = 'a "label" with <marks> & more'
NAMES = ("roc", "gains", "reliability")
SVG = "{http://www.w3.org/2000/svg}"


def draw(name: str) -> str:
    if name == "gains":
        return gains_plot(name, LABEL, TENTHS**0.5, 0.2)
    if name == "reliability":
        return reliability_plot(name, LABEL, GROUPS)
    return roc_plot(name, LABEL, TENTHS**2, TENTHS)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("name", NAMES)
def test_plot_drawn_again_is_the_same(name: str) -> None:
    first = draw(name)
    with mpl.rc_context({"font.size": 20, "svg.fonttype": "path", "axes.grid": False}):
        assert draw(name) == first


def test_plots_drawn_at_once_in_threads_are_the_same() -> None:
    alone = [draw(name) for name in NAMES] * 2
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(draw, NAMES * 2)) == alone


def test_plot_leaves_the_settings_of_others_alone() -> None:
    before = dict(mpl.rcParams)
    draw("roc")
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("name", NAMES)
def test_plot_has_a_label_for_those_who_do_not_see_it(name: str) -> None:
    root = ET.fromstring(draw(name))
    assert (root.get("role"), root.get("aria-label")) == ("img", LABEL)


@pytest.mark.parametrize("name", NAMES)
def test_plot_takes_its_colours_from_the_page(name: str) -> None:
    svg = draw(name)
    shown = set(re.findall(r"(?:fill|stroke): ([^;\"]+)", svg))
    assert shown <= {"none", *COLOURS.values()}
    assert COLOURS.keys().isdisjoint(re.findall(r"#[0-9a-f]{6}", svg))
    assert all("fill" in (e.get("style") or "") for e in ET.fromstring(svg).iter(f"{SVG}text"))


@pytest.mark.parametrize("name", NAMES)
def test_plot_ids_begin_with_its_name_and_references_are_kept(name: str) -> None:
    svg = draw(name)
    ids = re.findall(r'\sid="([^"]+)"', svg)
    assert len(ids) == len(set(ids))
    assert all(found.startswith(f"{name}-") for found in ids)
    referred = re.findall(r'(?:url\(#|href="#)([^)"]+)', svg)
    assert referred
    assert set(referred) <= set(ids)


@pytest.mark.parametrize("name", NAMES)
def test_plot_brings_no_style_sheet_and_no_metadata(name: str) -> None:
    tags = {element.tag.rpartition("}")[2] for element in ET.fromstring(draw(name)).iter()}
    assert tags.isdisjoint({"style", "metadata", "script", "image"})


def test_gains_plot_marks_the_first_tenth() -> None:
    assert "10%: 32% found" in texts(draw("gains"))


def test_reliability_plot_tells_how_many_are_in_each_group() -> None:
    assert {"12k", "950"} <= set(texts(draw("reliability")))


def test_reliability_plot_of_one_group_at_the_ends() -> None:
    one = [RiskGroup(3, 3, 1.0, 0.4, 1.0)]
    assert "100%" in texts(reliability_plot("r", "", one))


def test_reliability_plot_of_rare_churn_keeps_its_ticks_apart() -> None:
    rare = [RiskGroup(10_000, 30, 0.003, 0.002, 0.004), RiskGroup(10_000, 10, 0.001, 0.0, 0.002)]
    ticks = [text for text in texts(reliability_plot("r", "", rare)) if text.endswith("%")]
    assert len(ticks) > 2
    assert len(ticks) == len(set(ticks))


def test_roc_plot_stays_small_with_many_points() -> None:
    share = np.linspace(0, 1, 300)
    assert len(roc_plot("roc", "", share, share**0.3)) < 30_000
