"""The gate: whether a candidate may replace the champion."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from benchmarks.gate import MAX_LOSS, accepted, cohort, small_cohort
from churnlib.settings import ChampionSettings, GateMetric
from churnlib.versions.gate import Comparison, Decision, Terms, compare_models, decide

ROWS, COHORTS = 10_000, 6


@pytest.mark.parametrize(
    ("metric", "interval", "expected"),
    [
        ("roc_auc", (0.001, 0.02), "accepted"),
        ("roc_auc", (-0.019, 0.03), "accepted"),
        ("roc_auc", (-0.021, 0.03), "refused"),
        ("roc_auc", (-0.02, 0.03), "accepted"),
        ("roc_auc", (-0.05, -0.01), "refused"),
        ("average_precision", (-0.019, 0.0), "accepted"),
        ("log_loss", (-0.5, 0.019), "accepted"),
        ("log_loss", (-0.019, 0.021), "refused"),
        ("brier", (-0.03, -0.021), "accepted"),
        ("brier", (0.01, 0.03), "refused"),
        ("roc_auc", None, "undecided"),
    ],
)
def test_gate_decides_by_the_end_of_the_interval_that_is_worse(
    metric: GateMetric, interval: tuple[float, float] | None, expected: Decision
) -> None:
    assert decide(interval, metric, 0.02, "too few")[0] == expected


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ((0.0, 0.02), "it is worse by at most 0.0000, and 0.0200 is allowed"),
        ((-0.03, 0.0), "it may be worse by 0.0300, and 0.0200 is allowed"),
        ((0.01, 0.02), "it is better by at least 0.0100"),
        ((-0.01, 0.02), "it is worse by at most 0.0100, and 0.0200 is allowed"),
        ((-0.03, 0.02), "it may be worse by 0.0300, and 0.0200 is allowed"),
        ((-0.03, -0.01), "it is worse, by 0.0100 to 0.0300, and 0.0200 is allowed"),
        (None, "the difference is not defined: too few"),
    ],
)
def test_gate_says_why(interval: tuple[float, float] | None, words: str) -> None:
    assert decide(interval, "roc_auc", 0.02, "too few")[1] == words


def test_gate_reverses_the_interval_of_a_metric_where_lower_is_better() -> None:
    reasons = [decide(interval, "brier", 0.02)[1] for interval in ((-0.03, -0.021), (0.01, 0.03))]
    assert reasons == [
        "it is better by at least 0.0210",
        "it is worse, by 0.0100 to 0.0300, and 0.0200 is allowed",
    ]


def test_gate_says_why_there_is_no_difference() -> None:
    stayed = cohort(1, 100, 0.8, 0.8, 0.8).with_columns(sub_churn=pl.lit(0, pl.Int8))
    comparison = compare_models(stayed, "roc_auc", 0.02)
    assert comparison["decision"] == "undecided"
    assert "of 100 subscriptions with a label 0 churned" in comparison["reason"]


def test_gate_refuses_a_worse_candidate() -> None:
    assert accepted(COHORTS, ROWS, 0.04, 0.8) == 0


def test_gate_accepts_an_equal_candidate() -> None:
    assert accepted(COHORTS, ROWS, 0.0, 0.8) >= COHORTS - 1


def test_gate_rarely_accepts_a_candidate_worse_by_the_largest_loss() -> None:
    assert accepted(COHORTS, ROWS, 0.02, 0.8) <= 1


def test_gate_explains_a_refusal_on_a_small_cohort() -> None:
    both = cohort(1, 100, 0.8, 0.8, 0.8)
    comparison = compare_models(both, "roc_auc", 0.02)
    assert comparison["decision"] == "refused"
    assert comparison["reason"].startswith("it may be worse by ")
    churned = (
        f"with only {comparison['positives']} of 100 subscriptions churned, the interval is so wide"
    )
    assert churned in comparison["reason"]
    assert comparison["reason"].endswith(
        "only 7% of models as good as the champion pass: promote manually (churn promote --force), "
        "or give the next candidate a larger champion.max_loss or more months to score, with "
        "windows.train.end and windows.score.start earlier by as many"
    )


def test_gate_does_not_blame_the_interval_of_a_worse_candidate_or_large_cohort() -> None:
    worse = compare_models(cohort(1, 400, 0.6, 0.9, 0.8), "roc_auc", 0.02)
    assert worse["decision"] == "refused"
    assert worse["reason"].startswith("it is worse, by ")
    assert worse["reason"].endswith("is allowed")
    large = compare_models(cohort(1, ROWS, 0.785, 0.8, 0.8), "roc_auc", 0.02)
    assert large["decision"] == "refused"
    assert "so wide" not in large["reason"]


@pytest.mark.parametrize("which", [0, 1])
def test_gate_is_undecided_with_too_few_of_one_outcome(which: int) -> None:
    both = cohort(1, 500, 0.8, 0.8, 1.0).with_columns(candidate="champion")
    lopsided = pl.concat([both.filter(sub_churn=which).head(29), both.filter(sub_churn=1 - which)])
    comparison = compare_models(lopsided, "roc_auc", 0.9, min_outcomes=30)
    assert comparison["decision"] == "undecided"
    assert comparison["interval"] == (0, 0)
    churned, n = comparison["positives"], comparison["n"]
    assert comparison["reason"].startswith(
        f"{churned} of {n} subscriptions churned and {n - churned} did not, and "
        "champion.min_outcomes requires 30 of each: score more months, with windows.train.end and "
        "windows.score.start earlier by as many, once their outcomes are known; or promote "
        "manually (churn promote --force)"
    )
    assert compare_models(lopsided, "roc_auc", 0.9, min_outcomes=29)["decision"] == "accepted"


def test_gate_holds_its_error_rate_from_min_outcomes_on() -> None:
    required = ChampionSettings().min_outcomes
    for churners, most in ((3, 1.0), (required, 0.06)):
        drawn = [small_cohort(number, churners, 0.95, 0.95) for number in range(100)]
        decisions = [compare_models(both, "roc_auc", MAX_LOSS)["decision"] for both in drawn]
        passed = decisions.count("accepted") / len(decisions)
        assert passed <= most
        assert (passed > 0.2) == (churners == 3)


@pytest.mark.parametrize("metric", ["roc_auc", "average_precision", "log_loss", "brier"])
def test_gate_accepts_equal_probabilities_with_almost_no_allowed_loss(
    metric: GateMetric,
) -> None:
    both = cohort(1, 500, 0.8, 0.8, 1.0).with_columns(candidate="champion")
    comparison = compare_models(both, metric, 1e-9)
    assert (comparison["difference"], comparison["interval"]) == (0, (0, 0))
    assert comparison["decision"] == "accepted"
    assert comparison["candidate_value"] == comparison["champion_value"]


def test_gate_does_not_depend_on_row_order() -> None:
    both = cohort(1, 500, 0.78, 0.8, 0.8)
    assert compare_models(both.reverse(), "roc_auc", 0.02) == compare_models(both, "roc_auc", 0.02)


def test_gate_leaves_out_rows_without_a_label() -> None:
    both = cohort(1, 500, 0.78, 0.8, 0.8)
    unlabelled = both.head(100).with_columns(
        sub_id=pl.col("sub_id") + 10_000, sub_churn=pl.lit(None, pl.Int8)
    )
    assert compare_models(pl.concat([unlabelled, both]), "roc_auc", 0.02) == compare_models(
        both, "roc_auc", 0.02
    )


@pytest.mark.parametrize("churned", [0, 1, None])
def test_gate_is_undecided_with_one_outcome(churned: int | None) -> None:
    both = cohort(1, 200, 0.8, 0.8, 0.8).with_columns(sub_churn=pl.lit(churned, pl.Int8))
    comparison = compare_models(both, "roc_auc", 0.02)
    assert comparison["decision"] == "undecided"
    assert comparison["difference"] is comparison["interval"] is None


@pytest.mark.parametrize(("auc", "loss"), [(0.8, 0.02), (0.7, 0.0)])
def test_simulated_cohorts_have_the_requested_roc_auc(auc: float, loss: float) -> None:
    both = cohort(7, 200_000, auc - loss, auc, 0.8)
    comparison = compare_models(both, "roc_auc", 0.02)
    assert comparison["champion_value"] == pytest.approx(auc, abs=0.004)
    assert comparison["candidate_value"] == pytest.approx(auc - loss, abs=0.004)
    assert both["sub_churn"].mean() == pytest.approx(0.25, abs=0.01)
    noise = both.filter(pl.col("sub_churn") == 0).select(
        pl.corr(*(-(1 / pl.col(name) - 1).log() for name in ("candidate", "champion")))
    )
    assert noise.item() == pytest.approx(0.8, abs=0.01)


def comparison(decision: Decision, *, promote: bool) -> Comparison:
    return Comparison(
        metric="roc_auc",
        max_loss=0.02,
        promote=promote,
        candidate="v2",
        champion="v1",
        cohort="0" * 64,
        window=(date(2024, 5, 1), date(2024, 7, 31)),
        as_of=date(2025, 1, 1),
        decision=decision,
        reason="",
    )


def test_comparison_promotes_accepted_candidates_unless_promotion_is_manual() -> None:
    assert comparison("accepted", promote=True).promotes
    assert not comparison("accepted", promote=False).promotes
    assert not comparison("refused", promote=True).promotes
    assert not comparison("undecided", promote=True).promotes


def test_terms_follow_from_the_settings_and_the_metric() -> None:
    usual = {"metric": "roc_auc", "max_loss": 0.02, "min_outcomes": 30, "promote": True}
    assert Terms.of(ChampionSettings()).model_dump() == usual
    brier = ChampionSettings(metric="brier", min_outcomes=9, promote=False)
    other = {"metric": "brier", "max_loss": 0.005, "min_outcomes": 9, "promote": False}
    assert Terms.of(brier).model_dump() == other
    strict = ChampionSettings(metric="brier", max_loss=0.0)
    assert Terms.of(strict).max_loss == 0


def test_comparison_is_equal_after_json() -> None:
    original = comparison("accepted", promote=True).model_copy(
        update={"difference": np.float64(0.1).item(), "interval": (0.0, 0.2)}
    )
    assert Comparison.model_validate(original.model_dump(mode="json")) == original
