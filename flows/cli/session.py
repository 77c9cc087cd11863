"""The command lines. Nothing that is slow is imported before the first line is printed."""

import atexit
import gc
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from churnlib.console import exit_on_broken_pipe
from flows.cli.arguments import (
    BY_MODEL,
    COMPOSITES,
    absolute,
    backfill_parser,
    flow_parser,
    replay_parser,
    run_parameters,
)
from flows.engine.server import LocalServer, local_server

if TYPE_CHECKING:
    from churnlib.io.catalog import Catalog
    from churnlib.settings import Settings

LATER = (
    "flows.train",
    "flows.score",
    "churnlib.model.fit",
    "churnlib.report.html",
    "sklearn.ensemble",
    "skops.io",
)
"""What flows and their tasks import when they come to it. A run with a server of its own begins to
do so while it would only wait for the server."""

DONE, FAILED, USERS_FAULT, DIFFERENT = 0, 1, 2, 3
"""Exit statuses; the last is of a replay alone."""


@exit_on_broken_pipe()
def main(flow: str, argv: Sequence[str] | None = None) -> int:
    """Runs a flow from the command line.

    Args:
        flow: The flow's module.
        argv: The arguments; those of this process if null.

    Returns:
        The exit status: 0 done, 2 the user's input or configuration is at fault, 1 anything else.
    """
    args = flow_parser(flow).parse_args(argv)
    name = flow + ("_from_raw" if args.from_raw and flow in COMPOSITES else "")
    parameters = {**run_parameters(args), "refresh": args.refresh}
    if flow in BY_MODEL:
        parameters["model"] = args.model
    print(f"{name.replace('_', '-')}: {args.game}", flush=True)
    return in_session(
        parameters, lambda: getattr(import_module(f"flows.{flow}"), name)(**parameters)
    )


@exit_on_broken_pipe()
def backfill_main(argv: Sequence[str] | None = None) -> int:
    """Runs a batch flow for many months, from the command line.

    Args:
        argv: The arguments; those of this process if null.

    Returns:
        The exit status, as `main`.
    """
    args = backfill_parser().parse_args(argv)
    parameters = {**run_parameters(args), "refresh": args.refresh}
    months = {"first_month": args.first_month, "last_month": args.last_month}
    print(
        f"backfill: {args.game}, {args.flow}, {args.first_month} to {args.last_month}", flush=True
    )
    return in_session(
        parameters,
        lambda: import_module("flows.backfill").backfill(
            **parameters, **months, batch_flow=args.flow, from_raw=args.from_raw
        ),
    )


@exit_on_broken_pipe()
def replay_main(argv: Sequence[str] | None = None) -> int:
    """Makes a model version again, from the command line.

    Args:
        argv: The arguments; those of this process if null.

    Returns:
        The exit status, as `main`; 3 where the model made again does not say the same.
    """
    args = replay_parser().parse_args(argv)
    parameters = {"game": args.game, "data_dir": absolute(args.data_dir)}
    print(f"replay: {args.game}, {args.version or 'the champion'}", flush=True)
    equal: list[bool] = []

    def work() -> None:
        found = import_module("flows.replay").replay(**parameters, version=args.version)
        equal.append(found.is_equal)

    status = in_session({**parameters, "overrides": None}, work)
    return DIFFERENT if equal == [False] else status


def by_hand(game: str, data_dir: str | None, work: Callable[["Catalog"], None]) -> int:
    """Does work that runs no flow, on the data of a game.

    Args:
        game: The game.
        data_dir: The data folder; that of the game's settings if null.
        work: Takes the game's catalog.

    Returns:
        The exit status.
    """
    from churnlib.errors import ChurnlibError
    from churnlib.io.catalog import Catalog

    parameters = {"game": game, "overrides": None, "data_dir": absolute(data_dir)}
    try:
        work(Catalog(load_checked(parameters).data_dir, game))
    except ChurnlibError as error:
        print(f"error: {error}", file=sys.stderr)
        return USERS_FAULT
    return DONE


def in_session(parameters: dict[str, Any], work: Callable[[], Any]) -> int:
    """Does work that runs flows: settings first, then beside a server, with faults told well.

    Args:
        parameters: What the flows are called with; settings that cannot be fail before the start.
        work: Imports the flows and calls them.

    Returns:
        The exit status.
    """
    # Idle threads of a fit spin for a moment, then sleep. Spinning on, as they would, two fits at
    # once take seven times as long; asleep at once, a small one three times.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    _spare_the_collector()
    from churnlib.errors import ChurnlibError

    try:
        load_checked(parameters)
        with local_server() as server:
            return _call(work, server)
    except ChurnlibError as error:
        from flows.engine.log import was_logged

        if not was_logged(error):
            print(f"error: {error}", file=sys.stderr)
        return USERS_FAULT
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return FAILED


def _spare_the_collector() -> None:
    # Imports make a million objects that stay. Python would go through them again and again while
    # they come, and once more at its end: more than a second in all.
    gc.set_threshold(20_000)
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)


def load_checked(parameters: dict[str, Any]) -> "Settings":
    """Loads the settings that flows will be called with, and sees whether the data are in reach.

    Args:
        parameters: As the flows take them.

    Raises:
        SettingsError: They cannot be.
        StoreError: The data lie in an object store that does not answer, or does not let in.
    """
    from churnlib.errors import error_prefix
    from churnlib.io.storage import check_reachable
    from churnlib.settings import load_settings

    named = ((name, parameters.get(name)) for name in ("as_of", "data_dir"))
    changes = {**(parameters["overrides"] or {}), **{n: v for n, v in named if v is not None}}
    settings = load_settings(parameters["game"], changes)
    with error_prefix(settings.game):
        check_reachable(settings.data_dir)
    return settings


def _call(work: Callable[[], Any], server: LocalServer) -> int:
    from churnlib.errors import ChurnlibError

    try:
        import prefect  # noqa: F401  The server starts meanwhile.

        with _importing(LATER if server.pid else ()):
            server.wait()
        work()
    except ChurnlibError:
        raise
    except Exception as error:
        from flows.engine.log import was_logged

        if not was_logged(error):
            traceback.print_exc()
        return FAILED
    return DONE


@contextmanager
def _importing(modules: Iterable[str]) -> Iterator[None]:
    """Imports modules beside the block, one after another, until the block ends."""
    enough = threading.Event()

    def work() -> None:
        with suppress(Exception):  # Whoever needs the module meets the fault, too.
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
