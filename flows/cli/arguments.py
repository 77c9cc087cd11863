"""What the command lines take. Nothing that is slow is imported, but for help."""

import argparse
import re
from datetime import date
from pathlib import Path
from typing import Any

from churnlib.uris import is_remote

FLOWS = {
    "standard_features": "Build all features but currency from the raw tables.",
    "train": "Train a model on the training window and make it the candidate.",
    "score": "Back-test the candidate against the champion, and promote it where it passes.",
    "batch_predict": "Predict the churn of a month's new subscriptions, from the raw tables.",
    "batch_score": "Score the predictions of an earlier batch, now that its truth is known.",
}
"""The base flows, by module."""

COMPOSITES = ("train", "score", "batch_score")
"""The flows that have a composite, which builds the standard features first."""

BY_MODEL = ("score", "batch_predict")
"""The flows that take a model version by name, instead of the champion."""

MONTH_PATTERN = r"^(19|2[01])\d{2}-(0[1-9]|1[0-2])$"
"""What command line and forms hold a month against."""

BACKFILL = "Run a batch flow for each month of a span; what is done is skipped."
"""The flow that runs others, month by month."""

MODELS = "List a game's model versions, the newest first: what each is, and how it came about."
PROMOTE = "Make a model version the champion by hand, or go back to the one before."
REPLAY = "Make a model version again from its manifest, and tell whether it predicts the same."

BESIDE = {"backfill": BACKFILL, "models": MODELS, "promote": PROMOTE, "replay": REPLAY}
"""The commands beside the flows that a game's data go through, by module."""


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
    if flow in BY_MODEL:
        help_text = (
            "the model version to back-test, which then is only reported on"
            if flow == "score"
            else "the model version to predict by (default: the champion)"
        )
        parser.add_argument("--model", metavar="VERSION", help=help_text)
    add_run_arguments(parser)
    return parser


def models_parser() -> argparse.ArgumentParser:
    """Makes the parser of the list of versions."""
    parser = argparse.ArgumentParser(prog="python -m flows.models", description=MODELS)
    _add_game(parser)
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    add_data_dir(parser)
    return parser


def promote_parser() -> argparse.ArgumentParser:
    """Makes the parser of a promotion by hand."""
    parser = argparse.ArgumentParser(prog="python -m flows.promote", description=PROMOTE)
    _add_game(parser)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--version", metavar="V", help="the version to make champion")
    which.add_argument(
        "--back", action="store_true", help="roll back: to the version that was champion before"
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="also a version that no comparison has accepted; never one that cannot be opened",
    )
    add_data_dir(parser)
    return parser


def replay_parser() -> argparse.ArgumentParser:
    """Makes the parser of a replay."""
    parser = argparse.ArgumentParser(
        prog="python -m flows.replay",
        description=REPLAY,
        epilog="exit status: 0 equal to the bit, 3 not equal, 2 the call or the data are at fault, "
        "1 anything else",
    )
    _add_game(parser)
    parser.add_argument("--version", metavar="V", help="the version (default: the champion)")
    add_data_dir(parser)
    return parser


def backfill_parser() -> argparse.ArgumentParser:
    """Makes the parser of the backfill's command line."""
    parser = _Parser(
        prog="python -m flows.backfill",
        description=BACKFILL,
    )
    parser.add_argument(
        "--flow",
        required=True,
        type=lambda name: name.replace("-", "_"),
        choices=["batch_predict", "batch_score"],
        metavar="F",
        help="what to run, batch_predict or batch_score",
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
    _add_game(parser)
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


def _add_game(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--game", required=True, metavar="G", help="the game, a file in games/")


def add_data_dir(parser: argparse.ArgumentParser, dest: str = "data_dir") -> None:
    """Adds the data folder, by its name among the parsed arguments."""
    parser.add_argument(
        "--data-dir",
        dest=dest,
        type=_folder,
        metavar="P",
        help="the data folder, or one in an object store as s3://bucket/data (default: data)",
    )


def absolute(folder: str | None) -> str | None:
    """Makes a folder's path independent of where the flow will run."""
    if folder is None or is_remote(folder):
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
    if re.fullmatch(MONTH_PATTERN, text, re.ASCII):
        return text
    raise argparse.ArgumentTypeError(f"'{text}' is no month as in 2024-12")


def _folder(text: str) -> str:
    try:
        if text and text != "null" and (is_remote(text) or Path(text).expanduser()):
            return text
    except RuntimeError:  # There is no such home.
        pass
    raise argparse.ArgumentTypeError(f"'{text}' is no folder")


def _override(text: str) -> tuple[str, str]:
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise argparse.ArgumentTypeError(f"'{text}' is no PATH=VALUE as in train.seed=7")
    return path.strip(), value.strip()


PARSERS = {
    "backfill": backfill_parser,
    "models": models_parser,
    "promote": promote_parser,
    "replay": replay_parser,
}
"""The parsers of the commands beside the flows."""
