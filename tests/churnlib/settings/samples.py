"""A game's files, and what loading them with an error says."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from churnlib.errors import SettingsError
from churnlib.settings import Settings
from churnlib.settings.fields import configurable_fields

PROJECT = Path(__file__).resolve().parents[3]
BASE = """
data_dir = "data"
horizon_months = 6

[windows]
train = { start = -31, end = -14 }
score = { start = -8, end = -6 }
batch_predict = {}
batch_score = {}

[tables.character_data]
kind = "entity"
columns = { gender = "category", race = "category", creation_date = "date" }

[tables.character_currency]
kind = "history"
columns = { sub_hard = "number", hard_balance = "number", soft_balance = "number" }

[tables.sub_data]
kind = "subscriptions"
columns = { sub_type = "category", price = "number" }

[tables.sub_miss]
kind = "misses"

[features.character_currency]
latest = ["hard_balance", "soft_balance"]

[train]
seed = 1

[[train.pipeline]]
name = "scale"
type = "sklearn.preprocessing.StandardScaler"

[[train.pipeline]]
name = "model"
type = "sklearn.linear_model.LogisticRegression"
params = { solver = "lbfgs" }
"""

Load = Callable[..., Settings]
"""Loads the game `hawk` from its own file's text, overrides and an environment."""


def refusal(load: Load, *layers: Any, **named: Any) -> str:
    """The message with which settings are refused."""
    with pytest.raises(SettingsError) as caught:
        load(*layers, **named)
    return str(caught.value)


def names_in(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The paths of all settings outside of lists."""
    for name, field in configurable_fields(model).items():
        yield f"{prefix}{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from names_in(field.annotation, f"{prefix}{name}.")


PATHS = tuple(names_in(Settings))
"""The paths of all settings, tables included."""
