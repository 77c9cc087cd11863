"""The checked raw tables: validated, typed, sorted, stored as Parquet."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from churnlib.errors import DataError
from churnlib.io import datasets, storage
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import fact, read_metadata
from churnlib.io.table_writer import ROW_GROUPS
from churnlib.raw.external_sort import Workspace
from churnlib.raw.late_feeds import MonthlyRows, read_monthly_rows
from churnlib.raw.prepare import prepare_clean, prepare_valid
from churnlib.raw.quality_warnings import (
    ROWS_BY_DAY,
    count_known,
    count_unknown_parents,
    rows_after,
    rows_by_day,
)
from churnlib.raw.read import UncleanError
from churnlib.raw.validate import count_days, raw_rows
from churnlib.raw.validator import Validator
from churnlib.schemas.columns import CHAR_ID
from churnlib.schemas.raw_tables import raw_tables
from churnlib.schemas.spec import TableKind, TableSpec
from churnlib.settings import EngineSettings, RawSettings, Settings
from flows.engine.cache import run_logger
from flows.engine.scratch import scratch_folder
from flows.task import task

CHECKING = 6
"""The memory for checking rows, as measured, in multiples of the size of those sorted at a time."""
STANDARD_KINDS: tuple[TableKind, ...] = ("entity", "subscriptions", "misses")
"""The tables that the standard features are built from."""


@dataclass(frozen=True)
class CheckedTable:
    """A raw table after its checks.

    Attributes:
        source: The file.
        checked: The rows that break no rule, typed, sorted by char_id.
        rejected: The quarantined rows, if any.
    """

    source: DatasetRef
    checked: DatasetRef
    rejected: DatasetRef | None


@dataclass(frozen=True)
class RawTable:
    """A checked table, and facts about its rows as of the day of a run.

    Attributes:
        checked: The rows that break no rule, typed, sorted by char_id.
        facts: Facts for reports and manifests: the fingerprints of the file (`source`) and of its
            checked rows (`fingerprint`); and, as of the day, the number of `rows`, those
            `quarantined`, and the `odd` ones by data warning.
        months: Its rows by month, of all days.
    """

    checked: DatasetRef
    facts: dict[str, Any]
    months: MonthlyRows


def check_tables(
    settings: Settings, catalog: Catalog, specs: Iterable[TableSpec], as_of: date | None
) -> dict[str, CheckedTable]:
    """Checks raw tables, each after the one that it refers to.

    A file without errors is checked once for all days; of a file with errors, only the rows known
    on the day are checked.

    Args:
        settings: The game's settings.
        catalog: Where the game's data are.
        specs: Which raw tables.
        as_of: The day; if None, all rows count.

    Returns:
        The checked tables by name, including those referred to.

    Raises:
        DataError: See `churnlib.raw.validate.check_table`.
    """
    tables: dict[str, CheckedTable] = {}
    engine, rules = settings.engine, _rules(settings.raw)
    for spec in raw_tables(settings.raw).with_parents(specs):
        reference = spec.required_parent
        parent = tables[reference.table].checked if reference else None
        source = datasets.ref(catalog.raw(spec.name))
        output, rejected = catalog.checked(spec.name), catalog.rejected(spec.name)
        whole = check_raw(source, output, rules, parent=parent, engine=engine)
        if whole is not None:
            storage.remove(rejected.uri)
            tables[spec.name] = CheckedTable(source, whole, None)
        else:
            outputs = {"checked": output, "rejected": rejected}
            parts = check_known(
                source, outputs, settings.raw, parent=parent, as_of=as_of, engine=engine
            )
            tables[spec.name] = CheckedTable(source, parts["checked"], parts.get("rejected"))
    return tables


def days_of_rows(settings: Settings, catalog: Catalog, spec: TableSpec) -> dict[date, int]:
    """Counts the rows of a raw table by the day they became known; none is refused.

    Args:
        settings: The game's settings.
        catalog: Where the game's data are.
        spec: A table that needs no other for its checks.

    Raises:
        DataError: A column is missing, or the file cannot be read.
    """
    source, engine = datasets.ref(catalog.raw(spec.name)), settings.engine
    whole = check_raw(source, catalog.checked(spec.name), _rules(settings.raw), engine=engine)
    if whole is None:  # Whether a faulty row matters depends on the day.
        return count_days(source, spec)
    return rows_by_day(fact(whole, ROWS_BY_DAY))


def _rules(settings: RawSettings) -> RawSettings:
    """The settings that affect whether rows are invalid, without those of their quarantine."""
    of_rows = ("id_type", "null_values", "no_date", "categories")
    return RawSettings(**{name: getattr(settings, name) for name in of_rows})


def open_tables(
    settings: Settings,
    catalog: Catalog,
    specs: Iterable[TableSpec],
    as_of: date,
    *,
    count_later: bool = False,
) -> tuple[RawTable, ...]:
    """Checks raw tables, counts rows and data warnings as of a day, and logs the warnings.

    Args:
        settings: The game's settings.
        catalog: Where the game's data are.
        specs: Which raw tables.
        as_of: The day.
        count_later: Whether rows of later months are a data warning.
    """
    wanted = tuple(specs)
    tables = check_tables(settings, catalog, wanted, as_of)
    opened = []
    for spec in wanted:
        table = tables[spec.name]
        by_day = fact(table.checked, ROWS_BY_DAY)
        if parent := _optional_parent(spec, tables, catalog, settings.raw):
            by_day |= count_unknown(table.checked, settings.raw, parent=parent)
        rows, odd = count_known(by_day, as_of)
        later = rows_after(by_day, as_of) if count_later else {}
        opened.append(_with_facts(table, rows, odd | later))
    return tuple(opened)


def _optional_parent(
    spec: TableSpec, tables: Mapping[str, CheckedTable], catalog: Catalog, settings: RawSettings
) -> DatasetRef | None:
    """The checked table that another refers to, if unknown parents are a data warning.

    An earlier run may have checked it: flows that read no characters, too, count currency of
    unknown characters.
    """
    if spec.parent is None or spec.required_parent:
        return None
    if spec.parent.table in tables:
        return tables[spec.parent.table].checked
    parent = catalog.checked(spec.parent.table)
    return datasets.ref(parent) if _is_usable(parent, settings) else None


def _is_usable(parent: Dataset, settings: RawSettings) -> bool:
    """Whether this version has checked a table, with ids of the type that the settings state."""
    if not storage.exists(parent.uri) or ROW_GROUPS not in read_metadata(parent):
        return False
    wanted = raw_tables(settings).characters.types[CHAR_ID]
    return bool(datasets.scan(parent).collect_schema()[CHAR_ID] == wanted)


def _with_facts(table: CheckedTable, rows: int, odd: dict[str, int]) -> RawTable:
    where, rejected = f"{table.source.game}: {table.source.name}", table.rejected
    if rejected:
        run_logger().warning(
            "%s: %d invalid rows are quarantined in %s", where, rejected.rows, rejected.uri
        )
    for text, count in odd.items():
        run_logger().warning("%s: %s: %d rows", where, text, count)
    about = {
        "source": table.source.fingerprint,
        "fingerprint": table.checked.fingerprint,
        "quarantined": (rejected.rows or 0) if rejected else 0,
        "rows": rows,
        "odd": odd,
    }
    return RawTable(table.checked, about, read_monthly_rows(table.checked))


@task(
    reads=("01_raw/{table}", "02_intermediate/{parent}"),
    writes=("02_intermediate/{table}",),
    settings=("raw", "engine"),
    task_run_name="check_raw {source.name}",
    notes=("engine",),
)
def check_raw(
    source: DatasetRef,
    output: Dataset,
    settings: RawSettings,
    *,
    parent: DatasetRef | None = None,
    engine: EngineSettings,
) -> DatasetRef | None:
    """Checks all rows of a raw table and stores it; returns None if a row breaks a rule."""
    spec = raw_tables(settings)[source.name]
    with _workspace(engine) as space, suppress(UncleanError):
        return prepare_clean(source, spec, _scan(parent), output, space)
    validator = Validator(spec, settings)
    with _workspace(engine) as space:
        try:
            return prepare_valid(source, validator, _scan(parent), output, space)
        except DataError:
            if not validator.has_faults:
                raise
            return None


@task(
    reads=("01_raw/{table}", "02_intermediate/{parent}"),
    writes=("02_intermediate/{table}", "02_intermediate/{table}_rejected"),
    settings=("raw", "as_of", "engine"),
    task_run_name="check_known {source.name}",
    notes=("engine",),
)
def check_known(
    source: DatasetRef,
    outputs: dict[str, Dataset],
    settings: RawSettings,
    *,
    parent: DatasetRef | None = None,
    as_of: date | None = None,
    engine: EngineSettings,
) -> dict[str, DatasetRef]:
    """Checks the rows of a raw table known on a day; quarantines invalid rows if that is allowed.

    Returns:
        `checked`, and `rejected` if rows were quarantined.
    """
    spec = raw_tables(settings)[source.name]
    validator = Validator(spec, settings, as_of)
    with _workspace(engine) as space:
        checked = prepare_valid(source, validator, _scan(parent), outputs["checked"], space)
    written = {"checked": checked}
    if validator.has_faults:
        rejected = validator.rejected(raw_rows(source, spec)).lazy()
        written["rejected"] = datasets.write_parquet(rejected, outputs["rejected"])
    else:
        storage.remove(outputs["rejected"].uri)
    return written


@task(
    reads=("02_intermediate/{history}", "02_intermediate/{entity}"),
    settings=("raw",),
    task_run_name="count_unknown {checked.name}",
)
def count_unknown(
    checked: DatasetRef, settings: RawSettings, *, parent: DatasetRef
) -> dict[str, list[tuple[str, int]]]:
    """Counts the rows of a checked table whose parent is unknown, by day."""
    spec = raw_tables(settings)[checked.name]
    counts = count_unknown_parents(datasets.scan(checked), spec, datasets.scan(parent))
    return {text: list(days) for text, days in counts.items()}


@contextmanager
def _workspace(engine: EngineSettings) -> Iterator[Workspace]:
    """Yields memory and temporary storage for checking a raw table."""
    with scratch_folder(engine) as folder:
        yield Workspace(engine.memory_mib * 2**20 // CHECKING, folder)


CHECKS = (check_raw, check_known)
"""The tasks of `check_tables`."""
TABLE_TASKS = (*CHECKS, count_unknown)
"""The tasks of `open_tables`."""


def _scan(parent: DatasetRef | None) -> pl.LazyFrame | None:
    return None if parent is None else datasets.scan(parent)
