"""What is said of faulty raw rows: by rule, how many and the first of them."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.raw.read import ROW, row_word
from churnlib.schemas.tables import (
    ID_COLUMNS,
    PARENTS,
    RAW_SCHEMAS,
    REFERENCES,
    raw_columns,
    with_ids,
)
from churnlib.settings import IdType, RawSettings
from churnlib.uris import name_of

SHOWN = 3
"""How many faulty rows an error shows for each rule."""


@dataclass(frozen=True)
class Fault:
    """A broken rule.

    Attributes:
        columns: What it is about.
        rule: What is wrong.
        count: How many rows break it.
        first: The `source_row` of the first of them.
        shows_value: Whether an error shows their values.
    """

    columns: str
    rule: str
    count: int
    first: tuple[int, ...]
    shows_value: bool = False

    def __add__(self, other: "Fault") -> "Fault":
        """The same fault, met in other rows besides."""
        first = tuple(sorted((*self.first, *other.first))[:SHOWN])
        return replace(self, count=self.count + other.count, first=first)


def rules_in(details: pl.DataFrame) -> list[str]:
    """The rules that rows were held against, as dataframely names them."""
    verdicts = pl.Enum(["valid", "invalid", "unknown"])
    return [name for name, dtype in details.schema.items() if dtype == verdicts]


def find_faults(
    details: pl.DataFrame, table: str, ragged: Collection[int], id_type: IdType
) -> Iterator[Fault]:
    """Takes faulty rows apart by rule, each with the columns that it is about.

    Args:
        details: The faulty rows, with a verdict by rule.
        table: Which raw table it is.
        ragged: The `source_row` of lines that have more or fewer fields than the header.
        id_type: What ids are.

    Yields:
        Every fault that there can be, those that no row shows included, always in one order.
    """
    key = RAW_SCHEMAS[table].primary_key()
    is_ragged = pl.col(ROW).is_in(sorted(ragged))
    if ragged:
        rule = "are more or fewer than in the header"
        yield _fault("fields", rule, details.filter(is_ragged), shows=True)
        details = details.filter(~is_ragged)
    for column in raw_columns(table):
        dtype = with_ids(RAW_SCHEMAS[table], id_type).columns()[column].dtype
        unparsable = details.filter(_names(pl.col("unparsable"), column))
        yield _fault(column, f"is {_TYPE_WORDS[dtype]}", unparsable, shows=True)
        unknown = details.filter(_names(pl.col("unknown_category"), column))
        yield _fault(column, "is not on the list raw.categories", unknown, shows=True)
    for rule in rules_in(details):
        broken = details.filter(pl.col(rule) == "invalid")
        column, _, kind = rule.rpartition("|")
        if kind == "nullability" and column:
            # A value that could not be read is null by now; it has been named already.
            yield _fault(column, "is empty", broken.filter(~_names(pl.col("unparsable"), column)))
        elif kind == "resolution":
            yield _fault(column, "is not the first day of a month", broken, shows=True)
        elif rule == "primary_key":
            # Keys that are empty or could not be read have been named already.
            known = broken.filter(pl.all_horizontal(pl.col(key).is_not_null()))
            yield _fault(", ".join(key), "stands there twice", known, shows=True)
        elif rule == "reference_known" and table in REFERENCES:
            yield _fault(REFERENCES[table], f"is not in {PARENTS[table]}", broken, shows=True)
        elif rule == "run_ends_after_it_starts":
            yield _fault("end_date", "lies before start_date", broken, shows=True)


def _fault(columns: str, rule: str, rows: pl.DataFrame, *, shows: bool = False) -> Fault:
    first = tuple(rows[ROW].bottom_k(SHOWN).sort())
    return Fault(columns, rule, len(rows), first, shows)


_TYPE_WORDS = {
    pl.Date(): "no day as in 2024-12-31",
    pl.Float64(): "no number",
    pl.Int64(): "no whole number",
    pl.Int32(): "no whole number",
    pl.String(): "no text",
}


def _names(marks: pl.Expr, column: str) -> pl.Expr:
    return marks.str.split(",").list.contains(column).fill_null(False)


def complaint(
    source: Dataset | DatasetRef,
    raw: pl.LazyFrame,
    faults: Iterable[Fault],
    ragged: Mapping[int, int],
    counts: tuple[int, int],
    settings: RawSettings,
) -> str:
    """Words the error with which a raw table is refused.

    Args:
        source: The file.
        raw: Its rows as they lie there.
        faults: What is wrong.
        ragged: By `source_row`, how many fields a line has, where not as many as the header.
        counts: How many rows are faulty, of how many.
        settings: What they say of faulty rows.
    """
    met = [fault for fault in faults if fault.count]
    shown = sorted({row for fault in met for row in fault.first})
    lines = raw.filter(pl.col(ROW).is_in(shown)).collect(engine="streaming")
    values = {
        row[ROW]: {**row, "fields": ragged.get(row[ROW])} for row in lines.iter_rows(named=True)
    }
    listed = "\n".join(f"  {_line(fault, values, row_word(source))}" for fault in met)
    if settings.on_bad_rows == "fail":
        advice = 'Mend the file, or set raw.on_bad_rows = "quarantine" to set such rows apart.'
    else:
        advice = (
            f"That is more than raw.max_bad_share = {settings.max_bad_share:g} allows to be set "
            "apart. Mend the file, or raise the share."
        )
    if any(f.columns in ID_COLUMNS and f.rule == f"is {_TYPE_WORDS[pl.Int64()]}" for f in met):
        advice += ' Where ids are text, set raw.id_type = "text".'
    bad, total = counts
    return (
        f"{source.game}: {name_of(source.uri)}: {bad:,} of {total:,} rows break a rule:\n"
        f"{listed}\nNothing was built from it, and earlier outputs stay. {advice}"
    )


def _line(fault: Fault, values: Mapping[int, Mapping[str, Any]], word: str) -> str:
    columns = fault.columns.split(", ")
    examples = [
        f"{word} {n}"
        + (f": {', '.join(str(values[n][c]) for c in columns)}" if fault.shows_value else "")
        for n in fault.first
    ]
    more = "; ..." if fault.count > SHOWN else ""
    plural = "s" if fault.count > 1 else ""
    found = f"{'; '.join(examples)}{more}"
    return f"{fault.columns} {fault.rule}: {fault.count:,} row{plural} ({found})"
