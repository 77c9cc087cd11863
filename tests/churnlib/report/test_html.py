"""The page of a report."""

import re
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.io.datasets import Dataset
from churnlib.report.campaign import RISK_IS_NOT_PERSUADABILITY
from churnlib.report.content import GROUPS, Report
from churnlib.report.html import to_html
from churnlib.report.sections import sections
from churnlib.report.write import write_report
from tests.churnlib.report.samples import groups_of, in_training, make_report, make_scored
from tests.colours import contrast

VOID = {"meta", "br", "img", "hr", "link", "input"}


class Page(HTMLParser):
    """What of a page matters here; parsing fails where a tag is not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.headings: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and self.open and self.open[-1] != "style":
            self.words.append(" ".join(data.split()))
            if self.open[-1] == "h2":
                self.headings.append(self.words[-1])

    @property
    def text(self) -> str:
        return " ".join(self.words)

    def values(self, attribute: str) -> list[str]:
        return [value for _, name, value in self.attributes if name == attribute]


SCORED = make_scored()
REPORT = make_report(SCORED)
NOTHING = make_report(SCORED.head(0), importance=())
CAMPAIGN = REPORT.campaign or {}
HTML = to_html(REPORT, SCORED)
PAGE = Page(HTML)


@pytest.fixture
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out the pictures, which take most of the time."""
    monkeypatch.setattr("churnlib.report.html.pictures", lambda *_: defaultdict(tuple))


def test_page_does_not_depend_on_row_order() -> None:
    assert to_html(REPORT, SCORED.sample(fraction=1, shuffle=True, seed=1)) == HTML


def test_page_refers_to_no_other_file() -> None:
    outside = re.sub(r'xmlns(:xlink)?="http://www\.w3\.org/[^"]+"', "", HTML)
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", outside)
    assert {tag for tag, name, _ in PAGE.attributes if name in ("src", "data", "action")} == set()
    assert not {"script", "link", "iframe", "object", "img"} & PAGE.tags.keys()


def test_page_has_language_title_and_one_main_heading() -> None:
    assert ("html", "lang", "en") in PAGE.attributes
    assert "<title>Back-test: game1</title>" in HTML
    assert (PAGE.tags["h1"], PAGE.tags["main"]) == (1, 1)


def test_page_ids_are_unique_and_referred_ids_exist() -> None:
    ids = PAGE.values("id")
    assert len(ids) == len(set(ids))
    referred = [
        *PAGE.values("aria-labelledby"),
        *(value.removeprefix("#") for value in PAGE.values("xlink:href")),
        *re.findall(r"url\(#([^)]+)\)", HTML),
    ]
    assert referred
    assert set(referred) <= set(ids)


def test_page_draws_every_picture_with_a_unique_label() -> None:
    labels = [value for tag, name, value in PAGE.attributes if (tag, name) == ("svg", "aria-label")]
    assert PAGE.tags["svg"] == PAGE.tags["figure"] == len(labels) == len(set(labels)) == 14
    assert sum(GROUPS["new_characters"] in label for label in labels) == 3


def test_page_without_rows_draws_the_other_pictures() -> None:
    page = Page(to_html(REPORT))
    assert page.tags["svg"] == 11
    assert "ROC curve" not in page.words


@pytest.mark.usefixtures("without_pictures")
def test_page_begins_with_the_recommendation() -> None:
    page = Page(to_html(replace(REPORT, warnings=("labels overlap",)), SCORED))
    assert page.headings == [
        "Better than chance and than a logistic regression. Contact the riskiest 71%.",
        "Warning",
        "Metrics",
        "Ranking quality",
        "Calibration",
        "Campaign",
        "Feature importance",
        "Performance by segment",
        "Performance over time",
        "New characters",
        "Data",
        "Model and run",
    ]
    assert "labels overlap" in page.text
    assert RISK_IS_NOT_PERSUADABILITY in page.text


def test_page_links_to_each_of_its_sections() -> None:
    ids = PAGE.values("id")
    places = [place.removeprefix("#") for place in PAGE.values("href") if place.startswith("#")]
    assert places == [name for name in ids if name in places]
    assert len(places) == 10


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize("report", [REPORT, in_training(SCORED)], ids=["back-test", "training"])
def test_page_has_the_cells_and_notes_of_every_table(report: Report) -> None:
    page = Page(to_html(report))
    for section in sections(report):
        assert section.title in page.headings
        for table in section.tables:
            cells = [cell for row in table.rows for cell in row]
            for words in (*table.notes, *(part for c in cells for part in (c.text, c.range))):
                assert words in page.text


def test_page_without_known_changes_does_not_mention_the_base_settings() -> None:
    assert "base.toml" in PAGE.text
    assert "base.toml" not in Page(to_html(replace(REPORT, changes=None))).text


