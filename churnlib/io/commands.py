"""Command lines that messages suggest."""

import shlex

from churnlib.io.catalog import data_dir_of
from churnlib.io.datasets import Dataset, DatasetRef


def command_line(command: str, dataset: Dataset | DatasetRef, *arguments: str) -> str:
    """Returns the command line for the game and the data folder of a dataset.

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
    folder = data_dir_of(dataset.uri, dataset.game)
    data_dir = ("--data-dir", folder) if folder else ()
    return shlex.join(["churn", command, "--game", dataset.game, *data_dir, *arguments])
