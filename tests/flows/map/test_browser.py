"""The page in a real browser: what a click shows, on a desk and on a phone, in light and dark."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl
import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from churnlib.io import datasets, storage
from churnlib.io.catalog import Catalog
from churnlib.metrics.definitions import metrics_in
from flows.map.graph import Graph
from flows.map.page import ALL_TASKS, OVERVIEW
from flows.map.write import PAGE, write_map
from tests.chromium import CHROMIUM
from tests.colours import contrast

GAME = "game1"
DESK: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
SCHEMES = ("light", "dark")
SCORES = {"n": 1000, "positives": 90, "roc_auc": 0.75}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed"),
]

# Of each element with a text of its own the colours of the text and behind it, and whether it is
# shown. In the diagram, the rectangle of the same group is behind a text.
TEXTS = """() => [...document.querySelectorAll("body *")]
  .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()))
  .filter((e) => e.checkVisibility() && !["SCRIPT", "NOSCRIPT", "OPTION"].includes(e.tagName))
  .map((e) => {
    const clear = "rgba(0, 0, 0, 0)", style = getComputedStyle(e);
    if (e.namespaceURI.endsWith("svg")) {
      const behind = getComputedStyle(e.parentNode.querySelector("rect")).fill;
      return [e.textContent, style.fill, behind, style.opacity];
    }
    let at = e;
    while (getComputedStyle(at).backgroundColor === clear) at = at.parentElement;
    return [e.textContent, style.color, getComputedStyle(at).backgroundColor, style.opacity];
  })"""

SHAPES = """() => [...document.querySelectorAll("#diagram .node rect, #diagram .line")]
  .map((e) => [e.parentNode.dataset.id || "line", getComputedStyle(e).stroke])"""

# Of each button and field in the page its visible text and the name that it is read out by.
BUTTONS = """() => [...document.querySelectorAll("button, [role=button]")]
  .filter((e) => e.checkVisibility())
  .map((e) => [
    e.getAttribute("aria-label"),
    [...(e.querySelectorAll("text").length ? e.querySelectorAll("text") : [e])]
      .map((part) => part.textContent).join(" "),
  ])"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with some data out of date, and most not written yet."""
    data = tmp_path_factory.mktemp("data")
    catalog = Catalog(str(data), GAME)
    table = datasets.write_parquet(pl.LazyFrame({"sub_id": range(3)}), catalog.checked("sub_data"))
    datasets.write_parquet(datasets.scan(table), catalog.standard_features())
    storage.write_text(
        json.dumps({table.name: {"fingerprint": "other"}}), catalog.standard_sources().uri
    )
    report = {"general": SCORES, "new_characters": None, "model_version": "20250103T020512345Z"}
    storage.write_text(json.dumps(report), catalog.report("score_report").uri)
    storage.write_text("text", str(data / "08_reporting" / GAME / "score_report.txt"))
    write_map(GAME, str(data), None)
    return data / PAGE


@pytest.fixture
def page(browser: Browser, file: Path) -> Iterator[Page]:
    """The page on a desk, at its overview; fails at the end if the browser has complained."""
    with browser.new_page(viewport=DESK) as opened:
        complaints: list[str] = []
        opened.on("console", lambda message: complaints.append(message.text))
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on("request", lambda request: complaints.append(request.url))
        opened.goto(file.as_uri())
        yield opened
        assert set(complaints) == {file.as_uri()}


def show(page: Page, view: str, node: str = "") -> None:
    """Goes to a view and chooses a node of it, as the page's addresses do."""
    parts = (GAME, view, node) if node else (GAME, view)
    page.evaluate("hash => { location.hash = hash }", "/".join(quote(p, safe="") for p in parts))
    expect(page.locator("#view")).to_have_value(view)


def click(page: Page, node: str) -> str:
    """Clicks a node; returns the text of the panel."""
    box = page.locator(f'[data-id="{node}"]')
    box.click()
    expect(box).to_have_class(re.compile("chosen"))
    return page.locator("#panel").inner_text()


def test_page_shows_the_details_of_every_node(page: Page, graph: Graph) -> None:
    show(page, ALL_TASKS)
    for node in {node for edge in graph.edges() for node in edge}:
        page.locator(f'[data-id="{node}"]').dispatch_event("click")
        expected = graph.datasets[node].name if node in graph.datasets else node
        expect(page.locator("#panel h2")).to_have_text(expected)
    for flow in graph.flows:
        show(page, flow)
        expect(page.locator("#panel h2")).to_have_text(flow)


