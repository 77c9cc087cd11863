"""What is written to a server, by what the files said, what they say, and what is there."""

from itertools import product
from typing import Any

import pytest

from deployments.merge import SWITCHES, merge, merge_schedules

ON, OFF = True, False
UNKNOWN = ABSENT = None
DECISIONS = {
    # The files before, the files now, the server: what is written.
    (UNKNOWN, OFF, ABSENT): OFF,
    (UNKNOWN, ON, ABSENT): ON,
    (OFF, OFF, ABSENT): OFF,
    (OFF, ON, ABSENT): ON,
    (ON, OFF, ABSENT): OFF,
    (ON, ON, ABSENT): ON,
    # An older version applied it: nobody knows who set it.
    (UNKNOWN, OFF, OFF): OFF,
    (UNKNOWN, OFF, ON): ON,
    (UNKNOWN, ON, OFF): OFF,
    (UNKNOWN, ON, ON): ON,
    # The files say the same as before: what somebody has set stays.
    (OFF, OFF, OFF): OFF,
    (OFF, OFF, ON): ON,
    (ON, ON, OFF): OFF,
    (ON, ON, ON): ON,
    # The files have changed.
    (OFF, ON, OFF): ON,
    (OFF, ON, ON): ON,
    (ON, OFF, OFF): OFF,
    (ON, OFF, ON): OFF,
}


def test_decisions_cover_every_case() -> None:
    assert set(DECISIONS) == set(product((UNKNOWN, OFF, ON), (OFF, ON), (ABSENT, OFF, ON)))


@pytest.mark.parametrize("switch", sorted(SWITCHES))
@pytest.mark.parametrize(("case", "written"), DECISIONS.items())
def test_switch_is_set_as_the_files_changed_it(
    case: tuple[bool | None, bool, bool | None], written: bool, switch: str
) -> None:
    before, now, standing = case
    decided = merge(
        {} if before is None else {switch: before},
        {switch: now},
        None if standing is None else {switch: standing},
    )
    assert decided == {switch: written}


@pytest.mark.parametrize(
    ("before", "standing", "written"),
    [
        ("old", "old", "new"),
        ("old", "own", "new"),
        ("new", "own", "own"),
        ("new", "new", "new"),
        (UNKNOWN, "old", "new"),
        (UNKNOWN, ABSENT, "new"),
        ("old", ABSENT, "new"),
        ("new", ABSENT, "new"),
    ],
)
def test_field_is_set_as_the_files_changed_it(
    before: str | None, standing: str | None, written: str
) -> None:
    decided = merge(
        {} if before is None else {"tags": before},
        {"tags": "new"},
        None if standing is None else {"tags": standing},
    )
    assert decided == {"tags": written}


@pytest.mark.parametrize("before", [UNKNOWN, OFF, ON])
@pytest.mark.parametrize("now", [ABSENT, OFF, ON])
@pytest.mark.parametrize("standing", [ABSENT, OFF, ON])
def test_schedule_is_kept_or_removed_as_the_files_changed_it(
    before: bool | None, now: bool | None, standing: bool | None
) -> None:
    def schedules(active: bool | None) -> dict[str, Any]:
        return {} if active is None else {"monthly": {"active": active}}

    decided = merge_schedules(schedules(before), schedules(now), schedules(standing))
    if now is None:  # Added manually, or dropped by the files.
        assert decided == (schedules(standing) if before is None else {})
    elif standing is None:  # Removed manually, if the files had it.
        assert decided == (schedules(now) if before != now else {})
    else:
        assert decided == schedules(DECISIONS[before, now, standing])


def test_new_deployment_has_the_schedules_of_the_files() -> None:
    now = {"monthly": {"active": True}}
    for before in ({}, now):
        assert merge_schedules(before, now, None) == now


def test_schedule_that_is_switched_off_manually_still_takes_new_times() -> None:
    before = {"monthly": {"schedule": "0 6 2 * *", "active": True}}
    now = {"monthly": {"schedule": "0 7 2 * *", "active": True}}
    standing = {"monthly": {"schedule": "0 6 2 * *", "active": False}}
    assert merge_schedules(before, now, standing) == {
        "monthly": {"schedule": "0 7 2 * *", "active": False}
    }
