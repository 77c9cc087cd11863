"""Reports as Markdown."""

import json
import re
from dataclasses import replace

from churnlib.report.assessment import assess
from churnlib.report.content import Report
from churnlib.report.markdown import to_markdown
from churnlib.report.sections import sections
from tests.churnlib.report.samples import in_training, make_report, make_scored

REPORT = make_report(make_scored())


def test_markdown_begins_with_title_assessment_and_warnings() -> None:
    lines = to_markdown(replace(REPORT, warnings=("labels overlap",))).splitlines()
    assessment = assess(REPORT)
    assert lines[0] == "# Back-test: game1"
    assert f"**{assessment.head} {assessment.advice.head}**" in lines
    warning = lines.index("> **Warning:** labels overlap")
    assert warning < lines.index("## Metrics")


def test_markdown_has_every_section_and_table() -> None:
    text = to_markdown(REPORT)
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings == [section.title for section in sections(REPORT)]
    for section in sections(REPORT):
        for table in section.tables:
            if table.columns and table.rows:
                assert f"| {' | '.join(table.columns)} |" in text


def test_markdown_tables_have_as_many_cells_in_each_line() -> None:
    for block in to_markdown(in_training(make_scored())).split("\n\n"):
        if block.startswith("|"):
            lines = block.splitlines()
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
            assert re.fullmatch(r"\| ---( \| ---:?)* \|", lines[1])


def test_markdown_escapes_all_marks() -> None:
    bad = "<b>*a*|_b_`c`\nd"
    text = to_markdown(replace(REPORT, facts={"note": bad}, warnings=(bad,)))
    escaped = r"&lt;b&gt;\*a\*\|\_b\_\`c\`"
    assert f"> **Warning:** {escaped} d\n" in text
    assert rf"{escaped}\\nd" in text  # In a cell, the line break is shown.
    assert "<b>" not in text


def test_markdown_of_a_report_read_from_its_json_is_the_same() -> None:
    for report in (REPORT, in_training(make_scored()), replace(REPORT, used_by_campaigns=True)):
        read = Report.from_json(json.loads(json.dumps(report.to_json())))
        assert to_markdown(read) == to_markdown(report)
        assert read.to_json() == json.loads(json.dumps(report.to_json()))
