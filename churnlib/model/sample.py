"""Which share of the characters a model learns from, so that fitting has bounded memory and time.

A character is in a sample or out of it whole, by the hash of its id: the same in every run and on
every machine, and a smaller sample is part of a larger. Feature tables are in the order of that
hash, so that a sample is the beginning of a table, and no more of the table is read.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from churnlib.errors import ModelError, TooFewRowsError
from churnlib.io import datasets
from churnlib.io.buckets import FACT, FINEST_BITS, hashes
from churnlib.io.datasets import DatasetRef
from churnlib.io.footer import fact
from churnlib.model.feature_table import FeatureTable
from churnlib.settings import Step, TrainSettings

FROM_PARTS = "churnlib.model.boosting.LGBMFromParts"
"""The model that, alone in a pipeline, learns from a table of which a part is in memory."""


@dataclass(frozen=True)
class Sample:
    """What a model learns from of a feature table.

    Attributes:
        rows: The rows of the characters drawn.
        share: The share of the characters that are drawn.
        of: How many rows the table has.
        setting: The setting that the share follows from.
    """

    rows: FeatureTable
    share: float
    of: int
    setting: str

    def to_json(self) -> dict[str, Any]:
        """The sample as plain data, for the manifest."""
        rows = self.rows.height
        return {"share": self.share, "rows": rows, "of": self.of, "setting": self.setting}


def draw(features: DatasetRef, settings: TrainSettings) -> Sample:
    """Draws the characters that a model is to learn from; reads only a few ids.

    Args:
        features: The feature table of the training window.
        settings: `sample` and `max_rows` count.

    Raises:
        DataError: The table is missing or damaged, or something else wrote it.
    """
    whole = FeatureTable.read(features)
    share, setting = settings.sample, "train.sample"
    if share is None:
        bounded = not learns_from_parts(settings.pipeline)
        share = min(1.0, settings.max_rows / max(whole.height, 1)) if bounded else 1.0
        setting = "train.max_rows"
    height = whole.height if share == 1 else _rows_below(features, share)
    return Sample(replace(whole, height=height), share, whole.height, setting)


def learns_from_parts(steps: Sequence[Step]) -> bool:
    """Tells whether a pipeline learns from a table of which only a part is in memory at a time."""
    return [step.type for step in steps] == [FROM_PARTS]


def describe(sample: dict[str, Any]) -> str:
    """Words what a manifest tells of a sample.

    >>> describe({"share": 0.1, "rows": 9_876, "of": 100_000, "setting": "train.sample"})
    '9,876 of 100,000 rows: 10% of the characters (train.sample)'
    """
    if sample["share"] == 1:
        return f"all {sample['of']:,} rows"
    return (
        f"{sample['rows']:,} of {sample['of']:,} rows: "
        f"{sample['share']:.3%} of the characters ({sample['setting']})".replace(".000%", "%")
    )


@contextmanager
def attribute_read_errors(sample: Sample) -> Iterator[None]:
    """Where the block fails because a sample is too small, names the setting to change.

    Raises:
        ModelError: Rows to learn from are missing, of which there may be more outside the sample.
    """
    try:
        yield
    except TooFewRowsError as error:
        if sample.share == 1:
            raise
        raise ModelError(
            f"of {sample.of:,} rows, {sample.setting} takes {sample.rows.height:,}, which are too "
            f"few. Set {sample.setting} higher, or train.sample = 1.0 to take all. Of these rows: "
            f"{error}"
        ) from error


def _rows_below(features: DatasetRef, share: float) -> int:
    """How many rows belong to the characters whose hashes are below a share of all hashes."""
    limit = int(share * 2**64)
    last = limit >> (64 - FINEST_BITS)
    counts = fact(features, FACT)
    before: int = sum(counts[:last])
    ids = datasets.scan(features).select("char_id").slice(before, counts[last]).collect()
    return before + int(np.searchsorted(hashes(ids["char_id"]), np.uint64(limit)))
