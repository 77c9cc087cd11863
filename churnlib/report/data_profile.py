"""The profile of a game's raw data, as text and as a page."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from churnlib.io.catalog import month_name
from churnlib.profile import GameProfile
from churnlib.profile.churn import ChurnProfile, Outcomes
from churnlib.profile.columns import ColumnProfile
from churnlib.profile.game import TableProfile
from churnlib.report.formatting import count, counted, exact_share, share
from churnlib.report.html import template
from churnlib.report.sections import Section
from churnlib.report.tables import Cell, Table
from churnlib.report.text import for_terminal, section_lines

RECENT = 12
"""The number of the last months that the text shows."""


def profile_text(profile: GameProfile) -> str:
    """Renders a profile for a terminal."""
    return for_terminal(_lines(profile))


def _lines(profile: GameProfile) -> Iterator[str]:
    yield _title(profile)
    yield _day(profile)
    yield ""
    yield _verdict(profile)
    for word, told in (("REFUSED", profile.refusals), ("WARNING", profile.warnings)):
        for text in told:
            first, *rest = text.splitlines()
            yield from (f"{word}: {first}", *(f"  {line.strip()}" for line in rest))
    for section in profile_sections(profile):
        yield from section_lines(section)


def profile_html(profile: GameProfile) -> str:
    """Renders a profile as a page that refers to no other file."""
    return template("plain.html.jinja").render(
        title=_title(profile),
        subtitle=_day(profile),
        verdict=_verdict(profile),
        points=profile.refusals,
        warnings=profile.warnings,
        sections=profile_sections(profile),
    )


def _title(profile: GameProfile) -> str:
    return f"Raw data of {profile.game}"


def _day(profile: GameProfile) -> str:
    if profile.day is None:
        return "The day of a run is not known."
    why = "as the settings state" if profile.is_stated else "derived from the data"
    return f"A run would be as of {profile.day}, {why}. Nothing is written."


def _verdict(profile: GameProfile) -> str:
    if profile.refusals:
        return f"A run would be refused for {counted(len(profile.refusals), 'reason')}."
    return "No run would be refused because of these data."


def profile_sections(profile: GameProfile) -> tuple[Section, ...]:
    """Lists the sections of a profile, which text and page render alike."""
    return tuple(_sections(profile))


def _sections(profile: GameProfile) -> Iterator[Section]:
    yield Section("tables", "Raw tables", "", (_overview(profile),))
    if profile.churn:
        yield _subscriptions(profile, profile.churn)
        yield _windows(profile.churn)
    for table in profile.tables:
        if table.file:
            yield _table(table)


def _overview(profile: GameProfile) -> Table:
    rows = [
        (
            Cell(table.name),
            Cell(table.kind),
            Cell(table.file or "not read"),
            Cell(table.rows if table.file else None, count),
            Cell(table.bad_rows if table.file else None, count),
            Cell(_span(table)),
        )
        for table in profile.tables
    ]
    columns = ("table", "kind", "file", "rows", "invalid", "months")
    return Table("Raw tables", columns, tuple(rows))


def _span(table: TableProfile) -> str | None:
    if not table.months:
        return None
    return f"{month_name(min(table.months))} to {month_name(max(table.months))}"


def _subscriptions(profile: GameProfile, churn: ChurnProfile) -> Section:
    total, horizon = churn.total, profile.horizon_months
    left = total.started - total.at_risk
    cannot = f" {counted(left, 'other')} cannot churn." if left else ""
    lead = (
        f"{counted(total.at_risk, 'subscription')} can churn, by {profile.outcome.meaning} "
        f"(outcome).{cannot} {count(total.labelled)} have a label, "
        f"because their horizon of {horizon} months is over; {count(total.churned)} of these "
        f"churned{_rate(total)}."
    )
    return Section("subscriptions", "Subscriptions", lead, (_by_month(churn), _by_age(churn)))


def _rate(outcomes: Outcomes) -> str:
    return f" ({share(outcomes.churned / outcomes.labelled)})" if outcomes.labelled else ""


def _by_month(churn: ChurnProfile) -> Table:
    rows = [
        (Cell(month_name(month)), *_cells(outcomes)) for month, outcomes in churn.by_month.items()
    ]
    note = "A label is known once the horizon is over; churned, of those with a label."
    return Table(
        "By month of start, latest first",
        ("month of start", *_OUTCOMES),
        tuple(reversed(rows)),
        (note,),
        is_detail=True,
        first_rows=RECENT,
    )


_OUTCOMES = ("started", "can churn", "with a label", "churned", "share")


def _cells(outcomes: Outcomes) -> tuple[Cell, ...]:
    rate = outcomes.churned / outcomes.labelled if outcomes.labelled else None
    counts = (outcomes.started, outcomes.at_risk, outcomes.labelled, outcomes.churned)
    return (*(Cell(number, count) for number in counts), Cell(rate, exact_share))


def _by_age(churn: ChurnProfile) -> Table:
    rows = [
        (
            Cell(age.months),
            Cell(age.known, count),
            Cell(age.churned, count),
            Cell(age.churned / age.known if age.known else None, exact_share),
        )
        for age in churn.by_age
    ]
    return Table(
        "By months since the start",
        ("months since the start", "started so long ago", "churned by then", "share"),
        tuple(rows),
        is_detail=True,
        first_rows=RECENT,
    )


def _windows(churn: ChurnProfile) -> Section:
    rows = [
        (
            Cell(window.name),
            Cell(f"{window.first} to {window.last}"),
            *_cells(window.outcomes),
            Cell("no" if window.problem else "yes"),
        )
        for window in churn.windows
    ]
    columns = ("window", "starts", *_OUTCOMES, "fits")
    lead = "The subscriptions that each flow would select, by the settings in [windows]."
    notes = tuple(f"{w.name}: {w.problem}." for w in churn.windows if w.problem)
    return Section("windows", "Windows", lead, (Table("Windows", columns, tuple(rows), notes),))


def _table(table: TableProfile) -> Section:
    arrived = ""
    if table.arrived:
        arrived = f" The latest month that has arrived is {month_name(table.arrived)}."
    lead = f"{table.description} {counted(table.rows, 'row')} of {table.file}.{arrived}".strip()
    shown = [_columns(table), _odd(table), _months(table)]
    return Section(table.name, table.name, lead, tuple(shown))


def _columns(table: TableProfile) -> Table:
    rows = [
        (
            Cell(column.name),
            Cell(column.kind),
            Cell(column.missing, share),
            Cell(_different(column)),
            Cell(_values(column)),
        )
        for column in table.columns
    ]
    columns = ("column", "kind", "missing", "different", "values")
    return Table("Columns", columns, tuple(rows), is_text=True)


def _different(column: ColumnProfile) -> str:
    about = "" if column.is_exact else "about "
    return f"{about}{count(column.distinct)}"


def _values(column: ColumnProfile) -> str | None:
    if column.most:
        return ", ".join(f"{value} {share(part)}" for value, part in column.most)
    if column.least is None:
        return None
    ends = f"{_value(column.least)} to {_value(column.greatest)}"
    return ends if column.mean is None else f"{ends}, mean {_value(column.mean)}"


def _value(value: Any) -> str:
    """Writes a day, a time or a number.

    >>> _value(1234567.0), _value(0.12345), _value(12.5), _value(date(2024, 5, 1))
    ('1,234,567', '0.123', '12.5', '2024-05-01')
    """
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, date):
        return str(value)
    if float(value).is_integer() or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:,.3g}"


def _odd(table: TableProfile) -> Table:
    rows = [(Cell(text), Cell(number, count)) for text, number in table.odd.items()]
    notes = () if rows else ("No data warnings.",)
    return Table("Data warnings", ("data warning", "rows"), tuple(rows), notes)


def _months(table: TableProfile) -> Table:
    months = reversed([*table.months.items()])
    rows = tuple((Cell(month_name(month)), Cell(number, count)) for month, number in months)
    return Table(
        "Rows by the month in which they became known, latest first",
        ("month", "rows"),
        rows,
        is_detail=True,
        first_rows=RECENT,
    )
