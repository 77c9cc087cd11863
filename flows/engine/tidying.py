"""What a run removes when it starts: what killed runs left, and what was kept long enough.

The run lock is held, so that no other run writes to the game's folders. Others that may write
there are `churn promote`, which locks the registry, and workers of a Dask cluster that outlive
their run, whose parts are useless. Elsewhere, a lock or a day of age shows that a writer is dead.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from churnlib.io import storage
from churnlib.io.catalog import Catalog
from churnlib.io.leftovers import find_leftovers, find_old_leftovers, remove_leftovers
from churnlib.io.local import IN_USE
from churnlib.io.snapshots import FOLDER as SNAPSHOTS
from churnlib.io.snapshots import old_snapshots
from churnlib.io.temporary import remove_abandoned
from churnlib.settings import Settings
from churnlib.uris import folder_of, is_remote, join, name_of
from churnlib.versions.folder import created_at
from churnlib.versions.manifest import MANIFEST
from flows.engine.cache import run_logger
from flows.engine.prefect_home import prefect_home
from flows.engine.result_files import remove_unused_results, result_folder

MODELS, BATCH_FEATURES = "06_models", "05_model_input"
_BATCH = re.compile(r"predict_\d{4}-\d{2}\.parquet")


def tidy(settings: Settings, catalog: Catalog) -> None:
    """Removes what killed runs left, and what the settings do not keep any longer.

    Call it where the run lock is held. The log says what was removed, in a line each.
    """
    if left := [*_sweep_game(catalog), *_sweep_machine(settings, catalog)]:
        run_logger().info("%s: removed what stopped runs had left: %s", catalog.game, _list(left))
    retention = settings.retention
    if old := _sweep(_old_batch_features(catalog, retention.batch_features), catalog):
        run_logger().info(
            "%s: removed the features of all batches before the newest %d: %s",
            *(catalog.game, retention.batch_features, ", ".join(map(name_of, old))),
        )
    if snapshots := _sweep(_old_snapshots(catalog, retention.snapshots), catalog):
        run_logger().info(
            "%s: removed %d snapshots of tables in databases, which no model was made of: "
            "retention.snapshots",
            *(catalog.game, len(snapshots)),
        )
    if retention.results_days and (unused := remove_unused_results(retention.results_days)):
        run_logger().info(
            "removed %d task results that no run has used for %d days: retention.results_days",
            *(unused, retention.results_days),
        )


def _sweep_game(catalog: Catalog) -> Iterator[str]:
    """Removes leftovers in the game's folders, and yields them."""
    folders = catalog.written_folders
    for layer in folders.keys() - {MODELS}:
        yield from _sweep(find_leftovers(folders[layer]), catalog)
    yield from _sweep(find_leftovers(join(catalog.raw_folder, SNAPSHOTS)), catalog)
    parts = join(folders["02_intermediate"], "parts")
    yield from _sweep((entry.uri for entry in storage.list_files(parts)), catalog)
    if find_leftovers(folders[MODELS]) or _half_models(catalog) or _was_locked(catalog):
        with storage.exclusive_lock(catalog.registry().uri):  # `churn promote` may write there.
            half = _half_models(catalog)
            yield from _sweep([*find_leftovers(folders[MODELS]), *half], catalog)


def _was_locked(catalog: Catalog) -> bool:
    """Whether a process on this machine was killed while it held the registry."""
    registry = catalog.registry().uri
    lock = join(folder_of(registry), f".{name_of(registry)}.lock")
    return not is_remote(lock) and os.path.lexists(lock)


def _half_models(catalog: Catalog) -> list[str]:
    """Finds folders of models whose upload was cut off; they have no manifest, which comes last.

    They are those of versions, and of models in use. Versions that the champion's pointer or
    the registry names were complete, and are left to people.
    """
    folder = catalog.models().uri
    files = {entry.name for entry in storage.list_files(folder)}
    named = "".join(_text(place.uri) for place in (catalog.champion(), catalog.registry()))
    versions = {name.partition("/")[0] for name in files if "/" in name}
    in_use = {
        found[0] for name in files if (found := re.match(rf"[^/]+/{IN_USE}/[^/]+(?=/)", name))
    }
    return [
        join(folder, model)
        for model in sorted(versions | in_use)
        if created_at(name_of(model)) and f"{model}/{MANIFEST}" not in files and model not in named
    ]


def _text(uri: str) -> str:
    return storage.read_bytes(uri).decode(errors="replace") if storage.is_file(uri) else ""


def _sweep_machine(settings: Settings, catalog: Catalog) -> Iterator[str]:
    """Removes leftovers of dead processes in folders that several runs share."""
    yield from remove_abandoned()
    if settings.engine.scratch_dir:
        yield from remove_abandoned(settings.engine.scratch_dir)
    shared = [str(prefect_home()), result_folder()]
    if not is_remote(catalog.data_dir):  # `churn map` writes a page for all games.
        shared.append(join(catalog.data_dir, "08_reporting"))
    for folder in shared:
        yield from _sweep(find_old_leftovers(folder))


def _old_snapshots(catalog: Catalog, keep: int | None) -> list[str]:
    """The snapshots of tables in databases before the newest, without those of models."""
    if keep is None or not old_snapshots(catalog.raw_folder, keep):
        return []
    files = storage.list_files(catalog.models().uri)
    manifests = "".join(_text(file.uri) for file in files if file.name.endswith(f"/{MANIFEST}"))
    return old_snapshots(catalog.raw_folder, keep, manifests)


def _sweep(uris: Iterable[str], catalog: Catalog | None = None) -> list[str]:
    """Removes files and folders, those of a data folder unless they are behind a link out of it."""
    found = [uri for uri in uris if catalog is None or catalog.is_inside(uri)]
    remove_leftovers(found)
    return found


def _list(removed: Iterable[str]) -> str:
    """Counts what was removed by folder.

    >>> _list(["/d/04_feature/game1/.a.tmp", "/d/04_feature/game1/.b.tmp", "/tmp/churn-scratch-x"])
    '2 in /d/04_feature/game1, 1 in /tmp'
    """
    return ", ".join(f"{n} in {place}" for place, n in Counter(map(folder_of, removed)).items())


def _old_batch_features(catalog: Catalog, keep: int | None) -> list[str]:
    """The features of all batches but the newest."""
    if keep is None:
        return []
    folder = catalog.written_folders[BATCH_FEATURES]
    batches = [name for name in storage.list_names(folder) if _BATCH.fullmatch(name)]
    return [join(folder, name) for name in batches[:-keep]]
