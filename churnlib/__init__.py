"""Subscription-churn models for games: settings, features, models, reports.

Names are imported when they are first used, so that `import churnlib` costs next to nothing. The
functions check the types of their arguments, and take eager frames where they expect lazy ones.
"""

from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from churnlib.errors import ChurnlibError as ChurnlibError
    from churnlib.features.activity import add_activity_features as add_activity_features
    from churnlib.features.cohort import feature_table as feature_table
    from churnlib.features.cohort_rows import in_window as in_window
    from churnlib.features.outcome import add_churned_on as add_churned_on
    from churnlib.features.outcome import add_label as add_label
    from churnlib.features.python import feature as feature
    from churnlib.features.standard import standard_features as standard_features
    from churnlib.io.catalog import Catalog as Catalog
    from churnlib.io.datasets import scan as scan
    from churnlib.metrics.comparison import paired_difference as paired_difference
    from churnlib.metrics.evaluate import evaluate as evaluate
    from churnlib.metrics.segments import breakdown as breakdown
    from churnlib.model.fit import fit as fit
    from churnlib.model.predict import predict as predict
    from churnlib.raw.availability import latest_day as latest_day
    from churnlib.raw.tables import read_tables as read_tables
    from churnlib.raw.validate import check_table as check_table
    from churnlib.report.back_test import back_test as back_test
    from churnlib.settings import Settings as Settings
    from churnlib.settings import load_settings as load_settings
    from churnlib.versions.champion import champion as champion
    from churnlib.versions.folder import load_model as load_model

_HOMES = {
    "Catalog": "io.catalog",
    "ChurnlibError": "errors",
    "Settings": "settings",
    "add_activity_features": "features.activity",
    "add_churned_on": "features.outcome",
    "add_label": "features.outcome",
    "back_test": "report.back_test",
    "breakdown": "metrics.segments",
    "champion": "versions.champion",
    "check_table": "raw.validate",
    "evaluate": "metrics.evaluate",
    "feature": "features.python",
    "feature_table": "features.cohort",
    "fit": "model.fit",
    "in_window": "features.cohort_rows",
    "latest_day": "raw.availability",
    "load_model": "versions.folder",
    "load_settings": "settings",
    "paired_difference": "metrics.comparison",
    "predict": "model.predict",
    "read_tables": "raw.tables",
    "scan": "io.datasets",
    "standard_features": "features.standard",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("churnlib")
    if name not in _HOMES:
        raise AttributeError(f"module 'churnlib' has no attribute '{name}'")
    value = getattr(import_module(f"churnlib.{_HOMES[name]}"), name)
    if isinstance(value, FunctionType):
        from churnlib.argument_checks import check_arguments

        value = check_arguments(value)
    globals()[name] = value  # So that this function is asked only once.
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
