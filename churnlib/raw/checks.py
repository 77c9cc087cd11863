"""The checks of the raw tables: structural faults stop the run, or such rows are set apart."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from churnlib.datasets import Dataset, DatasetRef
from churnlib.errors import DataError
from churnlib.raw.known import known_by
from churnlib.raw.lines import Lines, look_at_lines
from churnlib.raw.reading import ROW, by_line, is_csv, row_word, scan_raw, typed, unreadable
from churnlib.schemas import ID_COLUMNS, MARKS, RAW_SCHEMAS, raw_columns, with_ids
from churnlib.settings import IdType, RawSettings
from churnlib.uris import name_of

SHOWN = 3
"""How many faulty rows an error shows for each rule."""

REFERENCES = {
    "sub_data": "char_id",
    "sub_miss": "sub_id",
}
"""The column of a table that must be known in its parent table."""
PARENTS = {"sub_data": "character_data", "sub_miss": "sub_data"}
"""The tables that other tables refer to."""


@dataclass(frozen=True)
class CheckedTable:
    """A raw table after its checks.

    Attributes:
        rows: The rows that break no rule, typed, in the order of the key.
        rejected: The rows that do, as they lie in the file, with the marks of the reader and the
            rules that they break.
    """

    rows: pl.DataFrame
    rejected: pl.DataFrame


@dataclass(frozen=True)
class Fault:
    """A broken rule: the columns, what is wrong, and the rows that break it."""

    columns: str
    rule: str
    rows: pl.DataFrame
    shows_value: bool = False


def check_table(
    source: Dataset | DatasetRef,
    table: str,
    settings: RawSettings,
    *,
    parent: pl.LazyFrame | None = None,
    as_of: date | None = None,
) -> CheckedTable:
    """Reads a raw table whole and holds every row against the rules of its schema.

    Args:
        source: The file.
        table: Which raw table it is.
        settings: What to do with rows that break a rule, and which categories are closed.
        parent: The checked table that it refers to: characters for subscriptions, subscriptions
            for misses. Null where references are not to be checked.
        as_of: Judge only what was known on this day. A later row is kept where it breaks no rule,
            else left out without a word; it never makes an earlier one faulty. All rows if null.

    Raises:
        DataError: A column is missing, the file cannot be read, or rows break rules and may not be
            set apart; names file, columns, rules, how many rows and the first of them.
    """
    schema = with_ids(RAW_SCHEMAS[table], settings.id_type)
    raw = scan_raw(source, table)
    try:
        lines = look_at_lines(source.uri) if is_csv(source) else Lines()
        raw, ragged = by_line(raw, lines), lines.ragged
        marked = _marked(
            typed(raw, table, ragged, settings.id_type), table, settings, parent
        ).collect()
    except (pl.exceptions.PolarsError, csv.Error) as error:
        raise unreadable(source, error) from None
    known = pl.lit(True) if as_of is None else known_by(table, as_of).fill_null(True)
    judged = marked.filter(known)
    good, failures = schema.filter(judged)
    if len(failures):
        faults = list(_faults(failures.details(), table, ragged, settings.id_type))
        if ragged:
            raw = raw.with_columns(fields=pl.col(ROW).replace_strict(ragged, default=None))
        if settings.on_bad_rows == "fail" or len(failures) > settings.max_bad_share * len(judged):
            raise DataError(_complaint(source, raw, faults, len(failures), len(judged), settings))
    later, _ = schema.filter(marked.filter(~known))
    key = RAW_SCHEMAS[table].primary_key()
    rows = pl.concat([good, later.join(good, on=key, how="anti")]).sort(key)
    rejected = _rejected(raw.select(ROW, *raw_columns(table)), failures.details())
    return CheckedTable(rows.select(raw_columns(table)), rejected)


def _marked(
    frame: pl.LazyFrame, table: str, settings: RawSettings, parent: pl.LazyFrame | None
) -> pl.LazyFrame:
    closed = {c: v for c, v in settings.categories.items() if c in raw_columns(table)}
    marks = [
        pl.when(pl.col(column).is_not_null() & ~pl.col(column).is_in(values)).then(pl.lit(column))
        for column, values in closed.items()
    ]
    unknown = pl.concat_str(marks, separator=",", ignore_nulls=True) if marks else pl.lit("")
    frame = frame.with_columns(unknown_category=pl.when(unknown != "").then(unknown))
    key = REFERENCES.get(table)
    if parent is None or key is None:
        return frame.with_columns(orphan=pl.lit(False))
    known = parent.select(key).unique().with_columns(_known=True)
    return (
        frame.join(known, on=key, how="left", maintain_order="left")
        .with_columns(orphan=pl.col("_known").is_null() & pl.col(key).is_not_null())
        .drop("_known")
    )


def _faults(
    details: pl.DataFrame, table: str, ragged: Mapping[int, int], id_type: IdType
) -> Iterator[Fault]:
    """Takes the faulty rows apart by rule, each with the columns that it is about."""
    rules = _rules(details)
    key = RAW_SCHEMAS[table].primary_key()
    if ragged:
        is_ragged = pl.col(ROW).is_in(sorted(ragged))
        cut = details.filter(is_ragged)
        yield Fault("fields", "are more or fewer than in the header", cut, shows_value=True)
        details = details.filter(~is_ragged)
    for column in raw_columns(table):
        dtype = with_ids(RAW_SCHEMAS[table], id_type).columns()[column].dtype
        unparsable = details.filter(_names(pl.col("unparsable"), column))
        yield Fault(column, f"is {_TYPE_WORDS[dtype]}", unparsable, shows_value=True)
        unknown = details.filter(_names(pl.col("unknown_category"), column))
        yield Fault(column, "is not on the list raw.categories", unknown, shows_value=True)
    for rule in rules:
        broken = details.filter(pl.col(rule) == "invalid")
        column, _, kind = rule.rpartition("|")
        if kind == "nullability" and column:
            # A value that could not be read is null by now; it has been named already.
            yield Fault(column, "is empty", broken.filter(~_names(pl.col("unparsable"), column)))
        elif kind == "resolution":
            yield Fault(column, "is not the first day of a month", broken, shows_value=True)
        elif rule == "primary_key":
            # Keys that are empty or could not be read have been named already.
            known = pl.all_horizontal(pl.col(key).is_not_null())
            yield Fault(", ".join(key), "stands there twice", broken.filter(known), True)
        elif rule == "reference_known" and table in REFERENCES:
            yield Fault(REFERENCES[table], f"is not in {PARENTS[table]}", broken, shows_value=True)
        elif rule == "run_ends_after_it_starts":
            yield Fault("end_date", "lies before start_date", broken, shows_value=True)


_TYPE_WORDS = {
    pl.Date(): "no day as in 2024-12-31",
    pl.Float64(): "no number",
    pl.Int64(): "no whole number",
    pl.Int32(): "no whole number",
    pl.String(): "no text",
}


def _names(marks: pl.Expr, column: str) -> pl.Expr:
    return marks.str.split(",").list.contains(column).fill_null(False)


def _complaint(
    source: Dataset | DatasetRef,
    raw: pl.LazyFrame,
    faults: list[Fault],
    bad: int,
    total: int,
    settings: RawSettings,
) -> str:
    met = [fault for fault in faults if len(fault.rows)]
    shown = {n for fault in met for n in fault.rows[ROW].sort().head(SHOWN)}
    lines = raw.filter(pl.col(ROW).is_in(sorted(shown))).collect()
    values = {row[ROW]: row for row in lines.iter_rows(named=True)}
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
    return (
        f"{source.game}: {name_of(source.uri)}: {bad:,} of {total:,} rows break a rule:\n"
        f"{listed}\nNothing was built from it, and earlier outputs stay. {advice}"
    )


def _line(fault: Fault, values: dict[int, dict[str, object]], word: str) -> str:
    first = fault.rows[ROW].sort().head(SHOWN).to_list()
    columns = fault.columns.split(", ")
    examples = [
        f"{word} {n}"
        + (f": {', '.join(str(values[n][c]) for c in columns)}" if fault.shows_value else "")
        for n in first
    ]
    more = "; ..." if len(fault.rows) > SHOWN else ""
    plural = "s" if len(fault.rows) > 1 else ""
    found = f"{'; '.join(examples)}{more}"
    return f"{fault.columns} {fault.rule}: {len(fault.rows):,} row{plural} ({found})"


def _rules(details: pl.DataFrame) -> list[str]:
    verdicts = pl.Enum(["valid", "invalid", "unknown"])
    return [name for name, dtype in details.schema.items() if dtype == verdicts]


def _rejected(raw: pl.LazyFrame, details: pl.DataFrame) -> pl.DataFrame:
    broken = [pl.when(pl.col(r) == "invalid").then(pl.lit(r)) for r in _rules(details)]
    rules = pl.concat_str(broken, separator=",", ignore_nulls=True)
    marks = details.select(*MARKS, broken_rules=rules)
    if marks.is_empty():
        raw = raw.clear()
    return raw.join(marks.lazy(), on=ROW, maintain_order="left").collect()
