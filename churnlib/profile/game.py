"""The profile of a game's raw data."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl

from churnlib.errors import ChurnlibError
from churnlib.features.cohort import feature_columns
from churnlib.io.catalog import month_name
from churnlib.profile.checks import (
    CheckedTable,
    Checks,
    check_raw_tables,
    find_refusal,
    follows_from,
)
from churnlib.profile.churn import ChurnProfile, profile_churn
from churnlib.profile.columns import ColumnProfile, profile_columns
from churnlib.raw.availability import default_day, latest_arrival, latest_start, rows_by_month
from churnlib.raw.gaps import find_gap
from churnlib.raw.late_feeds import find_late, read_monthly_rows
from churnlib.raw.quality_warnings import rows_by_day
from churnlib.schemas.raw_tables import RawTables, raw_tables
from churnlib.schemas.spec import TableSpec
from churnlib.settings import Settings, check_label_overlap
from churnlib.settings.databases import shown_database
from churnlib.settings.outcome import OutcomeSettings
from churnlib.settings.tables import TableKind
from churnlib.uris import name_of


@dataclass(frozen=True)
class TableProfile:
    """What a raw table holds.

    Attributes:
        name: The table.
        kind: The kind of its rows.
        description: The meaning of a row.
        file: The name of its file, folder or pattern; empty if it could not be read.
        rows: The number of rows that break no rule.
        bad_rows: The number of those that do.
        columns: Its columns.
        months: The rows by the month in which they became known, by its first day.
        arrived: The latest month of a history that has arrived; None for others.
        odd: The number of rows with each data warning, as of the day of a run.
    """

    name: str
    kind: TableKind
    description: str
    file: str = ""
    rows: int = 0
    bad_rows: int = 0
    columns: tuple[ColumnProfile, ...] = ()
    months: Mapping[date, int] = field(default_factory=dict)
    arrived: date | None = None
    odd: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class GameProfile:
    """What the raw data of a game hold, and whether a run would accept them.

    Attributes:
        game: The game.
        day: The day of a run; None if it is neither stated nor can be derived from the data.
        is_stated: Whether the settings state the day.
        horizon_months: The horizon of a label.
        outcome: What counts as churn.
        tables: The raw tables.
        churn: Subscriptions and churn; None without a day, subscriptions or misses.
        refusals: Why a run would be refused; empty if it would not be.
        warnings: What may be wrong, but stops no run.
    """

    game: str
    day: date | None
    is_stated: bool
    horizon_months: int
    outcome: OutcomeSettings
    tables: tuple[TableProfile, ...]
    churn: ChurnProfile | None
    refusals: tuple[str, ...]
    warnings: tuple[str, ...]


def profile_game(settings: Settings, scratch: Path) -> GameProfile:
    """Reads all raw tables of a game, and tells what they hold.

    Rows that break a rule are counted and left out.

    Args:
        settings: The game's settings; `as_of` is the day, if it is not to be derived.
        scratch: A folder for temporary files, which the caller removes.
    """
    specs = raw_tables(settings)
    checks = check_raw_tables(settings, specs, scratch)
    day = settings.as_of or _latest_day(settings, specs, checks)
    judged = day or date.max
    churn = _churn(settings, specs, checks, day)
    late, gaps = _feeds(settings, specs, checks, day)
    stops = settings.raw.on_late == "fail"
    refusals = (
        *_features(settings),
        *_faults(settings, specs, checks, judged, scratch),
        *(_no_day(settings, specs) if day is None else ()),
        *(late if stops else ()),
        *_overlap(settings, day),
        *_windows(churn),
    )
    tables = (_table(settings, s, checks.tables.get(s.name), judged) for s in specs.values())
    return GameProfile(
        game=settings.game,
        day=day,
        is_stated=settings.as_of is not None,
        horizon_months=settings.horizon_months,
        outcome=settings.outcome,
        tables=tuple(tables),
        churn=churn,
        refusals=refusals,
        warnings=(*(() if stops else late), *gaps, *_unread(settings, specs, checks, judged)),
    )


def _features(settings: Settings) -> Iterator[str]:
    """Why the features that the settings ask for cannot be computed."""
    try:
        feature_columns(settings)
    except ChurnlibError as error:
        yield str(error)


def _faults(
    settings: Settings, specs: RawTables, checks: Checks, day: date, scratch: Path
) -> Iterator[str]:
    """Why a run would refuse each table, those that it refers to first."""
    for name, spec in specs.items():
        if name in checks.unreadable:
            yield checks.unreadable[name]
        elif refusal := find_refusal(settings, spec, checks.tables[name], day, scratch):
            yield refusal + follows_from(spec, checks.tables)


def _latest_day(settings: Settings, specs: RawTables, checks: Checks) -> date | None:
    """The default day of a run; None if a table that it is derived from has no rows."""
    days = {name: rows_by_day(table.by_day) for name, table in checks.tables.items()}
    return default_day(days, specs, settings.raw.arrived_share)


def _no_day(settings: Settings, specs: RawTables) -> Iterator[str]:
    sources = specs.of_kind("history") or specs.of_kind("subscriptions")
    yield (
        f"{settings.game}: the day of the run cannot be derived, because "
        f"{' or '.join(spec.name for spec in sources)} has no valid rows. Deliver the table, or "
        "name the day with --as-of."
    )


def _table(
    settings: Settings, spec: TableSpec, table: CheckedTable | None, day: date
) -> TableProfile:
    about = TableProfile(spec.name, spec.kind, spec.description)
    if table is None:
        return about
    rows = table.checked.rows or 0
    declared = settings.tables[spec.name]
    place, in_database = declared.path or "", declared.in_database
    months = rows_by_month(rows_by_day(table.by_day))
    arrival = latest_arrival(months, settings.raw.arrived_share) if spec.kind == "history" else None
    return TableProfile(
        spec.name,
        spec.kind,
        spec.description,
        file=shown_database(place) if in_database else name_of(table.source.uri),
        rows=rows,
        bad_rows=table.bad_rows,
        columns=profile_columns(table.rows, spec, rows),
        months=dict(sorted(months.items())),
        arrived=arrival.month if arrival else None,
        odd=table.odd(day),
    )


def _churn(
    settings: Settings, specs: RawTables, checks: Checks, day: date | None
) -> ChurnProfile | None:
    subs, misses = (checks.tables.get(s.name) for s in (specs.subscriptions, specs.misses))
    if day is None or subs is None or misses is None:
        return None
    rows: tuple[pl.LazyFrame, pl.LazyFrame] = (subs.rows, misses.rows)
    return profile_churn(*rows, settings, day)


def _feeds(
    settings: Settings, specs: RawTables, checks: Checks, day: date | None
) -> tuple[list[str], list[str]]:
    """The tables that are late on the day of a run, and those with gaps."""
    if day is None:
        return [], []
    rows = {
        spec: read_monthly_rows(checks.tables[spec.name].checked, spec)
        for spec in specs.of_kind("subscriptions", "misses", "history", "events")
        if spec.name in checks.tables
    }
    late = (find_late(spec, months, day) for spec, months in rows.items())
    gaps = (find_gap(spec, months, day) for spec, months in rows.items())
    told = [f"{settings.game}: {feed}" for feed in late if feed]
    return told, [f"{settings.game}: {gap}" for gap in gaps if gap]


def _unread(settings: Settings, specs: RawTables, checks: Checks, day: date) -> Iterator[str]:
    """Warns of rows after the last month that has arrived, which decides on the day of a run."""
    share, histories = settings.raw.arrived_share, specs.of_kind("history")
    find = latest_arrival if histories else latest_start
    for spec in () if settings.as_of else histories or (specs.subscriptions,):
        if spec.name not in checks.tables:
            continue
        arrival = find(
            rows_by_month(rows_by_day(checks.tables[spec.name].by_day), spec.known_after_days),
            share,
        )
        if arrival and arrival.later:
            months = ", ".join(map(month_name, arrival.later))
            number = sum(arrival.later.values())
            rows = f"{number:,} row{'' if number == 1 else 's'} of {months}"
            yield (
                f"{settings.game}: {spec.name}: {rows} would not be read: too few for a "
                f"month to have arrived after {month_name(arrival.month)}, which has "
                f"{arrival.rows:,} (raw.arrived_share = {share:g}), so that a run is as of {day}"
            )


def _overlap(settings: Settings, day: date | None) -> Iterator[str]:
    if day is None:
        return
    try:
        check_label_overlap(settings, day)
    except ValueError as error:
        yield f"{settings.game}: {error}"


def _windows(churn: ChurnProfile | None) -> Iterator[str]:
    for window in churn.windows if churn else ():
        if window.problem:
            span = f"{window.first} to {window.last}"
            yield f"windows.{window.name} ({span}): {window.problem}"