def test_page_shows_a_task_with_its_settings_and_source(page: Page) -> None:
    show(page, "train")
    text = click(page, "build_window_features-train_features")
    assert "standard_features (03_primary)" in text
    assert "train_features (04_feature)" in text
    assert "windows.train" in text
    page.get_by_text("Source: flows/steps/window_features.py").click()
    assert "def build_window_features(" in page.locator("#panel pre").last.inner_text()


def test_page_shows_a_dataset_with_its_columns_and_what_is_out_of_date(page: Page) -> None:
    text = click(page, "03_primary/standard_features")
    assert "Out of date" in text
    assert "sub_data has changed since" in text
    assert "Columns (" in text
    assert page.locator("#stale").inner_text() == "2 out of date"


def test_page_shows_the_metrics_of_a_report_by_their_names(page: Page) -> None:
    text = click(page, "08_reporting/score_report")
    assert all(metric.name in text for metric in metrics_in("groups"))
    assert "0.750" in text
    assert page.locator("#panel a", has_text="txt").get_attribute("href") == (
        f"../08_reporting/{GAME}/score_report.txt"
    )


def test_page_is_used_by_keyboard_alone(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("fit_model")
    page.keyboard.press("Enter")
    expect(page.locator("#panel h2")).to_have_text("fit_model")
    page.locator('[data-id="06_models/models"]').focus()
    page.keyboard.press("Enter")
    expect(page.locator("#panel h2")).to_have_text("models")
    page.keyboard.press("Escape")
    expect(page.locator("#panel h2")).to_have_text(GAME)


def test_page_highlights_a_layer(page: Page) -> None:
    page.get_by_label("Layer").select_option("03_primary")
    near = page.eval_on_selector_all(".near[data-id]", "all => all.map((e) => e.dataset.id)")
    assert {"03_primary/standard_features", "standard-features", "train"} <= set(near)
    assert "01_raw/sub_data" not in near


@pytest.mark.parametrize("view", [OVERVIEW, ALL_TASKS, "train"])
def test_page_on_a_phone_shows_the_whole_diagram(view: str, page: Page) -> None:
    page.set_viewport_size(PHONE)
    page.reload()
    show(page, view)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    stage, diagram = (page.locator(f"#{name}").bounding_box() for name in ("stage", "diagram"))
    assert stage is not None and diagram is not None
    assert is_inside(diagram, stage)
    for node in page.locator(".node").all():
        assert is_inside(node.bounding_box(), stage)
    before = diagram["width"]
    page.get_by_role("button", name="Zoom in").click()
    assert page.evaluate("document.getElementById('diagram').clientWidth") > before


def is_inside(inner: Any, outer: Any) -> bool:
    return all(
        inner[start] >= outer[start] - 1
        and inner[start] + inner[size] <= outer[start] + outer[size] + 1
        for start, size in (("x", "width"), ("y", "height"))
    )


@pytest.mark.parametrize("view", [OVERVIEW, ALL_TASKS])
def test_page_names_of_buttons_begin_with_their_visible_text(view: str, page: Page) -> None:
    show(page, view)
    buttons = page.evaluate(BUTTONS)
    assert len(buttons) > 10
    for label, text in buttons:
        assert text
        assert label is None or label.startswith(text)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("view", "node"),
    [(OVERVIEW, ""), (ALL_TASKS, "fit_model"), (OVERVIEW, "08_reporting/score_report")],
)
def test_page_has_enough_contrast(view: str, node: str, scheme: Any, page: Page) -> None:
    page.emulate_media(color_scheme=scheme)
    show(page, view, node)
    texts = page.evaluate(TEXTS)
    assert len(texts) > 40
    for text, colour, behind, opacity in texts:
        assert opacity == "1"
        assert contrast(colour, behind) >= 4.5, text
    backgrounds = page.evaluate(
        "['body', '#panel'].map((s) => getComputedStyle(document.querySelector(s)).backgroundColor)"
    )
    for name, colour in page.evaluate(SHAPES):
        assert min(contrast(colour, behind) for behind in backgrounds) >= 3, name
