"""All settings of a game, and their loading."""

import os
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from churnlib.errors import SettingsError
from churnlib.months import first_day, shift_months
from churnlib.settings.campaign import CampaignSettings
from churnlib.settings.champion import ChampionSettings
from churnlib.settings.checks import check_features, check_tables
from churnlib.settings.cohort import CohortSettings
from churnlib.settings.data import RawSettings, StandardSettings
from churnlib.settings.delivery import DeliverySettings
from churnlib.settings.engine import EngineSettings
from churnlib.settings.evaluation import EvaluationSettings
from churnlib.settings.features import FeatureSettings
from churnlib.settings.fields import (
    Day,
    Flag,
    Months,
    OperatorOnly,
    Section,
    configurable_fields,
    refused,
)
from churnlib.settings.layers import Layers, check_variables, load_layers, merge_text
from churnlib.settings.messages import explain
from churnlib.settings.outcome import OutcomeSettings
from churnlib.settings.retention import RetentionSettings
from churnlib.settings.schedules import Schedules
from churnlib.settings.tables import DeclaredTables, Name, TableSettings
from churnlib.settings.train import TrainSettings
from churnlib.settings.tree import leaves
from churnlib.settings.windows import Windows, with_default_windows

RENAMED = {
    "currency": "features.character_currency",
    "churn_after_months": "outcome.missed_months",
}
"""Settings that had other names in earlier versions."""


class _GivenSettings(BaseSettings):
    """Settings that are read from arguments alone, since `load_settings` merges the layers."""

    def __init__(self, **values: Any) -> None:
        """Hides the options of pydantic-settings, so that a signature lists the settings."""
        super().__init__(**values)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leaves out the environment and files."""
        return (init_settings,)


class Settings(Section, _GivenSettings):
    """All settings of a game. Frozen; unknown names are refused."""

    model_config = SettingsConfigDict(
        extra="forbid", case_sensitive=True, title="A game's settings"
    )

    game: str
    """The game's name, which is the name of its file and of its folders in the data folder."""
    description: str = ""
    """A description of the game."""
    data_dir: Annotated[
        str,
        Field(min_length=1),
        OperatorOnly("it would read and write wherever the worker may", inside=True),
    ]
    """The data folder, relative to the folder that contains `games/`; or the URI of one in an
    object store, such as `s3://bucket/data`."""
    as_of: Day | None = None
    """The day of the run: rows dated after it are ignored. If null, the first day of the latest
    month that has arrived in the histories; see `raw.arrived_share`."""
    horizon_months: Months
    """A row is a positive if its subscription churns within this number of months of its day."""
    allow_label_overlap: Flag = False
    """Allow a back-test on subscriptions that started before all training labels were available.
    Reports then warn of label leakage: the metrics are optimistic."""
    outcome: OutcomeSettings = OutcomeSettings()
    cohort: CohortSettings = CohortSettings()
    raw: RawSettings = RawSettings()
    standard: StandardSettings = StandardSettings()
    tables: dict[Name, TableSettings]
    """The raw tables, by name."""
    features: FeatureSettings = FeatureSettings()
    windows: Windows
    train: TrainSettings
    evaluation: EvaluationSettings = EvaluationSettings()
    campaign: CampaignSettings = CampaignSettings()
    champion: ChampionSettings = ChampionSettings()
    delivery: DeliverySettings = DeliverySettings()
    schedules: Schedules = Schedules()
    retention: RetentionSettings = RetentionSettings()
    engine: EngineSettings = EngineSettings()

    @property
    def declared(self) -> DeclaredTables:
        """The raw tables alone, for tasks that depend on nothing else."""
        return DeclaredTables(raw=self.raw, tables=self.tables)

    @property
    def contact_outcomes(self) -> int:
        """How many subscriptions must have churned, and how many not, before anyone is contacted.

        A report on fewer has no verdict either.
        """
        return max(self.champion.min_outcomes, self.evaluation.min_outcomes)

    @model_validator(mode="before")
    @classmethod
    def _named_as_now(cls, values: Any) -> Any:
        for old, new in RENAMED.items():
            if isinstance(values, Mapping) and old in values:
                raise refused("renamed", old, message=f"is now called {new}: rename it")
        return values

    @model_validator(mode="before")
    @classmethod
    def _windows_of_grain(cls, values: Any) -> Any:
        return with_default_windows(values) if isinstance(values, Mapping) else values

    @model_validator(mode="after")
    def _tables_fit(self) -> "Settings":
        check_tables(self.tables, self.raw)
        check_features(self.features, self.tables)
        return self

    @model_validator(mode="after")
    def _labels_known_in_time(self) -> "Settings":
        windows = (self.windows.train, self.windows.score)
        is_same_on_all_days = all(w.is_relative for w in windows) or all(
            w.is_fixed for w in windows
        )
        if self.as_of or is_same_on_all_days:
            check_label_overlap(self, self.as_of or date(2000, 1, 1))
        return self


