"""Which model version a run uses, and whether it may."""

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from churnlib.io.datasets import DatasetRef
from churnlib.versions.champion import champion
from churnlib.versions.compatibility import check_label_leakage, check_same_features
from churnlib.versions.folder import find_version, open_model
from churnlib.versions.manifest import read_manifest
from flows.steps.own_settings import has_own_features
from flows.steps.run import Run

if TYPE_CHECKING:
    from churnlib.model.fitted_model import FittedModel


def requested_model(run: Run) -> DatasetRef:
    """Returns the version that the run names, else the champion.

    Raises:
        ModelError: There is none.
    """
    if run.model is not None:
        return find_version(run.catalog, run.model)
    return champion(run.catalog, train=run.command("train", "--from-raw"))


def check_features(
    run: Run, manifest: Mapping[str, Any], flow: Literal["score", "batch_predict"]
) -> None:
    """Checks that a version was trained on the features and labels of a run.

    Raises:
        ModelError: It was not; the message says what to do in this flow.
    """
    retrain = run.command("train", "--from-raw")
    if flow == "batch_predict":
        then = "name the new model with --model"
        if not has_own_features(run):  # Then the gate replaces the champion.
            then = f"score it, which makes it the champion: {run.command('score')}"
        retrain = f"{retrain}; then {then}"
    check_same_features(manifest, run.settings, retrain)


def check_back_testable(run: Run, model: DatasetRef) -> tuple[str, ...]:
    """Checks that a version can be back-tested; returns warnings.

    Raises:
        ModelError: It was trained on other features or labels, its labels leak into the window, or
            it cannot be opened.
    """
    manifest, window = read_manifest(model), run.window("score")
    check_features(run, manifest, "score")
    allowed = run.settings.allow_label_overlap
    warning = check_label_leakage(manifest, window.span, window.setting, allowed)
    open_version(model, allow_joblib=run.allow_joblib)
    return (warning,) if warning else ()


@lru_cache(maxsize=3)  # A candidate, the champion and the anchor.
def open_version(
    model: DatasetRef, *, allow_joblib: bool
) -> tuple[Mapping[str, Any], "FittedModel"]:
    """Reads the manifest of a version and loads it, once for all steps of this process.

    Raises:
        ModelError: See `churnlib.versions.folder.load_model`.
    """
    manifest = read_manifest(model)
    return manifest, open_model(model, manifest, allow_joblib=allow_joblib)
