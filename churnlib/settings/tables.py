"""Settings of the raw tables: which a game has, where they are, and what their columns mean."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from churnlib.settings.data import RawSettings
from churnlib.settings.databases import check_database, is_database
from churnlib.settings.fields import Flag, Item, Number, OperatorOnly, Section, Whole

TableKind = Literal["entity", "history", "events", "subscriptions", "misses"]
"""The kind of the rows of a raw table."""
TABLE_KINDS: Mapping[TableKind, str] = {
    "entity": "a row per character",
    "history": "the state of a character at a date: a row per character and date",
    "events": "what characters did: any number of rows, each with a day or time",
    "subscriptions": "a row per subscription",
    "misses": "a row per run of missed months",
}
"""The meaning of each kind."""
DeclaredKind = Literal["category", "number", "flag", "date", "milestone", "undated"]
"""The kind of the values of a declared column."""
COLUMN_KINDS: Mapping[DeclaredKind, str] = {
    "category": "text with few values, which never change",
    "number": "a number that never changes; in a history or events, that of its day",
    "flag": "true or false, which never changes; in a history or events, that of its day",
    "date": "a day of a character known from the start, such as that of birth: its feature is the "
    "months from it to the day of the row, null before it",
    "milestone": "the day on which something is reached: its features are whether it was by the "
    "day of the row, and the months until then from the creation",
    "undated": "a number as of the extract, such as a total, which leaks what happened later: a "
    "feature only with `standard.undated_totals`",
}
"""The meaning of each kind."""

ROLES: Mapping[TableKind, Mapping[str, str]] = {
    "entity": {"char_id": "id"},
    "history": {"char_id": "id", "date": "date"},
    "events": {"char_id": "id"},
    "subscriptions": {
        "sub_id": "id",
        "char_id": "id",
        "sub_start_date": "date",
        "sub_months": "number",
    },
    "misses": {"sub_id": "id", "start_date": "date", "end_date": "date"},
}
"""The columns that tables of a kind always have, and the kind of their values."""
ONE_OF_EACH: tuple[TableKind, ...] = ("entity", "subscriptions", "misses")
"""The kinds of which a game has one table."""
NOT_TABLES = (
    *("ratios", "calendar", "python"),
    *("standard_features", "train_features", "score_features", "predict_features", "predictions"),
)
"""Names that tables cannot have: those in `[features]`, and of tables that flows write."""
ONLY_IN: Mapping[DeclaredKind, tuple[TableKind, ...]] = {
    "milestone": ("entity",),
    "undated": ("entity", "subscriptions"),
}
"""The kinds of the tables that may have columns of some kinds; of others, all may."""

MOST_DAYS = 3650
"""The greatest number of days in a setting."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=64)]
"""The name of a table or column."""


class ColumnSettings(Item):
    """A column of a raw table. In short, its kind alone: `gender = "category"`."""

    kind: DeclaredKind
    """What its values are."""
    description: str = ""
    """Its meaning, for the documentation."""
    nullable: Flag | None = None
    """Whether a value may be missing. If null, that of a milestone and of a number in a history
    may, any other may not."""
    plausible: tuple[Number, Number] | None = None
    """The least and the greatest plausible number; others are counted and warned of."""


