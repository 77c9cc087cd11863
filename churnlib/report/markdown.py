"""Reports as Markdown, for Prefect's artifacts and for wikis."""

from collections.abc import Iterable, Iterator

from churnlib.report.assessment import assess
from churnlib.report.content import Report
from churnlib.report.sections import Section, sections
from churnlib.report.tables import Table
from churnlib.shown import markdown


def to_markdown(report: Report) -> str:
    """Renders a report as Markdown, with tables as GitHub and Prefect show them."""
    return "\n\n".join(_blocks(report)) + "\n"


def _blocks(report: Report) -> Iterator[str]:
    assessment = assess(report)
    yield f"# {markdown(report.title)}"
    yield (
        f"Model {markdown(report.model_version)}, {markdown(report.subject)}, churn within "
        f"{report.horizon_months} months, as of {report.as_of}."
    )
    yield f"**{markdown(f'{assessment.head} {assessment.advice.head}')}**"
    yield markdown(assessment.advice.reason)
    yield "\n".join(
        f"- **{answer.question}**: {markdown(f'{answer.verdict.head} {answer.verdict.reason}')}"
        for answer in assessment.answers
    )
    yield from (f"> **Warning:** {markdown(warning)}" for warning in report.warnings)
    for section in sections(report):
        yield from _section(section)


def _section(section: Section) -> Iterator[str]:
    yield f"## {markdown(section.title)}"
    if section.lead:
        yield markdown(section.lead)
    for table in section.tables:
        if len(section.tables) > 1:
            yield f"### {markdown(table.title)}"
        yield from _table(table)
        yield from map(markdown, table.notes)


def _table(table: Table) -> Iterator[str]:
    rows = table.rows[: table.first_rows]
    if not table.columns:
        facts = [(markdown(name.text), markdown(fact.text)) for name, fact in rows]
        yield "\n".join(f"- **{name}**: {fact}" for name, fact in facts)
    elif rows:
        align = "---" if table.is_text else "---:"
        lines = [
            _line(map(markdown, table.columns)),
            _line(["---", *[align] * (len(table.columns) - 1)]),
        ]
        yield "\n".join([*lines, *(_line(markdown(c.inline) for c in row) for row in rows)])
    if left := len(table.rows) - len(rows):
        yield f"and {left} more"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
