"""Windows of subscription starts, and the labels that are known when they start."""

from datetime import date
from typing import Any

import pytest

from churnlib.settings import (
    Window,
    check_label_overlap,
    labels_known_by,
)
from tests.churnlib.settings.samples import Load, refusal


def test_relative_window_runs_from_first_to_last_day_of_its_months() -> None:
    window = Window(start=-2, end=0)
    assert window.is_relative and not window.is_fixed
    assert window.span(date(2024, 2, 10)) == (date(2023, 12, 1), date(2024, 2, 29))


def test_fixed_window_is_the_same_on_every_day(load: Load) -> None:
    fixed = "{ start = 2022-01-15, end = 2022-12-31 }"
    window = load(f"windows.train = {fixed}").windows.train
    assert window.is_fixed and not window.is_relative
    for as_of in (date(2024, 2, 10), date(2025, 1, 1)):
        assert window.span(as_of) == (date(2022, 1, 15), date(2022, 12, 31))


def test_window_may_be_a_single_day(load: Load) -> None:
    day = date(2024, 2, 1)
    window = load("windows.batch_score = { start = 2024-02-01, end = 2024-02-01 }").windows
    assert window.batch_score.span(date(2025, 1, 1)) == (day, day)


def test_window_may_have_one_end_fixed() -> None:
    window = Window(start=date(2022, 1, 15), end=-1)
    assert not window.is_fixed and not window.is_relative
    assert window.span(date(2024, 3, 10)) == (date(2022, 1, 15), date(2024, 2, 29))


@pytest.mark.parametrize(
    "window", ["{ start = -1, end = -2 }", "{ start = 2024-02-02, end = 2024-02-01 }"]
)
def test_window_that_ends_before_its_start_is_refused(load: Load, window: str) -> None:
    assert "windows.batch_score" in refusal(load, f"windows.batch_score = {window}")


def test_labels_are_available_the_horizon_after_the_training_window(
    load: Load,
) -> None:
    assert labels_known_by(load(), date(2024, 7, 20)) == date(2023, 11, 1)
    fixed = load("windows.train = { start = 2022-01-01, end = 2022-08-17 }")
    assert labels_known_by(fixed, date(2024, 7, 20)) == date(2023, 2, 1)


@pytest.mark.parametrize(
    ("touching", "overlapping"),
    [
        ("train = { start = -31, end = -14 }", "train = { start = -31, end = -13 }"),
        (
            "train = { start = 2022-01-01, end = 2022-08-31 }\n"
            "score = { start = 2023-02-01, end = 2023-03-31 }",
            "train = { start = 2022-01-01, end = 2022-08-31 }\n"
            "score = { start = 2023-01-31, end = 2023-03-31 }",
        ),
    ],
    ids=["relative", "fixed"],
)
def test_training_labels_available_after_the_scoring_window_starts_are_refused(
    load: Load, touching: str, overlapping: str
) -> None:
    assert load(f"[windows]\n{touching}").allow_label_overlap is False
    message = refusal(load, f"[windows]\n{overlapping}")
    assert "label leakage" in message
    assert "allow_label_overlap = true" in message
    assert load(f"allow_label_overlap = true\n[windows]\n{overlapping}").allow_label_overlap


def test_longer_horizon_makes_labels_overlap(load: Load) -> None:
    assert "label leakage" in refusal(load, overrides={"horizon_months": 7})


def test_mixed_windows_are_checked_on_the_day_of_the_run(load: Load) -> None:
    mixed = load("windows.train = { start = 2022-01-01, end = 2022-08-31 }")
    check_label_overlap(mixed, date(2023, 10, 1))
    with pytest.raises(ValueError, match="label leakage"):
        check_label_overlap(mixed, date(2023, 9, 30))


@pytest.mark.parametrize("day", ["as_of = 2023-09-30\n", ""], ids=["in a file", "of this run"])
def test_mixed_windows_are_checked_when_loaded_if_the_day_is_set(load: Load, day: str) -> None:
    mixed = "windows.train = { start = 2022-01-01, end = 2022-08-31 }"
    named = {} if day else {"as_of": "2023-09-30"}
    assert "label leakage" in refusal(load, f"{day}{mixed}", named)
    assert load(f"{day}{mixed}", {"as_of": date(2023, 10, 1)}).as_of == date(2023, 10, 1)


@pytest.mark.parametrize(
    ("text", "predict", "score"),
    [
        ("", (-1, -1), (-7, -7)),
        ('cohort.grain = "monthly"', (0, 0), (-6, -6)),
        ("horizon_months = 3", (-1, -1), (-4, -4)),
        ("windows.batch_predict.start = -2", (-2, -1), (-8, -7)),
        ("windows.batch_score.start = -9", (-1, -1), (-9, -7)),
        (
            "windows.batch_predict = { start = 2024-01-01, end = 2024-02-29 }",
            (date(2024, 1, 1), date(2024, 2, 29)),
            (-7, -7),
        ),
    ],
)
def test_open_windows_of_batches_follow_from_grain_and_horizon(
    load: Load, text: str, predict: tuple[Any, Any], score: tuple[Any, Any]
) -> None:
    windows = load(text).windows
    assert (windows.batch_predict.start, windows.batch_predict.end) == predict
    assert (windows.batch_score.start, windows.batch_score.end) == score
