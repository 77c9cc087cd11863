"""What a report for terminals says of a campaign."""

from typing import Any

import polars as pl
import pytest

from churnlib.metrics.campaign import evaluate_campaign
from churnlib.metrics.contact import compare_counts
from churnlib.report.campaign import RISK_IS_NOT_PERSUADABILITY, campaign_lines
from churnlib.settings import Offer

ROWS = pl.DataFrame(
    {
        "char_id": range(1, 11),
        "sub_churn": [0, 0, 0, 0, 0, 0, 1, 0, 1, 1],
        "churn_probability": [n / 10 for n in range(1, 11)],
    }
)


def said(threshold: float | None = 0.7, offer: Offer | None = None, **more: Any) -> str:
    campaign = evaluate_campaign(ROWS, offer or Offer(), threshold).to_json()
    return "\n".join(campaign_lines({**campaign, **more}))


def test_the_lines_hold_terms_threshold_and_gains() -> None:
    text = said()
    assert text.startswith("campaign (kept 200, incentive 10, contact 1; 30% accept)\n")
    for line in (
        "  threshold         contact from 0.7000 on",
        "  reach it          4 of 10 (40.0%), 3 of them churned",
        "  expected gain     157.00 (15.7000 a subscription)",
        "  best here         contact from 0.7000 on: 157.00 (15.7000 a subscription)",
        "  contacting all    a gain of 91.00 (9.1000 a subscription)",
        "  break-even        at a true probability of 0.1642",
    ):
        assert line in text.splitlines()
    assert "EMPC              15." in text


def test_the_reader_is_told_that_risk_is_not_persuadability() -> None:
    told = " ".join(said().split())
    assert RISK_IS_NOT_PERSUADABILITY in told
    assert RISK_IS_NOT_PERSUADABILITY.count(".") == 1


def test_where_nobody_is_contacted_it_says_so() -> None:
    text = said(None, Offer(contact_cost=90.0))
    assert "  threshold         contact nobody" in text
    assert "  best here         contact nobody\n" in text
    assert "95% interval" not in text
    assert "of them churned" not in text
    assert "  break-even        never" in text


def test_contacted_and_held_out_have_a_line_each() -> None:
    groups = compare_counts(contacted=(300, 1_200), held_out=(0, 0))
    lines = said(hold_out=groups).splitlines()
    contacted = "300 of 1,200 subscriptions churned, 25.0% (22.6% to 27.5%)"
    assert f"  contacted         {contacted}" in lines
    assert "  held out          nobody who reaches the threshold" in lines
    assert not any("fall of churn" in line for line in lines)
    groups = compare_counts(contacted=(300, 1_200), held_out=(60, 180))
    assert "  fall of churn     +8.3 points (+1.4 to +15.9)" in said(hold_out=groups).splitlines()
    groups = compare_counts(contacted=(12, 51), held_out=(0, 3))
    assert "points (\N{MINUS SIGN}36.8 to +33.4), not told from none" in said(hold_out=groups)
    assert said(hold_out=None) == said()


def test_a_loss_is_called_one() -> None:
    text = said(0.1, Offer(contact_cost=20.0))
    assert "  expected loss     99.00 (9.9000 a subscription)" in text.splitlines()
    assert "    95% interval    a loss of " in text
    assert "  contacting all    a loss of 99.00 (9.9000 a subscription)" in text.splitlines()
    assert "gain     -" not in text


def test_a_campaign_to_stayers_alone_reaches_no_churner() -> None:
    calm = evaluate_campaign(ROWS.with_columns(sub_churn=pl.lit(0)), Offer(), 0.2).to_json()
    lines = list(campaign_lines(calm))
    assert "  reach it          9 of 10 (90.0%), none of them churned" in lines
    assert "  best here         contact nobody" in lines


def test_where_all_are_best_contacted_it_says_so() -> None:
    leaving = evaluate_campaign(ROWS.with_columns(sub_churn=pl.lit(1)), Offer(), 0.7).to_json()
    lines = list(campaign_lines(leaving))
    assert "  best here         contact everybody: 560.00 (56.0000 a subscription)" in lines


def test_without_a_known_outcome_only_the_reason_is_told() -> None:
    campaign = evaluate_campaign(ROWS.clear(), Offer(), 0.5).to_json()
    assert list(campaign_lines(campaign))[1:] == [
        "  not defined, because no subscription has a known outcome"
    ]


@pytest.mark.parametrize("kept", [1e7, 123.456])
@pytest.mark.parametrize("threshold", [0.1, 0.7])
def test_lines_fit_a_terminal(kept: float, threshold: float) -> None:
    offer = Offer(lifetime_value=kept, incentive_cost=kept / 2, contact_cost=kept / 5)
    text = said(threshold, offer)
    assert max(map(len, text.splitlines())) <= 80
