"""Command lines for messages, which name what to type next."""

import shlex

from churnlib.io.catalog import data_dir_of
from churnlib.io.datasets import Dataset, DatasetRef


def command_line(flow: str, place: Dataset | DatasetRef, *more: str) -> str:
    """Words the command line of a flow for the game and the data folder of a dataset.

    Args:
        flow: The flow's module.
        place: A dataset; where it lies in no data folder as the catalog has it, none is named.
        more: Further arguments.

    >>> from churnlib.io.catalog import Catalog
    >>> model = Catalog("/mnt/data", "hawk").model("v1")
    >>> command_line("train", model, "--refresh")
    'python -m flows.train --game hawk --data-dir /mnt/data --refresh'
    >>> command_line("train", Catalog("s3://bucket", "hawk").champion())
    'python -m flows.train --game hawk --data-dir s3://bucket'
    """
    folder = data_dir_of(place.uri, place.game)
    where = ("--data-dir", folder) if folder else ()
    return shlex.join(["python", "-m", f"flows.{flow}", "--game", place.game, *where, *more])
