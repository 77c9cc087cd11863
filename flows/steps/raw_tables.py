"""The raw tables of a run: checked, with facts about their rows as of its day."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from churnlib.features.cohort_rows import CohortRows
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import DatasetRef
from churnlib.raw.late_feeds import MonthlyRows, read_monthly_rows
from churnlib.raw.quality_warnings import LATER, count_known, rows_after
from churnlib.raw.spellings import spelling_warnings
from churnlib.schemas.spec import TableSpec
from churnlib.settings import Settings
from churnlib.settings.tables import TableKind
from flows.engine.cache import run_logger
from flows.engine.publication import publish
from flows.steps.table_checks import CheckedTable, check_tables

STANDARD_KINDS: tuple[TableKind, ...] = ("entity", "subscriptions", "misses")
"""The tables that the standard features are built from."""
ACTIVITY_KINDS: tuple[TableKind, ...] = ("history", "events")
"""The tables that the other features are built from."""


def cohort_kinds(settings: Settings) -> tuple[TableKind, ...]:
    """The tables that the features of a cohort are built from, besides the standard features."""
    return (*CohortRows.of(settings).kinds, *ACTIVITY_KINDS)


def batch_kinds(settings: Settings) -> tuple[TableKind, ...]:
    """The tables that a batch is predicted from."""
    return (*CohortRows.of(settings).batch_kinds, *ACTIVITY_KINDS)


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


def open_tables(
    settings: Settings,
    catalog: Catalog,
    specs: Iterable[TableSpec],
    as_of: date,
    *,
    count_later: bool = False,
    told: Collection[str] = (),
) -> tuple[RawTable, ...]:
    """Checks raw tables, counts rows and data warnings as of a day, and logs the warnings.

    Once all have passed, they replace those of earlier runs.

    Args:
        settings: The game's settings.
        catalog: Where the game's data are.
        specs: Which raw tables.
        as_of: The day.
        count_later: Whether rows of later months are a data warning; one of all tables is logged.
        told: Tables whose later rows the log names already.
    """
    wanted = tuple(specs)
    tables = check_tables(settings, catalog, wanted, as_of)
    publish()
    later: dict[str, int] = {}
    if count_later:
        later = {spec.name: rows_after(tables[spec.name].by_day, as_of) for spec in wanted}
    _warn_of_later({name: rows for name, rows in later.items() if rows and name not in told})
    return tuple(_with_facts(tables[s.name], s, as_of, later.get(s.name, 0)) for s in wanted)


def _warn_of_later(rows: Mapping[str, int]) -> None:
    if rows:
        counts = ", ".join(f"{number:,} of {table}" for table, number in rows.items())
        run_logger().warning("rows %s: %s", LATER, counts)


def _with_facts(table: CheckedTable, spec: TableSpec, as_of: date, later: int) -> RawTable:
    rows, odd = count_known(table.by_day, as_of)
    odd |= spelling_warnings(table.spellings, as_of)
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
        "odd": {**odd, LATER: later} if later else odd,
    }
    return RawTable(table.checked, about, read_monthly_rows(table.checked, spec))
