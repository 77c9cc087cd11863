"""Checks across sections of the settings: tables, and the features that are computed from them."""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import ValidationError

from churnlib.errors import closest
from churnlib.settings.data import RawSettings
from churnlib.settings.event_features import EventFeatures
from churnlib.settings.features import FeatureSettings
from churnlib.settings.fields import refused
from churnlib.settings.history_features import HistoryFeatures
from churnlib.settings.tables import (
    NOT_TABLES,
    ONE_OF_EACH,
    DeclaredKind,
    TableKind,
    TableSettings,
)

Tables = Mapping[str, TableSettings]
NUMBERS: tuple[DeclaredKind, ...] = ("number", "flag")
WORDS: Mapping[type[HistoryFeatures | EventFeatures], TableKind] = {
    HistoryFeatures: "history",
    EventFeatures: "events",
}
"""The kind of the tables whose features have a type."""


def check_tables(tables: Tables, raw: RawSettings) -> None:
    """Checks that tables fit each other.

    Raises:
        ValidationError: A game has two tables or none of a kind of which it has one, a name means
            something else, or two columns of a subscription's features have one name.
    """
    for kind in ONE_OF_EACH:
        names = [name for name, table in tables.items() if table.kind == kind]
        if len(names) != 1:
            found = f"{' and '.join(names)} are" if names else "none is"
            raise _refused(f"{found} of kind {kind}, of which a game has one table", "tables")
    rejected = [f"{name}_rejected" for name in tables]
    if wrong := [name for name in (*NOT_TABLES, *rejected) if name in tables]:
        raise _refused("a table cannot have this name", "tables", wrong[0])
    places: dict[str, str] = {}
    for name, table in tables.items():
        if table.kind not in ("entity", "subscriptions"):
            continue
        for column in {**table.roles, **table.declared}:
            if column != "char_id" and places.setdefault(column, name) != name:
                raise _refused(
                    f"{places[column]} has a column of this name, too. Rename one of them, with "
                    "rename",
                    *("tables", name, "columns", column),
                )
    known = [
        n for table in tables.values() for n, c in table.declared.items() if c.kind == "category"
    ]
    for column in raw.categories:
        if column not in known:
            raise _refused(
                f"no such category. {closest(column, known)}", "raw", "categories", column
            )


def check_features(features: FeatureSettings, tables: Tables) -> None:
    """Checks that features are computed from columns that their tables have.

    Raises:
        ValidationError: Names the feature's setting, what it asks for, and what there is.
    """
    for name, asked in features.tables.items():
        table, kind = tables.get(name), WORDS[type(asked)]
        if table is None:
            known = [n for n, t in tables.items() if t.kind in WORDS.values()]
            text = f"there is no table of this name. {closest(name, known)}"
            raise _refused(text, "features", name)
        if table.kind != kind and asked != type(asked)():
            words = "a history" if kind == "history" else "events"
            text = f"{name} is of kind {table.kind}, but these are the features of {words}"
            raise _refused(text, "features", name)
        for column, kinds, path in _asked(asked):
            known = [n for n, c in table.declared.items() if c.kind in kinds]
            if column not in known:
                text = (
                    f"{name} has no column '{column}' of kind {_either(kinds)}. "
                    f"{closest(column, known)}"
                )
                raise _refused(text, "features", name, kind, *path)


def _refused(message: str, *path: str | int) -> ValidationError:
    return refused("value_error", *path, message=message)


def _either(kinds: tuple[DeclaredKind, ...]) -> str:
    *others, last = kinds
    return f"{', '.join(others)} or {last}" if others else last


Asked = tuple[str, tuple[DeclaredKind, ...], tuple[str | int, ...]]
"""A column that features are computed from, the kinds that it may have, and where it is named."""


def _asked(features: HistoryFeatures | EventFeatures) -> Iterator[Asked]:
    if isinstance(features, HistoryFeatures):
        for word in ("latest", "latest_known"):
            yield from _named(getattr(features, word), NUMBERS, word)
        lists: tuple[str, ...] = ("fill_values", "aggregations", "differences")
    else:
        for column in features.by:
            yield column, ("category",), ("by", column)
        yield from _named(features.distinct, ("category", "number", "flag"), "distinct")
        lists = ("aggregations",)
    for word in lists:
        for place, entry in enumerate(getattr(features, word)):
            yield from _named(entry.columns, NUMBERS, word, place, "columns")


def _named(
    columns: Sequence[str], kinds: tuple[DeclaredKind, ...], *path: str | int
) -> Iterator[Asked]:
    yield from ((column, kinds, (*path, place)) for place, column in enumerate(columns))
