"""Checks that a version is unchanged: files by their hashes, libraries, golden rows."""

import hashlib
from collections.abc import Mapping
from importlib import metadata
from typing import TYPE_CHECKING, Any

import polars as pl

from churnlib.errors import ChurnlibError, ModelError, error_prefix, reason
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.storage import list_files
from churnlib.model.archive import MOST_BYTES
from churnlib.model.predict import predict
from churnlib.model.trust import how_to_trust, package_digests, package_of, trusted_packages
from churnlib.schemas.columns import PROBABILITY
from churnlib.versions.files import attributed_to_model
from churnlib.versions.manifest import (
    read_manifest,
    read_version_file,
    retrain_command,
    unknown_without,
)

if TYPE_CHECKING:
    from churnlib.model.fitted_model import FittedModel

GOLDEN_ROWS = 50
"""Number of rows saved with a version, on which predictions are checked when it is loaded."""
GOLDEN_TOLERANCE = 1e-9
"""Largest accepted difference of their probabilities: processors differ in the order of sums."""
LIBRARIES = (
    *("scikit-learn", "skrub", "lightgbm", "numpy", "scipy"),
    *("polars", "pyarrow", "skops", "joblib"),
)
"""Libraries whose versions a manifest records, where they are installed."""
DECISIVE_PACKAGES = {"scikit-learn": "sklearn", "skrub": "skrub", "lightgbm": "lightgbm"}
"""Libraries that a model needs in exactly the recorded version, and the packages they install."""


def check_version(model: Dataset | DatasetRef) -> None:
    """Checks the files, libraries and packages of a version without opening the model.

    Raises:
        ModelError: A file has changed, a library that the model depends on has another version, or
            a package that it uses is not trusted.
    """
    manifest = read_manifest(model)
    check_sizes(model, manifest)
    for name in manifest["sha256"]:
        read_verified(model, manifest, name)
    check_libraries(model, manifest)
    check_trusted_packages(model, manifest)


def check_sizes(model: Dataset | DatasetRef, manifest: Mapping[str, Any]) -> None:
    """Checks that no file of a version is too large to be read.

    Raises:
        ModelError: One is.
        UnreadableError: It cannot be told.
    """
    with attributed_to_model(model.game, unknown_without(model)):
        files = list_files(model.uri)
    for file in files:
        if file.size > MOST_BYTES:
            raise ModelError(
                f"{model.game}: model {manifest['version']}: {file.name} has {file.size:,} bytes, "
                f"more than the {MOST_BYTES:,} that are read. Train again: {retrain_command(model)}"
            )


def read_verified(model: Dataset | DatasetRef, manifest: Mapping[str, Any], name: str) -> bytes:
    """Reads a file of a version.

    Raises:
        ModelError: It is missing, or differs from what was saved.
        UnreadableError: It cannot be read.
    """
    content = read_version_file(model, name)
    if content is None or hashlib.sha256(content).hexdigest() != manifest["sha256"].get(name):
        raise ModelError(
            f"{model.game}: model {manifest['version']}: {name} is missing or has been changed "
            f"since it was saved. Train again: {retrain_command(model)}"
        )
    return content


def check_libraries(model: Dataset | DatasetRef, manifest: Mapping[str, Any]) -> None:
    """Checks that the libraries a model depends on have the versions it was trained with.

    Raises:
        ModelError: One has another version.
    """
    installed = library_versions()
    for library in manifest["depends_on"]:
        if (recorded := manifest["libraries"].get(library)) != installed.get(library):
            raise ModelError(
                f"{model.game}: model {manifest['version']} was trained with {library} {recorded}, "
                f"but {installed.get(library, 'none')} is installed. Install that version, or "
                f"train again: {retrain_command(model)}"
            )


def check_trusted_packages(model: Dataset | DatasetRef, manifest: Mapping[str, Any]) -> None:
    """Checks that the project's own packages that a model uses are trusted here.

    This only gives an early message: the types in the model file are checked in any case.

    Raises:
        ModelError: One is not trusted.
    """
    untrusted = sorted(set(manifest.get("trusted_packages", {})) - {*trusted_packages()})
    if untrusted:
        raise ModelError(
            f"{model.game}: model {manifest['version']} uses estimators of "
            f"{' and '.join(untrusted)}, which is not trusted here. {how_to_trust(untrusted)}"
        )


def check_golden_rows(where: str, loaded: "FittedModel", golden: pl.DataFrame, remedy: str) -> None:
    """Checks that a loaded model gives its golden rows the probabilities saved with them.

    Raises:
        ModelError: A probability differs, or the model cannot predict them.
    """
    try:
        with error_prefix(where):
            probabilities = predict(loaded, golden)
    except (ChurnlibError, MemoryError):
        raise
    except Exception as error:  # The parts of a changed model may not fit together.
        what = f"cannot be applied ({type(error).__name__}: {reason(error)})"
        raise ModelError(f"{where} {what}. {remedy}") from error
    if not ((probabilities - golden[PROBABILITY]).abs() <= GOLDEN_TOLERANCE).all():
        raise ModelError(
            f"{where} no longer gives its golden rows the probabilities saved with them. {remedy}"
        )


def library_versions() -> dict[str, str]:
    """The installed versions of `LIBRARIES`."""
    installed = {}
    for library in LIBRARIES:
        try:
            installed[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return installed


def libraries_of(model: "FittedModel") -> list[str]:
    """The libraries whose classes a model uses, so that it needs exactly their versions."""
    used = _packages_of(model)
    return [library for library, package in DECISIVE_PACKAGES.items() if package in used]


def own_packages_of(model: "FittedModel") -> dict[str, str]:
    """The digests of those of the project's own trusted packages that a model uses, by name."""
    used = _packages_of(model)
    return {name: digest for name, digest in package_digests().items() if name in used}


def _packages_of(model: "FittedModel") -> set[str]:
    """The packages that define the estimators of a model, and their base classes."""
    from churnlib.model.nested import estimators_in

    types = {type(estimator) for _, estimator in estimators_in(model.pipeline)}
    return {package_of(base) for cls in types for base in cls.__mro__}
