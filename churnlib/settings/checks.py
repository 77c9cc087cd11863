"""Checks across sections of the settings: tables, and the features that are computed from them."""

from collections.abc import Iterator, Mapping

from churnlib.errors import closest
from churnlib.settings.data import RawSettings
from churnlib.settings.event_features import EventFeatures
from churnlib.settings.features import FeatureSettings
from churnlib.settings.history_features import HistoryFeatures
from churnlib.settings.tables import (
    NOT_TABLES,
    ONE_OF_EACH,
    DeclaredKind,
    TableKind,
    TableSettings,
)

Tables = Mapping[str, TableSettings]
NUMBERS: tuple[DeclaredKind, ...] = ("number", "flag", "undated")
WORDS: Mapping[type[HistoryFeatures | EventFeatures], TableKind] = {
    HistoryFeatures: "history",
    EventFeatures: "events",
}
"""The kind of the tables whose features have a type."""


def check_tables(tables: Tables, raw: RawSettings) -> None:
    """Checks that tables fit each other.

    Raises:
        ValueError: A game has two tables or none of a kind of which it has one, a name means
            something else, or two columns of a subscription's features have one name.
    """
    for kind in ONE_OF_EACH:
        names = [name for name, table in tables.items() if table.kind == kind]
        if len(names) != 1:
            found = f"{' and '.join(names)} are" if names else "none is"
            raise ValueError(f"tables: {found} of kind {kind}, of which a game has one table")
    if wrong := [name for name in NOT_TABLES if name in tables]:
        raise ValueError(f"tables.{wrong[0]}: a table cannot have this name")
    places: dict[str, str] = {}
    for name, table in tables.items():
        if table.kind not in ("entity", "subscriptions"):
            continue
        for column in {**table.roles, **table.declared}:
            if column != "char_id" and places.setdefault(column, name) != name:
                raise ValueError(
                    f"tables.{name}.columns.{column}: {places[column]} has a column of this name, "
                    "too. Rename one of them, with rename"
                )
    known = [
        n for table in tables.values() for n, c in table.declared.items() if c.kind == "category"
    ]
    for column in raw.categories:
        if column not in known:
            raise ValueError(f"raw.categories.{column}: no such category. {closest(column, known)}")


def check_features(features: FeatureSettings, tables: Tables) -> None:
    """Checks that features are computed from columns that their tables have.

    Raises:
        ValueError: Names the feature's setting, what it asks for, and what there is.
    """
    for name, asked in features.tables.items():
        place, table = f"features.{name}", tables.get(name)
        if table is None:
            known = [n for n, t in tables.items() if t.kind in WORDS.values()]
            raise ValueError(f"{place}: there is no table of this name. {closest(name, known)}")
        if table.kind != WORDS[type(asked)] and asked != type(asked)():
            raise ValueError(
                f"{place}: {name} is of kind {table.kind}, but these are the features of "
                f"{'a history' if isinstance(asked, HistoryFeatures) else 'events'}"
            )
        for column, kinds in _asked(asked):
            known = [n for n, c in table.declared.items() if c.kind in kinds]
            if column not in known:
                raise ValueError(
                    f"{place}: {name} has no column '{column}' of kind {_either(kinds)}. "
                    f"{closest(column, known)}"
                )


def _either(kinds: tuple[DeclaredKind, ...]) -> str:
    *others, last = kinds
    return f"{', '.join(others)} or {last}" if others else last


def _asked(
    features: HistoryFeatures | EventFeatures,
) -> Iterator[tuple[str, tuple[DeclaredKind, ...]]]:
    """Yields the columns that features are computed from, and the kinds that these may have."""
    lists = [aggregation.columns for aggregation in features.aggregations]
    if isinstance(features, HistoryFeatures):
        lists += [features.latest, features.latest_known]
        lists += [fill.columns for fill in features.fill_values]
        lists += [difference.columns for difference in features.differences]
    else:
        yield from ((column, ("category", "flag")) for column in features.by)
        yield from ((column, ("category", "number", "flag")) for column in features.distinct)
    yield from ((column, NUMBERS) for columns in lists for column in columns)
