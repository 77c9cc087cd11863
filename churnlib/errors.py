"""The faults that a user can mend. Whoever calls the library catches `ChurnlibError`."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

LISTED, NEAREST = 20, 5
"""How many known names are listed whole, and how many of more."""


class ChurnlibError(Exception):
    """The user's input, data or configuration is at fault; the message says what to do."""


class SettingsError(ChurnlibError):
    """A game's configuration cannot be read, or asks for something that cannot be."""


class DataError(ChurnlibError):
    """A table is missing, unreadable, or breaks the rules of `churnlib.schemas.tables`."""


class StoreError(ChurnlibError):
    """An object store cannot be reached, or does not let in; what lies there is not known."""


class ModelError(ChurnlibError):
    """A model cannot be built, found, trusted or applied."""


class TooFewRowsError(ModelError):
    """Rows to learn from, or to validate on, are missing; of a sample, a larger one may do."""


@contextmanager
def naming(game: str) -> Iterator[None]:
    """Puts the game before the message of a fault of the block that knows of no game."""
    try:
        yield
    except (ModelError, SettingsError, StoreError) as error:
        if str(error).startswith(f"{game}: "):
            raise
        raise type(error)(f"{game}: {error}") from error


def reason(error: Exception) -> str:
    """Words what a reader met in one line, without the point at its end."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def closest(name: str, known: Iterable[str]) -> str:
    """Words the nearest known name as the tail of an error message.

    Args:
        name: What the user wrote.
        known: The names that would have been right.

    Returns:
        `Did you mean 'x'?` where a known name is close, else the list of known names; of many only
        those that are least far.

    >>> closest("gmae1", ["game1", "game2"])
    "Did you mean 'game1'?"
    >>> closest("x", ["game2", "game1"])
    'Known: game1, game2.'
    """
    names = sorted(set(known))
    near = get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"Did you mean '{near[0]}'?"
    if len(names) > LISTED:
        least_far = get_close_matches(name, names, n=NEAREST, cutoff=0)
        return f"Nearest of {len(names)} known: {', '.join(least_far)}."
    return f"Known: {', '.join(names) or 'none'}."
