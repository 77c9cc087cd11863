"""All settings of a game, and their loading."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from churnlib.errors import SettingsError
from churnlib.months import first_day, shift_months
from churnlib.settings.campaign import CampaignSettings
from churnlib.settings.champion import ChampionSettings
from churnlib.settings.currency import CurrencySettings
from churnlib.settings.data import RawSettings, StandardSettings
from churnlib.settings.engine import EngineSettings
from churnlib.settings.evaluation import EvaluationSettings
from churnlib.settings.faults import explain
from churnlib.settings.layers import load_layers
from churnlib.settings.parts import Day, Flag, Months, all_optional
from churnlib.settings.schedules import Schedules
from churnlib.settings.train import TrainSettings
from churnlib.settings.windows import Windows


class Settings(BaseSettings):
    """Everything that tells one game's runs from another's. Frozen; unknown keys are refused."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra=all_optional,
        title="A game's settings",
    )

    game: str
    """The game's name: its file under `games/` and its folder at each level of the data tree."""
    description: str = ""
    """What the game is, for people."""
    data_dir: str = Field(min_length=1)
    """The root of the data tree: a folder, relative to the one that holds `games/`, or the URI of
    one in an object store, such as `s3://bucket/data`."""
    as_of: Day | None = None
    """The day of the run: nothing dated after it is read. The latest currency date if null."""
    horizon_months: Months
    """Within how many months of its start a subscription must churn to count as churned."""
    churn_after_months: Months = 3
    """How many missed months in a row are churn."""
    allow_label_overlap: Flag = False
    """Let a model be scored on subscriptions begun before its training labels were known. Every
    report then warns: such a back-test flatters."""
    raw: RawSettings = RawSettings()
    standard: StandardSettings = StandardSettings()
    currency: CurrencySettings = CurrencySettings()
    windows: Windows
    train: TrainSettings
    evaluation: EvaluationSettings = EvaluationSettings()
    campaign: CampaignSettings = CampaignSettings()
    champion: ChampionSettings = ChampionSettings()
    schedules: Schedules = Schedules()
    engine: EngineSettings = EngineSettings()

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
        is_same_on_all_days = all(w.is_relative for w in windows) or all(
            w.is_fixed for w in windows
        )
        if self.as_of or is_same_on_all_days:
            check_label_overlap(self, self.as_of or date(2000, 1, 1))
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


def label_overlap(settings: Settings, as_of: date) -> tuple[date, date] | None:
    """Tells where training labels become known only after the scoring window opens.

    Args:
        settings: The game's settings.
        as_of: The day of the run.

    Returns:
        The day on which the last label is known and that on which the window opens; null where
        all labels are known by then.

    Raises:
        ValueError: The run's day is one that no window can have.
    """
    known = labels_known_by(settings, as_of)
    opens, _ = settings.windows.score.span(as_of)
    return (known, opens) if known > opens else None


def check_label_overlap(settings: Settings, as_of: date) -> None:
    """Refuses a back-test whose training labels were not yet known when it begins.

    Raises:
        ValueError: A training label becomes known only after the scoring window opens, and
            `allow_label_overlap` is not set; or the run's day is one that no window can have.
    """
    if label_overlap(settings, as_of) and not settings.allow_label_overlap:
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
    local: bool = True,
) -> Settings:
    """Loads the settings of a game.

    Layers, each over the one before: `base.toml`, `<game>.toml`, `local.toml`, environment
    variables such as `CHURN_TRAIN__SEED`, and `overrides`. Of files, tables are merged, and a
    list replaces the list below it. Variables and overrides replace what their path names.
    `churnlib.settings.tree.spelt` says how a variable's name is read; an empty one is not set.

    Args:
        game: The game's name, that of its file.
        overrides: Values by dotted path, such as `{"train.seed": 7}`. A path reaches into a list
            by the name or the position of an entry.
        games_dir: The folder of the TOML files; if null `CHURN_GAMES_DIR`, else the nearest
            `games` folder at or above the working folder, else the one beside the package.
        environ: The environment; this process's own if null.
        local: Whether `local.toml` counts; not in what is the same for all.

    Raises:
        SettingsError: No such game, a file that cannot be read, an unknown setting, or a value
            that cannot be; the message names the setting, where it is set, and what to do.
    """
    layers = load_layers(game, overrides or {}, games_dir=games_dir, environ=environ, local=local)
    try:
        return Settings(**layers.merged)
    except ValueError as error:
        raise SettingsError(explain(error, Settings, layers)) from None
