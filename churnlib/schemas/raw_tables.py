"""The raw tables of a game, one record each, from its settings."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from churnlib.errors import DataError, SettingsError, closest
from churnlib.schemas.columns import CREATION_DATE
from churnlib.schemas.kinds import Known, spec_of
from churnlib.schemas.reading_checks import check_reading
from churnlib.schemas.spec import TableSpec
from churnlib.settings import Settings
from churnlib.settings.databases import DATABASES
from churnlib.settings.tables import DeclaredTables, TableKind, TableSettings

ORDER: tuple[TableKind, ...] = ("entity", "history", "events", "subscriptions", "misses")
"""The kinds of tables, each after those that it refers to."""


@dataclass(frozen=True, eq=False)
class RawTables(Mapping[str, TableSpec]):
    """The raw tables of a game by name, each after the one that it refers to."""

    specs: tuple[TableSpec, ...]

    def __getitem__(self, name: str) -> TableSpec:
        """Returns a table by name.

        Raises:
            DataError: There is no such table.
        """
        for spec in self.specs:
            if spec.name == name:
                return spec
        raise DataError(f"there is no raw table '{name}'. {closest(name, list(self))}")

    def __contains__(self, name: object) -> bool:
        """Whether the game has a table."""
        return any(spec.name == name for spec in self.specs)

    def __iter__(self) -> Iterator[str]:
        """The names, in order."""
        return (spec.name for spec in self.specs)

    def __len__(self) -> int:
        """The number of tables."""
        return len(self.specs)

    def __hash__(self) -> int:
        """Hashes the tables, so that what is derived from them can be cached."""
        return hash(self.specs)

    def of_kind(self, *kinds: TableKind) -> tuple[TableSpec, ...]:
        """The tables of some kinds, in the order of the kinds."""
        return tuple(spec for kind in kinds for spec in self.specs if spec.kind == kind)

    @property
    def characters(self) -> TableSpec:
        """The table with one row per character."""
        return self.of_kind("entity")[0]

    @property
    def subscriptions(self) -> TableSpec:
        """The table with one row per subscription."""
        return self.of_kind("subscriptions")[0]

    @property
    def misses(self) -> TableSpec:
        """The table with one row per run of missed months."""
        return self.of_kind("misses")[0]

    @property
    def activity(self) -> tuple[TableSpec, ...]:
        """The histories and the tables of events, which features are computed from."""
        return self.of_kind("history", "events")

    @property
    def ids(self) -> tuple[str, ...]:
        """The columns that are ids, in any table."""
        return tuple(dict.fromkeys(name for s in self.specs for name in s.of_kind("id")))

    def with_parents(self, specs: Iterable[TableSpec]) -> tuple[TableSpec, ...]:
        """Adds the tables that are needed to check others, each before those."""
        needed = {spec.name for spec in specs}
        for spec in reversed(self.specs):
            if spec.name in needed and spec.required_parent:
                needed.add(spec.required_parent.table)
        return tuple(spec for spec in self.specs if spec.name in needed)


def raw_tables(settings: Settings | DeclaredTables) -> RawTables:
    """The raw tables of a game, without those that it says are absent.

    Args:
        settings: The settings of the game, or only those of its tables.

    Raises:
        SettingsError: A table cannot be read as its settings say.
    """
    declared = settings.declared if isinstance(settings, Settings) else settings
    return _raw_tables(declared.rules.model_dump_json())


@lru_cache(maxsize=64)
def _raw_tables(declared: str) -> RawTables:
    settings = DeclaredTables.model_validate_json(declared)
    tables = {name: table for name, table in settings.tables.items() if not table.absent}
    by_kind = {table.kind: name for name, table in tables.items()}
    characters = by_kind["entity"]
    has_creation = CREATION_DATE in tables[characters].declared
    keeps_unknown = settings.raw.unknown_parent == "keep"
    known = Known(characters, by_kind["subscriptions"], has_creation, keeps_unknown)
    specs = tuple(
        spec_of(name, table, settings.raw, known)
        for kind in ORDER
        for name, table in tables.items()
        if table.kind == kind
    )
    for spec in specs:
        check_reading(spec)
        if tables[spec.name].is_queried and not tables[spec.name].in_database:
            raise SettingsError(
                f"tables.{spec.name} has a query or a table, but its path names no database, such "
                f"as {DATABASES['postgresql']}. Name one, or remove them."
            )
    return RawTables(specs)


def declared_for(settings: Settings, spec: TableSpec) -> DeclaredTables:
    """The settings that the record of one table depends on: its own, and what others are for it.

    Args:
        settings: The settings of the game.
        spec: The raw table's record.
    """
    tables = raw_tables(settings)
    names = (spec.name, tables.characters.name, tables.subscriptions.name)
    own = {
        name: table if name == spec.name else _outline(table)
        for name, table in settings.tables.items()
        if name in names
    }
    return DeclaredTables(raw=settings.raw, tables=own)


def _outline(table: TableSettings) -> TableSettings:
    """What other tables depend on: the kind, and whether there is a day of creation."""
    columns = {n: column for n, column in table.declared.items() if n == CREATION_DATE}
    return TableSettings(kind=table.kind, columns=columns)
