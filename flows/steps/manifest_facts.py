"""The parts of the manifest of a model: its fit, its rows, and where they come from."""

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl

from churnlib.io.datasets import DatasetRef
from churnlib.io.table_writer import ORDER
from churnlib.model.feature_table import FeatureTable
from churnlib.model.sample import Sample
from churnlib.schemas.columns import LABEL
from churnlib.settings import Offer, ThresholdRule, TrainSettings
from flows.steps.at_risk import count_by_group

if TYPE_CHECKING:
    from churnlib.model.training import Training


@dataclass(frozen=True)
class ModelRequest:
    """The settings that a model depends on, in addition to its training rows and the seed.

    Attributes:
        train: The pipeline, its validation and calibration.
        features: The settings that features and labels depend on.
        functions: A digest of the project's own functions that compute features.
        labels_known_by: The day on which the last label of the training window is available.
        offer: Costs and benefits of a campaign, which decide the threshold in the manifest. Others
            need no other model: see `churnlib.versions.threshold`.
        rule: How the threshold is chosen.
    """

    train: TrainSettings
    features: dict[str, Any]
    functions: str
    labels_known_by: date
    offer: Offer
    rule: ThresholdRule


def not_at_risk_facts(rows: FeatureTable, train: TrainSettings, end: str) -> dict[str, Any]:
    """The part of a manifest about subscriptions of the window that cannot churn."""
    from churnlib.model.training import validation_opens

    starts = rows.columns(rows.day, "is_first_sub")
    opens = validation_opens(date.fromisoformat(end), train)
    late = starts.filter(pl.col(rows.day) >= opens)
    return {"not_at_risk": len(starts), "not_at_risk_in_validation": count_by_group(late)}


def training_facts(training: "Training", request: ModelRequest) -> dict[str, Any]:
    """The part of a manifest about the fit: metrics, calibration, threshold, feature importance."""
    from churnlib.metrics.campaign import plan_campaign
    from churnlib.metrics.evaluate import evaluate

    slices = {
        name: rows for (name,), rows in training.scored.partition_by("slice", as_dict=True).items()
    }
    campaign = plan_campaign(slices["validation"], request.offer, request.rule)
    metrics = {
        str(name): {
            group: scores.to_json()
            for group, scores in evaluate(
                rows, threshold=campaign.threshold, base_rate=training.base_rates[name]
            ).items()
        }
        for name, rows in slices.items()
    }
    return {
        "labels_known_by": request.labels_known_by,
        "left_out_features": training.model.schema.left_out,
        "validation_warning": training.warning,
        "calibration": training.calibrations,
        "campaign": campaign.to_json(curve=False),
        "importance": [feature.to_json() for feature in training.importance],
        "metrics": metrics,
        "base_rates": dict(training.base_rates),
    }


def origin_facts(
    features: DatasetRef, sample: Sample, request: ModelRequest, origin: dict[str, Any]
) -> dict[str, Any]:
    """The part of a manifest about the origin of a model: rows, inputs, settings and code."""
    settings = {**request.features, **origin["settings"]}
    return {
        "settings": settings,
        "changes": origin["changes"],
        "settings_hash": hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest(),
        "code": origin["code"] | {"features": request.functions},
        **data_facts(features, sample, origin["tables"]),
    }


def data_facts(features: DatasetRef, sample: Sample, tables: dict[str, Any]) -> dict[str, Any]:
    """The part of a manifest about the rows that a model was fitted on.

    Args:
        features: The feature table.
        sample: Those of its rows that were used.
        tables: The facts of the raw tables behind it.
    """
    labels = sample.rows.columns(LABEL)[LABEL]
    return {
        "sample": sample.to_json(),
        "table_order": ORDER,
        "rows": len(labels),
        "labelled_rows": labels.count(),
        "positives": int(labels.sum()),
        "immature": labels.null_count(),
        "inputs": {
            features.name: {"fingerprint": features.fingerprint, "rows": features.rows},
            **tables,
        },
    }


def contact_facts(contacts: DatasetRef, train: TrainSettings) -> dict[str, Any]:
    """The part of a manifest's inputs about earlier batches; empty if a model ignores them.

    Args:
        contacts: Whom they contacted.
        train: Whether the model learns from that; see `TrainSettings.contacted`.
    """
    if train.contacted == "keep":
        return {}
    return {contacts.name: {"fingerprint": contacts.fingerprint, "rows": contacts.rows}}
