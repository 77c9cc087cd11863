"""What the manifest of a model version tells, held against it whenever one is read."""

from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from churnlib.model.feature_schema import Kind


class _Part(BaseModel):
    model_config = ConfigDict(strict=True)


class FeatureEntry(_Part):
    """A column that the model takes."""

    name: str
    kind: Kind
    categories: tuple[str, ...]


class DecisiveSettings(_Part):
    """What decides the meaning of features and labels; see `churnlib.versions.compatibility`."""

    horizon_months: int
    churn_after_months: int
    standard: dict[str, Any]
    currency: dict[str, Any]


class CampaignEntry(_Part):
    """The threshold of a campaign, and the terms that it was chosen for."""

    terms: dict[str, float]
    threshold: float | None


class Manifest(_Part):
    """What a manifest must tell for its model to be loaded, judged and reported on."""

    version: str
    game: str
    model_file: Literal["model.skops", "model.joblib"]
    sha256: dict[str, str]
    features: tuple[FeatureEntry, ...]
    libraries: dict[str, str]
    depends_on: tuple[str, ...]
    as_of: date
    window: tuple[date, date]
    labels_known_by: date
    seed: int
    settings: DecisiveSettings
    inputs: dict[str, dict[str, Any]]
    campaign: CampaignEntry | None = None
    metrics: dict[Literal["in_sample", "validation"], dict[str, dict[str, Any]]]


def damage(text: bytes) -> str | None:
    """Tells what is wrong with the text of a manifest; null where nothing is."""
    try:
        Manifest.model_validate_json(text)
    except ValidationError as error:
        faults = [(".".join(map(str, fault["loc"])), fault) for fault in error.errors()]
        lacking = [path for path, fault in faults if fault["type"] == "missing"]
        others = [
            f"{path}: {fault['msg']}" if path else fault["msg"]
            for path, fault in faults
            if fault["type"] != "missing"
        ]
        return "; ".join(([f"it lacks {', '.join(lacking)}"] if lacking else []) + others)
    return None
