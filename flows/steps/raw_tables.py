"""The raw tables made ready: checked, typed, sorted, kept as Parquet."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
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
from churnlib.raw.fast_read import UncleanError
from churnlib.raw.judge import Judge
from churnlib.raw.quality_warnings import count_oddities
from churnlib.raw.read import raw_size, scan_raw, typed
from churnlib.raw.tables import latest_day
from churnlib.raw.validate import Work, clean_rows, judged_rows, raw_rows
from churnlib.schemas.tables import PARENTS, RAW_SCHEMAS, CharacterData, checked_columns, with_ids
from churnlib.settings import CategoryColumn, EngineSettings, IdType, RawSettings, Settings
from flows.engine.cache import run_logger
from flows.task import task

STANDARD_TABLES = ("character_data", "sub_data", "sub_miss")
"""The tables that the standard features are built from."""
REFERS = {**PARENTS, "character_currency": "character_data"}
"""The table that the rows of another must refer to, or where they do not are odd."""


@dataclass(frozen=True)
class RawTable:
    """A raw table after its checks.

    Attributes:
        checked: The rows that break no rule, typed, sorted by key.
        facts: What reports and manifests say of it: the fingerprints of the file (`source`) and of
            its checked rows (`fingerprint`); and of what was known on the day the number of
            `rows`, those `quarantined`, and the `odd` ones by fact.
    """

    checked: DatasetRef
    facts: dict[str, Any]


def check_tables(
    settings: Settings, catalog: Catalog, tables: Iterable[str], as_of: date | None
) -> dict[str, dict[str, DatasetRef]]:
    """Checks raw tables, each after the one that it refers to.

    A file without faults is checked once, whatever the day; of another only what was known on the
    day is judged.

    Args:
        settings: The game's settings.
        catalog: Where the game's data lie.
        tables: Which raw tables.
        as_of: The day; all rows are judged if null.

    Returns:
        By table `checked`, and where rows were set apart `rejected`; those referred to are there,
        too.

    Raises:
        DataError: See `churnlib.raw.validate.check_table`.
    """
    made: dict[str, dict[str, DatasetRef]] = {}
    for table in _with_parents(tables):
        above = PARENTS.get(table)
        parent = made[above]["checked"] if above else None
        source = datasets.ref(catalog.raw(table))
        output, rejected = catalog.checked(table), catalog.rejected(table)
        raw, engine = settings.raw, settings.engine
        whole = check_raw(
            source, table, raw.categories, raw.id_type, output, parent=parent, engine=engine
        )
        if whole is not None:
            storage.remove(rejected.uri)
            made[table] = {"checked": whole}
        else:
            made[table] = check_known(
                source, table, raw, output, rejected, parent=parent, as_of=as_of, engine=engine
            )
    return made


def open_tables(
    settings: Settings, catalog: Catalog, tables: Iterable[str], as_of: date
) -> tuple[RawTable, ...]:
    """Checks raw tables, gathers what there is to say of them on a day, and warns of faults.

    Args:
        settings: The game's settings.
        catalog: Where the game's data lie.
        tables: Which raw tables.
        as_of: The day.
    """
    made = check_tables(settings, catalog, tables, as_of)
    checked = {table: refs["checked"] for table, refs in made.items()}
    characters = catalog.checked("character_data")
    if "character_data" not in checked and _are_of_type(characters, settings.raw.id_type):
        # Currency of unknown characters is counted also by flows that read no characters.
        checked["character_data"] = datasets.ref(characters)
    return tuple(
        _look_at(
            catalog.raw(table),
            made[table],
            as_of,
            checked.get(REFERS.get(table, "")),
            settings.engine,
        )
        for table in tables
    )


def _are_of_type(characters: Dataset, id_type: IdType) -> bool:
    """Whether there are checked characters, and their ids are of a type."""
    if not storage.exists(characters.uri):
        return False
    wanted = with_ids(CharacterData, id_type).columns()["char_id"].dtype
    return bool(datasets.scan(characters).collect_schema()["char_id"] == wanted)


def _with_parents(tables: Iterable[str]) -> list[str]:
    wanted: dict[str, None] = {}
    for table in tables:
        if table in PARENTS:
            wanted |= dict.fromkeys(_with_parents([PARENTS[table]]))
        wanted[table] = None
    return list(wanted)


@task(
    reads=("01_raw/{table}", "02_intermediate/{parent}"),
    writes=("02_intermediate/{table}",),
    settings=("raw.categories", "raw.id_type", "engine"),
    task_run_name="check_raw {table}",
    notes=("engine",),
)
def check_raw(
    source: DatasetRef,
    table: str,
    categories: Mapping[CategoryColumn, tuple[str, ...]],
    id_type: IdType,
    output: Dataset,
    *,
    parent: DatasetRef | None = None,
    engine: EngineSettings,
) -> DatasetRef | None:
    """Checks a raw table whole, and keeps it; null where a row breaks a rule."""
    settings = RawSettings(id_type=id_type, categories=dict(categories))
    with working(source, engine, parent) as work, suppress(UncleanError):
        rows = clean_rows(source, table, settings, _opened(parent), work)
        return write(rows, output, checked_schema(table, id_type))
    judge = Judge(table, settings)
    with working(source, engine, parent) as work:
        try:
            rows = judged_rows(source, judge, _opened(parent), work)
            return write(rows, output, checked_schema(table, id_type))
        except DataError:
            if not judge.found_faults:
                raise
            return None


@task(
    reads=("01_raw/{table}", "02_intermediate/{parent}"),
    writes=("02_intermediate/{table}", "02_intermediate/{table}_rejected"),
    settings=("raw", "as_of", "engine"),
    task_run_name="check_known {table}",
    notes=("engine",),
)
def check_known(
    source: DatasetRef,
    table: str,
    settings: RawSettings,
    output: Dataset,
    rejected: Dataset,
    *,
    parent: DatasetRef | None = None,
    as_of: date | None = None,
    engine: EngineSettings,
) -> dict[str, DatasetRef]:
    """Checks what of a raw table was known on a day; sets faulty rows apart if that is allowed.

    Returns:
        `checked`, and where rows were set apart `rejected`.
    """
    judge = Judge(table, settings, as_of)
    with working(source, engine, parent) as work:
        rows = judged_rows(source, judge, _opened(parent), work)
        made = {"checked": write(rows, output, checked_schema(table, settings.id_type))}
    if judge.found_faults:
        apart = judge.rejected(raw_rows(source, table)).lazy()
        made["rejected"] = datasets.write_parquet(apart, rejected)
    else:
        storage.remove(rejected.uri)
    return made


def checked_schema(table: str, id_type: IdType) -> dict[str, pl.DataType]:
    """The columns of a raw table after its checks."""
    columns = with_ids(RAW_SCHEMAS[table], id_type).columns()
    # Misses get their character's id, which is of the same type.
    ids = columns.get("char_id", columns.get("sub_id"))
    return {name: columns.get(name, ids).dtype for name in checked_columns(table)}


@contextmanager
def working(
    source: DatasetRef, engine: EngineSettings, parent: DatasetRef | None = None
) -> Iterator[Work]:
    """Says in how many buckets to work through a raw table, and gives room for them meanwhile.

    Args:
        source: The raw table.
        engine: How much memory there is, and where to put rows aside.
        parent: The checked table that it refers to, whose ids are looked up.
    """
    ids = dict.fromkeys(("char_id", *RAW_SCHEMAS[parent.name].primary_key())) if parent else ()
    sizes = (raw_size(source), size_of(parent, *ids) if parent else 0)
    with TemporaryDirectory(prefix="churn-", dir=engine.scratch_dir) as folder:
        yield Work(count_for(engine.memory_mib, *sizes, times=CHECKING), Path(folder))


@task(
    reads=("02_intermediate/{table}", "02_intermediate/{referenced}"),
    settings=("as_of", "engine"),
    task_run_name="describe_table {table}",
    notes=("engine",),
)
def describe_table(
    checked: DatasetRef,
    table: str,
    *,
    as_of: date,
    parent: DatasetRef | None = None,
    engine: EngineSettings,
) -> dict[str, Any]:
    """Counts what of a checked table was known on a day, and which of it is odd."""
    tables = [checked] if parent is None else [checked, parent]
    count = count_for(engine.memory_mib, *map(size_of, tables), times=CHECKING)
    rows, odd = 0, Counter[str]()
    for number in range(count):
        frame = bucket(checked, number, count)
        above = None if parent is None else bucket(parent, number, count)
        rows += frame.select(known_by(table, as_of).sum()).collect().item()
        odd += Counter(count_oddities(frame, table, as_of=as_of, parent=above))
    return {"rows": rows, "odd": dict(odd)}


def _look_at(
    source: Dataset,
    made: Mapping[str, DatasetRef],
    as_of: date,
    parent: DatasetRef | None,
    engine: EngineSettings,
) -> RawTable:
    checked, rejected = made["checked"], made.get("rejected")
    counts = describe_table(checked, source.name, as_of=as_of, parent=parent, engine=engine)
    where = f"{source.game}: {source.name}"
    if rejected:
        run_logger().warning(
            "%s: %d faulty rows set apart in %s", where, rejected.rows, rejected.uri
        )
    for what, rows in counts["odd"].items():
        run_logger().warning("%s: %s: %d rows", where, what, rows)
    facts = {
        "source": storage.fingerprint(source.uri),
        "fingerprint": checked.fingerprint,
        "quarantined": (rejected.rows or 0) if rejected else 0,
        **counts,
    }
    return RawTable(checked, facts)


def latest_currency_date(currency: DatasetRef) -> date:
    """The day of a run that names none: the latest date in the currency table.

    Raises:
        DataError: The table is empty.
    """
    return latest_day(datasets.scan(currency), currency.game)


def currency_reaches_to(catalog: Catalog) -> date | None:
    """The latest date in the raw currency table; null where none can be read."""
    table = "character_currency"
    try:
        dates = typed(scan_raw(catalog.raw(table), table), table).select(pl.col("date").max())
        latest: date | None = dates.collect().item()
    except (DataError, pl.exceptions.PolarsError):  # Who starts from features may have none.
        return None
    return latest


def _opened(parent: DatasetRef | None) -> pl.LazyFrame | None:
    return None if parent is None else datasets.scan(parent)
