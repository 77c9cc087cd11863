"""Subscription-churn models for games: settings, features, models, reports.

Names are imported when they are first used, so that `import churnlib` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from churnlib.datasets import Catalog as Catalog
    from churnlib.errors import ChurnlibError as ChurnlibError
    from churnlib.features.churn import add_churned_on as add_churned_on
    from churnlib.features.currency import add_currency_features as add_currency_features
    from churnlib.features.labels import add_label as add_label
    from churnlib.features.standard import standard_features as standard_features
    from churnlib.features.table import feature_table as feature_table
    from churnlib.features.windows import in_window as in_window
    from churnlib.model.compare import paired_difference as paired_difference
    from churnlib.model.evaluate import evaluate as evaluate
    from churnlib.model.predict import predict as predict
    from churnlib.model.segments import breakdown as breakdown
    from churnlib.model.store import champion as champion
    from churnlib.model.store import load_model as load_model
    from churnlib.model.train import fit as fit
    from churnlib.raw.checks import check_table as check_table
    from churnlib.raw.tables import latest_day as latest_day
    from churnlib.raw.tables import read_tables as read_tables
    from churnlib.report.back_test import back_test as back_test
    from churnlib.settings import Settings as Settings
    from churnlib.settings import load_settings as load_settings
    from churnlib.storage import scan as scan

_HOMES = {
    "Catalog": "datasets",
    "ChurnlibError": "errors",
    "Settings": "settings",
    "add_churned_on": "features.churn",
    "add_currency_features": "features.currency",
    "add_label": "features.labels",
    "back_test": "report.back_test",
    "breakdown": "model.segments",
    "champion": "model.store",
    "check_table": "raw.checks",
    "evaluate": "model.evaluate",
    "feature_table": "features.table",
    "fit": "model.train",
    "in_window": "features.windows",
    "latest_day": "raw.tables",
    "load_model": "model.store",
    "load_settings": "settings",
    "paired_difference": "model.compare",
    "predict": "model.predict",
    "read_tables": "raw.tables",
    "scan": "storage",
    "standard_features": "features.standard",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'churnlib' has no attribute '{name}'")
    return getattr(import_module(f"churnlib.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
