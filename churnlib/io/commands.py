"""Command lines that messages suggest."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from churnlib.io.catalog import data_dir_of
from churnlib.io.datasets import Dataset, DatasetRef

WITHOUT_OPTIONS = ("models", "promote")
"""Commands that have no other options than the game and the data folder."""
_OPTIONS: ContextVar[tuple[str, ...]] = ContextVar("options", default=())


@contextmanager
def suggesting(*options: str) -> Iterator[None]:
    """Adds the options of a run, such as its settings, to what `command_line` returns in the block.

    >>> from churnlib.io.catalog import Catalog
    >>> models = Catalog("/mnt/data", "hawk").models()
    >>> with suggesting("--set=horizon_months=4"):
    ...     command_line("train", models)
    'churn train --game hawk --data-dir /mnt/data --set=horizon_months=4'
    >>> command_line("train", models)
    'churn train --game hawk --data-dir /mnt/data'
    """
    token = _OPTIONS.set(options)
    try:
        yield
    finally:
        _OPTIONS.reset(token)


def churn_command(command: str, game: str, data_dir: str | None, *arguments: str) -> str:
    """Returns a command line for a game.

    Args:
        command: The command, such as `train`, or the module of a flow.
        game: The game.
        data_dir: The data folder; if None, the command line names none.
        arguments: Further arguments.

    >>> churn_command("batch_predict", "hawk", None, "--as-of", "2025-01-01")
    'churn batch-predict --game hawk --as-of 2025-01-01'
    """
    folder = () if data_dir is None else ("--data-dir", data_dir)
    name = command.replace("_", "-")
    return shlex.join(["churn", name, "--game", game, *folder, *arguments])


def command_line(command: str, dataset: Dataset | DatasetRef, *arguments: str) -> str:
    """Returns the command line for the game and the data folder of a dataset.

    In a block of `suggesting`, it has the options of the run, too.

    Args:
        command: The command, such as `train` or `promote`.
        dataset: A dataset; if it is not in a data folder, the command line names none.
        arguments: Further arguments.

    >>> from churnlib.io.catalog import Catalog
    >>> model = Catalog("/mnt/data", "hawk").model("v1")
    >>> command_line("train", model, "--refresh")
    'churn train --game hawk --data-dir /mnt/data --refresh'
    >>> command_line("train", Catalog("s3://bucket", "hawk").champion())
    'churn train --game hawk --data-dir s3://bucket'
    """
    data_dir = data_dir_of(dataset.uri, dataset.game)
    options = () if command in WITHOUT_OPTIONS else _OPTIONS.get()
    return churn_command(command, dataset.game, data_dir, *arguments, *options)
