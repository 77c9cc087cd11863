"""Command lines for messages, which name what to type next."""

import shlex

from churnlib.io.catalog import data_dir_of
from churnlib.io.datasets import Dataset, DatasetRef


def command_line(command: str, place: Dataset | DatasetRef, *more: str) -> str:
    """The command line that runs a command on the game and the data folder of a dataset.

    Args:
        command: The command, such as `train` or `promote`.
        place: A dataset; the data folder is left out if the dataset is not where the catalog
            would have it.
        more: Further arguments.

    >>> from churnlib.io.catalog import Catalog
    >>> model = Catalog("/mnt/data", "hawk").model("v1")
    >>> command_line("train", model, "--refresh")
    'churn train --game hawk --data-dir /mnt/data --refresh'
    >>> command_line("train", Catalog("s3://bucket", "hawk").champion())
    'churn train --game hawk --data-dir s3://bucket'
    """
    folder = data_dir_of(place.uri, place.game)
    where = ("--data-dir", folder) if folder else ()
    return shlex.join(["churn", command, "--game", place.game, *where, *more])
