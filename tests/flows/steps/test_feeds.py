"""What a run says of tables that are late, or silent."""

from datetime import date
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from churnlib.errors import DataError
from churnlib.months import shift_months
from churnlib.settings import WindowName, load_settings
from flows.steps import feeds as judging
from flows.steps.feeds import Feeds, check_feeds, needed_kinds, refuse_late
from tests.base import raw_tables

DAY = date(2025, 1, 1)


def run_of(day: date = DAY, on_late: str = "fail") -> Any:
    settings = load_settings("game1", {"raw.on_late": on_late})
    return SimpleNamespace(as_of=day, raw=raw_tables(), settings=settings)


def table(until: date, rows: int = 75) -> dict[str, dict[str, int]]:
    return {"0": {shift_months(until, -n).isoformat(): rows for n in range(24)}}


ON_TIME: Feeds = {
    "sub_data": table(date(2024, 12, 1)),
    "sub_miss": table(DAY),
    "character_currency": table(DAY),
}
LATE: Feeds = {name: table(date(2024, 10, 1)) for name in ON_TIME}


def test_tables_on_time_pass_without_a_warning() -> None:
    for flow in (None, *get_args(WindowName)):
        assert check_feeds(run_of(), ON_TIME, flow) == ()


@pytest.mark.parametrize("flow", [None, *get_args(WindowName)])
def test_only_needed_tables_refuse_a_run(flow: WindowName | None) -> None:
    for name, rows in LATE.items():
        feeds = {**ON_TIME, name: rows}
        if raw_tables()[name].kind in needed_kinds(load_settings("game1"), flow):
            for check in (check_feeds, refuse_late):
                with pytest.raises(DataError, match=f"^game1: {name} is late: 0 rows have "):
                    check(run_of(), feeds, flow)
        else:
            (warning,) = check_feeds(run_of(), feeds, flow)
            assert warning.startswith(f"{name} is late: ")
            refuse_late(run_of(), feeds, flow)


@pytest.fixture(autouse=True)
def can(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """Whether the flow can run as of an earlier day."""
    answer = {"run": True}
    monkeypatch.setattr(judging, "can_run_as_of", lambda *_: answer["run"])
    return answer


def test_an_earlier_day_is_advised_only_if_the_flow_can_run_on_it(can: dict[str, bool]) -> None:
    can["run"] = False
    with pytest.raises(DataError) as caught:
        check_feeds(run_of(), LATE, "score")
    assert str(caught.value).endswith(
        "Wait until the missing rows have been delivered, or go on without them: "
        "--set raw.on_late=warn"
    )


def test_all_late_tables_are_named_with_a_day_that_is_safe_for_each() -> None:
    with pytest.raises(DataError) as caught:
        check_feeds(run_of(), LATE, "train")
    message = str(caught.value)
    assert "sub_data is late: 0 rows have sub_start_date in 2024-11 to 2024-12" in message
    assert "sub_miss is late: 0 rows have start_date in 2024-10 to 2024-12" in message
    assert "(--as-of 2024-10-01)" in message
    check_feeds(run_of(date(2024, 10, 1)), LATE, "train")


def test_late_tables_are_warned_of_if_that_is_set() -> None:
    run = run_of(on_late="warn")
    assert len(check_feeds(run, LATE, "train")) == len(LATE)
    refuse_late(run, LATE, "train")


@pytest.mark.parametrize(("day", "warned"), [(date(2025, 2, 28), False), (date(2025, 3, 1), True)])
def test_a_day_beyond_the_end_of_quiet_tables_is_warned_of(day: date, warned: bool) -> None:
    quiet = {name: table(DAY, rows=1) for name in ON_TIME}
    warnings = check_feeds(run_of(day), quiet, "train")
    assert len(warnings) == warned
    for warning in warnings:
        assert "are of 2025-01, 2 months before the day of the run, 2025-03-01" in warning


def test_batch_that_no_known_miss_keeps_the_churned_out_of_is_refused() -> None:
    feeds = {**ON_TIME, "sub_miss": {}}
    text = "sub_miss has no rows known by 2025-01-01, so that the batch has all subscriptions"
    with pytest.raises(DataError, match=f"^game1: {text}"):
        check_feeds(run_of(), feeds, "batch_predict")
    (warning,) = check_feeds(run_of(on_late="warn"), feeds, "batch_predict")
    assert warning.startswith(text)
