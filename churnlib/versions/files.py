"""Reading the files that say which models there are, and those of a version."""

from collections.abc import Iterator
from contextlib import contextmanager

from churnlib.errors import StoreError, UnreadableError, UnreadableModelError
from churnlib.io.storage import read_if_exists


def read_model_file(uri: str, game: str, consequence: str) -> bytes | None:
    """Reads a file that something is decided by; None only if there is none.

    Args:
        uri: The file.
        game: The game.
        consequence: What is not known without it, for the message: a sentence.

    Raises:
        UnreadableModelError: It exists but cannot be read, or this cannot be told.
    """
    with attributed_to_model(game, consequence):
        return read_if_exists(uri)


@contextmanager
def attributed_to_model(game: str, consequence: str) -> Iterator[None]:
    """Says in an error of the block that it is about a model, and what follows from it.

    Args:
        game: The game.
        consequence: What is not known without the file, for the message: a sentence.

    Raises:
        UnreadableModelError: A file cannot be read, or it cannot be told whether it exists.
    """
    try:
        yield
    except UnreadableError as error:
        is_told = isinstance(error, StoreError)
        remedy = "" if is_told else " Make it a file that can be read, or restore it from a copy."
        raise UnreadableModelError(f"{game}: {error} {consequence}{remedy}") from None
