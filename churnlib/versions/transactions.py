"""Changes of the registry and of what it speaks of, which a killed process leaves undone or done.

A promotion changes two files, and a deletion many. So the registry is written first, with what is
still to be done: from then on, readers see the new state. Then that is done, and the registry is
written without it. Whoever takes the lock next does what a killed process has not done.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from churnlib.errors import DataError, StoreError, reason
from churnlib.io.catalog import Catalog
from churnlib.io.leftovers import find_leftovers, remove_leftovers
from churnlib.io.storage import exclusive_lock
from churnlib.uris import is_remote, name_of
from churnlib.versions.champion import set_champion
from churnlib.versions.manifest import remove_model
from churnlib.versions.registry import Promotion, Registry, read_registry, write_registry


@contextmanager
def registry_lock(catalog: Catalog) -> Iterator[None]:
    """Locks registry and champion against changes by others, for the duration of the block.

    Finishes first what a killed process has left. Read the state inside the block, or changes by
    another run may be lost.

    Raises:
        ModelError: The registry cannot be read.
    """
    with exclusive_lock(catalog.registry().uri):
        _remove_temporary(catalog)
        registry = read_registry(catalog.registry())
        if registry.promoting or registry.deleting:
            logging.getLogger(__name__).warning("%s: %s", catalog.game, _unfinished(registry))
            _finish(catalog, registry)
        yield


def commit(catalog: Catalog, registry: Registry) -> None:
    """Writes a registry and does what it holds as still to be done; call it in `registry_lock`.

    Args:
        catalog: The game's data.
        registry: The registry. Its `promoting` becomes champion, its `deleting` are deleted.
    """
    write_registry(registry, catalog.registry())
    _finish(catalog, registry)


def finish_interrupted(catalog: Catalog) -> Promotion | None:
    """Finishes what a killed process has left; takes no lock if there is nothing.

    Returns:
        The promotion that was finished; None if there was none.

    Raises:
        ModelError: The registry cannot be read.
    """
    registry = read_registry(catalog.registry())
    if not (registry.promoting or registry.deleting):
        return None
    with registry_lock(catalog):
        return registry.promotions[-1] if registry.promoting else None


def _remove_temporary(catalog: Catalog) -> None:
    """Removes what killed processes left beside pointer and registry, which only they write."""
    if is_remote(catalog.data_dir):  # Objects are written whole or not at all.
        return
    names = [name_of(place.uri) for place in (catalog.champion(), catalog.registry())]
    written = re.compile(rf"\.({'|'.join(map(re.escape, names))})\.[^.]+\.tmp")
    left = find_leftovers(catalog.models().uri)
    remove_leftovers(u for u in left if written.fullmatch(name_of(u)) and catalog.is_inside(u))


def _unfinished(registry: Registry) -> str:
    promotion = f"the promotion of model {registry.promoting}" if registry.promoting else ""
    deletion = (
        f"the deletion of old models ({', '.join(registry.deleting)})" if registry.deleting else ""
    )
    what = " and ".join(filter(None, (promotion, deletion)))
    return f"an earlier run was stopped during {what}, which is finished now"


def _finish(catalog: Catalog, registry: Registry) -> None:
    """Does what a registry holds as still to be done; also if some of it was done before."""
    if registry.promoting:
        set_champion(catalog, registry.promoting)
    for version in registry.deleting:
        _delete(catalog, version)
    if registry.promoting or registry.deleting:
        done = registry.model_copy(update={"promoting": None, "deleting": ()})
        write_registry(done, catalog.registry())


def _delete(catalog: Catalog, version: str) -> None:
    model = catalog.model(version)
    try:
        remove_model(catalog, model)
    except (OSError, DataError, StoreError) as error:
        logging.getLogger(__name__).warning(
            "%s: model %s cannot be deleted completely (%s). Remove the rest of %s",
            *(catalog.game, version, reason(error), model.uri),
        )
