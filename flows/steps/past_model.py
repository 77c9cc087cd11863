"""What there is to say, months later, of the model that predicted a batch."""

from dataclasses import replace
from typing import Any

import polars as pl

from churnlib.errors import ChurnlibError, DataError, ModelError
from churnlib.io import datasets
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import optional_fact
from churnlib.schemas.columns import LABEL, PROBABILITY
from churnlib.uris import join
from churnlib.versions.manifest import read_manifest
from churnlib.versions.verification import GOLDEN_TOLERANCE
from flows.steps.reports import about_model, ref_facts
from flows.steps.run import Run

OTHERS = "the features that stand are not those that were predicted from"


def standing(dataset: Dataset) -> DatasetRef | None:
    """A dataset that an earlier run made, where it still stands."""
    try:
        return datasets.ref(dataset)
    except DataError:
        return None


def model_behind(run: Run, predictions: DatasetRef) -> DatasetRef | None:
    """The version that predicted a batch, where it still stands."""
    version, models = optional_fact(predictions, "model_version"), run.catalog.models()
    if version is None:
        return None
    return standing(replace(models, uri=join(models.uri, str(version))))


def about_past_model(model: DatasetRef | None, *inputs: DatasetRef) -> dict[str, Any]:
    """See `flows.steps.reports.about_model`; only the inputs where the model is gone."""
    try:
        manifest = read_manifest(model) if model else None
    except ModelError:
        manifest = None
    if manifest is None:
        return {"facts": {}, "inputs": {ref.name: ref_facts(ref) for ref in inputs}}
    return about_model(manifest, *inputs)


def past_importance(
    model: DatasetRef | None,
    features: DatasetRef | None,
    known: pl.DataFrame,
    *,
    allow_joblib: bool,
) -> dict[str, Any]:
    """Measures what the model of a batch leaned on; where that cannot be, it says why.

    Args:
        model: The version that predicted; null where it does not stand any more.
        features: The features of the batch; null where they do not stand any more.
        known: The batch's `sub_id`, `sub_churn` (null where not known yet) and
            `churn_probability`, by which it is told whether these are the features.
        allow_joblib: See `churnlib.versions.folder.load_model`.

    Returns:
        `importance` and `importance_reason`; see `churnlib.report.content.Report`.
    """
    from churnlib.model.importance import MAX_ROWS, permutation_importance
    from churnlib.model.predict import predict
    from churnlib.versions.folder import load_model

    if model is None:
        return _missing("the model that predicted does not stand any more")
    if features is None:
        return _missing("the features that were predicted from do not stand any more")
    try:
        loaded = load_model(model, allow_joblib=allow_joblib)
    except ChurnlibError as error:
        return _missing(f"the model cannot be opened any more: {error}".rstrip("."))
    told = known.drop_nulls(LABEL).select("sub_id", LABEL, PROBABILITY).lazy()
    try:
        table = datasets.scan(features).join(told, on="sub_id", maintain_order="left")
        rows = table.head(MAX_ROWS).collect()
        said = predict(loaded, rows)
    except (ChurnlibError, pl.exceptions.PolarsError):
        return _missing(OTHERS)
    is_same = ((said - rows[PROBABILITY]).abs() <= GOLDEN_TOLERANCE).all()
    if not is_same or (known[LABEL].count() and rows.is_empty()):
        return _missing(OTHERS)
    found = permutation_importance(loaded, rows) if len(rows) else []
    return {"importance": [feature.to_json() for feature in found]}


def _missing(reason: str) -> dict[str, Any]:
    return {"importance": [], "importance_reason": reason}
