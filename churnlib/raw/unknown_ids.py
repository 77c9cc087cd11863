"""Rows that refer to nothing known: how many are too many, and what may be the cause."""

from collections.abc import Callable
from datetime import date

import polars as pl

from churnlib.errors import DataError
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.raw.batches import batches_of
from churnlib.raw.quality_warnings import ByDay, count_known
from churnlib.schemas.spec import Parent, TableSpec
from churnlib.settings import RawSettings
from churnlib.shown import one_line

SAMPLE = 1000
"""The number of unknown ids to look for in another form."""
SHOWN = 3
WHOLE = r"^0*(\d+)(?:\.0+)?$"
"""The text of a whole number, also with leading zeros, or as 1.0."""


def _as_number(ids: pl.Expr) -> pl.Expr:
    return ids.str.extract(WHOLE)


def _without_zeros(ids: pl.Expr) -> pl.Expr:
    return ids.str.strip_chars_start("0").str.replace(r"\.0+$", "")


def _without_case(ids: pl.Expr) -> pl.Expr:
    return ids.str.to_lowercase().str.replace_all(r"[-{}]", "")


FORMS: tuple[tuple[Callable[[pl.Expr], pl.Expr], str], ...] = (
    (
        _as_number,
        'The ids match as whole numbers, as 1, 000001 and 1.0 do: set raw.id_type = "integer".',
    ),
    (
        _without_case,
        "The ids match without regard to case, hyphens and braces: write them alike in all tables.",
    ),
    (
        _without_zeros,
        "The ids match without leading zeros and a final .0: write them alike in all tables.",
    ),
)
"""Other forms of text ids, and what to do if ids match in one of them."""


def advice(unknown: pl.Series, known: pl.LazyFrame) -> str:
    """What to do if unknown ids are known in another form; empty if they are not.

    Args:
        unknown: Ids that are not known.
        known: A table with the known ids, in a column of the same name.
    """
    ids, column = unknown.drop_nulls().unique().head(SAMPLE), pl.col(unknown.name)
    if ids.dtype != pl.String or ids.is_empty():
        return ""
    for form, text in FORMS:
        wanted = ids.to_frame().select(form(column)).drop_nulls()
        found = known.select(form(column)).join(wanted.lazy(), on=unknown.name, how="semi")
        if found.unique().collect(engine="streaming").height * 2 > len(ids):
            return text
    return ""


def check_any_known(parent: pl.LazyFrame, refers: Parent, what: str) -> None:
    """Refuses rows that refer to a table without rows, and names that table as the cause.

    Args:
        parent: The checked table that is referred to.
        refers: The reference.
        what: The rows that refer to it, for the message, with the game.

    Raises:
        DataError: It has no rows.
    """
    if parent.select(pl.len()).head(1).collect().item() == 0:
        raise DataError(
            f"{what} refer to {refers.table}, which has no rows: its file has only a header, or "
            f"all its rows are quarantined. Put the whole {refers.table} there. Earlier outputs "
            "are kept."
        )


def check_share_known(
    table: Dataset | DatasetRef,
    rows: tuple[pl.LazyFrame, pl.LazyFrame],
    spec: TableSpec,
    by_day: ByDay,
    settings: RawSettings,
    as_of: date,
) -> None:
    """Refuses a history of which too many rows belong to no known character.

    Args:
        table: The history.
        rows: Its rows, and those of the characters.
        spec: Its record.
        by_day: The number of its rows, and of those that belong to no known character.
        settings: The share that is allowed.
        as_of: The day on which they count.

    Raises:
        DataError: Names the table, the rows and ids, and what to do.
    """
    refers = spec.parent
    assert refers is not None and refers.unknown is not None
    total, odd = count_known(by_day, as_of)
    unknown = odd.get(refers.unknown, 0)
    if unknown <= settings.max_unknown_share * total:
        return
    what = f"{table.game}: {table.name}: {unknown:,} of {total:,} rows"
    checked, parent = rows
    check_any_known(parent, refers, what)
    ids = _unknown_ids(checked, parent, refers.column)
    shown = ", ".join(one_line(str(unknown_id)) for unknown_id in ids.head(SHOWN))
    hint = advice(ids, parent) or f"Check that {refers.column} means the same in both tables."
    raise DataError(
        f"{what} belong to no known character, such as {refers.column} {shown}; "
        f"more than raw.max_unknown_share = {settings.max_unknown_share:g} allows. {hint} "
        "Earlier outputs are kept."
    )


def _unknown_ids(checked: pl.LazyFrame, parent: pl.LazyFrame, column: str) -> pl.Series:
    """The first ids that are not known."""
    others = checked.select(column).unique(maintain_order=True)
    unknown = others.join(parent.select(column), on=column, how="anti", maintain_order="left")
    first = next(batches_of(unknown.head(SAMPLE)), None)
    return pl.Series(column, []) if first is None else first[column]
