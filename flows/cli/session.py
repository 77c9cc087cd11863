"""The process of a command that runs flows: its settings, its Prefect server, its exit status."""

import atexit
import gc
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module

from churnlib.errors import ChurnlibError
from churnlib.io.catalog import Catalog
from churnlib.settings import Settings, load_settings
from churnlib.shown import message
from flows.cli.exit_status import DONE, FAILED, USERS_FAULT
from flows.cli.parameters import RunOptions
from flows.engine.scratch import check_scratch_dir
from flows.engine.server import LocalServer, local_server

PRELOADED = (
    "flows.train",
    "flows.score",
    "churnlib.model.training",
    "churnlib.report.html",
    "sklearn.ensemble",
    "skops.io",
)
"""Modules that flows and tasks need later. They are imported while the server of this process
starts, so this takes no extra time."""


def in_session(run: RunOptions, work: Callable[[], int | None], *, model: str | None = None) -> int:
    """Calls a function that runs flows, with a Prefect server.

    Mistakes in the command line fail before the server starts.

    Args:
        run: What the flows are called with.
        work: Imports the flows and calls them; may return an exit status.
        model: The model version that they use, if the command line names one.

    Returns:
        The exit status.
    """
    # Idle threads of a fit spin briefly, then sleep. With the default, which spins longer, two
    # fits at once take seven times as long; without spinning, a small fit takes three times as
    # long.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    _limit_garbage_collection()
    try:
        settings = checked_settings(run)
        if model is not None:
            from churnlib.versions.folder import find_version

            find_version(Catalog(settings.data_dir, settings.game), model)
        with local_server() as server:
            return _call(work, server)
    except ChurnlibError as error:
        from flows.engine.log import was_logged

        if not was_logged(error):
            raise
        return USERS_FAULT


def checked_settings(run: RunOptions) -> Settings:
    """Loads the settings that flows will be called with, and checks the folders that they name.

    Raises:
        SettingsError: The settings are invalid, or `engine.scratch_dir` cannot be used.
        DataError: The data folder does not exist.
        StoreError: The data are in an object store that does not answer or denies access.
    """
    settings = load_settings(run.game, run.changes, origin="--set")
    Catalog(settings.data_dir, settings.game).check_data_dir()
    check_scratch_dir(settings.engine)
    return settings


def _limit_garbage_collection() -> None:
    # Imports create a million lasting objects. Collecting garbage among them during the imports and
    # at exit would take more than a second.
    gc.set_threshold(20_000)
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)


def _call(work: Callable[[], int | None], server: LocalServer) -> int:
    try:
        import prefect  # noqa: F401  While the server starts.

        with _importing(PRELOADED if server.pid else ()):
            server.wait()
        return work() or DONE
    except ChurnlibError:
        raise
    except Exception as error:
        from flows.engine.log import was_logged

        if not was_logged(error):
            print(message(traceback.format_exc()), end="", file=sys.stderr)
        return FAILED


@contextmanager
def _importing(modules: Sequence[str]) -> Iterator[None]:
    """Imports modules in a thread, one after another, until the block ends."""
    stopped = threading.Event()

    def work() -> None:
        with suppress(Exception):  # The code that needs the module raises it again.
            for module in modules:
                if stopped.is_set():
                    return
                import_module(module)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
