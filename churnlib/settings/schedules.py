"""Settings of the schedules on which the deployed flows run."""

import re
from collections.abc import Sequence
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field

from churnlib.settings.parts import Flag, Section


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"'{name}' is no time zone as in Europe/Berlin")
    return name


MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
FIELDS: tuple[tuple[str, int, int, Sequence[str]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day", 1, 31, ()),
    ("month", 1, 12, MONTHS),
    ("weekday", 0, 7, WEEKDAYS),
)
"""The fields of a cron: name, lowest, highest, and words for the numbers from the lowest on."""


def _cron(text: str) -> str:
    fields = text.split(" ")
    if len(fields) != len(FIELDS):
        names = ", ".join(name for name, *_ in FIELDS)
        raise ValueError(f"'{text}' should be five fields as in 0 6 2 * *: {names}")
    for field, (name, low, high, words) in zip(fields, FIELDS, strict=True):
        for part in field.split(","):
            if not _can_be(part.lower(), low, high, words):
                bounds = f"{low} to {high}" + (f" or {words[0]} to {words[-1]}" if words else "")
                raise ValueError(
                    f"'{text}': the {name} cannot be '{part}': should be * or {bounds}, or ranges "
                    "(1-5), lists (1,3) or steps (*/2) of these"
                )
    return text


def _can_be(part: str, low: int, high: int, words: Sequence[str]) -> bool:
    span, slash, step = part.partition("/")
    if slash and not 1 <= _number(step, low) <= high:
        return False
    if span == "*":
        return True
    first, dash, last = span.partition("-")
    if dash and words == WEEKDAYS and last == "sun":
        last = "7"  # A week that begins with Sunday ends with it, too.
    start = _number(first, low, words)
    end = _number(last, low, words) if dash else start
    return low <= start <= end <= high


def _number(text: str, low: int, words: Sequence[str] = ()) -> int:
    if text in words:
        return low + words.index(text)
    return int(text) if re.fullmatch(r"\d{1,2}", text, re.ASCII) else -1


Cron = Annotated[
    str,
    AfterValidator(_cron),
    Field(json_schema_extra={"pattern": r"^\S+( \S+){4}$"}),
]
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
    """When `train-from-raw` trains anew; a back-test of the new model follows, and decides whether
    it becomes champion."""
