"""Settings of the model."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from churnlib.settings.parts import Flag, Item, Number, Section, Whole

CalibrationChoice = Literal["auto", "none", "sigmoid", "isotonic"]


class FeatureChoice(Section):
    """Which columns of the feature table the model sees."""

    include: tuple[str, ...] | None = Field(default=None, min_length=1)
    """The columns to take; all that are no key, date or label if null."""
    exclude: tuple[str, ...] = ()
    """Columns to leave out of these."""


class Step(Item):
    """A step of the pipeline: an estimator, or the last, the model."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """The step's own name; `--set train.pipeline.<name>.params.<param>=<value>` reaches in."""
    type: str
    """The class by its full name, of scikit-learn, this library, or skrub or LightGBM where
    installed."""
    params: dict[str, Any] = Field(default_factory=dict)
    """Its parameters. A table with `type` (and `params`) in it is an estimator in turn."""


class TrainSettings(Section):
    """How the model is made."""

    seed: Whole | None = Field(default=None, ge=0, le=2**32 - 1)
    """Where randomness begins; drawn anew for each run, logged and kept if null."""
    sample: Number | None = Field(default=None, gt=0, le=1)
    """The share of the characters to learn from, and to validate on, each with all its rows, by a
    hash of its id, so the same ones in every run; if null, all, as far as `max_rows` lets."""
    max_rows: Whole = Field(default=5_000_000, ge=1)
    """Where `sample` is null: as many rows are learnt from, about; of a larger window, the share of
    the characters that has so many. A row takes about 1 KiB of memory and, over both fits of some
    200 trees, 0.15 ms: 5 million rows 5 GiB and 12 minutes of a processor."""
    validation_months: Whole = Field(default=3, ge=1, le=1200)
    """The last months of the training window that are set apart to validate."""
    refit: Flag = True
    """After validation, fit once more on the whole window; else keep the validated model."""
    calibration: CalibrationChoice = "auto"
    """How probabilities are mended on later months than the model was fitted on: `sigmoid` for few
    rows, `isotonic` for a thousand and more; `auto` is `isotonic` for algorithms that need it, such
    as random forests, and `none` for others, such as gradient boosting."""
    calibration_months: Whole = Field(default=3, ge=1, le=1200)
    """The last months of those to learn from that are set apart to calibrate."""
    model_format: Literal["skops", "joblib"] = "skops"
    """`skops` opens only types on a list; `joblib` opens anything, so runs what its file says."""
    features: FeatureChoice = FeatureChoice()
    pipeline: tuple[Step, ...] = Field(min_length=1)
    """Steps in their order; the last is the classifier."""

    @field_validator("pipeline")
    @classmethod
    def _names_once(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        names = [step.name for step in steps]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"has two steps named {', '.join(twice)}")
        return steps
