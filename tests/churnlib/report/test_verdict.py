"""The judgement, in words."""

from dataclasses import replace
from typing import Any

import pytest

from churnlib.report.html import to_html
from churnlib.report.text import to_text
from churnlib.report.verdict import compared, gate_verdict, verdict
from tests.churnlib.report.test_text import REPORT


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
    assert (found.kind, found.head) == ("undefined", "Cannot be judged.")
    assert found.reason == "None of the 13 subscriptions churned."


COMPARISON: dict[str, Any] = {
    "candidate": "v2",
    "champion": "v1",
    "metric": "brier",
    "max_loss": 0.005,
    "promote": True,
    "window": ["2024-05-01", "2024-07-31"],
    "as_of": "2025-01-01",
    "n": 3457,
    "positives": 390,
    "candidate_value": 0.0911,
    "champion_value": 0.0933,
    "difference": -0.0022,
    "interval": [-0.0041, -0.0003],
    "decision": "accepted",
    "reason": "it is better by 0.0003 at the least",
}


@pytest.mark.parametrize(
    ("change", "kind", "head"),
    [
        ({}, "better", "Promoted: v2 is champion in place of v1, because"),
        ({"champion": None}, "better", "Promoted: v2 is champion, because"),
        ({"promote": False}, "better", "v2 may be champion in place of v1 (champion.promote is"),
        ({"decision": "refused"}, "worse", "Refused: v1 stays champion and v2 does not replace"),
        ({"decision": "undecided"}, "unsure", "Not decided: v1 stays champion and v2 the"),
    ],
)
def test_gate_verdict_says_who_is_champion_now(
    change: dict[str, Any], kind: str, head: str
) -> None:
    found = gate_verdict(COMPARISON | change)
    assert found.kind == kind
    assert found.head.startswith(head)
    assert found.reason == "it is better by 0.0003 at the least."


def test_comparison_is_told_with_its_interval_and_the_loss_that_is_allowed() -> None:
    first, second = compared(COMPARISON)
    assert first == (
        "Brier score of 3,457 subscriptions begun 2024-05-01 to 2024-07-31, as known on "
        "2025-01-01, 390 churned: candidate 0.0911, champion 0.0933"
    )
    assert second == (
        "difference -0.0022, 95% interval -0.0041 to -0.0003; a loss of 0.0050 is allowed "
        "(champion.max_loss)"
    )
    assert len(list(compared(COMPARISON | {"interval": None}))) == 1
    assert list(compared(COMPARISON | {"difference": None})) == []


def test_report_tells_of_the_gate_in_every_format() -> None:
    report = replace(REPORT, comparison=COMPARISON)
    assert report.to_json()["comparison"] == COMPARISON
    assert REPORT.to_json()["comparison"] is None
    head = gate_verdict(COMPARISON).head
    assert head in to_text(report)
    assert head in to_html(report)
    assert head not in to_text(REPORT)
    assert max(map(len, to_text(report).splitlines())) <= 80
