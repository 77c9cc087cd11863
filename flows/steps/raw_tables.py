"""The checked raw tables: validated, typed, sorted, stored as Parquet."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from churnlib.errors import DataError
from churnlib.io import datasets, storage
from churnlib.io.buckets import CHECKING, bucket, count_for, size_of, write
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.raw.availability import known_by
from churnlib.raw.by_character import Workspace
from churnlib.raw.quality_warnings import count_warnings
from churnlib.raw.read import UncleanError, raw_size
from churnlib.raw.validate import clean_rows, raw_rows, valid_rows
from churnlib.raw.validator import Validator
from churnlib.schemas.columns import CHAR_ID
from churnlib.schemas.raw_tables import raw_tables
from churnlib.schemas.spec import TableKind, TableSpec
from churnlib.settings import EngineSettings, RawSettings, Settings
from flows.engine.cache import run_logger
from flows.task import task

STANDARD_KINDS: tuple[TableKind, ...] = ("entity", "subscriptions", "misses")
"""The tables that the standard features are built from."""


@dataclass(frozen=True)
class CheckedTable:
    """A raw table after its checks.

    Attributes:
        source: The file.
        checked: The rows that break no rule, typed, in the order of a hash of char_id.
        rejected: The quarantined rows, if any.
    """

    source: DatasetRef
    checked: DatasetRef
    rejected: DatasetRef | None


@dataclass(frozen=True)
class RawTable:
    """A checked table, and facts about its rows as of the day of a run.

    Attributes:
        checked: The rows that break no rule, typed, in the order of a hash of char_id.
        facts: Facts for reports and manifests: the fingerprints of the file (`source`) and of its
            checked rows (`fingerprint`); and, as of the day, the number of `rows`, those
            `quarantined`, and the `odd` ones by data warning.
    """

    checked: DatasetRef
    facts: dict[str, Any]


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


def _rules(settings: RawSettings) -> RawSettings:
    """The settings that affect whether rows are invalid, without those of their quarantine."""
    return RawSettings(id_type=settings.id_type, categories=settings.categories)


def open_tables(
    settings: Settings, catalog: Catalog, specs: Iterable[TableSpec], as_of: date
) -> tuple[RawTable, ...]:
    """Checks raw tables, counts rows and data warnings as of a day, and logs the warnings.

    Args:
        settings: The game's settings.
        catalog: Where the game's data are.
        specs: Which raw tables.
        as_of: The day.
    """
    wanted = tuple(specs)
    tables = check_tables(settings, catalog, wanted, as_of)
    checked = {name: table.checked for name, table in tables.items()}
    characters = catalog.checked(raw_tables(settings.raw).characters.name)
    if characters.name not in checked and _has_ids_of_type(characters, settings.raw):
        # Currency of unknown characters is counted also by flows that read no characters.
        checked[characters.name] = datasets.ref(characters)
    opened = []
    for spec in wanted:
        parent = checked.get(spec.parent.table) if spec.parent else None
        counts = describe_table(
            checked[spec.name], as_of=as_of, parent=parent, engine=settings.engine
        )
        opened.append(_with_facts(tables[spec.name], counts))
    return tuple(opened)


def _has_ids_of_type(characters: Dataset, settings: RawSettings) -> bool:
    """Whether checked characters exist, with ids of the type that the settings state."""
    if not storage.exists(characters.uri):
        return False
    wanted = raw_tables(settings).characters.types[CHAR_ID]
    return bool(datasets.scan(characters).collect_schema()[CHAR_ID] == wanted)


def _with_facts(table: CheckedTable, counts: dict[str, Any]) -> RawTable:
    where, rejected = f"{table.source.game}: {table.source.name}", table.rejected
    if rejected:
        run_logger().warning(
            "%s: %d invalid rows are quarantined in %s", where, rejected.rows, rejected.uri
        )
    for text, rows in counts["odd"].items():
        run_logger().warning("%s: %s: %d rows", where, text, rows)
    facts = {
        "source": table.source.fingerprint,
        "fingerprint": table.checked.fingerprint,
        "quarantined": (rejected.rows or 0) if rejected else 0,
        **counts,
    }
    return RawTable(table.checked, facts)


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
    with workspace_for(source, engine, parent) as space, suppress(UncleanError):
        rows = clean_rows(source, spec, _scan(parent), space)
        return write(rows, output, spec.checked_types)
    validator = Validator(spec, settings)
    with workspace_for(source, engine, parent) as space:
        try:
            rows = valid_rows(source, validator, _scan(parent), space)
            return write(rows, output, spec.checked_types)
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
    with workspace_for(source, engine, parent) as space:
        rows = valid_rows(source, validator, _scan(parent), space)
        written = {"checked": write(rows, outputs["checked"], spec.checked_types)}
    if validator.has_faults:
        rejected = validator.rejected(raw_rows(source, spec)).lazy()
        written["rejected"] = datasets.write_parquet(rejected, outputs["rejected"])
    else:
        storage.remove(outputs["rejected"].uri)
    return written


@contextmanager
def workspace_for(
    source: DatasetRef, engine: EngineSettings, parent: DatasetRef | None = None
) -> Iterator[Workspace]:
    """Yields a workspace for checking a raw table, with as many buckets as memory requires.

    Args:
        source: The raw table.
        engine: The memory limit, and the folder for temporary files.
        parent: The checked table that it refers to, whose ids are looked up.
    """
    ids = dict.fromkeys((CHAR_ID, *raw_tables()[parent.name].key)) if parent else ()
    sizes = (raw_size(source), size_of(parent, *ids) if parent else 0)
    with TemporaryDirectory(prefix="churn-", dir=engine.scratch_dir) as folder:
        yield Workspace(count_for(engine.memory_mib, *sizes, times=CHECKING), Path(folder))


@task(
    reads=("02_intermediate/{table}", "02_intermediate/{referenced}"),
    settings=("as_of", "engine"),
    task_run_name="describe_table {checked.name}",
    notes=("engine",),
)
def describe_table(
    checked: DatasetRef,
    *,
    as_of: date,
    parent: DatasetRef | None = None,
    engine: EngineSettings,
) -> dict[str, Any]:
    """Counts the rows of a checked table known on a day, and those with a data warning."""
    spec = raw_tables()[checked.name]
    tables = [checked] if parent is None else [checked, parent]
    count = count_for(engine.memory_mib, *map(size_of, tables), times=CHECKING)
    rows, odd = 0, Counter[str]()
    for number in range(count):
        frame = bucket(checked, number, count)
        above = None if parent is None else bucket(parent, number, count)
        rows += frame.select(known_by(spec, as_of).sum()).collect().item()
        odd += Counter(count_warnings(frame, spec, as_of=as_of, parent=above))
    return {"rows": rows, "odd": dict(odd)}


CHECKS = (check_raw, check_known)
"""The tasks of `check_tables`."""
TABLE_TASKS = (*CHECKS, describe_table)
"""The tasks of `open_tables`."""


def _scan(parent: DatasetRef | None) -> pl.LazyFrame | None:
    return None if parent is None else datasets.scan(parent)
