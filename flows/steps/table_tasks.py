"""The tasks that check a raw table, and note its data warnings."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from typing import NotRequired, TypedDict

import polars as pl

from churnlib.io import datasets
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.raw.external_sort import Workspace
from churnlib.raw.opening import undeclared_columns
from churnlib.raw.prepare import Prepared, prepare_clean, prepare_valid
from churnlib.raw.quality_warnings import count_unknown_parents
from churnlib.raw.read_clean import UncleanError
from churnlib.raw.validate import raw_rows
from churnlib.raw.validator import FirstFaultError, Validator
from churnlib.schemas.raw_tables import raw_tables
from churnlib.schemas.spec import TableSpec
from churnlib.settings import EngineSettings
from churnlib.settings.tables import DeclaredTables
from flows.engine.publication import keep_aside, place_aside
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


@task(
    reads=("01_raw/{table}", "02_intermediate/{parent}"),
    writes=("02_intermediate/{table}",),
    settings=("raw", "tables", "engine"),
    task_run_name="check_raw {source.name}",
    notes=("engine",),
)
def check_raw(
    source: DatasetRef,
    output: Dataset,
    settings: DeclaredTables,
    *,
    parent: DatasetRef | None = None,
    engine: EngineSettings,
) -> Checked | None:
    """Checks all rows of a raw table and stores it; returns None if a row breaks a rule."""
    spec = raw_tables(settings)[source.name]
    aside = place_aside(output)
    with _workspace(engine) as space, suppress(UncleanError):
        return _kept(prepare_clean(source, spec, _scan(parent), aside, space), output, source, spec)
    validator = Validator(spec, settings.raw, stops=True)
    with _workspace(engine) as space, suppress(FirstFaultError):
        prepared = prepare_valid(source, validator, _scan(parent), aside, space)
        return _kept(prepared, output, source, spec)
    return None


@task(
    reads=("01_raw/{table}", "02_intermediate/{parent}"),
    writes=("02_intermediate/{table}", "02_intermediate/{table}_rejected"),
    settings=("raw", "tables", "as_of", "engine"),
    task_run_name="check_known {source.name}",
    notes=("engine",),
)
def check_known(
    source: DatasetRef,
    outputs: dict[str, Dataset],
    settings: DeclaredTables,
    *,
    parent: DatasetRef | None = None,
    as_of: date | None = None,
    engine: EngineSettings,
) -> Checked:
    """Checks the rows of a raw table known on a day; quarantines invalid ones if allowed."""
    spec = raw_tables(settings)[source.name]
    validator = Validator(spec, settings.raw, as_of)
    output, rejected = outputs["checked"], outputs["rejected"]
    with _workspace(engine) as space:
        prepared = prepare_valid(source, validator, _scan(parent), place_aside(output), space)
        found = _kept(prepared, output, source, spec)
        if validator.has_faults:
            rows = validator.rejected(raw_rows(source, spec, space.folder)).lazy()
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
    reads=("02_intermediate/{activity}", "02_intermediate/{entity}"),
    settings=("raw", "tables"),
    task_run_name="count_unknown {checked.name}",
)
def count_unknown(
    checked: DatasetRef, settings: DeclaredTables, *, parent: DatasetRef
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
