"""Settings of training."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from churnlib.settings.fields import Flag, Item, Number, OperatorOnly, Section, Whole, repeated

CalibrationChoice = Literal["auto", "none", "sigmoid", "isotonic"]
ModelInUse = Literal["all_known", "as_tested"]


class FeatureChoice(Section):
    """The columns of the feature table that the model uses."""

    include: tuple[str, ...] | None = Field(default=None, min_length=1)
    """The columns to use; all but keys, dates and labels if null."""
    exclude: tuple[str, ...] = ()
    """Columns to leave out of these."""
    numbers: tuple[str, ...] = ()
    """Text columns of these that hold numbers and are used as such, not as categories."""

    @field_validator("numbers")
    @classmethod
    def _columns_once(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        if twice := repeated(columns):
            raise ValueError(f"names {twice} twice")
        return columns


class Step(Item):
    """A step of the pipeline: a transformer, or as the last step a classifier."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """The step's name, as in `--set train.pipeline.<name>.params.<param>=<value>`."""
    type: str
    """The full name of a class of scikit-learn, of this library, of skrub or LightGBM if installed,
    or of a package that the variable `CHURN_TRUSTED_PACKAGES` names."""
    params: dict[str, Any] = Field(default_factory=dict)
    """Its parameters. A table with `type` (and `params`) is itself an estimator."""


class TrainSettings(Section):
    """How a model is trained."""

    seed: Whole | None = Field(default=None, ge=0, le=2**32 - 1)
    """The random seed; if null, each run draws one, logs it and keeps it in the manifest."""
    sample: Number | None = Field(default=None, gt=0, le=1)
    """The share of characters to train and validate on, each with all its rows. Chosen by a hash of
    the id: the same characters in every run. If null, all, or as many as `max_rows` allows."""
    max_rows: Whole = Field(default=5_000_000, ge=1)
    """The approximate maximum number of training rows where `sample` is null; of a larger window, a
    share of the characters is used. A row takes about 1 KiB of memory and 0.15 ms for two fits of
    about 200 trees: 5 million rows take 5 GiB and 12 minutes of CPU time."""
    contacted: Literal["keep", "drop", "weight"] = "keep"
    """What to do about rows that a campaign contacted within their horizon, so that their outcome
    may be its work: `keep` them; `drop` them; or drop them and `weight` those held out, whom it
    would have contacted, so that they stand for both."""
    validation_months: Whole = Field(default=3, ge=1, le=1200)
    """The number of months at the end of the training window that are used for validation. At the
    monthly grain, the validated model is fitted only to labels available when these begin."""
    refit: Flag = True
    """Whether the model is fitted again on the whole window after validation."""
    in_use: ModelInUse = "all_known"
    """Which model predicts batches. `all_known`: one with the champion's settings and seed, fitted
    by each training on every label known by its day, of subscriptions from `windows.train.start`
    on. `as_tested`: the champion as it was back-tested, which stopped learning at
    `windows.train.end`."""
    calibration: CalibrationChoice = "auto"
    """How probabilities are calibrated, on later months than the model was fitted on: `sigmoid` for
    few rows, `isotonic` for a thousand or more; `auto` is `isotonic` for algorithms that need it,
    such as random forests, and `none` for others, such as gradient boosting."""
    calibration_months: Whole = Field(default=3, ge=1, le=1200)
    """The number of months at the end of the training rows that are used for calibration. At the
    monthly grain, a horizon lies between these and the rows that the model is fitted to."""
    model_format: Annotated[
        Literal["skops", "joblib"], OperatorOnly("a joblib file can run any code as the worker")
    ] = "skops"
    """`skops` loads only trusted types; `joblib` executes any code in its file."""
    features: FeatureChoice = FeatureChoice()
    max_categories: Whole | None = Field(default=254, ge=2)
    """The maximum number of values of a category. Of more, the most frequent among the rows that a
    model is fitted to are kept, and all others, also those that only later rows have, count as one.
    Histogram gradient boosting takes 254, or one less than its `max_bins`. If null, no limit."""
    pipeline: tuple[Step, ...] = Field(min_length=1)
    """The steps in their order; the last is the classifier."""

    @field_validator("pipeline")
    @classmethod
    def _names_once(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        if twice := repeated([step.name for step in steps]):
            raise ValueError(f"has two steps named {twice}")
        return steps
