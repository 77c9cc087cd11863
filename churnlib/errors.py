"""Errors that users can fix. Catch `ChurnlibError` for all of them."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

from churnlib import shown

LIST_ALL_UP_TO, NEAREST = 20, 5
"""The largest number of known names to list in full, and the number to list of more."""


class ChurnlibError(Exception):
    """The user's input, data or configuration is wrong; the message says what to do.

    Control characters in the message are escaped, and the passwords of URIs masked.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(shown.message(str(message)))


class SettingsError(ChurnlibError):
    """A game's configuration cannot be read, or is invalid."""


class DataError(ChurnlibError):
    """A table is missing, unreadable, or breaks a rule of its schema."""


class UnreadableError(ChurnlibError):
    """Something exists but cannot be read: its content is unknown, and it is not missing."""


class UnreadableDataError(DataError, UnreadableError):
    """A file or folder of data cannot be read."""


class StoreError(UnreadableError):
    """An object store is unreachable or denies access, so its content is unknown."""


class ServerError(ChurnlibError):
    """Prefect's server does not answer, or its home or database cannot be used."""


class ModelError(ChurnlibError):
    """A model cannot be built, found, trusted or applied."""


class UnreadableModelError(ModelError, UnreadableError):
    """A model, or the record of models, cannot be read, so nothing may be decided about it."""


class TooFewRowsError(ModelError):
    """There are too few rows for training or validation; a larger sample may help."""


@contextmanager
def error_prefix(game: str) -> Iterator[None]:
    """Prepends the game to the message of an error that does not name it yet."""
    try:
        yield
    except (ModelError, SettingsError, UnreadableError) as error:
        if str(error).startswith(f"{game}: "):
            raise
        raise type(error)(f"{game}: {error}") from error


def reason(error: BaseException) -> str:
    """Returns the first line of an error's message, without the number of a system's error.

    >>> reason(FileNotFoundError(2, "No such file or directory", "a.csv"))
    "No such file or directory: 'a.csv'"
    """
    lines = str(error).strip().splitlines()
    if not lines:
        return type(error).__name__
    return shown.message(re.sub(r"^\[Errno -?\d+\] ", "", lines[0]).rstrip("."))


def closest(name: str, known: Iterable[str]) -> str:
    """Suggests a known name, as the last sentence of an error message.

    Args:
        name: What the user wrote.
        known: The valid names.

    Returns:
        `Did you mean 'x'?` if a known name is similar, ignoring case; else the list of known
        names, or the nearest of them if there are many.

    >>> closest("gmae1", ["game1", "game2"])
    "Did you mean 'game1'?"
    >>> closest("HORIZON_MONTHS", ["horizon_months", "raw"])
    "Did you mean 'horizon_months'?"
    >>> closest("x", ["game2", "game1"])
    'Known: game1, game2.'
    """
    names = sorted(set(known))
    if similar := most_similar(name, names):
        return f"Did you mean '{similar}'?"
    if len(names) > LIST_ALL_UP_TO:
        nearest = _similar(name, names, cutoff=0)[:NEAREST]
        return f"Nearest of {len(names)} known: {', '.join(nearest)}."
    return f"Known: {', '.join(names) or 'none'}."


def most_similar(name: str, known: Iterable[str]) -> str | None:
    """Finds the known name that is most similar to a name; None where no name is similar."""
    return next(iter(_similar(name, sorted(set(known)), cutoff=0.6)), None)


def _similar(name: str, names: list[str], cutoff: float) -> list[str]:
    """Sorts known names by similarity, first as written and then without regard to case.

    A name that differs by its case only is the most similar.
    """
    if equal := [known for known in names if known.casefold() == name.casefold()]:
        return sorted(equal, key=lambda known: known != name)
    as_written = get_close_matches(name, names, n=NEAREST, cutoff=cutoff)
    by_letters = {known.casefold(): known for known in reversed(names)}
    matches = get_close_matches(name.casefold(), by_letters, n=NEAREST, cutoff=cutoff)
    return as_written or [by_letters[match] for match in matches]
