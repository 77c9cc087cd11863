"""The sample of characters that a model is trained on, which bounds memory and time.

All rows of a character are in the sample, or none, by the hash of its id: the sample is the same in
every run and on every machine, and a larger one contains a smaller one.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from churnlib.errors import ModelError, TooFewRowsError
from churnlib.io.datasets import DatasetRef
from churnlib.io.hashing import is_below
from churnlib.model.feature_table import FeatureTable
from churnlib.schemas.columns import CHAR_ID
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

    @cached_property
    def count(self) -> int:
        """Number of rows of the characters drawn."""
        return self.of if self.share == 1 else self.rows.columns(CHAR_ID).height

    def to_json(self) -> dict[str, Any]:
        """The sample as plain data, for the manifest."""
        return {"share": self.share, "rows": self.count, "of": self.of, "setting": self.setting}


def draw_sample(features: DatasetRef, settings: TrainSettings) -> Sample:
    """Draws the characters to train a model on.

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
    rows = table if share == 1 else table.where(is_below(int(share * 2**64), CHAR_ID))
    return Sample(rows, share, table.height, setting)


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
            f"of {sample.of:,} rows, {sample.setting} takes {sample.count:,}, which are too "
            f"few. Set {sample.setting} higher, or train.sample = 1.0 to take all. Of these rows: "
            f"{error}"
        ) from error
