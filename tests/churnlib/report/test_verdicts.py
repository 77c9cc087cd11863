"""The verdicts on a model."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from churnlib.report.html import to_html
from churnlib.report.markdown import to_markdown
from churnlib.report.text import to_text
from churnlib.report.verdicts import (
    against_baseline,
    against_champion,
    against_chance,
    calibration,
)
from tests.churnlib.report.samples import COMPARISON, groups_of, make_report, make_scored
from tests.variants import slow_but


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
def test_verdict_on_chance_follows_from_the_interval(
    interval: tuple[float, float], kind: str
) -> None:
    scores = {"roc_auc": 0.5, "roc_auc_ci": interval, "lift_top_decile": 1.0}
    assert against_chance(scores).kind == kind


def test_verdict_on_a_good_model_states_the_lift() -> None:
    verdict = against_chance({"roc_auc": 0.65, "roc_auc_ci": (0.6, 0.7), "lift_top_decile": 2.96})
    assert verdict.head == "Better than chance."
    assert "3.0 times as often as average" in verdict.reason


def test_inconclusive_verdict_states_the_interval() -> None:
    verdict = against_chance({"roc_auc": 0.52, "roc_auc_ci": (0.41, 0.63), "lift_top_decile": 2.0})
    assert verdict.reason == "ROC AUC 0.520 (0.410 to 0.630); the interval includes 0.5."


def test_verdict_without_metrics_states_the_reason() -> None:
    scores: dict[str, Any] = {
        "roc_auc_ci": None,
        "lift_top_decile": None,
        "reason": "none of the 13 subscriptions churned",
    }
    verdict = against_chance(scores)
    assert (verdict.kind, verdict.head) == ("undefined", "Cannot be judged.")
    assert verdict.reason == "None of the 13 subscriptions churned."


@pytest.mark.parametrize(
    ("interval", "kind"),
    [((0.001, 0.1), "better"), ((-0.01, 0.1), "unsure"), ((-0.1, -0.001), "worse")],
)
def test_verdict_on_the_baseline_follows_from_the_interval_of_the_difference(
    interval: tuple[float, float], kind: str
) -> None:
    differences = {"roc_auc": {"difference": 0.0, "interval": interval}}
    verdict = against_baseline({"baselines": {"logistic_regression": {"differences": differences}}})
    assert verdict is not None
    assert verdict.kind == kind


@pytest.mark.parametrize(
    "baselines",
    [
        {},
        {"base_rate": {"differences": {}}},
        {"logistic_regression": {"differences": {}}},
        {"logistic_regression": {"differences": {"roc_auc": {"difference": 0, "interval": None}}}},
    ],
)
def test_without_a_baseline_there_is_no_verdict_on_it(baselines: Any) -> None:
    assert against_baseline({"baselines": baselines}) is None


def scores_of(
    error: tuple[float, float],
    predicted: float = 0.172,
    around: tuple[float, float] = (0.14, 0.2),
    positives: int = 160,
) -> Any:
    return {
        "n": 1_000,
        "positives": positives,
        "expected_calibration_error": 0.02,
        "intervals": {"expected_calibration_error": error, "base_rate": around},
        "mean_predicted": predicted,
        "base_rate": positives / 1_000,
    }


@pytest.mark.parametrize(
    ("figures", "kind"),
    [
        (scores_of((0.0, 0.03)), "better"),
        (scores_of((0.01, 0.035)), "better"),
        (scores_of((0.0, 0.041)), "unsure"),
        (scores_of((0.02, 0.09)), "worse"),
        # The mean prediction also counts; with few churners, only the mean prediction.
        (scores_of((0.0, 0.041), predicted=0.21), "worse"),
        (scores_of((0.002, 0.02), 0.02, (0.012, 0.03), positives=20), "unsure"),
        (scores_of((0.002, 0.03), 0.04, (0.012, 0.03), positives=20), "worse"),
        # The small error depends on the rate of the rarer outcome.
        (scores_of((0.0, 0.02), 0.04, (0.03, 0.05), positives=40), "unsure"),
        (scores_of((0.0, 0.009), 0.04, (0.03, 0.05), positives=40), "better"),
        (scores_of((0.0, 0.02), 0.96, (0.95, 0.97), positives=960), "unsure"),
    ],
)
def test_well_calibrated_means_an_interval_below_the_small_error(figures: Any, kind: str) -> None:
    verdict = calibration(figures)
    assert verdict is not None
    assert verdict.kind == kind


def test_verdict_on_calibration_states_its_numbers() -> None:
    verdict = calibration(scores_of((0.0, 0.03)))
    assert verdict is not None
    assert verdict.reason == (
        "Mean prediction 17%, churn rate 16% (14% to 20%). "
        "Calibration error 0.020 (0.000 to 0.030); below 0.040 is small."
    )


def simulated(n: int, base_rate: float, factor: float, seed: int) -> pl.DataFrame:
    """Subscriptions of characters that have two each, predicted too high by a factor."""
    random = np.random.default_rng(seed)
    risk = np.repeat(random.beta(2, 2 * (1 - base_rate) / base_rate, n // 2), 2)
    return pl.DataFrame(
        {
            "char_id": np.arange(n) // 2,
            "sub_id": np.arange(n),
            "is_first_sub": np.ones(n, np.bool_),
            "sub_churn": (random.random(n) < risk).astype(np.int8),
            "churn_probability": np.clip(risk * factor, 0, 1),
        }
    )


@pytest.mark.parametrize(
    ("n", "base_rate", "factor", "wrong"),
    slow_but(
        (5_000, 0.15, 1.5, "better unsure"),
        (500, 0.02, 1, "better"),
        (500, 0.4, 1.5, "better unsure"),
        of=[
            (20_000, 0.02, 2.6, "better unsure"),
            (20_000, 0.02, 1, "worse"),
            (5_000, 0.15, 1.5, "better unsure"),
            (5_000, 0.15, 1, "worse unsure"),
            (500, 0.02, 1, "better"),
            (500, 0.4, 1.5, "better unsure"),
        ],
    ),
)
def test_probabilities_wrong_by_a_factor_are_not_well_calibrated(
    n: int, base_rate: float, factor: float, wrong: str
) -> None:
    for seed in range(3):
        verdict = calibration(groups_of(simulated(n, base_rate, factor, seed))["general"])
        assert verdict is not None
        assert verdict.kind not in wrong.split(), (seed, verdict)


@pytest.mark.parametrize(
    ("n", "kind", "words"),
    [(13, "unsure", "Mean prediction 14%; none of 13 churned. That may be chance."),
     (400, "worse", "Mean prediction 14%; none of 400 churned.")],
)  # fmt: skip
def test_calibration_without_churners_follows_from_their_expected_number(
    n: int, kind: str, words: str
) -> None:
    scored = make_scored(n).with_columns(
        churn_probability=pl.lit(0.135) + 0.01 * pl.col("churn_probability"),
        sub_churn=pl.lit(0, pl.Int8),
    )
    verdict = calibration(groups_of(scored)["general"])
    assert verdict is not None
    assert (verdict.kind, verdict.reason) == (kind, words)


@pytest.mark.parametrize(
    ("decision", "promote", "head"),
    [
        ("accepted", True, "Promoted to champion."),
        ("accepted", False, "May become champion."),
        ("refused", True, "Refused: the champion stays."),
        ("undecided", True, "Undecided: the champion stays."),
    ],
)
def test_verdict_on_the_champion_follows_from_the_decision(
    decision: str, promote: bool, head: str
) -> None:
    verdict = against_champion({**COMPARISON, "decision": decision, "promote": promote})
    assert verdict.head == head
    difference = "Difference in ROC AUC +0.010 (\N{MINUS SIGN}0.005 to +0.025) from 2024"
    assert verdict.reason.startswith(difference)


def test_verdict_on_the_champion_without_a_difference_is_its_reason() -> None:
    undecided = {"difference": None, "interval": None, "reason": "the champion was trained on them"}
    assert against_champion({**COMPARISON, **undecided}).reason == (
        "The champion was trained on them."
    )


def test_every_format_states_the_decision_of_the_gate() -> None:
    report = make_report(make_scored())
    assert report.to_json()["comparison"] == COMPARISON
    bare = replace(report, comparison=None)
    assert bare.to_json()["comparison"] is None
    head = against_champion(COMPARISON).head
    for render in (to_text, to_html, to_markdown):
        assert head in render(report)
        assert head not in render(bare)


def test_run_section_states_the_values_that_the_gate_compared() -> None:
    text = " ".join(to_text(make_report(make_scored())).split())
    assert (
        "ROC AUC of 400 subscriptions started 2024-05-01 to 2024-07-31, as of 2025-01-01, 130 "
        "churned: candidate 20250101T000000000Z 0.8100, champion 20240101T000000000Z 0.8000; "
        "difference +0.010 (-0.005 to +0.025); a loss of 0.0200 is allowed (champion.max_loss)"
    ) in text
