"""Model versions: a folder each, with the model, its manifest and rows to prove it by."""

import hashlib
import json
import platform
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from churnlib.errors import ModelError, error_prefix
from churnlib.io.catalog import Catalog
from churnlib.io.commands import command_line
from churnlib.io.datasets import Dataset, DatasetRef, ref
from churnlib.io.storage import fingerprint, is_file, read_bytes, replacing, write_text
from churnlib.model.feature_schema import FeatureSchema
from churnlib.model.persistence import dump_pipeline, load_pipeline
from churnlib.model.predict import predict
from churnlib.schemas.columns import PROBABILITY
from churnlib.uris import join, name_of
from churnlib.versions.manifest import damage

if TYPE_CHECKING:
    from churnlib.model.fitted_model import FittedModel

MANIFEST = "manifest.json"
BASELINE_MODEL = "baseline.skops"
GOLDEN = "golden_rows.parquet"
SCORED = "scored_rows.parquet"
GOLDEN_ROWS = 50
"""How many rows are kept to prove a loaded model by."""
GOLDEN_TOLERANCE = 1e-9
"""How far their probabilities may lie apart: other processors sum in another order."""
LIBRARIES = ("scikit-learn", "skrub", "lightgbm", "numpy", "scipy", "polars", "skops", "joblib")
"""What a manifest names the versions of, where installed."""

DECISIVE_PACKAGES = {"scikit-learn": "sklearn", "skrub": "skrub", "lightgbm": "lightgbm"}
"""Libraries whose every version may read a model otherwise, and the packages to tell them by."""


def new_version(now: datetime) -> str:
    """Names a version by the moment of its making, so that names sort by time.

    >>> from datetime import UTC
    >>> new_version(datetime(2025, 1, 31, 12, 0, 5, 250_000, tzinfo=UTC))
    '20250131T120005250Z'
    """
    return f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}Z"


def made_at(version: str) -> datetime | None:
    """Reads from a version's name when it was made; null where it is not named by that.

    >>> made_at("20250131T120005250Z")
    datetime.datetime(2025, 1, 31, 12, 0, 5, 250000, tzinfo=datetime.timezone.utc)
    >>> made_at("v1")
    """
    if not re.fullmatch(r"\d{8}T\d{9}Z", version, re.ASCII):
        return None
    try:
        return datetime.strptime(f"{version[:-1]}000Z", "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def save_model(
    target: Dataset,
    model: "FittedModel",
    scored: pl.DataFrame,
    golden: pl.DataFrame,
    facts: Mapping[str, Any],
    model_format: Literal["skops", "joblib"] = "skops",
) -> DatasetRef:
    """Writes the folder of a version, whole or not at all.

    Args:
        target: The folder, which does not exist yet.
        model: What to keep.
        scored: The rows that it was fitted and validated on, with their probabilities.
        golden: Some rows of the feature table to prove the model by whenever it is loaded.
        facts: What the manifest tells besides the model file, its features and libraries: all
            else that `churnlib.versions.manifest.Manifest` asks for, and more where wanted.
        model_format: How the model file is written.

    Returns:
        The folder as it now is.
    """
    with replacing(target.uri, last=MANIFEST) as folder:
        folder.mkdir()
        file = folder / f"model.{model_format}"
        dump_pipeline(model.pipeline, file)
        if model.baseline is not None:
            dump_pipeline(model.baseline, folder / BASELINE_MODEL)
        proof = golden.with_columns(predict(model.pipeline, model.schema, golden))
        proof.write_parquet(folder / GOLDEN)
        scored.write_parquet(folder / SCORED)
        manifest = {
            "version": name_of(target.uri),
            "game": target.game,
            "model_file": file.name,
            "sha256": {f.name: fingerprint(str(f)) for f in sorted(folder.iterdir())},
            **facts,
            "features": model.schema.to_json(),
            "base_rate": model.base_rate,
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}",
            "libraries": library_versions(),
            "depends_on": _libraries_of(model),
        }
        write_text(json.dumps(manifest, indent=2, default=str) + "\n", folder / MANIFEST)
    return ref(target)


