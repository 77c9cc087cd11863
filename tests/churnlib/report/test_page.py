"""The page in a real browser: no requests, errors or overflow, and labelled pictures."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Browser, Page

from churnlib.report.content import Report
from churnlib.report.html import to_html
from tests.chromium import CHROMIUM
from tests.churnlib.report.samples import in_training, make_report, make_scored

PHONE, DESK = 390, 1280
SCORED = make_scored()
NOBODY = SCORED.head(12).with_columns(sub_churn=pl.lit(0, pl.Int8))
LONG = "a_very_long_name_without_any_place_to_break_it_" * 3


def long_names() -> Report:
    report = make_report(SCORED)
    return replace(
        report,
        game=LONG,
        warnings=(LONG,),
        facts={LONG: LONG},
        odd={LONG: {LONG: 1}},
        changes=[{"setting": LONG, "base": LONG, "now": LONG}],
        segments={LONG: [{**report.segments["characters"][0], "value": LONG}]},
    )


PAGES: dict[str, tuple[Callable[[], Report], pl.DataFrame]] = {
    "score": (lambda: make_report(SCORED), SCORED),
    "training": (lambda: in_training(SCORED), SCORED),
    "undefined": (lambda: make_report(NOBODY, comparison=None, importance=()), NOBODY),
    "long": (long_names, SCORED),
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed"),
]
every_page = pytest.mark.parametrize("name", PAGES)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    paths = {name: folder / f"{name}.html" for name in PAGES}
    for name, (report, scored) in PAGES.items():
        paths[name].write_text(to_html(report(), scored), encoding="utf-8")
    return paths


def opened(browser: Browser, file: Path, width: int, faults: list[str] | None = None) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 900})
    messages: list[str] = [] if faults is None else faults
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda request: messages.append(request.url))
    page.goto(file.as_uri())
    return page


@every_page
def test_page_makes_no_requests_and_has_no_errors(
    name: str, browser: Browser, files: dict[str, Path]
) -> None:
    faults: list[str] = []
    opened(browser, files[name], DESK, faults).close()
    assert faults == [files[name].as_uri()]


@pytest.mark.parametrize("width", [PHONE, DESK])
@every_page
def test_page_is_not_wider_than_the_window(
    name: str, width: int, browser: Browser, files: dict[str, Path]
) -> None:
    page = opened(browser, files[name], width)
    page.eval_on_selector_all("details", "all => all.forEach(part => { part.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@every_page
def test_pictures_have_accessible_names(
    name: str, browser: Browser, files: dict[str, Path]
) -> None:
    page = opened(browser, files[name], DESK)
    pictures = page.get_by_role("img").all()
    assert len(pictures) == page.locator("svg, img").count()
    labels = [picture.get_attribute("aria-label") or "" for picture in pictures]
    assert all(len(label) > 40 for label in labels)
    assert len(labels) == len(set(labels))
    page.close()


def test_text_in_pictures_is_readable_on_a_phone(browser: Browser, files: dict[str, Path]) -> None:
    page = opened(browser, files["score"], PHONE)
    heights = page.eval_on_selector_all(
        "svg text",
        "all => all.map(text => text.getBoundingClientRect()).map(box => "
        "Math.min(box.width, box.height)).filter(size => size > 0)",
    )
    wide = page.eval_on_selector_all("svg", "all => all.map(s => s.getBoundingClientRect().width)")
    assert min(wide) > 300
    assert sorted(heights)[len(heights) // 20] > 6
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_follows_the_preferred_colour_scheme(
    scheme: str, browser: Browser, files: dict[str, Path]
) -> None:
    page = browser.new_page(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(files["score"].as_uri())
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in paper.strip("rgb()").split(","))
    assert (brightness > 600) == (scheme == "light")
    page.close()


def test_folded_parts_are_printed(browser: Browser, files: dict[str, Path]) -> None:
    page = opened(browser, files["score"], DESK)
    page.emulate_media(media="print")
    assert page.locator("details table").count() > 3
    # The print layout is computed with the next frame.
    page.wait_for_function(
        "() => [...document.querySelectorAll('details table')]"
        ".every(table => table.checkVisibility({contentVisibilityAuto: true}))",
        timeout=10_000,
    )
    page.close()


@pytest.mark.parametrize(("width", "lines"), [(DESK, 1), (PHONE, 2)])
def test_names_of_settings_are_not_broken_into_letters(
    width: int, lines: int, browser: Browser, tmp_path: Path
) -> None:
    name = "train.pipeline.model.params.categorical_features"
    changes = [{"setting": name, "base": "[" + "0, " * 80, "now": "[" + "1, " * 80}]
    file = tmp_path / "page.html"
    file.write_text(to_html(make_report(SCORED, changes=changes), SCORED), encoding="utf-8")
    page = opened(browser, file, width)
    height = page.locator("th", has_text=name).evaluate(
        "cell => { const range = document.createRange(); range.selectNodeContents(cell); "
        "return range.getBoundingClientRect().height }"
    )
    assert height < 25 * lines  # Of 13 pixels each.
    page.close()
