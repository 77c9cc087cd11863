"""Settings of the schedules on which the deployed flows run."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from zoneinfo import available_timezones

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field

from churnlib.settings.fields import Flag, Section

CRON_FIELDS = {
    "minute": "0-59",
    "hour": "0-23",
    "day-of-month": "1-31 as far as the month has them",
    "month": "1-12 or jan-dec",
    "day-of-week": "0-7 or sun-sat",
}
"""The fields of a cron expression, as cronsim names them, with their values."""


def _time_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"'{name}' is not a time zone such as Europe/Berlin")
    return name


def _cron(text: str) -> str:
    parts = text.split()
    if len(parts) != len(CRON_FIELDS) or " ".join(parts) != text:
        names = ", ".join(CRON_FIELDS)
        raise ValueError(f"'{text}' should be five fields such as 0 6 2 * *: {names}")
    values = dict(zip(CRON_FIELDS, parts, strict=True))
    try:
        # In any month: cronsim also calls a day invalid that none of the months has.
        parsed = CronSim(" ".join([*parts[:3], "*", parts[4]]), datetime(2024, 1, 1))
        CronSim(f"* * * {parts[3]} *", datetime(2024, 1, 1))
    except CronSimError as error:
        raise _invalid(text, str(error).removeprefix("Bad "), values) from None
    # cronsim also accepts the last and the nth of a month, which Prefect writes in other ways.
    if any(day < 0 for day in parsed.days):
        raise _invalid(text, "day-of-month", values)
    if any(not isinstance(day, int) for day in parsed.weekdays):
        raise _invalid(text, "day-of-week", values)
    if not _comes(text):
        raise ValueError(
            f"'{text}' never comes: month '{values['month']}' has no day '{values['day-of-month']}'"
        )
    return text


def _comes(text: str) -> bool:
    """Whether there is a month with the days of month; also needed beside days of the week."""
    *times, _ = text.split()
    try:
        next(CronSim(" ".join([*times, "*"]), datetime(2024, 1, 1)))
    except (CronSimError, StopIteration):
        return False
    return True


def names_both_days(text: str) -> bool:
    """Returns whether a cron expression names days of the month and days of the week.

    Prefect then starts a run on a day that is either of them.
    """
    _, _, day, _, weekday = text.split()
    return "*" not in (day, weekday)


def _invalid(text: str, field: str, values: Mapping[str, str]) -> ValueError:
    return ValueError(
        f"'{text}': invalid {field} '{values[field]}': should be * or {CRON_FIELDS[field]}, or "
        "ascending ranges (1-5), lists (1,3) or steps (*/2) of these"
    )


Cron = Annotated[
    str,
    AfterValidator(_cron),
    Field(json_schema_extra={"pattern": r"^\S+( \S+){4}$"}),
]
"""A cron expression such as `0 6 2 * *`: minute, hour, day of month, month, day of week."""


class Schedules(Section):
    """When the deployed flows run; `make deployments` writes the schedules to `prefect.yaml`.

    Scheduled runs are as of the latest month that has arrived, so allow time for that.
    """

    active: Flag = False
    """Whether schedules and triggers are active once deployed; otherwise, activate them
    manually."""
    timezone: Annotated[str, AfterValidator(_time_zone)] = "UTC"
    """The time zone of the schedules."""
    batch_predict: Cron = "0 6 2 * *"
    """When the month's new subscriptions are predicted."""
    batch_score: Cron = "0 7 2 * *"
    """When `batch-score-from-raw` scores the batch whose labels became available this month."""
    score: Cron = "0 3 3 * *"
    """When `score-from-raw` back-tests on the outcomes that became known this month: a candidate
    that waits for a decision, or the champion."""
    train: Cron = "0 2 3 1,4,7,10 *"
    """When `train-from-raw` trains a new model; a back-test follows, and decides whether it becomes
    champion."""

    def warnings(self) -> list[str]:
        """Describes schedules that probably come on other days than meant."""
        crons = self.model_dump(exclude={"active", "timezone"})
        return [
            f"schedules.{name} = '{cron}' comes on every such day of the month and, besides, on "
            "every such day of the week. Set one of the two fields to *."
            for name, cron in crons.items()
            if names_both_days(cron)
        ]
