"""Histories and events: which of them a file of what characters did is."""

import polars as pl

from churnlib.proposal.columns import Column, File
from churnlib.proposal.links import Link
from churnlib.proposal.tables import Table, why_no_day
from churnlib.proposal.words import hints

JUDGED = 500
"""Characters by whose rows a history is judged."""
REGULAR_SHARE = 0.7
"""The share of the days between rows of a character that are as many in a regular history."""


def find_activity(file: File, link: Link | None) -> Table | str:
    """A history or a table of events; or why it is none, if that is known."""
    if link is None:
        return ""
    if not (times := _times(file)):
        return f"has {link.column.name}, but no column has a day in every row.{why_no_day(file)}"
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
