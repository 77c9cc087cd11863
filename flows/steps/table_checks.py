"""The checks of raw tables: each after the one that it refers to."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from typing import NotRequired, TypedDict

import polars as pl

from churnlib.io import datasets, storage
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import fact, read_metadata
from churnlib.io.table_writer import ROW_GROUPS
from churnlib.raw.copies import COPIES
from churnlib.raw.external_sort import Workspace
from churnlib.raw.opening import undeclared_columns
from churnlib.raw.prepare import Prepared, prepare_clean, prepare_valid
from churnlib.raw.quality_warnings import (
    ROWS,
    ROWS_BY_DAY,
    ByDay,
    count_unknown_parents,
    rows_by_day,
    undeclared_warning,
)
from churnlib.raw.read_clean import UncleanError
from churnlib.raw.unknown_ids import check_share_known
from churnlib.raw.validate import count_days, raw_rows
from churnlib.raw.validator import FirstFaultError, Validator
from churnlib.schemas.columns import CHAR_ID
from churnlib.schemas.raw_tables import raw_tables
from churnlib.schemas.spec import TableSpec
from churnlib.settings import EngineSettings, RawSettings, Settings
from flows.engine.publication import keep_aside, place_aside, present, remove_together
from flows.engine.scratch import scratch_folder
from flows.task import task

CHECKING = 6
"""The memory for checking rows, as measured, in multiples of the size of those sorted at a time."""


class Checked(TypedDict):
    """The result of a check.

    Attributes:
        checked: The rows that break no rule, typed, sorted by char_id.
        copies: The number of exact copies that were left out, by the day they became known.
        undeclared: The columns of the file that no table declares.
        rejected: The quarantined rows.
    """

    checked: DatasetRef
    copies: list[tuple[str, int]]
    undeclared: list[str]
    rejected: NotRequired[DatasetRef]


@dataclass(frozen=True)
class CheckedTable:
    """A raw table after its checks.

    Attributes:
        source: The file.
        checked: The rows that break no rule, typed, sorted by char_id; see `now`.
        rejected: The quarantined rows, if any.
        by_day: The number of rows, and of those with each data warning, by the day they became
            known.
    """

    source: DatasetRef
    checked: DatasetRef
    rejected: DatasetRef | None
    by_day: ByDay

    @property
    def now(self) -> DatasetRef:
        """The checked rows where they can be read before they are published."""
        return present(self.checked)


def check_tables(
    settings: Settings, catalog: Catalog, specs: Iterable[TableSpec], as_of: date | None
) -> dict[str, CheckedTable]:
    """Checks raw tables, each after the one that it refers to.

    A file without errors is checked once for all days; of a file with errors, only the rows known
    on the day are checked. In a block of `flows.engine.publication`, no table is replaced before
    `publish`.

    Args:
        settings: The game's settings.
        catalog: Where the game's data are.
        specs: Which raw tables.
        as_of: The day; if None, all rows count.

    Returns:
        The checked tables by name, including those referred to.

    Raises:
        DataError: See `churnlib.raw.validate.check_table`; or too many rows of a history belong to
            no known character.
    """
    tables: dict[str, CheckedTable] = {}
    for spec in raw_tables(settings.raw).with_parents(specs):
        reference = spec.required_parent
        parent = tables[reference.table].now if reference else None
        source = datasets.ref(catalog.raw(spec.name))
        found = _check(source, spec, settings, catalog, parent, as_of)
        checked = present(found["checked"])
        by_day = fact(checked, ROWS_BY_DAY)
        if found["copies"]:
            by_day |= {COPIES: found["copies"]}
        if found["undeclared"]:
            by_day |= {undeclared_warning(found["undeclared"]): by_day.get(ROWS, [])}
        if known := _optional_parent(spec, tables, catalog, settings.raw):
            by_day |= count_unknown(checked, settings.raw, parent=known)
            rows = (datasets.scan(checked), datasets.scan(known))
            check_share_known(checked, rows, spec, by_day, settings.raw, as_of or date.max)
        tables[spec.name] = CheckedTable(source, found["checked"], found.get("rejected"), by_day)
    return tables


def _check(
    source: DatasetRef,
    spec: TableSpec,
    settings: Settings,
    catalog: Catalog,
    parent: DatasetRef | None,
    as_of: date | None,
) -> Checked:
    """Checks a table for all days, or if that finds faults, as of a day."""
    output, rejected = catalog.checked(spec.name), catalog.rejected(spec.name)
    raw, engine = settings.raw, settings.engine
    whole = check_raw(source, output, _rules(raw), parent=parent, engine=engine)
    if whole is not None:
        remove_together(rejected)
        return whole
    outputs = {"checked": output, "rejected": rejected}
    found = check_known(source, outputs, raw, parent=parent, as_of=as_of, engine=engine)
    if "rejected" not in found:
        remove_together(rejected)
    return found


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
    return rows_by_day(fact(present(whole["checked"]), ROWS_BY_DAY))


def _rules(settings: RawSettings) -> RawSettings:
    """The settings that affect whether rows are invalid, without those of their quarantine."""
    of_rows = ("id_type", "null_values", "no_date", "categories")
    return RawSettings(**{name: getattr(settings, name) for name in of_rows})


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
        return tables[spec.parent.table].now
    parent = catalog.checked(spec.parent.table)
    return datasets.ref(parent) if _is_usable(parent, settings) else None


def _is_usable(parent: Dataset, settings: RawSettings) -> bool:
    """Whether this version has checked a table, with ids of the type that the settings state."""
    if not storage.exists(parent.uri) or ROW_GROUPS not in read_metadata(parent):
        return False
    wanted = raw_tables(settings).characters.types[CHAR_ID]
    return bool(datasets.scan(parent).collect_schema()[CHAR_ID] == wanted)


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
) -> Checked | None:
    """Checks all rows of a raw table and stores it; returns None if a row breaks a rule."""
    spec = raw_tables(settings)[source.name]
    aside = place_aside(output)
    with _workspace(engine) as space, suppress(UncleanError):
        return _kept(prepare_clean(source, spec, _scan(parent), aside, space), output, source, spec)
    validator = Validator(spec, settings, stops=True)
    with _workspace(engine) as space, suppress(FirstFaultError):
        prepared = prepare_valid(source, validator, _scan(parent), aside, space)
        return _kept(prepared, output, source, spec)
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
) -> Checked:
    """Checks the rows of a raw table known on a day; quarantines invalid ones if allowed."""
    spec = raw_tables(settings)[source.name]
    validator = Validator(spec, settings, as_of)
    output, rejected = outputs["checked"], outputs["rejected"]
    with _workspace(engine) as space:
        prepared = prepare_valid(source, validator, _scan(parent), place_aside(output), space)
    found = _kept(prepared, output, source, spec)
    if validator.has_faults:
        rows = validator.rejected(raw_rows(source, spec)).lazy()
        found["rejected"] = keep_aside(
            datasets.write_parquet(rows, place_aside(rejected)), rejected
        )
    return found


def _kept(prepared: Prepared, output: Dataset, source: DatasetRef, spec: TableSpec) -> Checked:
    return {
        "checked": keep_aside(prepared.table, output),
        "copies": prepared.copies.by_day,
        "undeclared": undeclared_columns(source, spec),
    }


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
"""The tasks of `check_tables`, for tables whose rows must refer to a known one."""
TABLE_TASKS = (*CHECKS, count_unknown)
"""The tasks of `check_tables`, for all tables."""


def _scan(parent: DatasetRef | None) -> pl.LazyFrame | None:
    return None if parent is None else datasets.scan(parent)