def _in_long_form(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


Declared = Annotated[ColumnSettings, BeforeValidator(_in_long_form)]


class TableSettings(Section):
    """A raw table of a game."""

    kind: TableKind
    """What its rows are. A game has one table of each kind but `history` and `events`, of which it
    may have any number."""
    description: str = ""
    """The meaning of a row, for the documentation."""
    columns: dict[Name, Declared | None] = Field(default_factory=dict)
    """The columns besides those that tables of the kind always have, such as `char_id`; "null"
    removes one."""
    absent: Flag = False
    """Whether the game has no such history or events."""
    every: Literal["month", "day"] = "month"
    """How often a history has a row of a character: each month, dated on its first day, or on any
    day."""
    time: Name | None = None
    """The column of events with the day or the time of each."""
    known_after_days: Whole = Field(default=0, ge=0, le=MOST_DAYS)
    """The number of days from that of a fact of a history, or of an event, to that on which it
    reaches the data."""
    path: Annotated[
        str | None,
        Field(min_length=1),
        OperatorOnly("it would read wherever the worker may"),
    ] = None
    """Where it is, unless it has the name of the table: a file, a folder of parts or a pattern such
    as `logins/*.csv.gz`, in the game's folder of raw tables; the URI of one; or that of a database,
    such as `postgresql://host/game`, `sqlite:///game.db` or `duckdb:///game.duckdb`."""
    query: Annotated[str | None, OperatorOnly("it would read whatever the database has")] = None
    """The query that gives its rows, if `path` is a database."""
    table: Annotated[str | None, OperatorOnly("it would read whatever the database has")] = None
    """The table there that has its rows, in place of a query."""
    rename: dict[str, Name] = Field(default_factory=dict)
    """Columns that have other names there: theirs, and ours, as in `{ player = "char_id" }`."""
    fill: dict[Name, str | bool | float] = Field(default_factory=dict)
    """The values of columns that replace null, also in cells that mean null: `raw.null_values`."""
    separator: str = Field(default=",", min_length=1, max_length=1)
    """The character between the values of a CSV file."""
    decimal: Literal[".", ","] = "."
    """The decimal mark of numbers in text."""
    encoding: str = "utf-8"
    """The encoding of a CSV file, such as `utf-16` or `latin-1`."""
    date_format: str | None = None
    """How text writes days and times, such as `%d.%m.%Y` or `%d.%m.%Y %H:%M`; as `2024-12-31` and
    `2024-12-31 18:30:00` if null."""
    time_zone: str | None = None
    """The time zone, such as `Europe/Berlin`, to which times with a zone are converted. If null,
    each keeps its own wall time."""

    @field_validator("path")
    @classmethod
    def _without_credentials(cls, path: str | None) -> str | None:
        return check_database(path) if path and is_database(path) else path

    @property
    def in_database(self) -> bool:
        """Whether it is in a database."""
        return self.path is not None and is_database(self.path)

    @property
    def is_queried(self) -> bool:
        """Whether it names the rows of a database."""
        return self.query is not None or self.table is not None

    @property
    def roles(self) -> Mapping[str, str]:
        """The columns that it always has, and the kind of their values."""
        return {**({self.time: "date"} if self.time else {}), **ROLES[self.kind]}

    @property
    def declared(self) -> dict[str, ColumnSettings]:
        """The columns that it declares besides those."""
        return {n: column for n, column in self.columns.items() if n not in self.roles and column}

    @property
    def removed(self) -> tuple[str, ...]:
        """The columns that its files may have and that are not used."""
        return tuple(n for n, column in self.columns.items() if column is None)

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "TableSettings":
        if self.kind == "events" and self.time is None:
            raise ValueError("are events, so that `time` must name the column of their day or time")
        if self.kind != "events" and self.time is not None:
            raise ValueError(f"has time, which only events have, not a table of kind {self.kind}")
        if self.time in ROLES[self.kind]:
            raise ValueError(f"has time = '{self.time}', which is a column of another meaning")
        if self.absent and self.kind in ONE_OF_EACH:
            raise ValueError(f"cannot be absent: every game has a table of kind {self.kind}")
        if self.known_after_days and self.kind not in ("history", "events"):
            raise ValueError(
                "has known_after_days, which only histories and events have: a subscription and a "
                "miss count from their own day. Run as of an earlier day where they arrive late"
            )
        if self.query is not None and self.table is not None:
            raise ValueError("has both a query and a table. Remove one of them")
        if self.in_database and not self.is_queried:
            raise ValueError("is in a database, so that `query` or `table` must name its rows")
        return self

    @model_validator(mode="after")
    def _columns_fit_its_kind(self) -> "TableSettings":
        for name, kind in self.roles.items():
            column = self.columns.get(name)
            if column is not None and column.kind != kind:
                raise ValueError(f"always has the column {name}, of kind {kind}. Do not declare it")
        for name, declared in self.declared.items():
            if self.kind not in (kinds := ONLY_IN.get(declared.kind, (self.kind,))):
                raise ValueError(
                    f"has the column {name} of kind {declared.kind}, which only tables of kind "
                    f"{' or '.join(kinds)} have. Declare another kind, or remove the column"
                )
        return self


def meaning_of(table: Mapping[str, Any]) -> dict[str, Any]:
    """What features depend on in the settings of a table, but not where it is or how it is written.

    Args:
        table: The settings as plain data.
    """
    columns = {name: column["kind"] for name, column in table.get("columns", {}).items() if column}
    own = {name: table.get(name, usual) for name, usual in USUAL.items()}
    return {"kind": table["kind"], "columns": columns, **own}


USUAL = {
    name: TableSettings.model_fields[name].get_default(call_default_factory=True)
    for name in ("every", "time", "known_after_days", "fill")
}
"""The defaults of the settings that features depend on."""


class DeclaredTables(Item):
    """The raw tables of a game, and how they are read: what `raw_tables` needs of the settings."""

    raw: RawSettings = RawSettings()
    tables: dict[Name, TableSettings]

    @property
    def rules(self) -> "DeclaredTables":
        """Those that decide which rows are valid, without those of their quarantine."""
        of_rows = ("id_type", "null_values", "no_date", "unknown_parent", "categories")
        raw = RawSettings(**{name: getattr(self.raw, name) for name in of_rows})
        return DeclaredTables(raw=raw, tables=self.tables)
