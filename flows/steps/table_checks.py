"""The checks of raw tables: each after the one that it refers to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from churnlib.io import datasets, storage
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import fact, optional_fact, read_metadata
from churnlib.io.table_writer import ROW_GROUPS
from churnlib.raw.copies import COPIES
from churnlib.raw.quality_warnings import (
    ROWS,
    ROWS_BY_DAY,
    SPELLINGS,
    ByDay,
    rows_by_day,
    undeclared_warning,
)
from churnlib.raw.spellings import Spellings
from churnlib.raw.unknown_ids import check_share_known
from churnlib.raw.validate import count_days
from churnlib.schemas.columns import CHAR_ID
from churnlib.schemas.raw_tables import declared_for, raw_tables
from churnlib.schemas.spec import TableSpec
from churnlib.settings import Settings
from flows.engine.publication import present, remove_together
from flows.engine.scratch import scratch_folder
from flows.steps.table_tasks import Checked, check_known, check_raw, count_unknown


@dataclass(frozen=True)
class CheckedTable:
    """A raw table after its checks.

    Attributes:
        source: The file.
        checked: The rows that break no rule, typed, sorted by char_id; see `now`.
        rejected: The quarantined rows, if any.
        by_day: The number of rows, and of those with each data warning, by the day they became
            known.
        spellings: The categories that are written in several ways.
    """

    source: DatasetRef
    checked: DatasetRef
    rejected: DatasetRef | None
    by_day: ByDay
    spellings: Spellings

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
    for spec in raw_tables(settings).with_parents(specs):
        reference = spec.required_parent
        parent = tables[reference.table].now if reference else None
        source = datasets.ref(catalog.raw(spec.name, settings.tables[spec.name].path))
        found = _check(source, spec, settings, catalog, parent, as_of)
        checked = present(found["checked"])
        by_day = fact(checked, ROWS_BY_DAY)
        if found["copies"]:
            by_day |= {COPIES: found["copies"]}
        if found["undeclared"]:
            by_day |= {undeclared_warning(found["undeclared"]): by_day.get(ROWS, [])}
        if known := _optional_parent(spec, tables, catalog, settings):
            by_day |= count_unknown(checked, declared_for(settings, spec).rules, parent=known)
            rows = (datasets.scan(checked), datasets.scan(known))
            check_share_known(checked, rows, spec, by_day, settings.raw, as_of or date.max)
        spellings = optional_fact(checked, SPELLINGS) or {}
        rejected = found.get("rejected")
        tables[spec.name] = CheckedTable(source, found["checked"], rejected, by_day, spellings)
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
    declared, engine = declared_for(settings, spec), settings.engine
    whole = check_raw(source, output, declared.rules, parent=parent, engine=engine)
    if whole is not None:
        remove_together(rejected)
        return whole
    outputs = {"checked": output, "rejected": rejected}
    found = check_known(source, outputs, declared, parent=parent, as_of=as_of, engine=engine)
    if "rejected" not in found:
        remove_together(rejected)
    return found


def days_of_rows(
    settings: Settings, catalog: Catalog, spec: TableSpec
) -> tuple[dict[date, int], bool]:
    """Counts the rows of a raw table by the day they became known; none is refused.

    Args:
        settings: The game's settings.
        catalog: Where the game's data are.
        spec: The raw table's record.

    Returns:
        The counts, and whether any row breaks a rule; False if that needs another table.

    Raises:
        DataError: A column is missing, or the file cannot be read.
    """
    place = catalog.raw(spec.name, settings.tables[spec.name].path)
    source, engine = datasets.ref(place), settings.engine
    if spec.required_parent:
        with scratch_folder(engine) as folder:
            return count_days(source, spec, folder), False
    rules = declared_for(settings, spec).rules
    whole = check_raw(source, catalog.checked(spec.name), rules, engine=engine)
    if whole is None:  # Whether a faulty row matters depends on the day.
        with scratch_folder(engine) as folder:
            return count_days(source, spec, folder), True
    return rows_by_day(fact(present(whole["checked"]), ROWS_BY_DAY)), False


def _optional_parent(
    spec: TableSpec, tables: Mapping[str, CheckedTable], catalog: Catalog, settings: Settings
) -> DatasetRef | None:
    """The checked table that another refers to, if unknown parents are a data warning.

    An earlier run may have checked it: flows that read no characters, too, count rows of
    unknown characters.
    """
    if spec.parent is None or spec.required_parent:
        return None
    if spec.parent.table in tables:
        return tables[spec.parent.table].now
    parent = catalog.checked(spec.parent.table)
    return datasets.ref(parent) if _is_usable(parent, settings) else None


def _is_usable(parent: Dataset, settings: Settings) -> bool:
    """Whether this version has checked a table, with ids of the type that the settings state."""
    if not storage.exists(parent.uri) or ROW_GROUPS not in read_metadata(parent):
        return False
    wanted = raw_tables(settings).characters.types[CHAR_ID]
    return bool(datasets.scan(parent).collect_schema()[CHAR_ID] == wanted)
