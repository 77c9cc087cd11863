"""Hostile names in data do no harm in any format of a report."""

import re
import warnings
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from churnlib.report.content import Report
from churnlib.report.html import to_html
from churnlib.report.markdown import to_markdown
from churnlib.report.text import to_text
from tests.churnlib.report.samples import make_report, make_scored
from tests.hostile import NAMES, RAW


def hostile_report() -> Report:
    """A report with hostile names wherever names of data can occur."""
    plain = make_report(make_scored())
    segment: dict[str, Any] = dict(next(iter(plain.segments.values()))[0])
    values = [{**segment, "value": name} for name in NAMES.values()]
    return replace(
        plain,
        segments={"race": values},
        facts={name: name for name in NAMES.values()},
        warnings=tuple(f"race has unknown values: {name}" for name in NAMES.values()),
        odd={name: {name: 3} for name in NAMES.values()},
        changes=[{"setting": n, "base": n, "now": n} for n in NAMES.values()],
        libraries=dict.fromkeys(NAMES.values(), "1"),
        inputs={name: {"rows": 1, "fingerprint": "f" * 64} for name in NAMES.values()},
        importance=[
            {"feature": name, "auc_loss": 0.1, "least": 0.05, "most": 0.2}
            for name in NAMES.values()
        ],
    )


REPORT = hostile_report()


class Elements(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs


def test_text_holds_no_control_characters() -> None:
    text = to_text(REPORT)
    assert not RAW.search(text)
    assert r"\x1b[2J" in text
    assert r"\u202e" in text


def test_markdown_holds_no_markup_of_names() -> None:
    text = to_markdown(REPORT)
    assert not RAW.search(text)
    assert "<" not in text
    assert not re.search(r"(?<!\\)\]\(", text)
    assert not re.search(r"(?<!\\)`", text)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    cells = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
    assert cells <= {4, 5, 6, 7, 8, 9, 10, 11}
    assert len([row for row in rows if r"a \| b" in row]) >= 3


@pytest.mark.slow
def test_page_holds_no_markup_of_names_and_warns_of_no_glyphs() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        page = to_html(REPORT)
    assert not RAW.search(page)
    found = Elements()
    found.feed(page)
    assert "script" not in found.tags
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert not [value for _, value in found.attributes if (value or "").startswith("javascript:")]
    assert "&lt;script&gt;alert(1)" in page
    assert "エルフ 精灵" in page
    assert "$\\frac{1}{x_2}$" in page  # As text, not as a formula.


@pytest.mark.parametrize("render", [to_text, to_markdown, to_html])
def test_every_name_is_shown(render: Any) -> None:
    shown = render(REPORT)
    for text in ("{{7", "::error::owned", "calc", "alert(1)", "frac"):
        assert text in shown
