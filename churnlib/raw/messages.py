"""The error message for faulty raw rows: the broken rules, counts and first rows."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.raw.parse import REFERENCE_RULE, ROW, TYPE_RULE, Parsed, Referenced
from churnlib.raw.parts import is_csv, table_name
from churnlib.raw.read import PART, PART_ROW, Ragged
from churnlib.raw.times import days_since_1970, has_year
from churnlib.raw.value_hints import value_hint, value_rule
from churnlib.schemas.rule_texts import RuleText, rule_text
from churnlib.schemas.spec import TableSpec
from churnlib.settings import RawSettings
from churnlib.shown import one_line

SHOWN = 3
"""Number of faulty rows to show for each rule."""
LONGEST = 80
"""Characters of a value that are shown."""
FIELDS = "fields"
"""The number of fields in a line, as if it were a column."""
COMMAS = (
    "A comma in a value begins another field: put text with commas in quotes, and write numbers as "
    "1234.5, not as 1,234.5 or 1234,5."
)
"""What may help if lines have more fields than the header."""
TEXT_IDS = 'If ids are text, set raw.id_type = "text".'


@dataclass(frozen=True)
class Fault:
    """A broken rule.

    Attributes:
        rule: The rule in words.
        count: The number of rows that break it.
        first: The `source_row` of the first of them.
        advice: What may help, other than repairing the file.
        is_of_type: Whether it is that a value is not of its column's type.
    """

    rule: RuleText
    count: int
    first: tuple[int, ...]
    advice: str = ""
    is_of_type: bool = False

    def __add__(self, other: "Fault") -> "Fault":
        """Adds up a fault in different rows."""
        first = tuple(sorted((*self.first, *other.first))[:SHOWN])
        return replace(self, count=self.count + other.count, first=first)


def rules_in(details: pl.DataFrame) -> list[str]:
    """The rules that rows were checked against, as dataframely names them."""
    verdicts = pl.Enum(["valid", "invalid", "unknown"])
    return [name for name, dtype in details.schema.items() if dtype == verdicts]


def find_faults(details: pl.DataFrame, spec: TableSpec, ragged: Collection[int]) -> Iterator[Fault]:
    """Counts faulty rows by rule.

    Args:
        details: The faulty rows, with the result of each rule.
        spec: The raw table's record.
        ragged: The `source_row` of lines that have more or fewer fields than the header.

    Yields:
        Every rule, even if no row breaks it, always in the same order.
    """
    is_ragged = pl.col(ROW).is_in(sorted(ragged))
    if ragged:
        text = RuleText((FIELDS,), "every line must have as many fields as the header")
        yield _fault(text, details.filter(is_ragged))
        details = details.filter(~is_ragged)
    for column, dtype in spec.types.items():
        text = RuleText((column,), f"{column} {value_rule(column, spec)}")
        fault = _fault(text, details.filter(_is_unparsable(column)))
        is_id = column in spec.of_kind("id") and dtype.is_integer()
        yield replace(fault, advice=TEXT_IDS if is_id else "", is_of_type=True)
    marks = {*Parsed.column_names(), *Referenced.column_names()}
    for rule in rules_in(details):
        column, _, kind = rule.rpartition("|")
        if rule == TYPE_RULE or column in marks:
            continue  # Named above, or never broken.
        broken = details.filter(pl.col(rule) == "invalid")
        if kind == "nullability":  # A value that could not be parsed is null here.
            broken = broken.filter(~_is_unparsable(column))
        if rule == "primary_key":  # So is one in a key.
            broken = broken.filter(pl.all_horizontal(pl.col(spec.key).is_not_null()))
        yield _fault(_text(spec, rule), broken)


def _text(spec: TableSpec, rule: str) -> RuleText:
    if rule != REFERENCE_RULE:
        return rule_text(spec, rule)
    if spec.parent is None:
        return RuleText((), rule)
    return RuleText((spec.parent.column,), f"{spec.parent.column} must be in {spec.parent.table}")


def _fault(text: RuleText, rows: pl.DataFrame) -> Fault:
    return Fault(text, len(rows), tuple(rows[ROW].bottom_k(SHOWN).sort()))


def _is_unparsable(column: str) -> pl.Expr:
    return pl.col("unparsable").str.split(",").list.contains(column).fill_null(False)


def refusal_message(
    source: Dataset | DatasetRef,
    raw: pl.LazyFrame,
    faults: Iterable[Fault],
    ragged: Ragged,
    counts: tuple[int, int],
    settings: RawSettings,
    spec: TableSpec,
) -> str:
    """The error message for a raw table that is refused.

    Args:
        source: The file.
        raw: Its rows as in the file.
        faults: The broken rules.
        ragged: The lines with more or fewer fields than the header.
        counts: The number of faulty rows, and of all rows.
        settings: The treatment of faulty rows.
        spec: The raw table's record.
    """
    broken = [fault for fault in faults if fault.count]
    shown = sorted({row for fault in broken for row in fault.first})
    lines = raw.filter(pl.col(ROW).is_in(shown)).collect(engine="streaming")
    # As text, because Python has no dates before the year 1 and after 9999.
    texts = (
        _time_text(pl.col(name), dtype)
        for name, dtype in lines.schema.items()
        if dtype == pl.Date or isinstance(dtype, pl.Datetime)
    )
    lines = lines.with_columns(*texts)
    values = {
        row[ROW]: {**row, FIELDS: ragged.fields.get(row[ROW])}
        for row in lines.iter_rows(named=True)
    }
    word = "line" if is_csv(source) else "row"
    places = {row: _place(cells, word) for row, cells in values.items()}
    lines_of = (f"  {_line(fault, values, places)}{_renamed(fault, spec)}" for fault in broken)
    listed = "\n".join(lines_of)
    if settings.on_bad_rows == "fail":
        advice = 'Fix the file, or set raw.on_bad_rows = "quarantine" to leave such rows out.'
    else:
        advice = (
            f"That is more than raw.max_bad_share = {settings.max_bad_share:g} allows to be left "
            "out. Fix the file, or raise the share."
        )
    hints = (*(f.advice for f in broken), *_value_hints(broken, values, spec))
    if ragged.has_longer:
        hints = (*hints, COMMAS)
    advice = " ".join((advice, *dict.fromkeys(filter(None, hints))))
    bad, total = counts
    return (
        f"{source.game}: {table_name(source)}: {bad:,} of {total:,} rows break a rule:\n"
        f"{listed}\nNothing was built from it, and earlier outputs are kept. {advice}"
    )


def _time_text(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Days or times as text; those that Polars cannot write as their distance from 1970."""
    known = pl.when(has_year(value, dtype)).then(value)
    form = "%Y-%m-%d" if dtype == pl.Date else "%Y-%m-%d %H:%M:%S%.f"
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        form = f"{form} {dtype.time_zone}"
    far = pl.format("{} days after 1970-01-01", days_since_1970(value, dtype))
    return pl.coalesce(known.dt.to_string(form), far)


