"""The check of raw rows against the rules of their table, over all parts of it."""

from datetime import date

import dataframely as dy
import polars as pl

from churnlib.errors import DataError
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.raw.availability import known_by
from churnlib.raw.copies import Copies
from churnlib.raw.messages import Fault, find_faults, refusal_message, rules_in
from churnlib.raw.parse import ROW, Parsed, Referenced
from churnlib.raw.parts import table_name
from churnlib.raw.read import PART, PART_ROW, Ragged
from churnlib.raw.unknown_ids import SAMPLE, advice, check_any_known
from churnlib.schemas.rule_texts import RuleText
from churnlib.schemas.spec import TableSpec
from churnlib.settings import RawSettings


class FirstFaultError(Exception):
    """A row breaks a rule, and which others do is not asked."""


class Validator:
    """Separates the rows of a raw table that break a rule from the others, and counts them.

    Attributes:
        spec: The raw table's record.
        settings: What to do with rows that break a rule.
        copies: The exact copies that were left out.
    """

    def __init__(
        self,
        spec: TableSpec,
        settings: RawSettings,
        as_of: date | None = None,
        *,
        stops: bool = False,
    ) -> None:
        """Starts with no rows.

        Args:
            spec: The raw table's record.
            settings: What to do with rows that break a rule.
            as_of: See `churnlib.raw.validate.check_table`.
            stops: Whether to raise `FirstFaultError` at the first row that breaks a rule.
        """
        self.spec, self.settings = spec, settings
        self._as_of, self._stops = as_of, stops
        self._schema: type[dy.Schema] = type(spec.name, (spec.schema, Parsed, Referenced), {})
        self._ragged = Ragged()
        self._total = self._bad = 0
        self._faults: dict[RuleText, Fault] = {}
        self._marks: list[pl.DataFrame] = []
        self._orphans: list[pl.Series] = []
        self.copies = Copies(spec)

    @property
    def has_faults(self) -> bool:
        """Whether a row broke a rule so far."""
        return self._bad > 0

    @property
    def bad_rows(self) -> int:
        """The number of rows that broke a rule so far."""
        return self._bad

    def note_ragged(self, ragged: Ragged) -> None:
        """Records the lines that have more or fewer fields than the header."""
        self._ragged = ragged

    def good_rows(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns the rows that break no rule, and records the others.

        Args:
            rows: Rows as `churnlib.raw.parse.typed` returns them, all of a key together.

        Returns:
            The rows without a fault, with the columns of the checked table. A row that was not yet
            known on the day is left out if it has a fault or the key of an earlier row.
        """
        if "orphan" not in rows.columns:
            rows = rows.with_columns(orphan=pl.lit(False))
        known = pl.lit(True)
        if self._as_of is not None:
            known = known_by(self.spec, self._as_of).fill_null(True)
        judged, later = rows.filter(known), rows.filter(~known)
        self._total += len(judged)
        good, failures = self._schema.filter(self.copies.leave_out(judged, self.spec.identity))
        if len(failures) and self._stops:
            raise FirstFaultError
        if len(failures):
            self._note(failures.details())
        faultless, _ = self._schema.filter(self.copies.leave_out(later, self.spec.identity))
        others = faultless.join(good, on=self.spec.key, how="anti") if self.spec.key else faultless
        kept = pl.concat([good.select(ROW), others.select(ROW)])
        return rows.join(kept, on=ROW, how="semi").select(*self.spec.checked_types)

    @property
    def orphans(self) -> pl.Series | None:
        """The first keys that rows refer to and that are unknown; None if there are none."""
        return pl.concat(self._orphans) if self._orphans else None

    def _note(self, details: pl.DataFrame) -> None:
        self._bad += len(details)
        if self.spec.parent and sum(map(len, self._orphans)) < SAMPLE:
            orphans = details.filter("orphan")[self.spec.parent.column].head(SAMPLE)
            self._orphans += [orphans] if len(orphans) else []
        for fault in find_faults(details, self.spec, self._ragged.fields):
            known = self._faults.get(fault.rule)
            self._faults[fault.rule] = known + fault if known else fault
        if self.settings.on_bad_rows == "quarantine":
            broken = [pl.when(pl.col(r) == "invalid").then(pl.lit(r)) for r in rules_in(details)]
            rules = pl.concat_str(broken, separator=",", ignore_nulls=True)
            self._marks.append(details.select(*_mark_types(), broken_rules=rules))

    def refuse(
        self, source: Dataset | DatasetRef, raw: pl.LazyFrame, parent: pl.LazyFrame | None
    ) -> None:
        """Refuses the table if rows broke rules and may not be quarantined.

        Args:
            source: The file.
            raw: Its rows as in the file.
            parent: The checked table that it refers to.

        Raises:
            DataError: Names file, columns, rules, and the number and first of the rows.
        """
        allowed = self.settings.max_bad_share * self._total
        if not self._bad or (self.settings.on_bad_rows != "fail" and self._bad <= allowed):
            return
        counts, faults = (self._bad, self._total), self._faults.values()
        hint = ""
        if self.spec.parent and parent is not None and self.orphans is not None:
            what = f"{source.game}: the rows of {table_name(source)}"
            check_any_known(parent, self.spec.parent, what)
            hint = advice(self.orphans, parent) or self._keeping()
        message = refusal_message(
            source, raw, faults, self._ragged, counts, self.settings, self.spec
        )
        raise DataError(f"{message} {hint}".rstrip())

    def _keeping(self) -> str:
        """How to keep rows that refer to nothing known, if that is possible."""
        if self.spec.kind != "subscriptions":
            return ""
        return 'Or keep them without the facts of their character: raw.unknown_parent = "keep".'

    def rejected(self, raw: pl.LazyFrame) -> pl.DataFrame:
        """The quarantined rows, in the order of the file.

        Args:
            raw: The rows as in the file.

        Returns:
            The values as in the file, the reader's columns, and `broken_rules`. For a folder of
            parts also `source_part`, and `source_row` counts the rows of that part.
        """
        in_parts = PART in raw.collect_schema()
        columns = raw.select(ROW, *self.spec.columns, *((PART, PART_ROW) if in_parts else ()))
        if not self._marks:
            marks = pl.DataFrame(schema={**_mark_types(), "broken_rules": pl.String()})
            return columns.clear().join(marks.lazy(), on=ROW).collect()
        marks = pl.concat(self._marks)
        rows = columns.join(marks.lazy(), on=ROW).sort(ROW).collect(engine="streaming")
        return rows.with_columns(pl.col(PART_ROW).alias(ROW)).drop(PART_ROW) if in_parts else rows


def _mark_types() -> dict[str, pl.DataType]:
    marks = {**Parsed.columns(), **Referenced.columns()}
    return {name: column.dtype for name, column in marks.items()}
