"""Models in use: the settings of a champion, fitted again on every label known by a day.

A version is judged by its back-tested model, which stops learning before the window of the
back-test opens. Batches are predicted by a model in use, which lies in a folder of its own in the
folder of its version, completely or not at all, and has a manifest of its own. The newest whose
labels were known by the day of a batch predicts it, so nothing has to point to it.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from churnlib.errors import ModelError, UnreadableError
from churnlib.io.catalog import Catalog, catalog_of, is_version_name
from churnlib.io.datasets import Dataset, DatasetRef, ref
from churnlib.io.local import IN_USE
from churnlib.io.storage import list_files
from churnlib.months import first_day, last_day, shift_months
from churnlib.settings import rows_in
from churnlib.uris import join
from churnlib.versions.compatibility import has_learnt_of
from churnlib.versions.files import attributed_to_model
from churnlib.versions.manifest import (
    MANIFEST,
    read_manifest,
    remove_model,
    unknown_without,
    version_of,
)
from churnlib.versions.model_state import ModelState

AS_TESTED = "as_tested"
"""What predictions say instead of the name of a model in use, if the version has none for them."""


def last_known_start(as_of: date, horizon_months: int) -> date:
    """The last day of the subscriptions whose labels are known by a day.

    >>> last_known_start(date(2025, 1, 15), 6)
    datetime.date(2024, 7, 31)
    """
    return last_day(shift_months(first_day(as_of), -horizon_months))


def has_learnt(manifest: Mapping[str, Any], last: date) -> bool:
    """Whether a back-tested model has learnt the labels of a window that ends on a day."""
    is_refitted = (manifest["settings"].get("train") or {}).get("refit", True)
    return is_refitted and date.fromisoformat(manifest["window"][1]) >= last


def list_in_use(model: Dataset | DatasetRef) -> tuple[str, ...]:
    """Lists the names of the models in use of a version, the newest first.

    Raises:
        UnreadableError: The folder of the version cannot be looked up.
    """
    with attributed_to_model(model.game, unknown_without(model)):
        files = list_files(join(model.uri, IN_USE))
    folders = (file.name.rpartition("/") for file in files)
    names = {folder for folder, _, name in folders if name == MANIFEST}
    return tuple(sorted(filter(is_version_name, names), reverse=True))


def find_in_use(model: Dataset | DatasetRef, name: str) -> DatasetRef | None:
    """Finds a model in use of a version by its name; None if there is none."""
    if name not in list_in_use(model):
        return None
    return ref(catalog_of(model).model_in_use(version_of(model), name))


def known_in_use(
    model: Dataset | DatasetRef, as_of: date, opens: date | None = None
) -> tuple[DatasetRef, dict[str, Any]] | None:
    """Finds the newest model in use of a version that knows no label from after a day.

    Args:
        model: The version.
        as_of: The day.
        opens: The first day of the rows to predict, of which it must not have learnt either; None
            if it predicts none.

    Returns:
        The model and its manifest; None if the version has none.

    Raises:
        ModelError: The manifest of one is damaged, or its signature is wrong.
    """
    catalog = catalog_of(model)
    for name in list_in_use(model):
        place = catalog.model_in_use(version_of(model), name)
        manifest = _read_sound(place)
        is_new = opens is None or not has_learnt_of(manifest, opens)
        if is_new and knows_until(manifest) <= as_of:
            return ref(place), manifest
    return None


def _read_sound(place: Dataset) -> dict[str, Any]:
    """Reads the manifest of a model in use; says what to do if it is damaged or not signed."""
    try:
        return read_manifest(place)
    except UnreadableError:
        raise
    except ModelError as error:
        raise ModelError(
            f"{error} Or remove {place.uri}: then an earlier model in use predicts, or the model "
            "as tested."
        ) from None


def knows_until(manifest: Mapping[str, Any]) -> date:
    """The day after which a model knows no label."""
    return date.fromisoformat(manifest["labels_known_by"])


def describe_learnt(manifest: Mapping[str, Any]) -> str:
    """Says by which labels a model learnt, for reports and lists."""
    first, last = manifest["window"]
    return (
        f"{rows_in(manifest['settings'], first, last)}, labels available up to "
        f"{manifest['labels_known_by']}"
    )


def describe_in_use(model: Dataset | DatasetRef, as_of: date) -> str | None:
    """Describes the model in use of a version on a day; None if it has none.

    Raises:
        UnreadableError: The folder of the version cannot be looked up.
    """
    try:
        found = known_in_use(model, as_of)
    except UnreadableError:
        raise
    except ModelError as error:
        return f"damaged: {error}"
    return describe_learnt(found[1]) if found else None


def flow_that_fits(catalog: Catalog) -> Literal["train", "score"]:
    """The flow that fits the model in use of the champion.

    A back-test does, and trains no further candidate; but while one waits, it is that of the
    candidate.
    """
    return "train" if ModelState.read(catalog).candidate else "score"


def delete_old_in_use(catalog: Catalog, version: str, keep: int | None) -> tuple[str, ...]:
    """Deletes the oldest models in use of a version.

    Args:
        catalog: The game's data.
        version: The version.
        keep: Number of newest ones to keep, with which the batches of their time can be predicted
            again; all if None.

    Returns:
        The names of the deleted ones.

    Raises:
        DataError: See `churnlib.versions.manifest.remove_model`.
    """
    old = () if keep is None else list_in_use(catalog.model(version))[keep:]
    for name in old:
        remove_model(catalog, catalog.model_in_use(version, name))
    return old
