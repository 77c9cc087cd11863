"""The manifest of a model version: what it must contain, checked whenever one is read."""

import json
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from churnlib.errors import ModelError
from churnlib.io.commands import command_line
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.model.feature_schema import Kind
from churnlib.settings import ThresholdRule
from churnlib.uris import join, name_of
from churnlib.versions.files import read_model_file

MANIFEST = "manifest.json"


class _Part(BaseModel):
    model_config = ConfigDict(strict=True)


class PooledEntry(_Part):
    """The rare values of a category; see `churnlib.model.pooling`."""

    name: str
    values: int
    share: float


class FeatureEntry(_Part):
    """A column that the model takes."""

    name: str
    kind: Kind
    categories: tuple[str, ...]
    pooled: PooledEntry | None = None
    from_text: bool = False


class DecisiveSettings(_Part):
    """Settings that features and labels depend on; see `churnlib.versions.compatibility`."""

    horizon_months: int
    churn_after_months: int
    standard: dict[str, Any]
    currency: dict[str, Any]


class CampaignEntry(_Part):
    """The threshold of a campaign, and the terms that it was chosen for."""

    terms: dict[str, float]
    threshold: float | None
    rule: ThresholdRule | None = None


class Manifest(_Part):
    """What a manifest must contain for its model to be loaded, evaluated and reported on."""

    version: str
    game: str
    model_file: Literal["model.skops", "model.joblib"]
    sha256: dict[str, str]
    features: tuple[FeatureEntry, ...]
    libraries: dict[str, str]
    depends_on: tuple[str, ...]
    trusted_packages: dict[str, str] = {}
    as_of: date
    window: tuple[date, date]
    labels_known_by: date
    seed: int
    settings: DecisiveSettings
    inputs: dict[str, dict[str, Any]]
    campaign: CampaignEntry | None = None
    metrics: dict[Literal["in_sample", "validation"], dict[str, dict[str, Any]]]


def read_manifest(model: Dataset | DatasetRef) -> dict[str, Any]:
    """Reads the manifest of a version.

    Raises:
        ModelError: It does not exist, or does not have the fields of `Manifest`.
        UnreadableError: It cannot be read.
    """
    path, text = join(model.uri, MANIFEST), read_version_file(model, MANIFEST)
    if text is None:
        raise ModelError(
            f"{model.game}: there is no model version '{name_of(model.uri)}': {path} is missing. "
            f"Train again: {retrain_command(model)}"
        )
    if fault := manifest_fault(text):
        raise ModelError(
            f"{model.game}: {path} is damaged: {fault}. Train again: {retrain_command(model)}"
        )
    manifest: dict[str, Any] = json.loads(text)
    return manifest


def read_version_file(model: Dataset | DatasetRef, name: str) -> bytes | None:
    """Reads a file in the folder of a version; None if there is none.

    Raises:
        UnreadableError: It cannot be read.
    """
    unknown = (
        f"Whether model {name_of(model.uri)} can be used is not known, so nothing was decided."
    )
    return read_model_file(join(model.uri, name), model.game, unknown)


def manifest_fault(text: bytes) -> str | None:
    """What is wrong with the text of a manifest; None if it is valid."""
    try:
        Manifest.model_validate_json(text)
    except ValidationError as error:
        faults = [(".".join(map(str, fault["loc"])), fault) for fault in error.errors()]
        missing = [path for path, fault in faults if fault["type"] == "missing"]
        others = [
            f"{path}: {fault['msg']}" if path else fault["msg"]
            for path, fault in faults
            if fault["type"] != "missing"
        ]
        return "; ".join(([f"it lacks {', '.join(missing)}"] if missing else []) + others)
    return None


def retrain_command(model: Dataset | DatasetRef) -> str:
    """The command that trains a new model, without the cache."""
    return command_line("train", model, "--refresh")
