"""What a game is: its settings, layered from TOML files, the environment and the command line."""

import json
from collections.abc import Iterator, Mapping
from datetime import date
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from churnlib.errors import SettingsError
from churnlib.layers import explain, list_games, load_layers
from churnlib.months import first_day, last_day, shift_months

CurrencyColumn = Literal["sub_hard", "sub_soft", "hard_balance", "soft_balance"]
AggregationFunction = Literal["mean", "max", "min", "std", "sum", "first", "count"]
WindowName = Literal["train", "score", "batch_predict", "batch_score"]


def _all_optional(schema: dict[str, Any]) -> None:
    """A game's file states only its differences, so editors must not ask for the rest."""
    schema.pop("required", None)


class Item(BaseModel):
    """An entry of a list, which must be stated whole."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Section(BaseModel):
    """A table of a game's file, of which every part may be left to the file below."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra=_all_optional,
    )


class RawSettings(Section):
    """How the raw tables are checked."""

    on_bad_rows: Literal["fail", "quarantine"] = "fail"
    """Rows that break a rule: stop, or set them apart in a file beside the checked table."""
    max_bad_share: float = Field(default=0.01, ge=0, le=1)
    """With `quarantine`: the share of a table's rows that may be set apart before the run stops."""
    categories: dict[
        Literal["gender", "race", "class", "territory", "sub_type", "sub_size"], tuple[str, ...]
    ] = {}
    """Columns whose values are a closed list; any other value is a fault. Others are open."""


class StandardSettings(Section):
    """What goes into the standard features."""

    undated_totals: bool = False
    """Take `total_kills` and `total_deaths` as features. They carry no date: they are known as of
    the extract, hence leak what came after the day of prediction."""


class Fill(Item):
    """A value that takes the place of nulls in source columns."""

    columns: tuple[CurrencyColumn, ...]
    value: float


class Aggregation(Item):
    """Functions over the visible rows, each giving a feature `<column>_<function>`."""

    columns: tuple[CurrencyColumn, ...]
    functions: tuple[AggregationFunction, ...]
    fill: float | None = None
    """Takes the place of a null result, where there is a visible row at all."""


class Difference(Item):
    """Newest value minus the value exactly p months older, each giving `<column>_diff_<p>`."""

    columns: tuple[CurrencyColumn, ...]
    periods: tuple[Annotated[int, Field(ge=1)], ...]
    fill: float | Literal["self"] | None = None
    """Takes the place of a null result, where there is a visible row at all; `self` is the newest
    value itself."""


class CurrencySettings(Section):
    """Which features are made of the monthly currency rows."""

    lookback_months: int | None = Field(default=None, ge=1)
    """How many months back a row is visible, the subscription's own month included; all if null."""
    fill_values: tuple[Fill, ...] = ()
    """Filled first of all."""
    latest: tuple[CurrencyColumn, ...] = ()
    """Columns taken from the newest visible row, under their own names."""
    aggregations: tuple[Aggregation, ...] = ()
    """Functions over all visible rows."""
    differences: tuple[Difference, ...] = ()
    """Changes over calendar months."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The features that these settings give, in their order."""
        return (
            *self.latest,
            "currency_age_months",
            *(f"{c}_{f}" for a in self.aggregations for c in a.columns for f in a.functions),
            *(f"{c}_diff_{p}" for d in self.differences for c in d.columns for p in d.periods),
        )

    @model_validator(mode="after")
    def _each_feature_once(self) -> "CurrencySettings":
        names = self.feature_names
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"asks twice for {', '.join(twice)}")
        return self


class Window(Section):
    """A span of subscription starts, both ends included."""

    start: date | int
    """A day, or months relative to the month of `as_of`: then from that month's first day."""
    end: date | int
    """A day, or months relative to the month of `as_of`: then to that month's last day."""

    def span(self, as_of: date) -> tuple[date, date]:
        """The first and last day of the window, for a run at `as_of`."""
        start, end = self.start, self.end
        return (
            start if isinstance(start, date) else shift_months(first_day(as_of), start),
            end if isinstance(end, date) else last_day(shift_months(first_day(as_of), end)),
        )

    @property
    def is_relative(self) -> bool:
        """Whether both ends move with `as_of`."""
        return isinstance(self.start, int) and isinstance(self.end, int)

    @property
    def is_fixed(self) -> bool:
        """Whether both ends are days."""
        return isinstance(self.start, date) and isinstance(self.end, date)

    @model_validator(mode="after")
    def _in_order(self) -> "Window":
        if self.is_relative or self.is_fixed:
            first, last = self.span(date(2000, 1, 1))
            if first > last:
                raise ValueError(f"start {self.start} lies after end {self.end}")
        return self


class Windows(Section):
    """Which subscriptions each flow works on, chosen by their start."""

    train: Window
    score: Window
    batch_predict: Window
    batch_score: Window


class FeatureChoice(Section):
    """Which columns of the feature table the model sees."""

    include: tuple[str, ...] | None = None
    """The columns to take; all that are no key, date or label if null."""
    exclude: tuple[str, ...] = ()
    """Columns to leave out of these."""


class Step(Item):
    """A step of the pipeline: an estimator, or the last, the model."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """The step's own name; `--set train.pipeline.<name>.params.<param>=<value>` reaches in."""
    type: str
    """The class by its full name, of scikit-learn, this library, or skrub where installed."""
    params: dict[str, Any] = {}
    """Its parameters. A table with `type` (and `params`) in it is an estimator in turn."""


