"""The settings of a game, from TOML files, environment variables and the command line."""

from churnlib.settings.campaign import CampaignSettings, Offer, ThresholdRule
from churnlib.settings.champion import (
    ERRORS_ALLOWED,
    LEAST_LOSS_SHARE,
    MAX_LOSS,
    ChampionSettings,
    GateMetric,
)
from churnlib.settings.changes import changes
from churnlib.settings.cohort import CohortSettings
from churnlib.settings.data import IdType, RawSettings, StandardSettings
from churnlib.settings.delivery import DeliverySettings
from churnlib.settings.describe import (
    describe_settings,
    operator_settings,
    overrides_schema,
    settings_schema,
)
from churnlib.settings.engine import EngineSettings
from churnlib.settings.evaluation import EvaluationSettings
from churnlib.settings.fields import DAY_PATTERN
from churnlib.settings.game import (
    Settings,
    check_label_overlap,
    label_overlap,
    labels_known_by,
    load_settings,
    parse_settings,
)
from churnlib.settings.layers import (
    SIGNING_KEY_FILE_VARIABLE,
    SIGNING_KEY_VARIABLE,
    TRUSTED_PACKAGES_VARIABLE,
    games_folder,
    list_games,
    value_text,
)
from churnlib.settings.outcome import OutcomeSettings
from churnlib.settings.retention import RetentionSettings
from churnlib.settings.row_words import Grain, RowWords, grain_of, rows_in, words_of
from churnlib.settings.schedules import Schedules
from churnlib.settings.train import CalibrationChoice, FeatureChoice, Step, TrainSettings
from churnlib.settings.windows import Window, WindowName, Windows

__all__ = [
    "DAY_PATTERN",
    "ERRORS_ALLOWED",
    "LEAST_LOSS_SHARE",
    "MAX_LOSS",
    "SIGNING_KEY_FILE_VARIABLE",
    "SIGNING_KEY_VARIABLE",
    "TRUSTED_PACKAGES_VARIABLE",
    "CalibrationChoice",
    "CampaignSettings",
    "ChampionSettings",
    "CohortSettings",
    "DeliverySettings",
    "EngineSettings",
    "EvaluationSettings",
    "FeatureChoice",
    "GateMetric",
    "Grain",
    "IdType",
    "Offer",
    "OutcomeSettings",
    "RawSettings",
    "RetentionSettings",
    "RowWords",
    "Schedules",
    "Settings",
    "StandardSettings",
    "Step",
    "ThresholdRule",
    "TrainSettings",
    "Window",
    "WindowName",
    "Windows",
    "changes",
    "check_label_overlap",
    "describe_settings",
    "games_folder",
    "grain_of",
    "label_overlap",
    "labels_known_by",
    "list_games",
    "load_settings",
    "operator_settings",
    "overrides_schema",
    "parse_settings",
    "rows_in",
    "settings_schema",
    "value_text",
    "words_of",
]
