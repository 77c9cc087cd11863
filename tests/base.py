"""The tables that `base.toml` declares, for tests that depend on no game."""

from collections.abc import Mapping

from churnlib.schemas import outputs
from churnlib.schemas import raw_tables as schemas
from churnlib.schemas.raw_tables import RawTables
from churnlib.schemas.spec import Table
from churnlib.settings import RawSettings, load_settings
from churnlib.settings.features import FeatureSettings
from churnlib.settings.history_features import HistoryFeatures
from churnlib.settings.tables import DeclaredTables, TableSettings

BASE = load_settings("game1", local=False, environ={})
HISTORY = "character_currency"
"""The history that `base.toml` declares."""


def declared(
    raw: RawSettings | None = None, tables: Mapping[str, TableSettings] | None = None
) -> DeclaredTables:
    """The tables of `base.toml`, and others, with some settings of raw tables."""
    return DeclaredTables(raw=raw or RawSettings(), tables={**BASE.tables, **(tables or {})})


def raw_tables(raw: RawSettings | None = None) -> RawTables:
    """Their records."""
    return schemas.raw_tables(declared(raw))


def output_tables(raw: RawSettings | None = None) -> dict[str, Table]:
    """The tables that flows write from them."""
    return outputs.output_tables(declared(raw))


def history_features(features: FeatureSettings = BASE.features) -> HistoryFeatures:
    """The features of the history."""
    asked = features.tables[HISTORY]
    assert isinstance(asked, HistoryFeatures)
    return asked