def read_manifest(model: Dataset | DatasetRef) -> dict[str, Any]:
    """Reads the manifest of a version.

    Raises:
        ModelError: There is none, or it lacks what `churnlib.versions.manifest.Manifest` asks.
    """
    path = join(model.uri, MANIFEST)
    try:
        text = read_bytes(path)
    except OSError as error:
        raise ModelError(
            f"{model.game}: there is no model version '{name_of(model.uri)}': {path} cannot be "
            f"read ({error.strerror}). Train again: {train_again(model)}"
        ) from None
    if what := damage(text):
        raise ModelError(
            f"{model.game}: {path} is damaged: {what}. Train again: {train_again(model)}"
        )
    manifest: dict[str, Any] = json.loads(text)
    return manifest


def train_again(model: Dataset | DatasetRef) -> str:
    """Words the command that makes a new model, whatever the cache holds."""
    return command_line("train", model, "--refresh")


def read_scored(model: Dataset | DatasetRef) -> pl.DataFrame:
    """Reads the rows that a version was fitted and validated on, with their probabilities.

    Raises:
        ModelError: They are not as they were written.
    """
    return pl.read_parquet(BytesIO(_verified(model, read_manifest(model), SCORED)))


def read_golden(model: Dataset | DatasetRef) -> pl.DataFrame:
    """Reads the rows that a version is proved by, with the probabilities that it gave them.

    Raises:
        ModelError: They are not as they were written.
    """
    return pl.read_parquet(BytesIO(_verified(model, read_manifest(model), GOLDEN)))


def _verified(model: Dataset | DatasetRef, manifest: Mapping[str, Any], name: str) -> bytes:
    """The content of a file of a version, if it is as it was written."""
    try:
        content = read_bytes(join(model.uri, name))
    except OSError:
        content = None
    if content is None or hashlib.sha256(content).hexdigest() != manifest["sha256"].get(name):
        raise ModelError(
            f"{model.game}: model {manifest['version']}: {name} is not as it was written. "
            f"Train again: {train_again(model)}"
        )
    return content


def load_model(model: Dataset | DatasetRef, *, allow_joblib: bool = False) -> "FittedModel":
    """Loads a version, after its files, libraries and types were verified, and proves it.

    Args:
        model: The folder of the version.
        allow_joblib: Open a joblib file too, which runs whatever its writer wanted.

    Raises:
        ModelError: A file was changed, a library that the model depends on has another version,
            the model file is of joblib and may not be, or holds a type that is not trusted, or
            the model says of its golden rows something else than it did.
    """
    from churnlib.model.fitted_model import FittedModel

    manifest = read_manifest(model)
    where = f"{model.game}: model {manifest['version']}"
    file = manifest["model_file"]
    content, golden, _ = (_verified(model, manifest, name) for name in (file, GOLDEN, SCORED))
    _refuse_other_libraries(model, manifest)
    if file.endswith(".joblib") and not allow_joblib:
        raise ModelError(
            f"{where} is kept as {file}, which runs whatever it holds when it is opened, and "
            'train.model_format is not "joblib". Set it so if you trust whoever made the model, '
            f"or train again: {train_again(model)}"
        )
    remedy = f"Train again: {train_again(model)}"
    baseline = None
    if BASELINE_MODEL in manifest["sha256"]:
        plain = _verified(model, manifest, BASELINE_MODEL)
        baseline = load_pipeline(BASELINE_MODEL, plain, where, remedy)
    loaded = FittedModel(
        load_pipeline(file, content, where, remedy),
        FeatureSchema.from_json(manifest["features"]),
        baseline=baseline,
        base_rate=manifest.get("base_rate"),
    )
    rows = pl.read_parquet(BytesIO(golden))
    with error_prefix(where):
        said = predict(loaded.pipeline, loaded.schema, rows)
    if not ((said - rows[PROBABILITY]).abs() <= GOLDEN_TOLERANCE).all():
        raise ModelError(
            f"{where} no longer says of its golden rows what it did. "
            f"Train again: {train_again(model)}"
        )
    return loaded


