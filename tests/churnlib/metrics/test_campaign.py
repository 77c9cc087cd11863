"""Campaigns: thresholds, gains and their intervals."""

import json
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from churnlib.metrics.campaign import choose_threshold, evaluate_campaign, plan_campaign
from churnlib.settings import Offer

OFFER = Offer()


def scored(n: int = 2_000, seed: int = 0, per_character: int = 2) -> pl.DataFrame:
    """Calibrated probabilities; each character has several subscriptions with similar outcomes."""
    rng = np.random.default_rng(seed)
    risk = rng.beta(1, 4, n // per_character)
    churned = rng.random(n // per_character) < risk
    return pl.DataFrame(
        {
            "char_id": np.repeat(np.arange(n // per_character), per_character),
            "sub_churn": np.repeat(churned, per_character).astype(np.int8),
            "churn_probability": np.repeat(risk, per_character).round(3),
        }
    )


def gain(rows: pl.DataFrame, threshold: float) -> float:
    """The plain sum: 57 - 1 for each contacted churner, -11 for each other contact."""
    contacted = rows.filter(pl.col("churn_probability") >= threshold)
    churners = int(contacted["sub_churn"].sum())
    return 56 * churners - 11 * (len(contacted) - churners)


@pytest.mark.parametrize("threshold", [0.0, 0.05, 0.1642, 0.2, 0.21234, 0.7, 1.0])
def test_outcome_is_that_at_the_threshold(threshold: float) -> None:
    rows = scored()
    campaign = evaluate_campaign(rows, OFFER, threshold)
    at, contacted = campaign.at_threshold, rows.filter(pl.col("churn_probability") >= threshold)
    assert at is not None
    assert (at.threshold, at.contacted) == (threshold, len(contacted))
    assert at.churners == contacted["sub_churn"].sum()
    assert at.share == len(contacted) / len(rows)
    assert at.expected_gain == pytest.approx(gain(rows, threshold))
    assert at.expected_gain_per_subscription == pytest.approx(gain(rows, threshold) / len(rows))


def test_interval_of_a_gain_counts_rows_at_the_threshold_as_contacted() -> None:
    rows = scored().with_columns(churn_probability=pl.lit(0.2))
    at, below = (evaluate_campaign(rows, OFFER, threshold).at_threshold for threshold in (0.2, 0.1))
    assert at is not None
    assert below is not None
    assert at.expected_gain_ci == below.expected_gain_ci != (0, 0)


def test_campaign_as_json_has_its_curve_on_request() -> None:
    campaign = evaluate_campaign(scored(), OFFER, 0.2)
    curve = campaign.to_json()["curve"]
    assert [point["threshold"] for point in curve] == [at.threshold for at in campaign.curve]
    assert all("expected_gain_ci" not in point for point in curve)
    assert "curve" not in campaign.to_json(curve=False)


def test_curve_contains_the_best_outcome() -> None:
    campaign = evaluate_campaign(scored(), OFFER, 0.9)
    assert campaign.best is not None
    assert campaign.best.contacted in [at.contacted for at in campaign.curve]


def test_without_a_threshold_nobody_is_contacted() -> None:
    at = evaluate_campaign(scored(), OFFER, None).at_threshold
    assert at is not None
    assert (at.threshold, at.contacted, at.churners, at.expected_gain) == (None, 0, 0, 0)
    assert at.expected_gain_ci == (0, 0)


def test_best_threshold_in_hindsight_gains_the_most() -> None:
    rows = scored()
    campaign = evaluate_campaign(rows, OFFER, 0.3)
    every = [gain(rows, threshold) for threshold in rows["churn_probability"].unique()]
    assert campaign.at_threshold is not None
    assert campaign.best is not None
    assert campaign.at_threshold.expected_gain < campaign.best.expected_gain
    assert campaign.best.expected_gain == pytest.approx(max(every))
    assert campaign.everybody is not None
    assert campaign.everybody.expected_gain == pytest.approx(gain(rows, 0))


def test_rows_without_a_label_are_ignored() -> None:
    rows = scored()
    more = pl.concat([rows, rows.with_columns(sub_churn=pl.lit(None, pl.Int8))])
    assert evaluate_campaign(more, OFFER, 0.2) == evaluate_campaign(rows, OFFER, 0.2)
    assert choose_threshold(more, OFFER, "fitted") == choose_threshold(rows, OFFER, "fitted")


@pytest.mark.parametrize("outcome", [0, 1, None])
def test_threshold_with_one_outcome_is_break_even(outcome: int | None) -> None:
    rows = scored().with_columns(sub_churn=pl.lit(outcome, pl.Int8))
    assert choose_threshold(rows, OFFER, "fitted") == pytest.approx(11 / 67)
    assert choose_threshold(rows, Offer(contact_cost=60.0), "fitted") is None


def test_rule_decides_the_threshold() -> None:
    rows = scored().with_columns(pl.col("churn_probability") / 2)
    assert choose_threshold(rows, OFFER, "break_even") == pytest.approx(11 / 67)
    fitted = choose_threshold(rows, OFFER, "fitted")
    assert fitted is not None
    assert fitted == pytest.approx(11 / 67 / 2, abs=0.02)
    planned = plan_campaign(rows, OFFER, "fitted")
    assert (planned.rule, planned.threshold) == ("fitted", fitted)
    assert planned.to_json()["rule"] == "fitted"


def test_campaign_without_labels_has_only_a_reason() -> None:
    campaign = evaluate_campaign(scored().clear(), OFFER, 0.2)
    assert campaign.reason == "no subscription has a label"
    assert (campaign.n, campaign.at_threshold, campaign.empc, campaign.curve) == (0, None, None, ())
    assert json.loads(json.dumps(campaign.to_json()))["threshold"] == 0.2


def test_curve_runs_from_nobody_to_everyone_through_the_thresholds() -> None:
    rows = scored()
    campaign = evaluate_campaign(rows, OFFER, 0.2)
    shares = [point.share for point in campaign.curve]
    assert shares[0] == 0
    assert shares[-1] == 1
    assert shares == sorted(set(shares))
    assert 50 < len(shares) <= 103
    assert max(b - a for a, b in pairwise(shares)) < 0.05
    assert campaign.best in campaign.curve
    for point in campaign.curve[1:]:
        assert point.threshold is not None
        assert point.expected_gain == pytest.approx(gain(rows, point.threshold))


def test_row_order_does_not_matter() -> None:
    rows = scored()
    mixed = rows.sample(fraction=1, shuffle=True, seed=3)
    assert evaluate_campaign(mixed, OFFER, 0.2) == evaluate_campaign(rows, OFFER, 0.2)


def test_plain_data_has_terms_and_optionally_the_curve() -> None:
    data = evaluate_campaign(scored(), OFFER, 0.2).to_json(curve=False)
    assert data["terms"] == OFFER.model_dump()
    assert "curve" not in data
    assert json.loads(json.dumps(data))["at_threshold"]["expected_gain_ci"] is not None


def test_rows_of_one_character_are_not_independent() -> None:
    rows = scored(per_character=1)
    twice = pl.concat([rows, rows])

    def width(rows: pl.DataFrame) -> float:
        at = evaluate_campaign(rows, OFFER, 0.2).at_threshold
        assert at is not None
        assert at.expected_gain_ci is not None
        return at.expected_gain_ci[1] - at.expected_gain_ci[0]

    assert width(twice) == pytest.approx(2 * width(rows))


def test_interval_equals_the_bootstrap_of_characters() -> None:
    # One subscription of most characters, many of some, and a gain far from nothing.
    rng = np.random.default_rng(8)
    times = rng.choice([1, 12], 400, p=[0.8, 0.2])
    mostly = scored(400, per_character=1).with_columns(sub_churn=1 - pl.col("sub_churn"))
    rows = mostly[np.repeat(np.arange(400), times)]
    campaign = evaluate_campaign(rows, OFFER, 0.1).at_threshold
    assert campaign is not None
    assert campaign.expected_gain_ci is not None
    each = rows.group_by("char_id", maintain_order=True).agg(
        pl.len(),
        brings=pl.when(pl.col("churn_probability") >= 0.1)
        .then(pl.when(pl.col("sub_churn") == 1).then(56).otherwise(-11))
        .otherwise(0)
        .sum(),
    )
    drawn = rng.integers(0, 400, (4_000, 400))
    subs, brings = (each[name].to_numpy()[drawn].sum(axis=1) for name in ("len", "brings"))
    spread = (len(rows) * brings / subs).std()
    half = (campaign.expected_gain_ci[1] - campaign.expected_gain_ci[0]) / 2
    assert half == pytest.approx(1.96 * spread, rel=0.08)


def test_one_character_has_no_interval() -> None:
    rows = scored().with_columns(char_id=pl.lit(1))
    at = evaluate_campaign(rows, OFFER, 0.2).at_threshold
    assert at is not None
    assert at.expected_gain_ci is None


@pytest.mark.slow
def test_intervals_cover_the_true_gain_in_about_95_of_100_draws() -> None:
    # The expected gain of contacting a row with risk p: 56p - 11(1 - p).
    risk = scored(2_000_000, seed=99)["churn_probability"].to_numpy()
    true = np.where(risk >= 0.2, 67 * risk - 11, 0).mean() * 1_000
    holds = 0
    for seed in range(300):
        at = evaluate_campaign(scored(1_000, seed), OFFER, 0.2).at_threshold
        assert at is not None
        assert at.expected_gain_ci is not None
        holds += at.expected_gain_ci[0] <= true <= at.expected_gain_ci[1]
    assert 0.91 <= holds / 300 <= 0.985
