"""The folder of a model version: the model, its manifest, and rows to check it by."""

import json
import platform
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from churnlib.errors import ModelError, UnreadableModelError, closest, error_prefix, reason
from churnlib.io.catalog import Catalog, is_version_name
from churnlib.io.datasets import Dataset, DatasetRef, ref
from churnlib.io.storage import fingerprint, list_files, replacing, write_text
from churnlib.model.feature_schema import FeatureSchema
from churnlib.model.persistence import dump_pipeline, load_pipeline
from churnlib.model.predict import predict
from churnlib.settings import load_settings
from churnlib.uris import folder_of, join
from churnlib.versions.champion import champion
from churnlib.versions.compatibility import is_same_model
from churnlib.versions.manifest import MANIFEST, read_manifest, retrain_command, version_of
from churnlib.versions.signature import signed
from churnlib.versions.verification import (
    GOLDEN_ROWS,
    check_golden_rows,
    check_libraries,
    check_sizes,
    check_trusted_packages,
    libraries_of,
    library_versions,
    own_packages_of,
    read_verified,
)

if TYPE_CHECKING:
    from churnlib.model.fitted_model import FittedModel

BASELINE_MODEL = "baseline.skops"
GOLDEN = "golden_rows.parquet"
SCORED = "scored_rows.parquet"


def new_version(now: datetime) -> str:
    """Names a version after the time of its creation, so that names sort by time.

    >>> from datetime import UTC
    >>> new_version(datetime(2025, 1, 31, 12, 0, 5, 250_000, tzinfo=UTC))
    '20250131T120005250Z'
    """
    return f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}Z"