def verify(model: Dataset | DatasetRef) -> None:
    """Looks whether a version can be opened, as far as that can be told without opening it.

    Raises:
        ModelError: A file is not as it was written, or a library that the model depends on has
            another version.
    """
    manifest = read_manifest(model)
    for name in manifest["sha256"]:
        _verified(model, manifest, name)
    _refuse_other_libraries(model, manifest)


def _refuse_other_libraries(model: Dataset | DatasetRef, manifest: Mapping[str, Any]) -> None:
    now = library_versions()
    for library in manifest["depends_on"]:
        if (then := manifest["libraries"].get(library)) != now.get(library):
            raise ModelError(
                f"{model.game}: model {manifest['version']} was made with {library} {then}, but "
                f"{now.get(library, 'none')} is installed. Install that version, or train again: "
                f"{train_again(model)}"
            )


def set_champion(pointer: Dataset, version: str) -> DatasetRef:
    """Points a game's champion at a version; whoever reads meanwhile sees the old or the new."""
    write_text(json.dumps({"version": version}) + "\n", pointer.uri)
    return ref(pointer)


def pointed_at(pointer: Dataset) -> str | None:
    """Reads which version a pointer names; null where it is missing or damaged."""
    try:
        return str(json.loads(read_bytes(pointer.uri))["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def champion(catalog: Catalog) -> DatasetRef:
    """Finds the model version in use.

    Raises:
        ModelError: The game has none yet, or the pointer leads nowhere.
    """
    pointer = catalog.champion()
    if not is_file(pointer.uri):
        raise ModelError(
            f"{catalog.game}: there is no model yet ({pointer.uri} is missing). "
            f"Train one: {command_line('train', pointer, '--from-raw')}"
        )
    if what := no_champion(catalog):
        by_hand = command_line("promote", pointer, "--version", "VERSION")
        back = command_line("promote", pointer, "--back")
        raise ModelError(
            f"{catalog.game}: {what} ({pointer.uri}). See which versions there are: "
            f"{command_line('models', pointer)}; make one the champion: {by_hand}; or the one "
            f"before: {back}; or train again: {train_again(pointer)}"
        )
    return ref(catalog.model(str(pointed_at(pointer))))


def no_champion(catalog: Catalog) -> str | None:
    """Why a game has no champion: there is no pointer, or it leads nowhere; null where it has."""
    pointer = catalog.champion()
    version, file = pointed_at(pointer), name_of(pointer.uri)
    if version is None:
        return f"{file} is damaged" if is_file(pointer.uri) else "there was no champion"
    what = f"{file} names the version '{version}'"
    try:
        text = read_bytes(join(catalog.model(version).uri, MANIFEST))
    except OSError as error:
        return f"{what}, which cannot be read ({error.strerror})"
    fault = damage(text)
    return f"{what}, of which {MANIFEST} is damaged: {fault}" if fault else None


def _libraries_of(model: "FittedModel") -> list[str]:
    """The libraries of which a model was made, and so needs just these versions."""
    from churnlib.model.pipeline import estimators_in

    parts = {type(part) for _, part in estimators_in(model.pipeline)}
    made_of = {base.__module__.partition(".")[0] for part in parts for base in part.__mro__}
    return [library for library, package in DECISIVE_PACKAGES.items() if package in made_of]


def library_versions() -> dict[str, str]:
    """The installed versions of `LIBRARIES`."""
    installed = {}
    for library in LIBRARIES:
        try:
            installed[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return installed
