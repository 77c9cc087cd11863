"""The manifest of a model version: what it must contain, checked whenever one is read."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from churnlib.errors import DataError, ModelError
from churnlib.io.catalog import MODEL_IN_USE, VERSION_PATTERN, Catalog
from churnlib.io.commands import command_line
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.storage import remove, remove_folder
from churnlib.model.feature_schema import Kind
from churnlib.settings import SIGNING_KEY_FILE_VARIABLE, SIGNING_KEY_VARIABLE, ThresholdRule
from churnlib.settings.row_words import Grain
from churnlib.uris import folder_of, join, name_of
from churnlib.versions.files import read_model_file
from churnlib.versions.signature import signature_fault

MANIFEST = "manifest.json"
VersionName = Annotated[str, Field(pattern=VERSION_PATTERN)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]


def _is_day(text: str) -> str:
    date.fromisoformat(text)
    return text


Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$"), AfterValidator(_is_day)]
"""An ISO day. Pydantic's own dates may also be numbers of seconds, which readers do not expect."""


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


class CohortEntry(_Part):
    """Which rows a subscription has; earlier versions have only those of its start."""

    grain: Grain = "start"


class DecisiveSettings(_Part):
    """Settings that features and labels depend on; see `churnlib.versions.compatibility`."""

    horizon_months: int
    outcome: dict[str, Any] | None = None
    churn_after_months: int | None = None  # Its name in earlier versions.
    standard: dict[str, Any]
    features: dict[str, Any] | None = None
    currency: dict[str, Any] | None = None  # Its name in earlier versions.
    cohort: CohortEntry | None = None
    tables: dict[str, dict[str, Any]] | None = None
    train: dict[str, Any] | None = None


class CampaignEntry(_Part):
    """The threshold of a campaign, and the terms that it was chosen for."""

    terms: dict[str, float]
    threshold: float | None
    rule: ThresholdRule | None = None


class Manifest(_Part):
    """What a manifest must contain for its model to be loaded, evaluated and reported on.

    Attributes:
        in_use: The name of a model in use, which has a manifest of its own; None in the manifest of
            a version, which describes the model that is back-tested.
    """

    version: VersionName
    in_use: VersionName | None = None
    game: str
    model_file: Literal["model.skops", "model.joblib"]
    sha256: dict[FileName, str]
    features: tuple[FeatureEntry, ...]
    libraries: dict[str, str]
    depends_on: tuple[str, ...]
    trusted_packages: dict[str, str] = {}
    as_of: Day
    window: tuple[Day, Day]
    labels_known_by: Day
    seed: int
    settings: DecisiveSettings
    inputs: dict[str, dict[str, Any]]
    campaign: CampaignEntry | None = None
    metrics: dict[Literal["in_sample", "validation"], dict[str, dict[str, Any]]]
    code: dict[str, Any] = {}
    signature: str | None = None


def read_manifest(model: Dataset | DatasetRef) -> dict[str, Any]:
    """Reads the manifest of a version.

    Raises:
        ModelError: It does not exist, does not have the fields of `Manifest`, is that of another
            version or game, or its signature is missing or wrong where the environment has a key.
        UnreadableError: It cannot be read.
        SettingsError: The key cannot be used.
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
    if why := why_untrusted(model, manifest):
        raise ModelError(f"{model.game}: {path} {why}")
    return manifest


def version_of(model: Dataset | DatasetRef) -> str:
    """The version that a folder belongs to: that of a version, or of a model in use of one."""
    uri = model.uri
    if model.name == MODEL_IN_USE:
        uri = folder_of(folder_of(uri))
    return name_of(uri)


def read_version_file(model: Dataset | DatasetRef, name: str) -> bytes | None:
    """Reads a file in the folder of a version; None if there is none.

    Raises:
        UnreadableError: It cannot be read.
    """
    return read_model_file(join(model.uri, name), model.game, unknown_without(model))


def unknown_without(model: Dataset | DatasetRef) -> str:
    """What is not known if the files of a version cannot be read, for messages."""
    return f"Whether model {version_of(model)} can be used is not known, so nothing was decided."


def why_untrusted(model: Dataset | DatasetRef, manifest: Mapping[str, Any]) -> str | None:
    """Why a valid manifest does not count, and what to do; None if it does.

    Args:
        model: The folder that it was found in.
        manifest: The manifest.

    Raises:
        SettingsError: The key of signatures cannot be used.
    """
    place, stated = (model.game, version_of(model)), (manifest["game"], manifest["version"])
    own = name_of(model.uri) if model.name == MODEL_IN_USE else None
    if place == stated and own != manifest.get("in_use"):
        return (
            f"is that of {_name_in_use(manifest.get('in_use'))}, but lies in the folder of "
            f"{_name_in_use(own)}. Remove the folder, and train again: {retrain_command(model)}"
        )
    if place != stated:
        return (
            f"is that of version {stated[1]} of {stated[0]}, but lies in the folder of version "
            f"{place[1]} of {place[0]}. A model belongs to one game and has one name: move the "
            f"folder to 06_models/{stated[0]}/{stated[1]}, or remove it. For a model of "
            f"{place[0]}, train: {retrain_command(model)}"
        )
    if fault := signature_fault(manifest):
        return (
            f"{fault}, and {SIGNING_KEY_VARIABLE} or {SIGNING_KEY_FILE_VARIABLE} asks for "
            f"signatures. Train again with the key: {retrain_command(model)}"
        )
    return None


def _name_in_use(name: str | None) -> str:
    return f"the model in use {name}" if name else "the version itself"


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


def remove_model(catalog: Catalog, model: Dataset) -> None:
    """Removes the folder of a version, or of a model in use.

    Args:
        catalog: The game's data.
        model: The folder.

    Raises:
        DataError: It cannot be removed, or is behind a link to elsewhere.
    """
    manifest = join(model.uri, MANIFEST)
    if not catalog.is_inside(manifest):
        raise DataError(
            f"{model.game}: {model.uri} is not removed, because a symbolic link leads from there, "
            "or from a folder above it, out of the data folder. Replace the link by a folder."
        )
    remove(manifest)  # A folder without a manifest is no model.
    remove_folder(model.uri)


def retrain_command(model: Dataset | DatasetRef) -> str:
    """The command that trains a new model, without the cache."""
    return command_line("train", model, "--refresh")