class TrainSettings(Section):
    """How the model is made."""

    seed: int | None = Field(default=None, ge=0, le=2**32 - 1)
    """Where randomness begins; drawn anew for each run, logged and kept if null."""
    validation_months: int = Field(default=3, ge=1)
    """The last months of the training window that are set apart to validate."""
    refit: bool = True
    """After validation, fit once more on the whole window; else keep the validated model."""
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


class Settings(BaseSettings):
    """Everything that tells one game's runs from another's. Frozen; unknown keys are refused."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra=_all_optional,
        title="A game's settings",
    )

    game: str
    """The game's name: its file under `games/` and its folder at each level of the data tree."""
    description: str = ""
    """What the game is, for people."""
    data_dir: str
    """The root of the data tree; relative to the folder that holds `games/`."""
    as_of: date | None = None
    """The day of the run: nothing dated after it is read. The latest currency date if null."""
    horizon_months: int = Field(ge=1)
    """Within how many months of its start a subscription must churn to count as churned."""
    churn_after_months: int = Field(default=3, ge=1)
    """How many missed months in a row are churn."""
    allow_label_overlap: bool = False
    """Let a model be scored on subscriptions begun before its training labels were known. Every
    report then warns: such a back-test flatters."""
    raw: RawSettings = RawSettings()
    standard: StandardSettings = StandardSettings()
    currency: CurrencySettings = CurrencySettings()
    windows: Windows
    train: TrainSettings

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Takes nothing but what `load_settings` has layered, so that order is stated once."""
        return (init_settings,)

    @model_validator(mode="after")
    def _labels_known_in_time(self) -> "Settings":
        windows = (self.windows.train, self.windows.score)
        if all(w.is_relative for w in windows) or all(w.is_fixed for w in windows):
            check_label_overlap(self, date(2000, 1, 1))
        return self


def labels_known_by(settings: Settings, as_of: date) -> date:
    """The day on which the last label of the training window becomes known.

    Args:
        settings: The game's settings.
        as_of: The day of the run.

    Returns:
        The first day of the month that lies the horizon after the month of the window's end.
    """
    _, last = settings.windows.train.span(as_of)
    return shift_months(first_day(last), settings.horizon_months)


def check_label_overlap(settings: Settings, as_of: date) -> None:
    """Refuses a back-test whose training labels were not yet known when it begins.

    Raises:
        ValueError: A training label becomes known only after the scoring window opens, and
            `allow_label_overlap` is not set.
    """
    known = labels_known_by(settings, as_of)
    first, _ = settings.windows.score.span(as_of)
    if known > first and not settings.allow_label_overlap:
        train, score = settings.windows.train, settings.windows.score
        raise ValueError(
            f"the training window ends at {train.end} and its labels are known "
            f"{settings.horizon_months} months later, after the scoring window opens at "
            f"{score.start}: the back-test would see the future. Move windows.train.end or "
            "windows.score.start, or set allow_label_overlap = true"
        )


def load_settings(
    game: str,
    overrides: Mapping[str, Any] | None = None,
    *,
    games_dir: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Loads the settings of a game.

    Layers, each over the one before: `base.toml`, `<game>.toml`, `local.toml`, environment
    variables such as `CHURN_TRAIN__SEED`, and `overrides`. Tables are merged; a list replaces
    the list below it.

    Args:
        game: The game's name, that of its file.
        overrides: Values by dotted path, such as `{"train.seed": 7}`. A path reaches into a list
            by the name or the position of an entry.
        games_dir: The folder of the TOML files; if null `CHURN_GAMES_DIR`, else the nearest
            `games` folder at or above the working folder, else the one beside the package.
        environ: The environment; this process's own if null.

    Raises:
        SettingsError: No such game, a file that cannot be read, an unknown setting, or a value
            that cannot be; the message names the setting, where it is set, and what to do.
    """
    layers = load_layers(Settings, game, overrides or {}, games_dir=games_dir, environ=environ)
    try:
        return Settings(**layers.merged)
    except ValueError as error:
        raise SettingsError(explain(error, Settings, layers)) from None


def describe_settings() -> str:
    """Lists every setting by its path, with its type and meaning, for people."""
    return "\n".join(_described(Settings, ""))


def settings_schema() -> str:
    """Writes the JSON schema of a game's file, for editors to complete and check by."""
    return json.dumps(Settings.model_json_schema(), indent=2) + "\n"


def _described(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind, path = field.annotation, f"{prefix}{name}"
        inner = get_args(kind)[0] if get_origin(kind) is tuple else kind
        meaning = " ".join((field.description or "").split())
        if not isinstance(inner, type) or not issubclass(inner, BaseModel):
            yield f"  {path}: {_type_words(kind)}" + (f"\n      {meaning}" if meaning else "")
        else:
            if inner is not kind:
                path += ".<name>" if "name" in inner.model_fields else ".<n>"
            yield from _described(inner, f"{path}.")


def _type_words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " | ".join(repr(value) for value in get_args(kind))
    if get_origin(kind) is tuple:
        return f"list of {_type_words(get_args(kind)[0])}"
    if get_origin(kind) in (Union, UnionType):
        return " | ".join(_type_words(part) for part in get_args(kind))
    if get_origin(kind) is Annotated:
        return _type_words(get_args(kind)[0])
    if kind is NoneType:
        return "null"
    return "table" if get_origin(kind) is dict else str(getattr(kind, "__name__", kind))


__all__ = [
    "CurrencySettings",
    "Settings",
    "TrainSettings",
    "Window",
    "Windows",
    "check_label_overlap",
    "describe_settings",
    "labels_known_by",
    "list_games",
    "load_settings",
    "settings_schema",
]
