"""The warnings of the report on a training."""

from typing import Any

import polars as pl

from flows.steps.training_report import training_warnings

MANIFEST: dict[str, Any] = {
    "settings": {"churn_after_months": 3},
    "not_at_risk": 0,
    "validation_warning": None,
    "left_out_features": [],
    "labelled_rows": 1_053,
    "sample": {"share": 1.0, "setting": "train.max_rows"},
}
SAMPLE = {"share": 0.01, "setting": "train.sample"}


def rows(*probabilities: float) -> pl.DataFrame:
    return pl.DataFrame({"churn_probability": probabilities})


def test_constant_predictions_are_explained_by_the_sample() -> None:
    (warning,) = training_warnings(MANIFEST | {"sample": SAMPLE}, rows(0.2, 0.2))
    assert warning.startswith("the model predicts the same probability for every subscription: ")
    assert warning.endswith("1,053 training rows may be too few; set train.sample higher")


def test_training_without_fault_has_no_warning() -> None:
    assert not [*training_warnings(MANIFEST | {"sample": SAMPLE}, rows(0.2, 0.3))]
    assert not [*training_warnings(MANIFEST, rows(0.2, 0.2))]  # Without a sample.