@pytest.mark.usefixtures("without_pictures")
def test_training_page_judges_by_validation_and_calls_in_sample_metrics_optimistic() -> None:
    lost = SCORED.with_columns(churn_probability=1 - pl.col("churn_probability"))
    page = Page(to_html(in_training(lost), lost))
    assert page.headings[0] == "Worse than chance. Do not use this model for a campaign."
    assert "Better than chance" not in page.text
    assert "validated on the last of these months" in page.text
    assert (
        "In sample: on the rows that the model was trained on, so these metrics are optimistic"
        in page.text
    )


def test_page_of_an_older_model_has_no_baseline() -> None:
    plain = {name: {**scores, "baselines": {}} for name, scores in REPORT.groups.items()}
    text = Page(to_html(replace(REPORT, groups=plain), SCORED.drop("baseline_probability"))).text
    assert "logistic regression" not in text


def test_page_escapes_its_content() -> None:
    bad = "<b>&\"'"
    scores = {name: {**group, "reason": bad} for name, group in groups_of(SCORED.head(0)).items()}
    report = replace(
        REPORT,
        game=bad,
        model_version=bad,
        groups=scores,
        facts={bad: {bad: [bad]}},
        quarantined={bad: 1},
        odd={bad: {bad: 1}},
        warnings=(bad, bad),
    )
    page = Page(to_html(report))
    assert page.tags["b"] == 0
    assert page.text.count(bad) >= 10


@pytest.mark.parametrize(
    ("scored", "reason"),
    [
        (SCORED.head(13).with_columns(sub_churn=pl.lit(0, pl.Int8)), "none of the 13 sub"),
        (SCORED.head(13).with_columns(sub_churn=pl.lit(1, pl.Int8)), "each of the 13 sub"),
        (
            SCORED.head(13).with_columns(sub_churn=pl.lit(None, pl.Int8)),
            "not yet available for any of the 13",
        ),
        (SCORED.head(0), "there are no subscriptions"),
    ],
)
def test_page_gives_the_reason_if_no_metric_is_defined(scored: pl.DataFrame, reason: str) -> None:
    page = Page(to_html(make_report(scored, comparison=None, importance=()), scored))
    judged = "The ranking cannot be judged."
    if scored["sub_churn"].count() == 0:
        judged = "Nothing can be judged yet."
    assert page.headings[0] == f"{judged} No recommendation yet."
    assert re.search(rf"(?i)Cannot be judged\. [^.]*{reason}", page.text)
    assert re.search(rf"Not available, because [^.]*{reason}", page.text)
    assert not re.search(r"\b(None(?!\.| of)|nan|inf)\b", page.text)


def test_page_draws_the_group_that_is_defined() -> None:
    late = SCORED.with_columns(is_first_sub=False)
    page = Page(to_html(make_report(late), late))
    assert page.tags["svg"] == 11
    assert "First subscriptions only. Cannot be judged. There are no subscriptions" in page.text


def test_page_of_equal_predictions_has_no_verdict() -> None:
    scored = SCORED.with_columns(churn_probability=pl.lit(0.3))
    page = Page(to_html(make_report(scored), scored))
    reason = "subscriptions have the same predicted probability."
    assert len(re.findall(f"Cannot be judged[.] All [0-9]+ {reason}", page.text)) == len(GROUPS)


def test_page_of_two_rows_is_drawn() -> None:
    two = SCORED.head(2).with_columns(sub_churn=pl.Series([0, 1], dtype=pl.Int8))
    assert Page(to_html(make_report(two), two)).tags["svg"] >= 3


def test_page_of_many_rows_stays_small() -> None:
    scored = make_scored(20_000)
    assert len(to_html(in_training(scored), scored).encode()) < 600_000


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_of_the_page_have_enough_contrast(scheme: int) -> None:
    """The ratios of WCAG 2.1: 4.5 for text, 3 for what plots are read by."""
    blocks = re.findall(r":root \{([^}]+)\}", HTML)
    colour = dict(re.findall(r"--([\w-]+): (#\w{6});", blocks[scheme]))
    for ground in ("paper", "shade"):
        for text in ("ink", "muted", "accent", "better", "unsure", "worse"):
            assert contrast(colour[text], colour[ground]) >= 4.5, (text, ground)
    assert contrast(colour["ink"], colour["warning"]) >= 4.5
    for mark in ("accent", "ink"):
        assert contrast(colour[mark], colour["fill"]) >= 3, mark


@pytest.mark.parametrize("suffix", [".json", ".txt", ".html"])
def test_failure_to_write_leaves_the_old_report_unchanged(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Dataset("score_report", "hawk", str(tmp_path / "score_report.json"))
    write_report(NOTHING, target)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write = Path.write_text

    def fail(path: Path, text: str, **named: Any) -> int:
        if suffix in path.suffixes:
            raise OSError(28, "No space left on device")
        return write(path, text, **named)

    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises(DataError, match=f"score_report{suffix} cannot be written .*No space left"):
        write_report(replace(NOTHING, warnings=("new",)), target)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_drawing_libraries_are_imported_only_when_a_report_is_drawn() -> None:
    code = "import sys, churnlib.report.write; print({'matplotlib', 'jinja2'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
