"""The files of subscriptions and of missed months, and their ids, days and terms."""

from collections.abc import Mapping, Sequence

import polars as pl

from churnlib.proposal.columns import Column, File
from churnlib.proposal.links import Link
from churnlib.proposal.tables import Table, why_no_day
from churnlib.proposal.tables import days as days_of
from churnlib.proposal.words import hints

LONGEST = 120
"""The greatest number of months of a term."""
MOST_TERMS = 60
"""The greatest number of different terms."""
CERTAIN = 0.5
"""The score from which a file is taken for subscriptions or misses."""


def find_subscriptions(
    files: Sequence[File],
    to_characters: Mapping[int, Link],
    links: Sequence[Link],
) -> Table | None:
    """The file whose own ids others refer to, with a start and a term."""
    best: tuple[float, Table] | None = None
    for file in files:
        link = to_characters.get(id(file))
        if link is None or not file.where("time", "month"):
            continue
        own = [c for c in file.columns.values() if c.is_key and c is not link.column]
        referring = [
            e for e in links if e.key.file is file and e.key.column in own and e.file.where("time")
        ]
        own.sort(key=lambda c: -max((e.score for e in referring if e.key.column is c), default=0))
        score = 0.7 * hints(file.source.stem, "subscriptions")
        score += 0.7 * any(hints(c.name, "months") for c in _terms(file))
        score += 0.7 * any(hints(c.name, "months") for c in file.where("text") if _says_months(c))
        score += max((e.score for e in referring), default=0) * (1 if own else 0)
        if score >= CERTAIN and (best is None or score > best[0]):
            best = score, _with_start_and_term(file, link, own)
    return best[1] if best else None


def _with_start_and_term(file: File, link: Link, own: Sequence[Column]) -> Table:
    table = Table(file, "subscriptions", {"char_id": link.column})
    if own:
        table.roles["sub_id"] = own[0]
    else:
        table.missing.append("sub_id: no column is different in every row. Number the rows.")
    days = days_of(file, "start")
    if days:
        table.roles["sub_start_date"] = days[0]
        if len(days) > 1:
            table.guesses["sub_start_date"] = "or " + " or ".join(c.name for c in days[1:])
    else:
        table.missing.append(f"sub_start_date: no column has a day in every row.{why_no_day(file)}")
    terms = [c for c in _terms(file) if c not in table.roles.values()]
    named = [c for c in terms if hints(c.name, "months")] or terms
    if len(named) == 1 or (named and hints(named[0].name, "months")):
        table.roles["sub_months"] = named[0]
        table.guesses["sub_months"] = f"in months? {named[0].least} to {named[0].greatest}"
    else:
        table.missing.append(_missing_term(file, days))
    return table


def _terms(file: File) -> list[Column]:
    """The columns of small whole numbers."""
    return [
        column
        for column in file.where("whole")
        if column.is_complete
        and column.least >= 0
        and 1 <= column.greatest <= LONGEST
        and column.distinct <= MOST_TERMS
        and not column.is_zero_or_one
        and not column.is_key
    ]


def _says_months(column: Column) -> bool:
    return column.type == "text" and column.distinct <= MOST_TERMS


def _missing_term(file: File, days: Sequence[Column]) -> str:
    what = "sub_months: no column has the whole number of months of the term."
    texts = [c for c in file.where("text") if _says_months(c) and hints(c.name, "months")]
    ends = [c for c in file.where("time") if c.is_day and c not in days[:1]]
    if texts:
        return f"{what} Prepare it from {texts[0].name}, which is text such as '{texts[0].least}'."
    numbers = [c for c in file.where("whole", "number") if hints(c.name, "months")]
    if numbers:
        found = numbers[0]
        unit = "days? Convert it to months" if found.least >= 7 else "months? Write whole ones"
        return f"{what} {found.name} is {found.least:g} to {found.greatest:g}, in {unit}."
    if days and ends:
        return f"{what} Prepare it: the months from {days[0].name} to {ends[0].name}."
    return f"{what} Prepare it; terms without an end may be as long as the longest."


def find_misses(tables: Sequence[Table], links: Sequence[Link]) -> Table | None:
    """The file that refers to subscriptions with one or two days, and little else."""
    subs = tables[-1]
    best: tuple[float, Link] | None = None
    for link in links:
        is_taken = any(table.file is link.file for table in tables)
        days = link.file.where("time")
        if is_taken or link.key.column is not subs.roles.get("sub_id") or not days:
            continue
        score = 1.0 * hints(link.file.source.stem, "misses") + 0.5 * (len(days) == 2)
        score += 0.2 * any(c.is_months for c in days)
        score += 0.3 * (len(link.file.where("number", "whole")) <= 2)
        if score >= CERTAIN and (best is None or score > best[0]):
            best = score, link
    return _with_run(best[1]) if best else None


def _with_run(link: Link) -> Table:
    table = Table(link.file, "misses", {"sub_id": link.column})
    days = [c for c in link.file.where("time") if c.is_day]
    first = days_of(link.file, "start")
    if not first:
        why = why_no_day(link.file)
        table.missing.append(f"start_date: no column has a day in every row.{why}")
        return table
    others = [
        c for c in days if c is not first[0] and (c.greatest or first[0].least) >= first[0].least
    ]
    others.sort(key=lambda c: not hints(c.name, "end"))
    table.roles["start_date"] = first[0]
    if others:
        table.roles["end_date"] = others[0]
        same_month = pl.col(first[0].name).dt.truncate("1mo") == pl.col(others[0].name).dt.truncate(
            "1mo"
        )
        if not link.file.frame.select(same_month.any()).collect().item():
            table.guesses["end_date"] = "the last missed month, or the first that was not?"
    else:
        table.missing.append(
            f"end_date: the last missed month, included. If each row is one month, it is "
            f"{first[0].name} again."
        )
    return table
