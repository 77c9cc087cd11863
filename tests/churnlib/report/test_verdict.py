"""The judgement, in words."""

from typing import Any

import pytest

from churnlib.report.verdict import verdict


@pytest.mark.parametrize(
    ("interval", "kind"),
    [
        ((0.501, 0.7), "better"),
        ((0.5, 0.7), "unsure"),
        ((0.3, 0.7), "unsure"),
        ((0.3, 0.5), "unsure"),
        ((0.5, 0.5), "unsure"),
        ((0.3, 0.499), "worse"),
    ],
)
def test_verdict_goes_by_where_the_interval_lies(interval: tuple[float, float], kind: str) -> None:
    scores = {"roc_auc": 0.5, "roc_auc_ci": interval, "lift_top_decile": 1.0}
    assert verdict(scores).kind == kind


def test_verdict_of_a_good_model_tells_the_lift() -> None:
    found = verdict({"roc_auc": 0.65, "roc_auc_ci": (0.6, 0.7), "lift_top_decile": 2.96})
    assert found.head == "Better than chance."
    assert "3.0 times as often as the average" in found.reason


def test_verdict_tells_the_interval_that_leaves_it_open() -> None:
    found = verdict({"roc_auc": 0.52, "roc_auc_ci": (0.41, 0.63), "lift_top_decile": 2.0})
    assert found.reason == "ROC AUC 0.520 (0.410 to 0.630), which holds 0.5."


def test_verdict_without_figures_gives_the_reason() -> None:
    scores: dict[str, Any] = {
        "roc_auc_ci": None,
        "lift_top_decile": None,
        "reason": "none of the 13 subscriptions churned",
    }
    found = verdict(scores)
    assert (found.kind, found.head) == ("undefined", "Not defined:")
    assert found.reason == "none of the 13 subscriptions churned."
