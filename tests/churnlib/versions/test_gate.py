"""The gate: whether a candidate may replace the champion."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.gate import MAX_LOSS, accepted, cohort, small_cohort
from churnlib.settings import ChampionSettings, GateMetric
from churnlib.versions.decision import (
    ERROR,
    Decision,
    Rules,
    confidence_of_look,
    decide_by_interval,
)
from churnlib.versions.gate import Comparison, Terms, compare_models

ROWS, COHORTS = 10_000, 6


def terms(max_loss: float | None, metric: GateMetric = "roc_auc", min_outcomes: int = 0) -> Terms:
    return Terms(metric=metric, max_loss=max_loss, min_outcomes=min_outcomes, promote=True)


@pytest.mark.parametrize(
    ("metric", "interval", "expected"),
    [
        ("roc_auc", (0.001, 0.02), "accepted"),
        ("roc_auc", (-0.019, 0.03), "accepted"),
        ("roc_auc", (-0.021, 0.03), "undecided"),
        ("roc_auc", (-0.02, 0.03), "accepted"),
        ("roc_auc", (-0.05, -0.01), "refused"),
        ("average_precision", (-0.019, 0.0), "accepted"),
        ("log_loss", (-0.5, 0.019), "accepted"),
        ("log_loss", (-0.019, 0.021), "undecided"),
        ("brier", (-0.03, -0.021), "accepted"),
        ("brier", (0.01, 0.03), "refused"),
        ("roc_auc", None, "undecided"),
    ],
)
def test_gate_decides_by_the_end_of_the_interval_that_is_worse(
    metric: GateMetric, interval: tuple[float, float] | None, expected: Decision
) -> None:
    assert decide_by_interval(interval, Rules(metric, 0.02), "too few")[0] == expected


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
    assert decide_by_interval(interval, Rules("roc_auc", 0.02), "too few")[1] == words


def test_gate_reverses_the_interval_of_a_metric_where_lower_is_better() -> None:
    reasons = [
        decide_by_interval(interval, Rules("brier", 0.02))[1]
        for interval in ((-0.03, -0.021), (0.01, 0.03))
    ]
    assert reasons == [
        "it is better by at least 0.0210",
        "it is worse, by 0.0100 to 0.0300, and 0.0200 is allowed",
    ]


def test_gate_says_why_there_is_no_difference() -> None:
    stayed = cohort(1, 100, 0.8, 0.8, 0.8).with_columns(sub_churn=pl.lit(0, pl.Int8))
    comparison = compare_models(stayed, terms(0.02))
    assert comparison["decision"] == "undecided"
    assert "of 100 subscriptions with a label 0 churned" in comparison["reason"]


def test_gate_refuses_a_worse_candidate() -> None:
    assert accepted(COHORTS, ROWS, 0.04, 0.8) == 0


def test_gate_accepts_an_equal_candidate() -> None:
    assert accepted(COHORTS, ROWS, 0.0, 0.8) >= COHORTS - 1


def test_gate_rarely_accepts_a_candidate_worse_by_the_largest_loss() -> None:
    assert accepted(COHORTS, ROWS, 0.02, 0.8) <= 1


def test_gate_waits_on_a_small_cohort_and_says_why() -> None:
    both = cohort(1, 100, 0.8, 0.8, 0.8)
    comparison = compare_models(both, terms(0.02))
    assert comparison["decision"] == "undecided"
    assert comparison["reason"].startswith("it may be worse by ")
    churned = (
        f"with only {comparison['positives']} of 100 subscriptions churned, the interval is so wide"
    )
    assert churned in comparison["reason"]
    assert comparison["reason"].endswith(
        "only 7% of models as good as the champion pass: score again once the outcomes of more "
        "months are known, which are added to these; or promote it manually"
    )


def test_gate_does_not_blame_the_interval_of_a_worse_candidate_or_large_cohort() -> None:
    worse = compare_models(cohort(1, 400, 0.6, 0.9, 0.8), terms(0.02))
    assert worse["decision"] == "refused"
    assert worse["reason"].startswith("it is worse, by ")
    assert worse["reason"].endswith("is allowed")
    large = compare_models(cohort(1, ROWS, 0.785, 0.8, 0.8), terms(0.02))
    assert large["decision"] == "refused"
    assert "so wide" not in large["reason"]


@pytest.mark.parametrize("which", [0, 1])
def test_gate_is_undecided_with_too_few_of_one_outcome(which: int) -> None:
    both = cohort(1, 500, 0.8, 0.8, 1.0).with_columns(candidate="champion")
    lopsided = pl.concat([both.filter(sub_churn=which).head(29), both.filter(sub_churn=1 - which)])
    comparison = compare_models(lopsided, terms(0.9, min_outcomes=30))
    assert comparison["decision"] == "undecided"
    assert comparison["interval"] == (0, 0)
    churned, n = comparison["positives"], comparison["n"]
    assert comparison["reason"].startswith(
        f"{churned} of {n} subscriptions churned and {n - churned} did not, and "
        "champion.min_outcomes requires 30 of each: score again once the outcomes of more months "
        "are known, which are added to these; or promote it manually"
    )
    assert compare_models(lopsided, terms(0.9, min_outcomes=29))["decision"] == "accepted"


def test_gate_holds_its_error_rate_from_min_outcomes_on() -> None:
    required = ChampionSettings().min_outcomes
    drawn = [small_cohort(number, required, 0.95, 0.95) for number in range(100)]
    decisions = [compare_models(both, terms(MAX_LOSS))["decision"] for both in drawn]
    assert decisions.count("accepted") / len(decisions) <= 0.06


@pytest.mark.parametrize("metric", ["roc_auc", "average_precision", "log_loss", "brier"])
def test_gate_accepts_equal_probabilities_with_almost_no_allowed_loss(
    metric: GateMetric,
) -> None:
    both = cohort(1, 500, 0.8, 0.8, 1.0).with_columns(candidate="champion")
    comparison = compare_models(both, terms(1e-9, metric))
    assert (comparison["difference"], comparison["interval"]) == (0, (0, 0))
    assert comparison["decision"] == "accepted"
    assert comparison["candidate_value"] == comparison["champion_value"]


@pytest.mark.parametrize(("rows", "least", "most"), [(300, 0.02, 0.02), (20_000, 0.005, 0.0199)])
def test_allowed_loss_follows_the_standard_error(rows: int, least: float, most: float) -> None:
    comparison = compare_models(cohort(1, rows, 0.8, 0.8, 0.95), terms(None))
    low, high = comparison["interval"]
    assert least <= comparison["max_loss"] <= most
    assert comparison["max_loss"] == pytest.approx(
        min(max(3 * (high - low) / 2 / 1.96, 0.005), 0.02), rel=1e-4
    )
    waiting = compare_models(cohort(1, rows, 0.8, 0.8, 0.95), terms(None), first_loss=0.013)
    assert waiting["max_loss"] == 0.013


def test_gate_accepts_no_ranking_by_chance() -> None:
    noise = cohort(1, 2_000, 0.5, 0.5, 0.95)
    comparison = compare_models(noise, terms(0.9))
    assert comparison["decision"] == "undecided"
    assert comparison["reason"].startswith("it may be no better than chance: its ROC AUC lies")
    reversed_ = noise.with_columns(candidate=cohort(1, 2_000, 0.2, 0.5, 0.95)["candidate"])
    worse = compare_models(reversed_, terms(0.9))
    assert worse["decision"] == "refused"
    assert worse["reason"].startswith("it is worse than chance: ")


def test_gate_refuses_a_candidate_worse_than_the_plain_model() -> None:
    both = cohort(1, 2_000, 0.7, 0.7, 1.0)
    plain = cohort(1, 2_000, 0.85, 0.7, 0.95)["candidate"]
    comparison = compare_models(both.with_columns(baseline_probability=plain), terms(0.02))
    assert comparison["decision"] == "refused"
    assert comparison["reason"].startswith(
        "it is significantly worse than a logistic regression, by 0."
    )
    assert compare_models(both, terms(0.02))["decision"] == "accepted"


def test_gate_compares_with_the_anchor_too() -> None:
    both = cohort(1, 4_000, 0.75, 0.75, 1.0)
    anchor = cohort(1, 4_000, 0.80, 0.75, 0.95)["candidate"]
    comparison = compare_models(both.with_columns(anchor=anchor), terms(0.02))
    assert comparison["decision"] == "refused"
    assert comparison["anchor_difference"] < -0.02
    assert comparison["reason"].startswith(
        "compared with the best champion of the last 12 months, it is worse, by "
    )


def test_later_looks_are_stricter_and_say_so() -> None:
    both = cohort(3, 3_000, 0.8, 0.8, 0.95)
    first = compare_models(both, terms(None))
    assert first["look"] == 1
    lost = -first["interval"][0]
    just = terms(lost + 1e-6)  # Passes at the first look, and at no other.
    assert compare_models(both, just)["decision"] == "accepted"
    second = compare_models(both, just, look=2)
    assert second["decision"] == "undecided"
    assert second["interval"] == first["interval"]
    assert (
        "(with 98.33% confidence, because this is look 2 at models of this configuration on these "
        "subscriptions)"
    ) in second["reason"]


@given(st.integers(1, 200))
def test_all_looks_together_err_as_often_as_allowed(looks: int) -> None:
    spent = sum((1 - confidence_of_look(look, ERROR)) / 2 for look in range(1, looks + 1))
    assert spent + 1e-12 >= 0.025
    assert spent < 0.05


def test_gate_does_not_depend_on_row_order() -> None:
    both = cohort(1, 500, 0.78, 0.8, 0.8)
    assert compare_models(both.reverse(), terms(0.02)) == compare_models(both, terms(0.02))


def test_gate_leaves_out_rows_without_a_label() -> None:
    both = cohort(1, 500, 0.78, 0.8, 0.8)
    unlabelled = both.head(100).with_columns(
        sub_id=pl.col("sub_id") + 10_000, sub_churn=pl.lit(None, pl.Int8)
    )
    assert compare_models(pl.concat([unlabelled, both]), terms(0.02)) == compare_models(
        both, terms(0.02)
    )


@pytest.mark.parametrize("churned", [0, 1, None])
def test_gate_is_undecided_with_one_outcome(churned: int | None) -> None:
    both = cohort(1, 200, 0.8, 0.8, 0.8).with_columns(sub_churn=pl.lit(churned, pl.Int8))
    comparison = compare_models(both, terms(0.02))
    assert comparison["decision"] == "undecided"
    assert comparison["difference"] is comparison["interval"] is None


@pytest.mark.parametrize(("auc", "loss"), [(0.8, 0.02), (0.7, 0.0)])
def test_simulated_cohorts_have_the_requested_roc_auc(auc: float, loss: float) -> None:
    both = cohort(7, 200_000, auc - loss, auc, 0.8)
    comparison = compare_models(both, terms(0.02))
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
    usual = {"metric": "roc_auc", "max_loss": None, "min_outcomes": 30, "promote": True}
    assert Terms.of(ChampionSettings()).model_dump() == usual
    brier = ChampionSettings(metric="brier", min_outcomes=9, promote=False)
    other = {"metric": "brier", "max_loss": None, "min_outcomes": 9, "promote": False}
    assert Terms.of(brier).model_dump() == other
    strict = ChampionSettings(metric="brier", max_loss=0.0)
    assert Terms.of(strict).max_loss == 0


def test_comparison_is_equal_after_json() -> None:
    original = comparison("accepted", promote=True).model_copy(
        update={"difference": np.float64(0.1).item(), "interval": (0.0, 0.2)}
    )
    assert Comparison.model_validate(original.model_dump(mode="json")) == original


def test_gate_counts_churned_subscriptions_and_not_their_months() -> None:
    rng = np.random.default_rng(4)
    subs = pl.DataFrame({"sub_id": range(300), "char_id": range(300), "candidate": rng.random(300)})
    rows = subs.join(pl.DataFrame({"day": range(6)}), how="cross").with_columns(
        champion="candidate",
        sub_churn=((pl.col("sub_id") % 20 == 0) & (pl.col("day") > 2)).cast(pl.Int8),
    )
    compared = compare_models(rows, terms(0.02, min_outcomes=16))
    assert (compared["n"], compared["positives"]) == (300, 15)
    assert compared["decision"] == "undecided"
    assert compared["reason"].startswith("15 of 300 subscriptions churned and 285 did not, and")
    enough = compare_models(rows, terms(0.02, min_outcomes=15))
    assert "champion.min_outcomes" not in enough["reason"]
