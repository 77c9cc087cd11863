"""Runs a command line, and prints its errors."""

import sys
from collections.abc import Sequence

from cyclopts import CycloptsError
from cyclopts.exceptions import MissingArgumentError, UnusedCliTokensError

from churnlib.console import exit_on_broken_pipe
from churnlib.errors import ChurnlibError, closest
from churnlib.shown import message
from flows.cli.app import app, commands
from flows.cli.exit_status import DONE, USERS_FAULT
from flows.cli.stop import Stopped, stoppable


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        argv: The command and its arguments; those of this process if None.

    Returns:
        The exit status; see `flows.cli.exit_status`.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        with stoppable(), exit_on_broken_pipe():
            return _call(words) or DONE
    except Stopped as stop:
        print(stop, file=sys.stderr)
        return stop.status
    except CycloptsError as error:
        print(message(f"error: {_message(error)}"), file=sys.stderr)
    except ChurnlibError as error:
        print(f"error: {error}", file=sys.stderr)
    return USERS_FAULT


def _call(words: list[str]) -> int | None:
    if words and not words[0].startswith("-"):
        words[0] = _command(words[0])
    status: int | None = app(
        words, exit_on_error=False, print_error=False, result_action="return_value"
    )
    return status


def _command(word: str) -> str:
    """Accepts batch_predict, the name of the module, for batch-predict."""
    name = word.replace("_", "-")
    if name not in commands():
        raise ChurnlibError(f"there is no command '{word}'. {closest(name, commands())}")
    return name


def _message(error: CycloptsError) -> str:
    if isinstance(error, UnusedCliTokensError):
        return f"unexpected argument: {' '.join(error.unused_tokens or ())}"
    if isinstance(error, MissingArgumentError) and error.argument:
        _, _, suggestion = str(error).partition("requires an argument.")
        need = "needs a value" if error.keyword else "is required"
        return f"{error.keyword or error.argument.name} {need}.{suggestion}"
    return str(error)
