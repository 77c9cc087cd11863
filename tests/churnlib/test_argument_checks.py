"""Invalid arguments of public functions are refused with one consistent message."""

import inspect
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import churnlib
from churnlib.argument_checks import check_arguments, check_type
from churnlib.errors import ChurnlibError, DataError
from tests.churnlib.model.samples import features, training, usual
from tests.churnlib.model.samples import step as pipeline_step
from tests.churnlib.report.samples import make_scored

AS_OF = date(2025, 1, 1)
SETTINGS = churnlib.load_settings("game1", {"evaluation.segments": []}, environ={})
CATALOG = churnlib.Catalog(SETTINGS.data_dir, "game1")
TABLES = churnlib.read_tables(SETTINGS)
FEATURES = features(120)
SCORED = make_scored(80)
CALLS: dict[str, dict[str, Any]] = {
    "add_churned_on": {
        "subs": TABLES["sub_data"],
        "misses": TABLES["sub_miss"],
        "as_of": AS_OF,
        "outcome": SETTINGS.outcome,
    },
    "add_activity_features": {
        "rows": TABLES["sub_data"],
        "tables": TABLES,
        "asked": SETTINGS,
        "as_of": AS_OF,
    },
    "add_label": {
        "subs": TABLES["sub_data"].with_columns(churned_on=pl.lit(None, pl.Date)),
        "as_of": AS_OF,
        "horizon_months": 6,
    },
    "back_test": {"model": usual(), "rows": FEATURES, "settings": SETTINGS, "as_of": AS_OF},
    "breakdown": {"scored": SCORED, "columns": (), "most_values": 10},
    "champion": {"catalog": CATALOG},
    "check_table": {
        "source": CATALOG.raw("sub_data"),
        "table": "sub_data",
        "settings": SETTINGS,
        "as_of": AS_OF,
    },
    "evaluate": {"scored": SCORED, "threshold": 0.3, "base_rate": 0.2},
    "feature": {"table": "logins"},
    "feature_table": {"tables": TABLES, "settings": SETTINGS, "as_of": AS_OF},
    "fit": {
        "rows": FEATURES,
        "settings": training(pipeline_step("sklearn.dummy.DummyClassifier")),
        "seed": 1,
    },
    "in_window": {"rows": TABLES["sub_data"], "first": AS_OF, "last": AS_OF},
    "latest_day": {"tables": TABLES, "settings": SETTINGS},
    "load_model": {"model": "v1", "game": "game1", "data_dir": SETTINGS.data_dir},
    "load_settings": {"game": "game1", "overrides": {"train": {"seed": 3}}},
    "paired_difference": {
        "rows": SCORED,
        "candidate": "churn_probability",
        "champion": "baseline_probability",
        "metric": "roc_auc",
    },
    "predict": {"model": usual(), "rows": FEATURES},
    "read_tables": {"settings": SETTINGS, "as_of": AS_OF},
    "scan": {"source": CATALOG.standard_features()},
    "standard_features": {
        "characters": TABLES["character_data"],
        "subs": TABLES["sub_data"],
        "columns": SETTINGS,
        "as_of": AS_OF,
    },
}
"""A correct call of each public function."""
WRONG = (
    None,
    "text",
    -1,
    1.5,
    True,
    [1],
    {"a": 1},
    b"bytes",
    Path("x"),
    AS_OF,
    datetime(2025, 1, 1),
    FEATURES.to_pandas(),
    pl.DataFrame(),
    FEATURES.select("hard_balance").lazy(),
    SETTINGS,
    CATALOG,
    usual(),
    object(),
)
"""Plausible mistakes, each of which is wrong for most arguments."""


def call(function: str, **changed: Any) -> Any:
    result = getattr(churnlib, function)(**{**CALLS[function], **changed})
    return result.collect() if isinstance(result, pl.LazyFrame) else result


def test_every_public_function_is_called() -> None:
    functions = {n for n in churnlib.__all__ if inspect.isfunction(getattr(churnlib, n))}
    assert CALLS.keys() == functions


@pytest.mark.parametrize(("function", "name"), [(f, name) for f in CALLS for name in CALLS[f]])
def test_wrong_argument_gives_one_message(function: str, name: str) -> None:
    refused = 0
    for value in WRONG:
        try:
            call(function, **{name: value})
        except ChurnlibError as error:
            refused += 1
            assert "Traceback" not in str(error)
    assert refused >= len(WRONG) / 2