def labels_known_by(settings: Settings, as_of: date) -> date:
    """Returns the day on which the last training label becomes available.

    It is the first day of the month that is the horizon after the last month of the window.
    """
    _, last = settings.windows.train.span(as_of)
    return shift_months(first_day(last), settings.horizon_months)


def label_overlap(settings: Settings, as_of: date) -> tuple[date, date] | None:
    """Checks whether training labels become available only after the scoring window starts.

    Returns:
        The day on which the last label is available and the start of the scoring window; None where
        all labels are available by then.

    Raises:
        ValueError: The run's day is out of range for relative windows.
    """
    known = labels_known_by(settings, as_of)
    start, _ = settings.windows.score.span(as_of)
    return (known, start) if known > start else None


def check_label_overlap(settings: Settings, as_of: date) -> None:
    """Refuses a back-test that starts before all training labels are available.

    Raises:
        ValueError: They are not, and `allow_label_overlap` is not set; or the run's day is out of
            range for relative windows.
    """
    if label_overlap(settings, as_of) and not settings.allow_label_overlap:
        train, score = settings.windows.train, settings.windows.score
        raise ValueError(
            f"the training window ends at {train.end} and its labels are available "
            f"{settings.horizon_months} months later, after the scoring window starts at "
            f"{score.start}: label leakage. Move windows.train.end or windows.score.start, or set "
            "allow_label_overlap = true"
        )


def load_settings(
    game: str,
    overrides: Mapping[str, Any] | None = None,
    *,
    games_dir: str | None = None,
    environ: Mapping[str, str] | None = None,
    local: bool = True,
    origin: str = "overrides",
) -> Settings:
    """Loads the settings of a game.

    Later layers take precedence: `base.toml`, `<game>.toml`, `local.toml`, environment variables
    such as `CHURN_TRAIN__SEED`, and `overrides`. Tables are merged, and a list replaces the list of
    the layers below. Names are case-sensitive: in capitals in a variable (see
    `churnlib.settings.tree.path_of_variable`), else in lower case. An empty variable counts as
    unset.

    Args:
        game: The game's name.
        overrides: Settings by path, such as `{"train.seed": 7}`, or nested, such as
            `{"train": {"seed": 7}}`. An entry of a list is reached by its name or position.
        games_dir: The folder of the TOML files. If None, the variable `CHURN_GAMES_DIR` names it;
            else it is the nearest `games` folder in or above the working directory, or the one
            beside the package.
        environ: The environment; that of this process if None.
        local: Whether `local.toml` is read; not for results that others reproduce.
        origin: The name of the overrides in messages.

    Raises:
        SettingsError: There is no such game, a file cannot be read, or a setting is unknown or
            invalid; the message names the setting, where it was set, and what to do.
    """
    if not isinstance(game, str):
        raise SettingsError(f"game should be the name of a game such as 'game1', not {game!r}.")
    overrides = {} if overrides is None else overrides
    if not isinstance(overrides, Mapping):
        raise SettingsError(
            f"{game}: overrides should be settings by path, such as {{'train.seed': 7}}, not "
            f"{overrides!r}."
        )
    environ = os.environ if environ is None else environ
    check_variables(game, environ, configurable_fields(Settings))
    layers = load_layers(
        game, overrides, games_dir=games_dir, environ=environ, local=local, origin=origin
    )
    try:
        return Settings(**layers.merged)
    except ValueError as error:
        raise SettingsError(explain(error, Settings, layers)) from None


def parse_settings(game: str, text: str = "", *, games_dir: str | None = None) -> Settings:
    """The settings of a game from the text of its file and `base.toml` alone.

    Args:
        game: The game's name.
        text: The text of its file, which need not exist.
        games_dir: See `load_settings`.

    Raises:
        SettingsError: There is no `base.toml`, or a setting is unknown or invalid.
    """
    merged = merge_text(game, text, games_dir)
    try:
        return Settings(**merged)
    except ValueError as error:
        layers = Layers(merged, ((f"the file of {game}", frozenset(leaves(merged))),))
        raise SettingsError(explain(error, Settings, layers)) from None
