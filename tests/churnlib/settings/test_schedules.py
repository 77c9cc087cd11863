"""Cron expressions: what the settings accept, Prefect accepts, and the other way round."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.client.schemas.schedules import CronSchedule
from pydantic import ValidationError

from churnlib.settings import Schedules
from churnlib.settings.schedules import CRON_FIELDS
from tests.churnlib.settings.samples import Load, refusal


def is_accepted(cron: str) -> bool:
    """Tells whether the settings accept a cron expression."""
    try:
        return Schedules(train=cron).train == cron
    except ValidationError:
        return False


def is_accepted_by_prefect(cron: str) -> bool:
    """Tells whether Prefect accepts a cron expression."""
    try:
        return CronSchedule(cron=cron).cron == cron
    except ValidationError:
        return False


@pytest.mark.parametrize(
    "cron",
    [
        "0 6 2 * *",
        "*/15 0-23 1,15,31 jan,JUL-sep mon-fri",
        "59 23 31 12 7",
        "0 2-8/2,20 * 1-12 5-7",
        "5/10 0 29 2 *",
    ],
)
def test_valid_cron_is_accepted_by_both(load: Load, cron: str) -> None:
    assert load(f'schedules.train = "{cron}"').schedules.train == cron
    assert is_accepted_by_prefect(cron)


NAMES = (
    "jan",
    "DEC",
    "sun",
    "Fri",
    "L",
    "LW",
    "5L",
    "1#2",
    "?",
    "H",
    "R",
    "@daily",
    "\u0663",
    "-1",
    "",
)
NUMBERS = st.integers(0, 61).map(str)
VALUES = st.one_of(st.just("*"), NUMBERS, st.sampled_from(NAMES))
RANGES = st.tuples(VALUES, VALUES).map("-".join)
STEPS = st.tuples(VALUES | RANGES, NUMBERS).map("/".join)
PARTS = st.one_of(VALUES, RANGES, STEPS)
FIELDS = st.one_of(PARTS, st.lists(PARTS, min_size=1, max_size=3).map(",".join))
CRONS = st.one_of(
    st.tuples(*[FIELDS] * 5).map(" ".join),
    st.tuples(FIELDS, st.integers(0, 4)).map(
        lambda drawn: " ".join(drawn[0] if n == drawn[1] else "*" for n in range(5))
    ),
    st.lists(FIELDS, min_size=4, max_size=7).map(" ".join),
)


@given(CRONS)
def test_cron_that_the_settings_accept_is_accepted_by_prefect(cron: str) -> None:
    assert is_accepted_by_prefect(cron) or not is_accepted(cron)


PLAIN = [
    st.one_of(
        st.just("*"),
        st.integers(low, high).map(str),
        st.tuples(st.integers(low, high), st.integers(low, high)).map(
            lambda ends: f"{min(ends)}-{max(ends)}"
        ),
        st.integers(1, high).map(lambda step: f"*/{step}"),
    )
    for low, high in ((0, 59), (0, 23), (1, 28), (1, 12), (0, 7))
]


@given(st.tuples(*PLAIN).map(" ".join))
def test_cron_of_numbers_ranges_and_steps_is_accepted_by_both(cron: str) -> None:
    assert is_accepted(cron)
    assert is_accepted_by_prefect(cron)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("minute", ["60", "*/0", "*/", "*-5"]),
        ("hour", ["24", "1,24", "5-2", "6,"]),
        ("day-of-month", ["0", "32", "-1", "\u0661", "L", "LW"]),
        ("month", ["13", "mon", "dec-jan"]),
        ("day-of-week", ["8", "jan", "fri-sun", "1#2", "5L"]),
    ],
)
def test_invalid_cron_is_refused_with_field_and_values(
    load: Load, field: str, values: list[str]
) -> None:
    for value in values:
        cron = " ".join(value if name == field else "1" for name in CRON_FIELDS)
        message = refusal(load, f'schedules.train = "{cron}"')
        assert message.startswith("hawk: invalid settings:\n  schedules.train (from games/hawk")
        assert (
            f"'{cron}': invalid {field} '{value}': should be * or {CRON_FIELDS[field]}" in message
        )


@pytest.mark.parametrize(
    ("cron", "month", "day"),
    [
        ("0 0 31 2 *", "2", "31"),
        ("0 0 30,31 feb *", "feb", "30,31"),
        ("0 6 31 2,4,6,9,11 *", "2,4,6,9,11", "31"),
        # Prefect makes no run of it, not even on the day of the week.
        ("0 6 31 2 mon", "2", "31"),
    ],
)
def test_cron_of_a_day_that_never_comes_is_refused(
    load: Load, cron: str, month: str, day: str
) -> None:
    message = refusal(load, f'schedules.train = "{cron}"')
    assert f"'{cron}' never comes: month '{month}' has no day '{day}'" in message


@pytest.mark.parametrize("cron", ["0 0 29 2 *", "0 0 29-31 2 *", "0 0 31 */2 *", "0 0 31 1,2 *"])
def test_cron_of_a_day_that_comes_in_some_months_is_accepted(load: Load, cron: str) -> None:
    assert load(f'schedules.train = "{cron}"').schedules.train == cron


@pytest.mark.parametrize(
    ("cron", "is_warned_of"),
    [
        ("0 6 2 * mon", True),
        ("0 6 */2 * 1-5", True),
        ("0 6 1-7 1,4 0", True),
        ("0 6 2 * *", False),
        ("0 6 * * mon", False),
        ("0 6 * * *", False),
    ],
)
def test_cron_of_both_kinds_of_days_is_warned_of(cron: str, is_warned_of: bool) -> None:
    warned = Schedules(score=cron).warnings()
    assert len(warned) == is_warned_of
    assert all(line.startswith(f"schedules.score = '{cron}' comes on every") for line in warned)


def test_default_schedules_are_not_warned_of() -> None:
    assert Schedules().warnings() == []


@pytest.mark.parametrize(
    "cron", ["0 6 2 *", "@daily", "0 0 6 2 * *", "0  6 2 * *", "0  6 2 *", "0 6 2 * * ", ""]
)
def test_cron_of_another_number_of_fields_is_refused(load: Load, cron: str) -> None:
    message = refusal(load, overrides={"schedules.train": f"'{cron}'"})
    assert f"'{cron}' should be five fields such as 0 6 2 * *: " in message
    assert all(field in message for field in CRON_FIELDS)


def test_unknown_time_zone_is_refused(load: Load) -> None:
    message = refusal(load, 'schedules.timezone = "Berlin"')
    assert "schedules.timezone (from games/hawk.toml): 'Berlin' is not a time zone" in message
