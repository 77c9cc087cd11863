"""Tries: runs with other settings or data than the game's own, named so on Prefect's server."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext

from churnlib.errors import SettingsError
from churnlib.settings import load_settings, value_text
from churnlib.shown import masked, one_line
from churnlib.uris import is_remote
from flows.engine.tolerance import tolerant

TAG = "try"
"""The tag of a flow run that is a try, and the part of its artifacts' keys."""
LONGEST_NAME = 120
"""The number of characters of a run's name, which Prefect's pages show in one line."""

_IS_TRY: ContextVar[bool] = ContextVar("is_try", default=False)


def is_try() -> bool:
    """Whether the current run is a try."""
    return _IS_TRY.get()


def changes_of_try(
    game: str, overrides: Mapping[str, Any] | None, data_dir: str | None
) -> tuple[str, ...]:
    """Describes what a run was given in place of the game's own settings and data folder.

    Args:
        game: The game.
        overrides: Its settings by dotted path.
        data_dir: Its data folder; None for that of the settings.

    Returns:
        A text for each change; empty if the run is no try.
    """
    changes = [f"{path}={value_text(value)}" for path, value in (overrides or {}).items()]
    own = None
    with suppress(SettingsError):  # The run itself reports it.
        own = load_settings(game).data_dir
    if data_dir is not None and not (own and is_same_folder(data_dir, own)):
        is_below = not is_remote(data_dir) and not os.path.relpath(data_dir).startswith("..")
        changes.append(os.path.relpath(data_dir) if is_below else data_dir)
    return tuple(changes)


def is_same_folder(data_dir: str, own: str) -> bool:
    """Whether two texts name the same data folder."""
    if is_remote(data_dir) or is_remote(own):
        return data_dir.rstrip("/") == own
    return Path(data_dir).expanduser().resolve() == Path(own).resolve()


@contextmanager
def labelled_as_try(changes: tuple[str, ...]) -> Iterator[None]:
    """Names and tags the current flow run as a try, and its artifacts in the block.

    Args:
        changes: See `changes_of_try`; without any, the block changes nothing.
    """
    token = _IS_TRY.set(bool(changes) or _IS_TRY.get())
    try:
        if changes:
            _rename_run(changes)
        yield
    finally:
        _IS_TRY.reset(token)


def name_of_try(name: str, changes: tuple[str, ...]) -> str:
    """The name of a run that is a try, which logs and pages show: one line, without passwords.

    The settings are not checked yet, so a URI may have a password, which is refused later.

    >>> name_of_try("game1", ("train.seed=3", "s3://key:secret@bucket/data"))
    'game1 try: train.seed=3 s3://***@bucket/data'
    """
    text = one_line(masked(f"{name} {TAG}: {' '.join(changes)}"))
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 3]}..."


def _rename_run(changes: tuple[str, ...]) -> None:
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    run = context.flow_run
    name = name_of_try(run.name, changes)
    with tolerant("the name of a run"), get_client(sync_client=True) as client:
        client.update_flow_run(run.id, name=name, tags=sorted({*run.tags, TAG}))
