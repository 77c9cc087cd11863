"""Which file is which table of a game, and which of its columns have the ids, days and terms."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import polars as pl

from churnlib.proposal.columns import Column, File
from churnlib.proposal.links import Key, Link, find_links
from churnlib.proposal.words import hints
from churnlib.settings.tables import TableKind

LONGEST = 120
"""The greatest number of months of a term."""
MOST_TERMS = 60
"""The greatest number of different terms."""
CERTAIN = 0.5
"""The score from which a file is taken for subscriptions or misses."""
JUDGED = 500
"""Characters by whose rows a history is judged."""
REGULAR_SHARE = 0.7
"""The share of the days between rows of a character that are as many in a regular history."""


@dataclass(eq=False)
class Table:
    """A file as a table of a game.

    Attributes:
        file: The file.
        kind: The kind of the table.
        roles: The columns of the file that have a role, by the name of the role.
        every: For a history, how often it has a row of a character.
        guesses: Why a column has its role, by role, where that is a guess.
        missing: What the file lacks, and what to prepare.
    """

    file: File
    kind: TableKind
    roles: dict[str, Column] = field(default_factory=dict)
    every: str = "month"
    guesses: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    @property
    def others(self) -> list[Column]:
        """The columns without a role."""
        return [c for c in self.file.columns.values() if c not in self.roles.values()]


@dataclass
class Roles:
    """The tables that were found.

    Attributes:
        tables: The tables.
        missing: The tables that were not found although every game needs them, and what to prepare.
        unplaced: Why other files are no table, by file.
    """

    tables: list[Table] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unplaced: dict[str, str] = field(default_factory=dict)

    def of_kind(self, *kinds: TableKind) -> list[Table]:
        """The tables of some kinds."""
        return [table for table in self.tables if table.kind in kinds]


def find_roles(files: Sequence[File]) -> Roles:
    """Finds out which file is which table.

    The id of the characters is the column that is unique in one file and that most others share.
    Subscriptions have an id of their own, which misses refer to.
    """
    links, roles = find_links(files), Roles()
    characters = _characters(files, links)
    to_characters = _links_to(links, characters)
    if characters:
        roles.tables.append(Table(characters.file, "entity", {"char_id": characters.column}))
    else:
        roles.missing.append(
            "A file with a row per character: no column is unique in one file and shared by others. "
            "Prepare one with at least the id of each character."
        )
    subs = _subscriptions(files, characters, to_characters, links)
    if subs:
        roles.tables.append(subs)
        misses = _misses(files, roles.tables, links)
        roles.tables += [misses] if misses else []
    _say_what_is_missing(roles, subs)
    for file in files:
        if all(table.file is not file for table in roles.tables):
            table = _activity(file, to_characters.get(id(file)))
            if isinstance(table, Table):
                roles.tables.append(table)
            else:
                roles.unplaced[file.name] = table or _why_unplaced(file, links, characters)
    return roles


def _characters(files: Sequence[File], links: Sequence[Link]) -> Key | None:
    """The ids that most other files share."""
    totals: dict[int, float] = {}
    keys = {id(link.key.column): link.key for link in links}
    for link in links:
        place = id(link.key.column)
        totals[place] = totals.get(place, 0) + link.score
    if totals:
        return keys[max(totals, key=lambda place: totals[place])]
    own = [Key(file, c) for file in files for c in file.columns.values() if c.is_key]
    return own[0] if len(files) == 1 and own else None


def _links_to(links: Iterable[Link], key: Key | None) -> dict[int, Link]:
    return {id(link.file): link for link in links if key and link.key.column is key.column}


def _say_what_is_missing(roles: Roles, subs: Table | None) -> None:
    if subs is None:
        roles.missing.append(
            "Subscriptions: no file has a row per subscription, with an id of its own, the id of "
            "the character, the day of the start and the months of the term. Prepare one."
        )
    if not roles.of_kind("misses"):
        roles.missing.append(
            "Missed months: no file refers to the id of a subscription with the first and the last "
            "missed month. Prepare one with a row per run of missed months: sub_id, start_date, "
            "end_date (empty while it goes on). Without it, no subscription churns."
        )


def _subscriptions(
    files: Sequence[File],
    characters: Key | None,
    to_characters: dict[int, Link],
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
    days = _days(file, "start")
    if days:
        table.roles["sub_start_date"] = days[0]
        if len(days) > 1:
            table.guesses["sub_start_date"] = "or " + " or ".join(c.name for c in days[1:])
    else:
        table.missing.append(
            f"sub_start_date: no column has a day in every row.{_why_no_day(file)}"
        )
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


def _days(file: File, meaning: str) -> list[Column]:
    """The columns with a day in every row, the most likely first."""
    days = [c for c in file.where("time") if c.is_day and c.is_complete]
    return sorted(
        days, key=lambda c: (not hints(c.name, meaning), hints(c.name, "end"), c.least, c.greatest)
    )


def _why_no_day(file: File) -> str:
    if months := file.where("month"):
        return f" {months[0].name} has months such as '{months[0].least}': write their first days."
    if times := [c for c in file.where("time") if not c.is_days]:
        return f" {times[0].name} has times of day: write the days alone."
    if days := file.where("time"):
        return f" {days[0].name} is empty in {days[0].nulls:,} rows: fill it."
    return ""


def _misses(files: Sequence[File], tables: Sequence[Table], links: Sequence[Link]) -> Table | None:
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
    first = _days(link.file, "start")
    if not first:
        why = _why_no_day(link.file)
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


def _activity(file: File, link: Link | None) -> Table | str:
    """A history or a table of events; or why it is none, if that is known."""
    if link is None:
        return ""
    if not (times := _times(file)):
        return f"has {link.column.name}, but no column has a day in every row.{_why_no_day(file)}"
    days = [c for c in times if c.is_day]
    numbers = [c for c in file.where("whole", "number", "flag") if c is not link.column]
    roles = {"char_id": link.column}
    for day in sorted(days, key=lambda c: not c.is_months):
        if numbers and _is_unique(file, link.column, day):
            if day.is_months:
                return Table(file, "history", {**roles, "date": day}, "month")
            if _is_regular(file, link.column, day):
                return Table(file, "history", {**roles, "date": day}, "day")
    table = Table(file, "events", {**roles, "time": times[0]})
    if len(times) > 1:
        table.guesses["time"] = "or " + " or ".join(c.name for c in times[1:])
    return table


def _times(file: File) -> list[Column]:
    """The columns with a day or time in every row, but for a few, the most likely first."""
    times = [c for c in file.where("time") if c.nulls <= 0.01 * c.rows]
    return sorted(times, key=lambda c: (c.is_days, not hints(c.name, "time"), c.least))


def _is_unique(file: File, char_id: Column, day: Column) -> bool:
    """Whether a character has one row a day, but for a few copies."""
    pair = pl.struct(char_id.name, day.name)
    different = file.frame.select(pair.n_unique()).collect().item()
    return bool(different >= 0.99 * file.rows)


def _is_regular(file: File, char_id: Column, day: Column) -> bool:
    """Whether the rows of a character are mostly as many days apart."""
    some = file.frame.select(pl.col(char_id.name).unique().head(JUDGED))
    gap = pl.col(day.name).diff().dt.total_days().over(char_id.name)
    rows = file.frame.select(char_id.name, day.name).join(some, on=char_id.name, how="semi")
    gaps = rows.sort(char_id.name, day.name).select(gap).collect().to_series().drop_nulls()
    if gaps.is_empty():
        return False
    most = gaps.value_counts(sort=True)["count"][0]
    ends = rows.select((pl.col(day.name) == pl.col(day.name).dt.month_end()).all()).collect().item()
    return bool(ends or most >= REGULAR_SHARE * len(gaps))


def _why_unplaced(file: File, links: Iterable[Link], characters: Key | None) -> str:
    for link in links:
        if link.file is file:
            return (
                f"refers to {link.key.file.name} by {link.column.name}, but has no id of a "
                "character: add it, to use the file"
            )
    for link in links:
        if link.key.file is file:
            return (
                f"is referred to by {link.file.name}, column {link.column.name}: join its columns "
                "into that file, to use them"
            )
    name = characters.column.name if characters else "the id of a character"
    return f"has no column that shares its values with {name}"
