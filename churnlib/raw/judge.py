"""The judge of raw rows: tells good ones from faulty ones, over all buckets of a table."""

from collections.abc import Mapping
from datetime import date

import polars as pl

from churnlib.errors import DataError
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.raw.availability import known_by
from churnlib.raw.messages import Fault, complaint, find_faults, rules_in
from churnlib.raw.read import ROW
from churnlib.schemas.tables import (
    MARKS,
    RAW_SCHEMAS,
    REFERENCES,
    checked_columns,
    raw_columns,
    with_ids,
)
from churnlib.settings import RawSettings


class Judge:
    """Tells good rows of a raw table from faulty ones, and keeps account over all of its buckets.

    Attributes:
        table: Which raw table it is.
        settings: What to do with rows that break a rule, and which categories are closed.
    """

    def __init__(self, table: str, settings: RawSettings, as_of: date | None = None) -> None:
        """Opens the account.

        Args:
            table: Which raw table it is.
            settings: What to do with rows that break a rule, and which categories are closed.
            as_of: See `churnlib.raw.validate.check_table`.
        """
        self.table, self.settings = table, settings
        self._as_of = as_of
        self._schema = with_ids(RAW_SCHEMAS[table], settings.id_type)
        self._ragged: Mapping[int, int] = {}
        self._total = self._bad = 0
        self._faults: dict[tuple[str, str], Fault] = {}
        self._marks: list[pl.DataFrame] = []

    @property
    def found_faults(self) -> bool:
        """Whether a row broke a rule so far."""
        return self._bad > 0

    def marked(self, rows: pl.LazyFrame, ragged: Mapping[int, int]) -> pl.LazyFrame:
        """Marks values that are not on a closed list.

        Args:
            rows: As `churnlib.raw.read.typed` gives them.
            ragged: By `source_row`, how many fields a line has, where not as many as the header.
        """
        self._ragged = ragged
        closed = self.settings.categories
        marks = [
            pl.when(pl.col(column).is_not_null() & ~pl.col(column).is_in(values)).then(
                pl.lit(column)
            )
            for column, values in closed.items()
            if column in raw_columns(self.table)
        ]
        unknown = pl.concat_str(marks, separator=",", ignore_nulls=True) if marks else pl.lit("")
        marked = rows.with_columns(unknown_category=pl.when(unknown != "").then(unknown))
        return marked if self.table in REFERENCES else marked.with_columns(orphan=pl.lit(False))

    def good(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Gives the rows back that break no rule, and takes note of the others.

        Args:
            rows: Rows with all marks, all of a key together.

        Returns:
            The good ones, with the columns of a checked table.
        """
        known = pl.lit(True)
        if self._as_of is not None:
            known = known_by(self.table, self._as_of).fill_null(True)
        judged = rows.filter(known)
        good, failures = self._schema.filter(judged)
        self._total += len(judged)
        if len(failures):
            self._note(failures.details())
        later, _ = self._schema.filter(rows.filter(~known))
        later = later.join(good, on=self._schema.primary_key(), how="anti")
        kept = pl.concat([good.select(ROW), later.select(ROW)])
        return rows.join(kept, on=ROW, how="semi").select(checked_columns(self.table))

    def _note(self, details: pl.DataFrame) -> None:
        self._bad += len(details)
        for fault in find_faults(details, self.table, self._ragged, self.settings.id_type):
            key = (fault.columns, fault.rule)
            self._faults[key] = self._faults[key] + fault if key in self._faults else fault
        if self.settings.on_bad_rows == "quarantine":
            broken = [pl.when(pl.col(r) == "invalid").then(pl.lit(r)) for r in rules_in(details)]
            rules = pl.concat_str(broken, separator=",", ignore_nulls=True)
            self._marks.append(details.select(*MARKS, broken_rules=rules))

    def refuse(self, source: Dataset | DatasetRef, raw: pl.LazyFrame) -> None:
        """Refuses the table if rows broke rules and may not be set apart.

        Args:
            source: The file.
            raw: Its rows as they lie there.

        Raises:
            DataError: Names file, columns, rules, how many rows and the first of them.
        """
        allowed = self.settings.max_bad_share * self._total
        if self._bad and (self.settings.on_bad_rows == "fail" or self._bad > allowed):
            counts, faults = (self._bad, self._total), self._faults.values()
            raise DataError(complaint(source, raw, faults, self._ragged, counts, self.settings))

    def rejected(self, raw: pl.LazyFrame) -> pl.DataFrame:
        """The rows that were set apart, in the order of the file.

        Args:
            raw: The file's rows as they lie there.

        Returns:
            The values as they lie there, the marks of the reader, and `broken_rules`.
        """
        columns = raw.select(ROW, *raw_columns(self.table))
        if not self._marks:
            types = {name: self._schema.columns()[name].dtype for name in MARKS}
            marks = pl.DataFrame(schema={**types, "broken_rules": pl.String})
            return columns.clear().join(marks.lazy(), on=ROW).collect()
        marks = pl.concat(self._marks)
        return columns.join(marks.lazy(), on=ROW).sort(ROW).collect(engine="streaming")
