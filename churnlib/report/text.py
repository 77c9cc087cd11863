"""Reports for terminals."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from textwrap import wrap

from churnlib.report.assessment import assess
from churnlib.report.content import Report
from churnlib.report.formatting import MINUS
from churnlib.report.sections import Section, sections
from churnlib.report.tables import MISSING, Cell, Table
from churnlib.shown import one_line

WIDTH = 80
MIN_LABEL = 12
"""Minimum width to which long row names are cut."""
GAP = "  "


def to_text(report: Report) -> str:
    """Renders a report for a terminal, at most 80 columns wide except for its warnings."""
    return for_terminal(_lines(report))


def verdict_of(text: str) -> str:
    """Takes the first two paragraphs of a rendered report: what it is about, and its verdict."""
    return "\n\n".join(text.split("\n\n", 2)[:2])


def for_terminal(lines: Iterable[str]) -> str:
    """Joins lines; not every terminal has the characters that pages use."""
    text = "\n".join(map(one_line, lines)).replace(MINUS, "-").replace(MISSING, "-")
    return f"{text}\n"


def _lines(report: Report) -> Iterator[str]:
    yield report.title
    yield f"model {report.model_version}, as of {report.as_of}"
    yield f"{report.subject}, churn within {report.horizon_months} months"
    yield ""
    assessment = assess(report)
    yield from wrap(f"{assessment.head} {assessment.advice.head}", WIDTH)
    yield from _indented(assessment.advice.reason)
    for answer in assessment.answers:
        yield from _indented(f"{answer.question}: {answer.verdict.head} {answer.verdict.reason}")
    yield from (f"WARNING: {warning}" for warning in report.warnings)
    for section in sections(report):
        yield from section_lines(section)


def section_lines(section: Section) -> Iterator[str]:
    """Renders a section; the lines may still have characters that a terminal lacks."""
    yield from ("", section.title.upper())
    yield from wrap(section.lead, WIDTH)
    for place, table in enumerate(section.tables):
        if place:
            yield ""
            yield from wrap(table.title if table.columns else "", WIDTH)
        yield from _table(table)
        yield from (line for note in table.notes for line in wrap(note, WIDTH))


def _table(table: Table) -> Iterator[str]:
    rows = table.rows[: table.first_rows]
    if not table.columns:
        yield from _facts(rows)
    elif table.is_text:
        yield from _records(table.columns, rows)
    elif rows:
        yield from _grid(table.columns, rows)
    if left := len(table.rows) - len(rows):
        yield f"and {left} more"


def _facts(rows: Sequence[tuple[Cell, ...]]) -> Iterator[str]:
    width = max((len(name.text) for name, _ in rows), default=0) + len(GAP)
    for name, fact in rows:
        first, rest = f"{name.text:<{width}}", " " * width
        yield from wrap(fact.text, WIDTH, initial_indent=first, subsequent_indent=rest)


def _records(columns: Sequence[str], rows: Sequence[tuple[Cell, ...]]) -> Iterator[str]:
    """Writes each row as a paragraph, because text would not fit side by side."""
    for name, *cells in rows:
        named = zip(columns[1:], cells, strict=True)
        yield from _indented(
            f"{name.text}: " + "; ".join(f"{column} {cell.text}" for column, cell in named)
        )


def _grid(columns: Sequence[str], rows: Sequence[tuple[Cell, ...]]) -> Iterator[str]:
    """Writes a table, one below the other in parts if not all columns fit side by side."""
    last = len(columns)
    while True:
        lines, widths = _aligned(columns[:last], [row[:last] for row in rows])
        if _total(widths) <= WIDTH or last == 2:
            break
        last -= 1
    names = [wrap(column, width) for column, width in zip(columns[:last], widths, strict=True)]
    for line in (*map(list, zip_longest(*names, fillvalue="")), *lines):
        yield _padded(line, widths)
    if last < len(columns):
        yield ""
        others = [(row[0], *row[last:]) for row in rows]
        yield from _grid((columns[0], *columns[last:]), others)


def _aligned(
    columns: Sequence[str], rows: Sequence[tuple[Cell, ...]]
) -> tuple[list[list[str]], list[int]]:
    """The lines of a table and the widths of its columns, as narrow as necessary and possible.

    Intervals are behind their values, or below them if that is too wide.
    """
    lines = [[name.text, *(cell.inline for cell in cells)] for name, *cells in rows]
    if _total(_widths(columns, lines)) > WIDTH:
        values = [[cell.text for cell in row] for row in rows]
        ranges = [["", *map(_short_range, cells)] for _, *cells in rows]
        pairs = zip(values, ranges, strict=True)
        lines = [line for pair in pairs for line in pair if any(line)]
    widths = _widths(columns, lines)
    if _total(widths) > WIDTH:
        heads = [columns[0], *(max(column.split(), key=len) for column in columns[1:])]
        widths = _widths(heads, lines)
    widths[0] = min(widths[0], max(WIDTH - _total([0, *widths[1:]]), MIN_LABEL))
    return lines, widths


def _widths(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, cells)) for cells in zip(columns, *lines, strict=True)]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _padded(line: Sequence[str], widths: Sequence[int]) -> str:
    name, *cells = line
    if len(name) > widths[0]:
        name = f"{name[: widths[0] - 1]}~"
    padded = (f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))
    return GAP.join([f"{name:<{widths[0]}}", *padded]).rstrip()


def _short_range(cell: Cell) -> str:
    """Writes an interval for the line below its value."""
    is_signed = {"+", MINUS} & set(cell.range)
    return cell.range if is_signed else cell.range.replace(" to ", "-")


def _indented(sentence: str) -> list[str]:
    return wrap(sentence, WIDTH, initial_indent="  ", subsequent_indent="    ")
