"""Reports as Markdown, for Prefect's artifacts and for wikis."""

from collections.abc import Iterator, Sequence

from churnlib.report.assessment import assess
from churnlib.report.content import Report
from churnlib.report.sections import Section, sections
from churnlib.report.tables import Table


def to_markdown(report: Report) -> str:
    """Renders a report as Markdown, with tables as GitHub and Prefect show them."""
    return "\n\n".join(_blocks(report)) + "\n"


def _blocks(report: Report) -> Iterator[str]:
    assessment = assess(report)
    yield f"# {report.title}"
    yield (
        f"Model {report.model_version}, {_escaped(report.subject)}, churn within "
        f"{report.horizon_months} months, as of {report.as_of}."
    )
    yield f"**{_escaped(f'{assessment.head} {assessment.advice.head}')}**"
    yield _escaped(assessment.advice.reason)
    yield "\n".join(
        f"- **{answer.question}**: {_escaped(f'{answer.verdict.head} {answer.verdict.reason}')}"
        for answer in assessment.answers
    )
    yield from (f"> **Warning:** {_escaped(warning)}" for warning in report.warnings)
    for section in sections(report):
        yield from _section(section)


def _section(section: Section) -> Iterator[str]:
    yield f"## {section.title}"
    if section.lead:
        yield _escaped(section.lead)
    for table in section.tables:
        if len(section.tables) > 1:
            yield f"### {table.title}"
        yield from _table(table)
        yield from map(_escaped, table.notes)


def _table(table: Table) -> Iterator[str]:
    rows = table.rows[: table.first_rows]
    if not table.columns:
        yield "\n".join(f"- **{name.text}**: {_escaped(fact.text)}" for name, fact in rows)
    elif rows:
        align = "---" if table.is_text else "---:"
        lines = [_line(table.columns), _line(["---", *[align] * (len(table.columns) - 1)])]
        yield "\n".join([*lines, *(_line(_escaped(c.inline) for c in row) for row in rows)])
    if left := len(table.rows) - len(rows):
        yield f"and {left} more"


def _line(cells: Sequence[str] | Iterator[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """Keeps text from being read as Markdown or HTML."""
    for mark in "\\`*_|":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.replace("<", "&lt;").replace(">", "&gt;").split())
