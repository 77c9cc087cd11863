"""What a run says of the batches beside its own."""

from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from churnlib.raw.past_batches import PastBatch
from churnlib.settings import CohortSettings
from flows.steps.batches import _no_news, beyond_warnings
from flows.steps.run import SubscriptionWindow

DAY = date(2025, 2, 1)
NEWEST = {"sub_data": date(2024, 12, 1), "character_currency": date(2025, 1, 1)}
SINCE = "no new month since 2024-12 in sub_data, 2025-01 in character_currency"


def said(last: PastBatch, first: date = date(2024, 12, 1), day: date = DAY) -> list[str]:
    run: Any = SimpleNamespace(as_of=day)
    window = SubscriptionWindow("windows.batch_predict", first, date(2024, 12, 31), day)
    return list(_no_news(run, window, last, NEWEST))


def batch(month: date, as_of: date, **newest: str) -> PastBatch:
    return PastBatch(month, 11, as_of, newest=newest or {t: str(d) for t, d in NEWEST.items()})


def test_no_new_month_since_an_earlier_batch_is_said() -> None:
    (warning,) = said(batch(date(2024, 11, 1), date(2025, 1, 1)))
    assert warning == f"{SINCE}, when batch 2024-11 was predicted: what happened later is unknown"


def test_the_same_batch_again_is_said() -> None:
    (warning,) = said(batch(date(2024, 12, 1), DAY))
    assert (
        warning == f"{SINCE}: the day of the run is {DAY} as before, so this is batch 2024-12 again"
    )


@pytest.mark.parametrize(
    "last",
    [
        batch(
            date(2024, 11, 1),
            date(2025, 1, 1),
            sub_data="2024-11-01",
            character_currency="2025-01-01",
        ),
        batch(date(2024, 11, 1), date(2025, 1, 1), sub_data="2024-12-01"),
        PastBatch(date(2024, 11, 1), 11),
    ],
    ids=["a new month of subscriptions", "a new table", "an earlier version"],
)
def test_a_batch_with_something_new_is_not_warned_of(last: PastBatch) -> None:
    assert said(last) == []


def test_a_batch_of_two_months_is_named_with_its_days() -> None:
    window = (date(2024, 11, 1), date(2024, 12, 31))
    last = PastBatch(
        date(2024, 11, 1), 11, DAY, window, newest={t: str(d) for t, d in NEWEST.items()}
    )
    (warning,) = said(last, first=window[0])
    assert warning.endswith("so this is batch 2024-11 (2024-11-01 to 2024-12-31) again")


def test_a_window_beyond_the_day_is_warned_of() -> None:
    settings = SimpleNamespace(cohort=CohortSettings())
    run: Any = SimpleNamespace(as_of=date(2025, 1, 1), settings=settings)
    span = SubscriptionWindow("windows.x", date(2024, 12, 1), date(2024, 12, 31), run.as_of)
    assert beyond_warnings(run, span) == ()
    later = SubscriptionWindow("windows.x", date(2024, 12, 1), date(2025, 1, 31), run.as_of)
    (warning,) = beyond_warnings(run, later)
    assert warning.startswith("windows.x runs to 2025-01-31, after 2025-01-01, the day of the run")
    settings.cohort = CohortSettings(grain="monthly")
    assert beyond_warnings(run, later) == ()  # All running subscriptions are in the batch.
    beyond = SubscriptionWindow("windows.x", date(2024, 12, 1), date(2025, 2, 28), run.as_of)
    (warning,) = beyond_warnings(run, beyond)
    assert warning.endswith("later months are not in this batch")
