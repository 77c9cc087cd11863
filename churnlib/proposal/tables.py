"""A file as a table of a game, and its columns that have a day in every row."""

from dataclasses import dataclass, field

from churnlib.proposal.columns import Column, File
from churnlib.proposal.words import hints
from churnlib.settings.tables import TableKind


@dataclass(eq=False)
class Table:
    """A file as a table of a game.

    Attributes:
        file: The file.
        kind: The kind of the table.
        roles: The columns of the file that have a role, by the name of the role.
        every: For a history, how often it has a row of a character.
        guesses: Why a column has its role, by role, where that is a guess.
        missing: What the file lacks, and what to prepare.
    """

    file: File
    kind: TableKind
    roles: dict[str, Column] = field(default_factory=dict)
    every: str = "month"
    guesses: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    @property
    def others(self) -> list[Column]:
        """The columns without a role."""
        return [c for c in self.file.columns.values() if c not in self.roles.values()]


@dataclass
class Roles:
    """The tables that were found.

    Attributes:
        tables: The tables.
        missing: The tables that were not found although every game needs them, and what to prepare.
        unplaced: Why other files are no table, by file.
    """

    tables: list[Table] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unplaced: dict[str, str] = field(default_factory=dict)

    def of_kind(self, *kinds: TableKind) -> list[Table]:
        """The tables of some kinds."""
        return [table for table in self.tables if table.kind in kinds]


def days(file: File, meaning: str) -> list[Column]:
    """The columns with a day in every row, the most likely first."""
    found = [c for c in file.where("time") if c.is_day and c.is_complete]
    return sorted(
        found, key=lambda c: (not hints(c.name, meaning), hints(c.name, "end"), c.least, c.greatest)
    )


def why_no_day(file: File) -> str:
    """Why no column of a file has a day in every row, if it seems to be meant for one."""
    if months := file.where("month"):
        return f" {months[0].name} has months such as '{months[0].least}': write their first days."
    if times := [c for c in file.where("time") if not c.is_days]:
        return f" {times[0].name} has times of day: write the days alone."
    if days := file.where("time"):
        return f" {days[0].name} is empty in {days[0].nulls:,} rows: fill it."
    return ""
