"""All raw tables of a game at once, for scripts and notebooks."""

from datetime import date

import polars as pl

from churnlib.io.catalog import Catalog
from churnlib.io.databases.snapshot import Source, check_snapshot
from churnlib.raw.quality_warnings import DayCounts, count_unknown_parents
from churnlib.raw.unknown_ids import check_share_known
from churnlib.raw.validate import check_table
from churnlib.schemas.raw_tables import raw_tables
from churnlib.settings import Settings, load_settings
from churnlib.settings.databases import is_database


def read_tables(settings: Settings | str, *, as_of: date | None = None) -> dict[str, pl.LazyFrame]:
    """Reads the raw tables of a game, and checks every row against the rules of its table.

    Args:
        settings: The game's settings, or its name.
        as_of: See `churnlib.check_table`.

    Returns:
        The tables by name, typed, without the rows that break a rule.

    Raises:
        DataError: A table is missing or cannot be read, or rows break rules and may not be
            quarantined; names file, columns, rules, and the number and first of the rows.
        SettingsError: There is no such game.
    """
    if isinstance(settings, str):
        settings = load_settings(settings)
    catalog, checked = Catalog(settings.data_dir, settings.game), dict[str, pl.LazyFrame]()
    tables = raw_tables(settings)
    for name, spec in tables.items():
        reference = spec.required_parent
        parent = checked[reference.table] if reference else None
        place = settings.tables[name]
        source = catalog.raw(name, place.path)
        if place.path and is_database(place.path):
            check_snapshot(source, place.path, Source(place.query, place.table))
        table = check_table(source, name, settings, parent=parent, as_of=as_of)
        checked[name] = table.rows.lazy()
        if spec.parent and not spec.required_parent:
            known = checked[spec.parent.table]
            counts = DayCounts(spec)
            counts.add(table.rows)
            by_day = {**counts.by_day, **count_unknown_parents(checked[name], spec, known)}
            rows, day = (checked[name], known), as_of or date.max
            check_share_known(source, rows, spec, by_day, settings.raw, day)
    return checked