def created_at(version: str) -> datetime | None:
    """Reads the time of creation from a version's name; None if the name has another form.

    >>> created_at("20250131T120005250Z")
    datetime.datetime(2025, 1, 31, 12, 0, 5, 250000, tzinfo=datetime.timezone.utc)
    >>> created_at("v1")
    """
    if not re.fullmatch(r"\d{8}T\d{9}Z", version, re.ASCII):
        return None
    try:
        return datetime.strptime(f"{version[:-1]}000Z", "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def list_versions(catalog: Catalog) -> tuple[str, ...]:
    """Lists the versions of a game, the newest first.

    Raises:
        UnreadableError: The folder of models, or a file in it, cannot be looked up.
    """
    with error_prefix(catalog.game):
        files = list_files(catalog.models().uri)
    names = (entry.name.rpartition("/") for entry in files)
    folders = {folder for folder, _, name in names if name == MANIFEST}
    return tuple(sorted(filter(is_version_name, folders), reverse=True))


def find_version(catalog: Catalog, version: str) -> DatasetRef:
    """Finds a version by its name.

    Raises:
        ModelError: There is no version of that name.
    """
    known = list_versions(catalog)
    if version not in known:
        raise ModelError(
            f"{catalog.game}: there is no model version '{version}' in {catalog.models().uri}. "
            f"{closest(version, known)}"
        )
    return ref(catalog.model(version))


def save_model(
    target: Dataset,
    model: "FittedModel",
    scored: pl.DataFrame | None,
    golden: pl.DataFrame,
    facts: Mapping[str, Any],
    model_format: Literal["skops", "joblib"] = "skops",
) -> DatasetRef:
    """Writes the folder of a version, completely or not at all.

    If an earlier version is the same model and can be loaded, nothing is written: a training that
    was killed before it could say so has saved it, or its result is no longer in the cache.

    The manifest is signed if the environment has a key; see `churnlib.versions.signature`.

    Args:
        target: The folder, which must not exist yet.
        model: The model.
        scored: The rows that it was fitted and validated on, with their probabilities; None for a
            model in use, which is not validated.
        golden: Some rows of the feature table, for which the model must give the same
            probabilities whenever it is loaded.
        facts: The other fields of the manifest: those of `churnlib.versions.manifest.Manifest`
            that do not follow from the model, and any more.
        model_format: The format of the model file.

    Returns:
        The version, or the earlier one.
    """
    about = {
        "version": version_of(target),
        "game": target.game,
        "model_file": f"model.{model_format}",
        "sha256": {},
        **facts,
        "features": model.schema.to_json(),
        "base_rate": model.base_rate,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "libraries": library_versions(),
        "depends_on": libraries_of(model),
        "trusted_packages": own_packages_of(model),
    }
    plain: dict[str, Any] = json.loads(json.dumps(about, default=str))
    if earlier := _find_same(target, plain):
        return earlier
    with replacing(target.uri, last=MANIFEST) as folder:
        folder.mkdir()
        dump_pipeline(model.pipeline, folder / plain["model_file"])
        if model.baseline is not None:
            dump_pipeline(model.baseline, folder / BASELINE_MODEL)
        golden.with_columns(predict(model, golden)).write_parquet(folder / GOLDEN)
        if scored is not None:
            scored.write_parquet(folder / SCORED)
        plain["sha256"] = {f.name: fingerprint(str(f)) for f in sorted(folder.iterdir())}
        write_text(json.dumps(signed(plain), indent=2) + "\n", folder / MANIFEST)
    return ref(target)


def _find_same(target: Dataset, manifest: Mapping[str, Any]) -> DatasetRef | None:
    """Finds the first version beside a new one that is the same model and can be loaded."""
    for entry in list_files(folder_of(target.uri)):
        version, _, name = entry.name.partition("/")
        if name != MANIFEST or not is_version_name(version):
            continue
        place = replace(target, uri=join(folder_of(target.uri), version))
        try:
            known = read_manifest(place)
            if is_same_model(known, manifest):
                # Of the same kind as the new one, which this run would open as well.
                open_model(place, known, allow_joblib=manifest["model_file"].endswith(".joblib"))
                return ref(place)
        except UnreadableModelError:
            raise
        except ModelError:  # Damaged, or not to be loaded here: the new one takes its place.
            continue
    return None


def read_scored(model: Dataset | DatasetRef, manifest: Mapping[str, Any]) -> pl.DataFrame:
    """Reads the rows that a version was fitted and validated on, with their probabilities.

    Raises:
        ModelError: The file has changed since it was saved.
    """
    return _table(model, SCORED, read_verified(model, manifest, SCORED))


def read_golden(model: Dataset | DatasetRef, manifest: Mapping[str, Any]) -> pl.DataFrame:
    """Reads the golden rows of a version, with the probabilities that it gave them.

    Raises:
        ModelError: The file has changed since it was saved.
    """
    return _table(model, GOLDEN, read_verified(model, manifest, GOLDEN))


def _table(
    model: Dataset | DatasetRef, name: str, content: bytes, n_rows: int | None = None
) -> pl.DataFrame:
    """Reads the Parquet content of a file of a version.

    Raises:
        ModelError: It is no such content.
    """
    try:
        return pl.read_parquet(BytesIO(content), n_rows=n_rows)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise ModelError(
            f"{model.game}: model {version_of(model)}: {name} cannot be read ({reason(error)}). "
            f"Train again: {retrain_command(model)}"
        ) from None


def load_model(
    model: Dataset | DatasetRef | str | None = None,
    *,
    game: str | None = None,
    data_dir: str | None = None,
    allow_joblib: bool = False,
) -> "FittedModel":
    """Loads a version after checking its files, libraries, types and golden rows.

    Args:
        model: The name of a version of `game`, or the dataset of its folder; the champion of
            `game` if None.
        game: The game.
        data_dir: The data folder, or an object store's URI; that of the game's settings if None.
        allow_joblib: Whether to open a joblib file too. Such a file can run any code.

    Raises:
        ModelError: There is no such version; a file has changed; a library that the model depends
            on has another version; the file is a joblib file and `allow_joblib` is not set; it
            holds a type that is not trusted; or the model does not reproduce its golden rows.
        SettingsError: There is no such game.
    """
    location = _locate(model, game, data_dir)
    return open_model(location, read_manifest(location), allow_joblib=allow_joblib)


def open_model(
    location: Dataset | DatasetRef, manifest: Mapping[str, Any], *, allow_joblib: bool = False
) -> "FittedModel":
    """Loads a version whose manifest has been read; see `load_model`."""
    from churnlib.model.fitted_model import FittedModel

    where = f"{location.game}: model {manifest['version']}"
    remedy = f"Train again: {retrain_command(location)}"
    file = manifest["model_file"]
    optional = {BASELINE_MODEL, *([SCORED] if manifest.get("in_use") else ())}
    check_sizes(location, manifest)
    contents = {
        name: read_verified(location, manifest, name)
        for name in (file, GOLDEN, SCORED, BASELINE_MODEL)
        if name not in optional or name in manifest["sha256"]
    }
    check_libraries(location, manifest)
    check_trusted_packages(location, manifest)
    if file.endswith(".joblib") and not allow_joblib:
        raise ModelError(
            f"{where} is saved as {file}, which can run any code when it is opened, and "
            'train.model_format is not "joblib". Set it if you trust the author of the model, or '
            f"train again: {retrain_command(location)}"
        )
    baseline = contents.get(BASELINE_MODEL)
    loaded = FittedModel(
        load_pipeline(file, contents[file], where, remedy),
        FeatureSchema.from_json(manifest["features"]),
        baseline=baseline and load_pipeline(BASELINE_MODEL, baseline, where, remedy),
        base_rate=manifest.get("base_rate"),
        seed=manifest["seed"],
    )
    golden = _table(location, GOLDEN, contents[GOLDEN], n_rows=GOLDEN_ROWS)
    check_golden_rows(where, loaded, golden, remedy)
    return loaded


def _locate(
    model: Dataset | DatasetRef | str | None, game: str | None, data_dir: str | None
) -> Dataset | DatasetRef:
    """The folder of the version that the arguments of `load_model` name."""
    if isinstance(model, Dataset | DatasetRef):
        return model
    if game is None:
        named = "" if model is None else f'"{model}", '
        raise ModelError(
            f'versions belong to a game: name the game, as in load_model({named}game="game1").'
        )
    settings = load_settings(game, {} if data_dir is None else {"data_dir": data_dir})
    catalog = Catalog(settings.data_dir, game)
    return champion(catalog) if model is None else find_version(catalog, model)
