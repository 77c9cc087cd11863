"""The raw tables made ready: checked, typed, sorted, kept as Parquet."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from churnlib import storage
from churnlib.datasets import Catalog, Dataset, DatasetRef
from churnlib.errors import DataError
from churnlib.raw.checks import check_table
from churnlib.raw.known import known_by
from churnlib.raw.oddities import count_oddities
from churnlib.raw.reading import scan_raw, typed
from churnlib.schemas import CharacterData, with_ids
from churnlib.settings import CategoryColumn, IdType, RawSettings
from flows.engine.cache import run_logger
from flows.task import task

STANDARD_TABLES = ("character_data", "sub_data", "sub_miss")
"""The tables that the standard features are built from."""
PARENTS = {"sub_data": "character_data", "sub_miss": "sub_data"}
"""The table that the rows of another must refer to."""
REFERS = {**PARENTS, "character_currency": "character_data"}
"""The same, with what is odd rather than a fault."""


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
    settings: RawSettings, catalog: Catalog, tables: Iterable[str], as_of: date | None
) -> dict[str, dict[str, DatasetRef]]:
    """Checks raw tables, each after the one that it refers to.

    A file without faults is checked once, whatever the day; of another only what was known on the
    day is judged.

    Args:
        settings: What to do with faulty rows.
        catalog: Where the game's data lie.
        tables: Which raw tables.
        as_of: The day; all rows are judged if null.

    Returns:
        By table `checked`, and where rows were set apart `rejected`; those referred to are there,
        too.

    Raises:
        DataError: See `churnlib.raw.checks.check_table`.
    """
    made: dict[str, dict[str, DatasetRef]] = {}
    for table in _with_parents(tables):
        above = PARENTS.get(table)
        parent = made[above]["checked"] if above else None
        source = storage.ref(catalog.raw(table))
        output, rejected = catalog.checked(table), catalog.rejected(table)
        whole = check_raw(
            source, table, settings.categories, settings.id_type, output, parent=parent
        )
        if whole is not None:
            storage.remove(rejected.uri)
            made[table] = {"checked": whole}
        else:
            made[table] = check_known(
                source, table, settings, output, rejected, parent=parent, as_of=as_of
            )
    return made


def open_tables(
    settings: RawSettings, catalog: Catalog, tables: Iterable[str], as_of: date
) -> tuple[RawTable, ...]:
    """Checks raw tables, gathers what there is to say of them on a day, and warns of faults.

    Args:
        settings: What to do with faulty rows.
        catalog: Where the game's data lie.
        tables: Which raw tables.
        as_of: The day.
    """
    made = check_tables(settings, catalog, tables, as_of)
    checked = {table: refs["checked"] for table, refs in made.items()}
    characters = catalog.checked("character_data")
    if "character_data" not in checked and _are_of_type(characters, settings.id_type):
        # Currency of unknown characters is counted also by flows that read no characters.
        checked["character_data"] = storage.ref(characters)
    return tuple(
        _look_at(catalog.raw(table), made[table], as_of, checked.get(REFERS.get(table, "")))
        for table in tables
    )


def _are_of_type(characters: Dataset, id_type: IdType) -> bool:
    """Whether there are checked characters, and their ids are of a type."""
    if not storage.exists(characters.uri):
        return False
    wanted = with_ids(CharacterData, id_type).columns()["char_id"].dtype
    return bool(storage.scan(characters).collect_schema()["char_id"] == wanted)


def _with_parents(tables: Iterable[str]) -> list[str]:
    wanted: dict[str, None] = {}
    for table in tables:
        if table in PARENTS:
            wanted |= dict.fromkeys(_with_parents([PARENTS[table]]))
        wanted[table] = None
    return list(wanted)


@task(task_run_name="check_raw {table}")
def check_raw(
    source: DatasetRef,
    table: str,
    categories: Mapping[CategoryColumn, tuple[str, ...]],
    id_type: IdType,
    output: Dataset,
    *,
    parent: DatasetRef | None = None,
) -> DatasetRef | None:
    """Checks a raw table whole, and keeps it; null where a row breaks a rule."""
    lenient = RawSettings(
        id_type=id_type, on_bad_rows="quarantine", max_bad_share=1, categories=dict(categories)
    )
    result = check_table(source, table, lenient, parent=_opened(parent))
    if len(result.rejected):
        return None
    return storage.write_parquet(result.rows.lazy(), output)


@task(task_run_name="check_known {table}")
def check_known(
    source: DatasetRef,
    table: str,
    settings: RawSettings,
    output: Dataset,
    rejected: Dataset,
    *,
    parent: DatasetRef | None = None,
    as_of: date | None = None,
) -> dict[str, DatasetRef]:
    """Checks what of a raw table was known on a day; sets faulty rows apart if that is allowed.

    Returns:
        `checked`, and where rows were set apart `rejected`.
    """
    result = check_table(source, table, settings, parent=_opened(parent), as_of=as_of)
    made = {"checked": storage.write_parquet(result.rows.lazy(), output)}
    if len(result.rejected):
        made["rejected"] = storage.write_parquet(result.rejected.lazy(), rejected)
    else:
        storage.remove(rejected.uri)
    return made


@task(task_run_name="describe_table {table}")
def describe_table(
    checked: DatasetRef, table: str, *, as_of: date, parent: DatasetRef | None = None
) -> dict[str, Any]:
    """Counts what of a checked table was known on a day, and which of it is odd."""
    rows = storage.scan(checked)
    known = rows.select(known_by(table, as_of).sum()).collect().item()
    return {
        "rows": known,
        "odd": count_oddities(rows, table, as_of=as_of, parent=_opened(parent)),
    }


def _look_at(
    source: Dataset, made: Mapping[str, DatasetRef], as_of: date, parent: DatasetRef | None
) -> RawTable:
    checked, rejected = made["checked"], made.get("rejected")
    counts = describe_table(checked, source.name, as_of=as_of, parent=parent)
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
    latest = storage.scan(currency).select(pl.col("date").max()).collect().item()
    if not isinstance(latest, date):
        raise DataError(
            f"{currency.game}: character_currency has no rows, so the day of the run cannot be "
            "told from it. Name it with --as-of."
        )
    return latest


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
    return None if parent is None else storage.scan(parent)