@pytest.mark.parametrize(
    ("function", "changed", "message"),
    [
        (
            "fit",
            {"settings": SETTINGS},
            r"^fit: settings must be of the type TrainSettings, not Se",
        ),
        (
            "fit",
            {"settings": "game1"},
            r"TrainSettings, not str. .*load_settings\(\"game1\"\).train",
        ),
        ("fit", {"rows": FEATURES.to_pandas()}, "not pandas.DataFrame. .*polars.from_pandas"),
        ("fit", {"seed": 2**32}, "seed must be between 0 and 4294967295; it is 4294967296"),
        ("fit", {"seed": "7"}, "fit: seed must be of the type int or None, not str"),
        ("evaluate", {"threshold": "0.3"}, "threshold must be of the type float or None, not str"),
        ("predict", {"model": usual().pipeline}, "^predict: model must be of the type FittedModel"),
        ("predict", {"model": "x", "rows": 3}, "^predict: model must be .*FittedModel, not str"),
        ("back_test", {"model": None}, "^back_test: model must be .*FittedModel, not None"),
        ("feature_table", {"as_of": "2025-01-01"}, "date, not str. Write date"),
        ("feature_table", {"as_of": datetime(2025, 1, 1)}, "date, not datetime"),
        (
            "feature_table",
            {"tables": {**TABLES, "sub_data": pl.DataFrame()}},
            "the subscriptions lack the column 'sub_id'",
        ),
        (
            "feature_table",
            {"tables": {**TABLES, "sub_data": "sub_data.csv"}},
            r"^feature_table: tables\['sub_data'\] must be of the type polars.LazyFrame, not str",
        ),
        ("breakdown", {"columns": "race"}, "columns must be of the type Sequence, not str"),
        ("load_model", {"game": None}, r'name the game, as in load_model\("v1", game="game1"\)'),
        ("load_model", {"model": Path("data")}, "not pathlib.PosixPath. Get one from a Catalog"),
        ("load_model", {}, "game1: there is no model version 'v1' in .*. Known: "),
        ("champion", {"catalog": "game1"}, "must be of the type Catalog, not str. Make one with"),
        ("scan", {"source": "features.parquet"}, "Dataset or DatasetRef, not str"),
        ("read_tables", {"settings": "gmae1"}, "Did you mean 'game1'"),
    ],
)
def test_message_names_argument_type_and_remedy(
    function: str, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(ChurnlibError, match=message):
        call(function, **changed)


@pytest.mark.parametrize("changed", [{"data_dir": Path("data")}, {"game": None}])
def test_catalog_refuses_other_types(changed: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"^Catalog: \w+ must be of the type str"):
        churnlib.Catalog(**{"data_dir": "data", "game": "game1", **changed})


def test_eager_frames_are_taken_for_lazy_ones() -> None:
    eager = {name: frame.collect() for name, frame in TABLES.items()}
    assert call("feature_table", tables=eager).equals(call("feature_table"))
    subs = {"subs": eager["sub_data"]}
    assert call("standard_features", **subs).equals(call("standard_features"))


def test_tables_are_read_by_the_name_of_a_game() -> None:
    assert churnlib.read_tables("game1")["sub_data"].collect().equals(TABLES["sub_data"].collect())


def test_missing_argument_is_pythons_own_error() -> None:
    with pytest.raises(TypeError, match="missing a required argument: 'settings'"):
        churnlib.fit(FEATURES)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, float), (True, bool), ((), Sequence), (AS_OF, date), (None, type(None))],
)
def test_type_is_accepted(value: object, expected: type) -> None:
    check_type(value, expected, "x")


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, int), (True, float), ("a", Sequence), (datetime(2025, 1, 1), date), (1.0, int)],
)
def test_subtype_that_is_not_meant_is_refused(value: object, expected: type) -> None:
    with pytest.raises(DataError, match=r"^x must be of the type "):
        check_type(value, expected, "x")


def test_checks_keep_a_functions_name_and_documentation() -> None:
    def double(count: int, *, anything: Any = None) -> int:
        """Doubles."""
        return 2 * count

    checked = check_arguments(double)
    assert (checked.__name__, checked.__doc__, checked(2, anything=object())) == (
        "double",
        "Doubles.",
        4,
    )
