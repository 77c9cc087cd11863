"""The model that predicted a batch, months later: its facts and its feature importance."""

from typing import Any

import polars as pl

from churnlib.errors import ChurnlibError, DataError, ModelError, UnreadableError
from churnlib.io import datasets
from churnlib.io.catalog import is_version_name
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import optional_facts
from churnlib.model.feature_table import FeatureTable
from churnlib.schemas.columns import LABEL, PROBABILITY, SUB_ID, day_column
from churnlib.versions.in_use import AS_TESTED
from churnlib.versions.manifest import read_manifest
from churnlib.versions.verification import GOLDEN_TOLERANCE
from flows.steps.reports import model_facts, ref_facts
from flows.steps.run import Run

OTHER_FEATURES = "the features that exist are not those that were predicted from"


def find_existing(dataset: Dataset) -> DatasetRef | None:
    """Finds a dataset that an earlier run may have written; None if it does not exist.

    Raises:
        UnreadableError: It exists but cannot be read.
    """
    try:
        return datasets.ref(dataset)
    except UnreadableError:
        raise
    except DataError:
        return None


def past_model(run: Run, predictions: DatasetRef) -> DatasetRef | None:
    """Finds the model that predicted a batch; None if it does not exist any more.

    It is the model in use of a version, or a version as tested.
    """
    made = optional_facts(predictions, "model_version", "model_in_use")
    version, in_use = made["model_version"], made["model_in_use"] or AS_TESTED
    if not is_version_name(str(version)):
        return None
    place = run.catalog.model(version)
    if in_use != AS_TESTED:
        place = run.catalog.model_in_use(version, in_use)
    return find_existing(place)


def past_model_facts(model: DatasetRef | None, *inputs: DatasetRef) -> dict[str, Any]:
    """See `flows.steps.reports.model_facts`; only the inputs if the model does not exist."""
    try:
        manifest = read_manifest(model) if model else None
    except UnreadableError:
        raise
    except ModelError:
        manifest = None
    if manifest is None:
        return {"facts": {}, "inputs": {ref.name: ref_facts(ref) for ref in inputs}}
    return model_facts(manifest, *inputs)


def past_importance(
    model: DatasetRef | None,
    features: DatasetRef | None,
    known: pl.DataFrame,
    *,
    allow_joblib: bool,
) -> dict[str, Any]:
    """Measures the feature importance of the model of a batch, or returns why it cannot.

    Args:
        model: The version that predicted; None if it does not exist any more.
        features: The features of the batch; None if they do not exist any more.
        known: The batch's `sub_id`, `sub_churn` (null if not yet available) and
            `churn_probability`, which shows whether the features are those of the prediction.
        allow_joblib: See `churnlib.versions.folder.load_model`.

    Returns:
        `importance` and `importance_reason`; see `churnlib.report.content.Report`.
    """
    from churnlib.model.importance import MAX_ROWS, permutation_importance
    from churnlib.model.predict import predict
    from churnlib.versions.folder import load_model

    if model is None:
        return _missing("the model that predicted does not exist any more")
    if features is None:
        return _missing("the features that were predicted from do not exist any more")
    try:
        loaded = load_model(model, allow_joblib=allow_joblib)
    except UnreadableError:
        raise
    except ChurnlibError as error:
        return _missing(f"the model cannot be loaded any more: {error}".rstrip("."))
    labelled = FeatureTable.of(known.drop_nulls(LABEL)).sample(MAX_ROWS).collect().lazy()
    row = [SUB_ID, day_column(datasets.scan(features).collect_schema())]
    drawn = labelled.select(*row, LABEL, PROBABILITY)
    try:
        rows = datasets.scan(features).join(drawn, on=row, maintain_order="left").collect()
        predicted = predict(loaded, rows)
    except UnreadableError:
        raise
    except (ChurnlibError, pl.exceptions.PolarsError):
        return _missing(OTHER_FEATURES)
    is_same = ((predicted - rows[PROBABILITY]).abs() <= GOLDEN_TOLERANCE).all()
    if not is_same or (known[LABEL].count() and rows.is_empty()):
        return _missing(OTHER_FEATURES)
    importance = permutation_importance(loaded, rows) if len(rows) else []
    return {"importance": [feature.to_json() for feature in importance]}


def _missing(reason: str) -> dict[str, Any]:
    return {"importance": [], "importance_reason": reason}
