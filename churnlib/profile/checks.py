"""The checks of all raw tables of a game: a fault of one does not stop those of the others."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import polars as pl

from churnlib.errors import ChurnlibError, error_prefix
from churnlib.io import datasets
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import fact, optional_fact
from churnlib.raw.copies import COPIES
from churnlib.raw.external_sort import Workspace
from churnlib.raw.opening import undeclared_columns
from churnlib.raw.prepare import Prepared, prepare_clean, prepare_valid
from churnlib.raw.quality_warnings import (
    ROWS,
    ROWS_BY_DAY,
    SPELLINGS,
    ByDay,
    count_known,
    count_unknown_parents,
    undeclared_warning,
)
from churnlib.raw.read_clean import UncleanError
from churnlib.raw.spellings import Spellings, spelling_warnings
from churnlib.raw.unknown_ids import check_share_known
from churnlib.raw.validator import Validator
from churnlib.schemas.raw_tables import RawTables
from churnlib.schemas.spec import TableSpec
from churnlib.settings import Settings

MEMORY = 2**20 // 6
"""Bytes for the rows that are sorted at a time, for each MiB of `engine.memory_mib`."""


@dataclass(frozen=True)
class CheckedTable:
    """A raw table that could be read.

    Attributes:
        source: The file, folder or pattern.
        checked: The rows that break no rule, in a temporary folder.
        parent: The checked table that it refers to, if any.
        by_day: The number of rows, and of those with each data warning, by the day they became
            known.
        spellings: The categories that are written in several ways.
        bad_rows: The number of rows that break rules, on whatever day.
    """

    source: DatasetRef
    checked: DatasetRef
    parent: DatasetRef | None
    by_day: ByDay
    spellings: Spellings
    bad_rows: int

    @property
    def rows(self) -> pl.LazyFrame:
        """The rows that break no rule."""
        return datasets.scan(self.checked)

    def odd(self, day: date) -> dict[str, int]:
        """The number of rows with each data warning, of those that were known on a day."""
        return {**count_known(self.by_day, day)[1], **spelling_warnings(self.spellings, day)}


@dataclass(frozen=True)
class Checks:
    """The raw tables of a game after their checks.

    Attributes:
        tables: Those that could be read.
        unreadable: Why the others could not be.
    """

    tables: Mapping[str, CheckedTable]
    unreadable: Mapping[str, str]


def check_raw_tables(settings: Settings, specs: RawTables, scratch: Path) -> Checks:
    """Reads all raw tables, and sets their faulty rows aside.

    Args:
        settings: The game's settings.
        specs: The records of the tables.
        scratch: A folder for the checked tables, which the caller removes.
    """
    tables: dict[str, CheckedTable] = {}
    unreadable: dict[str, str] = {}
    for name, spec in specs.items():
        try:
            tables[name] = _check(settings, spec, tables, scratch)
        except ChurnlibError as error:
            unreadable[name] = str(error)
    return Checks(tables, unreadable)


def _check(
    settings: Settings, spec: TableSpec, tables: Mapping[str, CheckedTable], scratch: Path
) -> CheckedTable:
    source = _source(settings, spec, scratch)
    known = tables.get(spec.parent.table) if spec.parent else None
    parent = known.rows if known and spec.required_parent else None
    output = Dataset(spec.name, settings.game, str(scratch / f"{spec.name}.parquet"))
    lenient = replace_raw(settings, on_bad_rows="quarantine", max_bad_share=1.0).raw
    validator = Validator(spec, lenient)
    prepared = _prepare(source, validator, parent, output, workspace(settings, scratch))
    return CheckedTable(
        source,
        prepared.table,
        known.checked if known else None,
        _counts(prepared, source, spec, known),
        optional_fact(prepared.table, SPELLINGS) or {},
        validator.bad_rows,
    )


def _source(settings: Settings, spec: TableSpec, scratch: Path) -> DatasetRef:
    """Finds a table; one in a database is read into a temporary file."""
    catalog, table = Catalog(settings.data_dir, settings.game), settings.tables[spec.name]
    if not table.in_database:
        return datasets.ref(catalog.raw(spec.name, table.path))
    from churnlib.io.databases.snapshot import Source, read_database

    file = scratch / f"{spec.name}.raw.parquet"
    sources = {spec.name: Source(table.query, table.table)}
    with error_prefix(settings.game):
        read_database(table.path or "", sources, {spec.name: file}, catalog.raw_folder)
    return datasets.ref(Dataset(spec.name, settings.game, str(file)))


def replace_raw(settings: Settings, **changes: object) -> Settings:
    """Returns settings with other settings of raw tables."""
    return settings.model_copy(update={"raw": settings.raw.model_copy(update=changes)})


def workspace(settings: Settings, scratch: Path) -> Workspace:
    """Memory and temporary storage for checking a table."""
    return Workspace(settings.engine.memory_mib * MEMORY, scratch)


def _prepare(
    source: DatasetRef,
    validator: Validator,
    parent: pl.LazyFrame | None,
    output: Dataset,
    space: Workspace,
) -> Prepared:
    try:
        return prepare_clean(source, validator.spec, parent, output, space)
    except UncleanError:
        return prepare_valid(source, validator, parent, output, space)


def _counts(
    prepared: Prepared, source: DatasetRef, spec: TableSpec, known: CheckedTable | None
) -> ByDay:
    """Counts rows and data warnings, also those that another table decides on."""
    counts: dict[str, list[tuple[str, int]]] = dict(fact(prepared.table, ROWS_BY_DAY))
    if prepared.copies.total:
        counts[COPIES] = list(prepared.copies.by_day)
    if undeclared := undeclared_columns(source, spec):
        counts[undeclared_warning(undeclared)] = counts.get(ROWS, [])
    if known and not spec.required_parent:
        unknown = count_unknown_parents(datasets.scan(prepared.table), spec, known.rows)
        counts |= {text: list(days) for text, days in unknown.items()}
    return counts


def find_refusal(
    settings: Settings, spec: TableSpec, table: CheckedTable, day: date, scratch: Path
) -> str | None:
    """Why a run of a day would refuse the rows of a table; None if it would not.

    Args:
        settings: The game's settings.
        spec: The table's record.
        table: The table.
        day: The day of the run; rows that became known later do not count.
        scratch: A folder for a second reading of a table with faults.
    """
    parent = None if table.parent is None else datasets.scan(table.parent)
    try:
        if table.bad_rows:
            _check_known(settings, spec, table, day, scratch)
        if parent is not None and not spec.required_parent:
            rows = (table.rows, parent)
            check_share_known(table.checked, rows, spec, table.by_day, settings.raw, day)
    except ChurnlibError as error:
        return str(error)
    return None


def follows_from(spec: TableSpec, tables: Mapping[str, CheckedTable]) -> str:
    """A sentence if rows may only be faulty because those that they refer to are; else empty."""
    parent = spec.required_parent
    if parent is None or parent.table not in tables or not tables[parent.table].bad_rows:
        return ""
    bad = tables[parent.table].bad_rows
    return f" {bad:,} invalid rows of {parent.table} count as unknown here; correct them first."


def _check_known(
    settings: Settings, spec: TableSpec, table: CheckedTable, day: date, scratch: Path
) -> None:
    needs_parent = table.parent is not None and spec.required_parent
    parent = datasets.scan(table.parent) if table.parent and needs_parent else None
    validator = Validator(spec, settings.raw, day)
    output = replace(table.checked, uri=f"{table.checked.uri}.{day}.parquet")
    place = Dataset(output.name, output.game, output.uri)
    prepare_valid(table.source, validator, parent, place, workspace(settings, scratch))
