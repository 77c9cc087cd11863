"""The command lines. Nothing that is slow is imported before the first line is printed."""

import argparse
import atexit
import gc
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnlib.console import reader_may_leave
from flows.engine.server import LocalServer, local_server, prefect_home

if TYPE_CHECKING:
    from churnlib.settings import Settings

FLOWS = {
    "standard_features": "Build all features but currency from the raw tables.",
    "train": "Train a model on the training window and make it the champion.",
    "score": "Back-test the champion on the scoring window.",
    "batch_predict": "Predict the churn of a month's new subscriptions, from the raw tables.",
    "batch_score": "Score the predictions of an earlier batch, now that its truth is known.",
}
"""The base flows, by module."""
COMPOSITES = ("train", "score", "batch_score")
"""The flows that have a composite, which builds the standard features first."""

LATER = (
    "flows.train",
    "flows.score",
    "churnlib.model.train",
    "churnlib.report.plots",
    "sklearn.ensemble",
    "skops.io",
)
"""What flows and their tasks import when they come to it. A run with a server of its own imports it
beforehand, while it would only wait for the server."""

DONE, FAILED, USERS_FAULT = 0, 1, 2
"""Exit statuses."""


@reader_may_leave()
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
    print(f"{name.replace('_', '-')}: {args.game}", flush=True)
    return in_session(
        parameters, lambda: getattr(import_module(f"flows.{flow}"), name)(**parameters)
    )


@reader_may_leave()
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


def in_session(parameters: dict[str, Any], work: Callable[[], Any]) -> int:
    """Does work that runs flows: settings first, then beside a server, with faults told well.

    Args:
        parameters: What the flows are called with; settings that cannot be fail before the start.
        work: Imports the flows and calls them.

    Returns:
        The exit status.
    """
    # Idle threads of one fit would otherwise spin on the cores that another needs.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Matplotlib's list of fonts would otherwise go beside Prefect's home, into the user's.
    os.environ.setdefault("MPLCONFIGDIR", str(prefect_home() / "matplotlib"))
    _spare_the_collector()
    from churnlib.errors import ChurnlibError

    try:
        load_checked(parameters)
        with local_server() as server:
            return _call(work, server)
    except ChurnlibError as error:
        from flows.engine.log import was_told

        if not was_told(error):
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
    """Loads the settings that flows will be called with.

    Args:
        parameters: As the flows take them.

    Raises:
        SettingsError: They cannot be.
    """
    from churnlib.settings import load_settings

    named = ((name, parameters.get(name)) for name in ("as_of", "data_dir"))
    changes = {**(parameters["overrides"] or {}), **{n: v for n, v in named if v is not None}}
    return load_settings(parameters["game"], changes)


def _call(work: Callable[[], Any], server: LocalServer) -> int:
    from churnlib.errors import ChurnlibError

    try:
        import prefect  # noqa: F401  The server starts meanwhile.

        if server.pid is not None:
            for module in LATER:
                import_module(module)
        server.wait()
        work()
    except ChurnlibError:
        raise
    except Exception as error:
        from flows.engine.log import was_told

        if not was_told(error):
            traceback.print_exc()
        return FAILED
    return DONE


def flow_parser(flow: str) -> argparse.ArgumentParser:
    """Makes the parser of a flow's command line."""
    parser = _Parser(prog=f"python -m flows.{flow}", description=FLOWS[flow])
    from_raw = (
        "build the standard features first"
        if flow in COMPOSITES
        else "changes nothing: this flow always starts from the raw tables"
    )
    parser.add_argument("--from-raw", action="store_true", help=from_raw)
    parser.add_argument("--refresh", action="store_true", help="run every task anew")
    add_run_arguments(parser)
    return parser


def backfill_parser() -> argparse.ArgumentParser:
    """Makes the parser of the backfill's command line."""
    parser = _Parser(
        prog="python -m flows.backfill",
        description="Run a batch flow for each month of a span; what is done is skipped.",
    )
    parser.add_argument(
        "--flow",
        required=True,
        type=lambda name: name.replace("-", "_"),
        choices=["batch_predict", "batch_score"],
        help="what to run",
    )
    for name, which in (("from", "first"), ("to", "last")):
        parser.add_argument(
            f"--{name}", dest=f"{which}_month", required=True, type=_month, metavar="YYYY-MM",
            help=f"the month of the {which} batch, as its files are named",
        )  # fmt: skip
    parser.add_argument(
        "--from-raw", action="store_true",
        help="build the standard features first, once, where batch_score needs them",
    )  # fmt: skip
    parser.add_argument("--refresh", action="store_true", help="run every task anew")
    add_run_arguments(parser)
    return parser


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what tells one run from another: game, day, data and settings."""
    parser.add_argument("--game", required=True, metavar="G", help="the game, a file in games/")
    parser.add_argument(
        "--as-of",
        type=_day,
        metavar="YYYY-MM-DD",
        help="the day of the run; nothing dated after it is read (default: the latest currency)",
    )
    parser.add_argument(
        "--set",
        action="append",
        type=_override,
        default=[],
        metavar="PATH=VALUE",
        help="a setting by its path; may be repeated",
    )
    add_data_dir(parser)


def add_data_dir(parser: argparse.ArgumentParser, dest: str = "data_dir") -> None:
    """Adds the data folder, by its name among the parsed arguments."""
    parser.add_argument(
        "--data-dir", dest=dest, type=_folder, metavar="P", help="the data folder (default: data)"
    )


def absolute(folder: str | None) -> str | None:
    """Makes a folder's path independent of where the flow will run."""
    if folder is None or "://" in folder:
        return folder
    return str(Path(folder).expanduser().absolute())


def run_parameters(args: argparse.Namespace) -> dict[str, Any]:
    """Gathers what tells one run from another, as the flows take it, from parsed arguments."""
    return {
        "game": args.game,
        "as_of": args.as_of,
        "overrides": dict(args.set) or None,
        "data_dir": absolute(args.data_dir),
    }


class _Parser(argparse.ArgumentParser):
    """Names every setting in its help; they are looked up only when help is asked for."""

    def format_help(self) -> str:
        from churnlib.settings import describe_settings

        return f"{super().format_help()}\nsettings, for --set:\n{describe_settings()}\n"


def _day(text: str) -> date:
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):  # Python takes weeks, too.
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"'{text}' is no day as in 2024-12-31")


def _month(text: str) -> str:
    if re.fullmatch(r"(19|2[01])\d{2}-(0[1-9]|1[0-2])", text, re.ASCII):
        return text
    raise argparse.ArgumentTypeError(f"'{text}' is no month as in 2024-12")


def _folder(text: str) -> str:
    try:
        if text and text != "null" and Path(text).expanduser():
            return text
    except RuntimeError:  # There is no such home.
        pass
    raise argparse.ArgumentTypeError(f"'{text}' is no folder")


def _override(text: str) -> tuple[str, str]:
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise argparse.ArgumentTypeError(f"'{text}' is no PATH=VALUE as in train.seed=7")
    return path.strip(), value.strip()
