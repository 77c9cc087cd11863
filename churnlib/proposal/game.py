"""The proposal for a new game: its tables with their columns, and what could not be placed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from churnlib.errors import DataError
from churnlib.proposal.columns import Column, File
from churnlib.proposal.describe import describe
from churnlib.proposal.kinds import Choice, choose
from churnlib.proposal.names import our_name
from churnlib.proposal.roles import find_roles
from churnlib.proposal.sources import find_sources, open_source
from churnlib.proposal.tables import Roles, Table
from churnlib.proposal.windows import Fitting, first_start, fit_windows
from churnlib.proposal.writing import Writing, writing_of
from churnlib.schemas.columns import CHAR_ID, LABEL, SUB_ID
from churnlib.schemas.outputs import output_tables
from churnlib.settings import Settings
from churnlib.settings.tables import NOT_TABLES, ROLES

COMPUTED = ("day", "row_id", "source_row", "unparsable", "orphan", LABEL)
"""Columns that the code adds, besides those of the tables that flows write."""


@dataclass(frozen=True, eq=False)
class Placed:
    """A table of the proposal.

    Attributes:
        name: Its name.
        table: Its file and the columns with a role.
        time: For events, the name of the column of their time.
        choices: Its other columns.
        writing: How its files write values.
    """

    name: str
    table: Table
    time: str | None
    choices: tuple[Choice, ...]
    writing: Writing

    @property
    def file(self) -> File:
        """Its file."""
        return self.table.file

    @property
    def roles(self) -> dict[str, Column]:
        """The columns with a role, by their names in the settings."""
        return {
            self.time if n == "time" and self.time else n: c for n, c in self.table.roles.items()
        }

    @property
    def used(self) -> list[Column]:
        """The columns that are read."""
        return [*self.roles.values(), *(c.column for c in self.choices if c.kind)]

    @property
    def missing(self) -> list[str]:
        """What its file lacks, and what to prepare."""
        clashes = [
            f"{c.column.name}: rename it in the file, because a column of the table has this name."
            for c in self.choices
            if c.kind is None and c.column.name in self.roles
        ]
        return [*self.table.missing, *self.writing.problems, *clashes]


@dataclass(frozen=True, eq=False)
class Proposal:
    """What is proposed for a game.

    Attributes:
        game: Its name.
        folder: The folder of its files.
        tables: Its tables.
        missing: The tables that it lacks and needs, and what to prepare.
        unplaced: Why other files are no table, by name.
        fitting: The windows that fit the data.
        unknown: The share of the subscriptions whose character is unknown.
    """

    game: str
    folder: Path
    tables: tuple[Placed, ...]
    missing: tuple[str, ...]
    unplaced: Mapping[str, str]
    fitting: Fitting
    unknown: float

    @property
    def has_text_ids(self) -> bool:
        """Whether an id is not a whole number."""
        ids = [p.roles[r] for p in self.tables for r in (CHAR_ID, SUB_ID) if r in p.roles]
        return any(column.type != "whole" for column in ids)


def propose(game: str, folder: Path, base: Settings) -> Proposal:
    """Looks at all files of a folder.

    Args:
        game: The name of the game.
        folder: The folder.
        base: The settings that all games share.

    Raises:
        DataError: There is no such folder, or no file there is a table; says why.
    """
    sources, unplaced = find_sources(folder)
    files: list[File] = []
    for source in sources:
        try:
            files.append(describe(open_source(source)))
        except DataError as error:
            unplaced[source.name] = str(error)
    if not files:
        raise DataError(f"{folder} has no CSV or Parquet files to read.{_listed(unplaced)}")
    roles = find_roles(files)
    if not roles.tables:
        raise DataError(
            f"no file in {folder} is a table of a game.{_listed({**roles.unplaced, **unplaced})}"
        )
    return Proposal(
        game=game,
        folder=folder,
        tables=tuple(_placed(roles, base)),
        missing=tuple(roles.missing),
        unplaced={**roles.unplaced, **unplaced},
        fitting=fit_windows(roles, base),
        unknown=_unknown_share(roles),
    )


def _listed(unplaced: Mapping[str, str]) -> str:
    return "".join(f"\n  {name} {why}" for name, why in unplaced.items())


def _placed(roles: Roles, base: Settings) -> Iterable[Placed]:
    by_kind = {table.kind: name for name, table in base.tables.items()}
    reserved = _reserved(base)
    names = {*base.tables, *NOT_TABLES}
    # Columns of characters and of subscriptions are columns of one table of features.
    features = set(reserved)
    for table in roles.tables:
        is_shared = table.kind in by_kind and table.kind not in ("history", "events")
        name = by_kind[table.kind] if is_shared else _name(table, base, names)
        names.add(name)
        shared = base.tables[name].declared if name in base.tables else {}
        taken = features if table.kind in ("entity", "subscriptions") else reserved
        writing = writing_of(table)
        roles_of_kind = {*ROLES[table.kind], *taken}
        time = table.roles.get("time")
        choices = choose(table, shared, taken, first_start(roles))
        yield Placed(
            name,
            table,
            our_name(time.name, roles_of_kind | {c.name for c in choices}, name) if time else None,
            tuple(writing.checked(choice) for choice in choices),
            writing,
        )
        if table.kind in ("entity", "subscriptions"):
            features |= {choice.name for choice in choices if choice.kind}


def _name(table: Table, base: Settings, names: set[str]) -> str:
    """The name of a history or of events: that of the file, or the one that all games share."""
    stem = table.file.source.stem
    if stem in base.tables and base.tables[stem].kind == table.kind:
        return stem
    return our_name(stem, names, "own")


def _reserved(base: Settings) -> set[str]:
    """The columns that are computed."""
    declared = {name for table in base.tables.values() for name in (*table.roles, *table.declared)}
    computed = {name for table in output_tables(base).values() for name in table.columns}
    return {*COMPUTED, *computed - declared}


def _unknown_share(roles: Roles) -> float:
    """The share of the subscriptions whose character has no row."""
    tables: Sequence[Table] = [*roles.of_kind("entity"), *roles.of_kind("subscriptions")]
    if len(tables) < 2:
        return 0.0
    known, subs = (
        t.file.frame.select(pl.col(t.roles[CHAR_ID].name).alias(CHAR_ID)) for t in tables
    )
    unknown = subs.join(known, on=CHAR_ID, how="anti").select(pl.len()).collect().item()
    return float(unknown / tables[1].file.rows)
