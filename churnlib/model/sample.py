"""The sample of characters that a model is trained on, which bounds memory and time.

All rows of a character are in the sample, or none, by the hash of its id: the sample is the same in
every run and on every machine, and a larger one contains a smaller one. Feature tables are in the
order of that hash, so a sample is the beginning of a table, and only that is read.
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
"""The model that trains on a table part by part if it is the only step of a pipeline."""


@dataclass(frozen=True)
class Sample:
    """The part of a feature table that a model is trained on.

    Attributes:
        rows: The rows of the characters drawn.
        share: The share of the characters drawn.
        of: Number of rows in the table.
        setting: The setting that determines the share.
    """

    rows: FeatureTable
    share: float
    of: int
    setting: str

    def to_json(self) -> dict[str, Any]:
        """The sample as plain data, for the manifest."""
        rows = self.rows.height
        return {"share": self.share, "rows": rows, "of": self.of, "setting": self.setting}


def draw_sample(features: DatasetRef, settings: TrainSettings) -> Sample:
    """Draws the characters to train a model on; reads only a few ids.

    Args:
        features: The feature table of the training window.
        settings: The settings `sample` and `max_rows` are used.

    Raises:
        DataError: The table is missing, damaged, or not a feature table.
    """
    table = FeatureTable.read(features)
    share, setting = settings.sample, "train.sample"
    if share is None:
        bounded = not learns_from_parts(settings.pipeline)
        share = min(1.0, settings.max_rows / max(table.height, 1)) if bounded else 1.0
        setting = "train.max_rows"
    height = table.height if share == 1 else _rows_below(features, share)
    return Sample(replace(table, height=height), share, table.height, setting)


def learns_from_parts(steps: Sequence[Step]) -> bool:
    """Whether a pipeline trains on a table part by part, with one part in memory at a time."""
    return [step.type for step in steps] == [FROM_PARTS]


def describe_sample(sample: dict[str, Any]) -> str:
    """Describes the sample in a manifest.

    >>> describe_sample({"share": 0.1, "rows": 9_876, "of": 100_000, "setting": "train.sample"})
    '9,876 of 100,000 rows: 10% of the characters (train.sample)'
    """
    if sample["share"] == 1:
        return f"all {sample['of']:,} rows"
    return (
        f"{sample['rows']:,} of {sample['of']:,} rows: "
        f"{sample['share']:.3%} of the characters ({sample['setting']})".replace(".000%", "%")
    )


@contextmanager
def naming_sample_setting(sample: Sample) -> Iterator[None]:
    """Names the setting to change if the block fails because the sample is too small.

    Raises:
        ModelError: The sample has too few rows; the table may have enough.
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
    """Number of rows of the characters whose hashes are in the first share of all hashes."""
    limit = int(share * 2**64)
    last = limit >> (64 - FINEST_BITS)
    counts = fact(features, FACT)
    before: int = sum(counts[:last])
    ids = datasets.scan(features).select("char_id").slice(before, counts[last]).collect()
    return before + int(np.searchsorted(hashes(ids["char_id"]), np.uint64(limit)))
