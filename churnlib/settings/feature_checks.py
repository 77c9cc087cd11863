"""Checks of the settings of features against those of the tables."""

from collections.abc import Iterable, Iterator, Mapping

from churnlib.errors import closest
from churnlib.settings.event_features import EventFeatures
from churnlib.settings.features import FeatureSettings
from churnlib.settings.fields import repeated
from churnlib.settings.history_features import HistoryFeatures
from churnlib.settings.tables import DeclaredKind, TableSettings

NUMBERS: tuple[DeclaredKind, ...] = ("number", "flag")
VALUES: tuple[DeclaredKind, ...] = ("number", "flag", "category")


def check_features(
    features: FeatureSettings, tables: Mapping[str, TableSettings], others: Iterable[str] = ()
) -> None:
    """Refuses features of tables, columns or kinds of columns that a game does not have.

    Features of a table that is absent are not checked; there are none.

    Args:
        features: The features.
        tables: The raw tables of the game.
        others: The names of the standard features and of other columns beside them.

    Raises:
        ValueError: Names the setting, and says what to do.
    """
    for name, of_table in features.tables.items():
        if name not in tables:
            raise ValueError(f"features.{name}: there is no such table. {closest(name, tables)}")
        if not tables[name].absent:
            _check_kind(name, of_table, tables[name])
            _check_columns(name, of_table, tables[name])
    names = [*others, *feature_names(features, tables)]
    if twice := repeated(names):
        raise ValueError(
            f"features: there would be several columns of the name {twice}. Rename a column of a "
            "raw table, or a ratio, or leave out one of the features"
        )


def feature_names(features: FeatureSettings, tables: Mapping[str, TableSettings]) -> Iterator[str]:
    """Yields the names of all features but the standard ones and those in Python, in order.

    Args:
        features: The features.
        tables: The raw tables of the game, of which some may be absent.
    """
    for table, of_table in features.tables.items():
        if not tables[table].absent:
            yield from (each.name for each in of_table.of_table(table))
    yield from features.calendar.use
    yield from (ratio.name for ratio in features.ratios)


def _check_kind(name: str, features: HistoryFeatures | EventFeatures, table: TableSettings) -> None:
    kind = "events" if isinstance(features, EventFeatures) else "history"
    if table.kind == "events" and kind == "history":
        raise ValueError(f'features.{name}: {name} are events: add windows, such as ["30d"]')
    if table.kind != kind:
        words = ", ".join(sorted(features.model_fields_set))
        raise ValueError(
            f"features.{name}: the table is of kind {table.kind}, and has no features by {words}"
        )


def _check_columns(
    name: str, features: HistoryFeatures | EventFeatures, table: TableSettings
) -> None:
    for setting, column, kinds in _uses(features):
        place = f"features.{name}.{setting}"
        declared = table.columns.get(column)
        if declared is None:
            raise ValueError(
                f"{place}: {name} has no column '{column}'. {closest(column, table.columns)}"
            )
        if declared.kind not in kinds:
            raise ValueError(
                f"{place}: the column '{column}' is of kind {declared.kind}; name one of kind "
                f"{' or '.join(kinds)}"
            )


def _uses(
    features: HistoryFeatures | EventFeatures,
) -> Iterator[tuple[str, str, tuple[DeclaredKind, ...]]]:
    """Yields each setting with a column that it names and the kinds that it may be of."""
    for aggregation in features.aggregations:
        yield from (("aggregations", column, NUMBERS) for column in aggregation.columns)
    if isinstance(features, EventFeatures):
        yield from (("distinct", column, VALUES) for column in features.distinct)
        yield from (("by", column, ("category",)) for column in features.by)
        return
    yield from (("latest", column, NUMBERS) for column in features.latest)
    yield from (("latest_known", column, NUMBERS) for column in features.latest_known)
    for difference in features.differences:
        yield from (("differences", column, NUMBERS) for column in difference.columns)
    for fill in features.fill_values:
        yield from (("fill_values", column, NUMBERS) for column in fill.columns)
