"""The weights of training rows, by what earlier campaigns did about them; see `train.contacted`."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from churnlib.errors import ModelError
from churnlib.features.campaign import CONTACTED
from churnlib.model.feature_table import FeatureTable
from churnlib.model.sample import learns_from_parts
from churnlib.schemas.columns import CAMPAIGN, CAMPAIGN_WEIGHT
from churnlib.schemas.validation import require
from churnlib.settings import TrainSettings

Weights = NDArray[np.float64]


def uncontacted(rows: FeatureTable, settings: TrainSettings) -> FeatureTable:
    """Leaves out the rows that a campaign contacted, unless the settings keep them.

    Raises:
        DataError: The rows do not tell whom a campaign contacted.
    """
    if settings.contacted == "keep":
        return rows
    require(rows.table.collect_schema(), (CAMPAIGN, CAMPAIGN_WEIGHT), "the training rows")
    return rows.where(pl.col(CAMPAIGN) != CONTACTED)


def weights_of(rows: FeatureTable, settings: TrainSettings) -> Weights | None:
    """The weight of each row from `uncontacted`; None if all are equal."""
    if settings.contacted != "weight":
        return None
    weights: Weights = rows.columns(CAMPAIGN_WEIGHT)[CAMPAIGN_WEIGHT].to_numpy()
    return None if (weights == 1).all() else weights


def check_takes_weights(pipeline: Pipeline, settings: TrainSettings) -> None:
    """Refuses a pipeline whose last step takes no weights if rows are to be weighted.

    Raises:
        ModelError: It takes none.
    """
    name, model = pipeline.steps[-1]
    takes = has_fit_parameter(model, "sample_weight") and not learns_from_parts(settings.pipeline)
    if settings.contacted == "weight" and not takes:
        raise ModelError(
            f"train.pipeline: step '{name}': {type(model).__name__} takes no weights, which "
            'train.contacted = "weight" needs. Use another class, or train.contacted = "drop".'
        )


def weighted(pipeline: Pipeline, weights: Weights | None) -> dict[str, Any]:
    """The parameters of `Pipeline.fit` that pass weights to the last step."""
    return {} if weights is None else {f"{pipeline.steps[-1][0]}__sample_weight": weights}
