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

from churnlib.errors import ChurnlibError, error_prefix
from churnlib.io.storage import check_reachable
from churnlib.settings import Settings, load_settings
from flows.cli.exit_status import DONE, FAILED, USERS_FAULT
from flows.cli.parameters import RunOptions
from flows.engine.server import LocalServer, local_server

PRELOADED = (
    "flows.train",
    "flows.score",
    "churnlib.model.fit",
    "churnlib.report.html",
    "sklearn.ensemble",
    "skops.io",
)
"""Modules that flows and tasks need later. They are imported while the server of this process
starts up, which would otherwise be time spent waiting."""


def in_session(run: RunOptions, work: Callable[[], int | None]) -> int:
    """Does work that runs flows, beside a Prefect server.

    Args:
        run: What the flows are called with. Invalid settings fail before the server starts.
        work: Imports the flows and calls them; may return an exit status.

    Returns:
        The exit status.
    """
    # Idle threads of a fit spin for a moment, then sleep. If they went on spinning, as is the
    # default, two fits at once would take seven times as long; asleep at once, a small fit would
    # take three times as long.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    _spare_the_collector()
    try:
        checked_settings(run)
        with local_server() as server:
            return _call(work, server)
    except ChurnlibError as error:
        from flows.engine.log import was_logged

        if not was_logged(error):
            raise
        return USERS_FAULT
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return FAILED


def checked_settings(run: RunOptions) -> Settings:
    """Loads the settings that flows will be called with, and checks that the data can be reached.

    Raises:
        SettingsError: The settings are invalid.
        StoreError: The data lie in an object store that does not answer or denies access.
    """
    settings = load_settings(run.game, run.changes)
    with error_prefix(settings.game):
        check_reachable(settings.data_dir)
    return settings


def _spare_the_collector() -> None:
    # Imports make a million objects that stay. Python would go through them again and again while
    # they come, and once more at its end: more than a second in all.
    gc.set_threshold(20_000)
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)


def _call(work: Callable[[], int | None], server: LocalServer) -> int:
    try:
        import prefect  # noqa: F401  The server starts up meanwhile.

        with _importing(PRELOADED if server.pid else ()):
            server.wait()
        return work() or DONE
    except ChurnlibError:
        raise
    except Exception as error:
        from flows.engine.log import was_logged

        if not was_logged(error):
            traceback.print_exc()
        return FAILED


@contextmanager
def _importing(modules: Sequence[str]) -> Iterator[None]:
    """Imports modules in a thread, one after another, until the block ends."""
    enough = threading.Event()

    def work() -> None:
        with suppress(Exception):  # The code that needs the module meets the same fault.
            for module in modules:
                if enough.is_set():
                    return
                import_module(module)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()