def _value_hints(
    faults: Iterable[Fault], values: Mapping[int, Mapping[str, Any]], spec: TableSpec
) -> Iterator[str]:
    """What the values seem to mean that are not of their type, once for each column."""
    for fault in faults:
        if fault.is_of_type:
            (column,) = fault.rule.columns
            hints = (value_hint(str(values[row][column]), column, spec) for row in fault.first)
            yield next(filter(None, hints), "")


def _place(cells: Mapping[str, Any], word: str) -> str:
    """Where a row is."""
    if PART not in cells:
        return f"{word} {cells[ROW]}"
    return f"{word} {cells[PART_ROW]} of {cells[PART]}"


def _line(fault: Fault, values: Mapping[int, Mapping[str, Any]], places: Mapping[int, str]) -> str:
    examples = [f"{places[row]}{_values(fault.rule, values[row])}" for row in fault.first]
    more = "; ..." if fault.count > SHOWN else ""
    rows = f"{fault.count:,} row{'s' if fault.count > 1 else ''}"
    return f"{fault.rule.text}: {rows} ({'; '.join(examples)}{more})"


def _renamed(fault: Fault, spec: TableSpec) -> str:
    """The names in the file of columns that are renamed."""
    names = {name: spec.reading.in_file(name) for name in fault.rule.columns}
    renamed = [
        f"{ours} is {one_line(name)} in the file" for ours, name in names.items() if ours != name
    ]
    return f"; {', '.join(renamed)}" if renamed else ""


def _values(rule: RuleText, row: Mapping[str, Any]) -> str:
    if not rule.shows_values or not rule.columns:
        return ""
    if len(rule.columns) == 1:
        return f": {_shown(row[rule.columns[0]])}"
    return ": " + ", ".join(f"{column} {_shown(row[column])}" for column in rule.columns)


def _shown(value: Any) -> str:
    """A value on one line, cut if it is long."""
    text = one_line(str(value))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
