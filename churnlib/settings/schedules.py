"""Settings of the schedules on which the deployed flows run."""

from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field

from churnlib.settings.parts import Flag, Section


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"'{name}' is no time zone as in Europe/Berlin")
    return name


Cron = Annotated[str, Field(pattern=r"^\S+( \S+){4}$")]
"""Minute, hour, day of the month, month, day of the week; as `0 6 2 * *`."""


class Schedules(Section):
    """When the deployed flows run by themselves; `make deployments` writes them to `prefect.yaml`.

    Every run is as of the latest currency date, so a schedule should leave time for a month's data
    to come in.
    """

    active: Flag = False
    """Whether schedules and triggers are on once deployed; else they wait to be switched on."""
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    """The time zone of the schedules."""
    batch_predict: Cron = "0 6 2 * *"
    """When the month's new subscriptions are predicted."""
    batch_score: Cron = "0 7 2 * *"
    """When `batch-score-from-raw` scores the batch whose truth is known since this month."""
    train: Cron = "0 2 3 1,4,7,10 *"
    """When `train-from-raw` trains anew; the back-test follows the new champion."""
