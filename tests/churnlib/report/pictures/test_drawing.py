"""Properties of every picture: reproducible, in the page's colours, with unique ids."""

import re
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest

from churnlib.report.pictures.drawing import COLOURS, reach
from tests.churnlib.report.pictures.samples import PICTURES, draw

SVG = "{http://www.w3.org/2000/svg}"
every_kind = pytest.mark.parametrize("kind", PICTURES)


@every_kind
def test_picture_drawn_again_is_the_same(kind: str) -> None:
    first = draw(kind)
    with mpl.rc_context({"font.size": 20, "svg.fonttype": "path", "axes.grid": False}):
        assert draw(kind) == first


def test_pictures_drawn_at_once_in_threads_are_the_same() -> None:
    kinds = list(PICTURES)
    alone = [draw(kind) for kind in kinds]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(draw, kinds)) == alone


def test_drawing_does_not_change_matplotlib_settings() -> None:
    before = dict(mpl.rcParams)
    draw("roc")
    assert dict(mpl.rcParams) == before


@every_kind
def test_accessible_name_contains_the_numbers(kind: str) -> None:
    root = ET.fromstring(draw(kind).svg)
    assert root.get("role") == "img"
    label = root.get("aria-label") or ""
    assert 'a "label" with <marks> & more' in label
    assert re.search(r"\d", label)
    assert not re.search(r"nan|None|inf\b", label)


@every_kind
def test_picture_has_a_finding_and_a_reading_aid(kind: str) -> None:
    picture = draw(kind)
    assert re.search(r"\d|None|none", picture.finding)
    assert picture.finding.endswith(".")
    assert picture.reading.endswith(".")


@every_kind
def test_picture_takes_its_colours_from_the_page(kind: str) -> None:
    svg = draw(kind).svg
    shown = set(re.findall(r"(?:fill|stroke): ([^;\"]+)", svg))
    assert shown <= {"none", *COLOURS.values()}
    assert COLOURS.keys().isdisjoint(re.findall(r"#[0-9a-f]{6}", svg))
    assert all("fill" in (e.get("style") or "") for e in ET.fromstring(svg).iter(f"{SVG}text"))


@every_kind
def test_picture_ids_begin_with_its_name_and_references_are_kept(kind: str) -> None:
    svg = draw(kind).svg
    ids = re.findall(r'\sid="([^"]+)"', svg)
    assert len(ids) == len(set(ids))
    assert all(id_.startswith(f"{kind}-") for id_ in ids)
    referred = re.findall(r'(?:url\(#|href="#)([^)"]+)', svg)
    assert referred
    assert set(referred) <= set(ids)


@every_kind
def test_picture_has_no_style_sheet_and_no_metadata(kind: str) -> None:
    tags = {element.tag.rpartition("}")[2] for element in ET.fromstring(draw(kind).svg).iter()}
    assert tags.isdisjoint({"style", "metadata", "script", "image"})


@every_kind
def test_picture_is_small(kind: str) -> None:
    assert len(draw(kind).svg) < 40_000


def test_error_bars_are_zero_without_an_interval() -> None:
    below, above = reach([0.5, 0.2, 1.0], [(0.4, 0.8), None, (0.9, 0.99)])
    assert below.tolist() == pytest.approx([0.1, 0, 0.1])
    assert above.tolist() == pytest.approx([0.3, 0, 0])
