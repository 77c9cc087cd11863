"""Settings of the schedules on which the deployed flows run."""

from datetime import datetime
from typing import Annotated
from zoneinfo import available_timezones

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field

from churnlib.settings.fields import Flag, Section

CRON_FIELDS = ("minute", "hour", "day-of-month", "month", "day-of-week")
"""The fields of a cron expression, as cronsim names them."""


def _time_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"'{name}' is not a time zone such as Europe/Berlin")
    return name


def _cron(text: str) -> str:
    values = text.split(" ")
    if len(values) != len(CRON_FIELDS):
        names = ", ".join(CRON_FIELDS)
        raise ValueError(f"'{text}' should be five fields such as 0 6 2 * *: {names}")
    try:
        parsed = CronSim(text, datetime(2024, 1, 1))
    except CronSimError as error:
        field = str(error).removeprefix("Bad ")
        raise ValueError(f"'{text}': {_invalid(field, values)}") from None
    days, weekdays = (any(not _is_plain(d) for d in s) for s in (parsed.days, parsed.weekdays))
    if days or weekdays:
        field = "day-of-month" if days else "day-of-week"
        raise ValueError(f"'{text}': {_invalid(field, values)}")
    return text


def _is_plain(day: object) -> bool:
    """Tells a day from the last, or the nth, of a month, which schedulers write differently."""
    return isinstance(day, int) and day >= 0


def _invalid(field: str, values: list[str]) -> str:
    value = values[CRON_FIELDS.index(field)]
    return (
        f"invalid {field} '{value}': should be *, a number or a name such as jan or mon that occurs, "
        "or ranges (1-5), lists (1,3) or steps (*/2) of these"
    )


Cron = Annotated[
    str,
    AfterValidator(_cron),
    Field(json_schema_extra={"pattern": r"^\S+( \S+){4}$"}),
]
"""A cron expression such as `0 6 2 * *`: minute, hour, day of month, month, day of week."""


class Schedules(Section):
    """When the deployed flows run; `make deployments` writes the schedules to `prefect.yaml`.

    Scheduled runs are as of the latest currency date, so allow time for a month's data to arrive.
    """

    active: Flag = False
    """Whether schedules and triggers are active once deployed; else they are to be activated by
    hand."""
    timezone: Annotated[str, AfterValidator(_time_zone)] = "UTC"
    """The time zone of the schedules."""
    batch_predict: Cron = "0 6 2 * *"
    """When the month's new subscriptions are predicted."""
    batch_score: Cron = "0 7 2 * *"
    """When `batch-score-from-raw` scores the batch whose labels became available this month."""
    train: Cron = "0 2 3 1,4,7,10 *"
    """When `train-from-raw` trains a new model; a back-test follows, and decides whether it becomes
    champion."""
