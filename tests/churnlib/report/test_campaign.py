"""The campaign section of a report."""

from typing import Any

import polars as pl
import pytest

from churnlib.metrics.campaign import evaluate_campaign
from churnlib.metrics.contact import compare_counts
from churnlib.report.campaign import (
    RISK_IS_NOT_PERSUADABILITY,
    campaign_facts,
    expected_gain,
    terms,
)
from churnlib.report.sections import sections
from churnlib.report.tables import MISSING, Cell
from churnlib.settings import Offer
from tests.churnlib.report.samples import make_report, make_scored

ROWS = pl.DataFrame(
    {
        "char_id": range(1, 11),
        "sub_churn": [0, 0, 0, 0, 0, 0, 1, 0, 1, 1],
        "churn_probability": [n / 10 for n in range(1, 11)],
    }
)


def plain(threshold: float | None = 0.7, offer: Offer | None = None) -> dict[str, Any]:
    return evaluate_campaign(ROWS, offer or Offer(), threshold).to_json()


def rows(campaign: dict[str, Any]) -> dict[str, tuple[Cell, ...]]:
    return {row[0].text: row[1:] for row in expected_gain(campaign).rows}


def facts(**more: Any) -> dict[str, str]:
    table = campaign_facts({**plain(), **more})
    assert table.columns == ()
    return {name.text: fact.text for name, fact in table.rows}


def test_gains_are_shown_for_the_threshold_the_best_and_everyone() -> None:
    assert expected_gain(plain()).columns[1:] == (
        "chosen threshold", "best in hindsight", "everyone"
    )  # fmt: skip
    texts = {name: [cell.text for cell in cells] for name, cells in rows(plain(0.5)).items()}
    assert texts["threshold"] == ["0.500", "0.700", "0.100"]
    assert texts["contacted"] == ["6", "4", "10"]
    assert texts["share of all"] == ["60.0%", "40.0%", "100.0%"]
    assert texts["churners among them"] == ["3", "3", "3"]
    assert texts["share of contacted who churn"] == ["50%", "75%", "30%"]
    assert texts["expected gain"] == ["135", "157", "91.00"]
    assert texts["gain per subscription"] == ["13.50", "15.70", "9.10"]


def test_only_the_chosen_threshold_has_an_interval() -> None:
    gains = rows(plain())["expected gain"]
    assert " to " in gains[0].range
    assert [cell.range for cell in gains[1:]] == ["", ""]


def test_contacting_nobody_has_no_threshold_and_no_share() -> None:
    texts = rows(plain(None, Offer(contact_cost=90.0)))
    assert [cell.text for cell in texts["threshold"]][:2] == [MISSING, MISSING]
    assert texts["share of contacted who churn"][0].text == MISSING
    never = campaign_facts(plain(None, Offer(contact_cost=90.0))).rows[0]
    assert [cell.text for cell in never] == ["break-even", "never"]


def test_terms_and_facts_say_what_contacting_costs_and_brings() -> None:
    assert terms(plain()).startswith(
        "A subscriber who is kept is worth 200, the incentive costs 10.00 and a contact 1.00; "
        "30% of contacted churners accept."
    )
    texts = facts()
    assert texts["break-even"] == "at a churn probability of 0.164"
    assert texts["expected maximum profit"] == "15.70 per subscription, contacting 40% (EMPC)"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("break_even", "0.200, the break-even probability (campaign.threshold)"),
        ("fitted", "0.200, fitted to the validation months (campaign.threshold)"),
        (None, None),
    ],
)
def test_facts_say_by_which_rule_the_threshold_was_chosen(
    rule: str | None, expected: str | None
) -> None:
    assert facts(rule=rule, threshold=0.2).get("threshold") == expected


def test_hold_out_compares_both_groups() -> None:
    texts = facts(hold_out=compare_counts(contacted=(300, 1_200), held_out=(60, 180)))
    assert texts["contacted"] == "300 of 1,200 subscriptions churned, 25.0% (22.6% to 27.5%)"
    assert texts["held out"].startswith("60 of 180 subscriptions churned, 33.3% (")
    assert texts["reduction in churn"] == "+8.3 percentage points (+1.4 to +15.9)"
    assert facts(hold_out=None) == facts()


def test_reduction_that_may_be_zero_is_not_significant() -> None:
    texts = facts(hold_out=compare_counts(contacted=(12, 51), held_out=(0, 3)))
    assert texts["reduction in churn"].endswith("+33.4), no significant difference from zero")


def test_group_without_subscriptions_has_no_rate() -> None:
    texts = facts(hold_out=compare_counts(contacted=(300, 1_200), held_out=(0, 0)))
    assert texts["held out"] == "no subscription at or above the threshold"
    assert "reduction in churn" not in texts


def test_section_warns_that_risk_is_not_persuadability() -> None:
    (section,) = (s for s in sections(make_report(make_scored())) if s.key == "campaign")
    assert RISK_IS_NOT_PERSUADABILITY in section.lead
    assert len(section.tables) == 2


def test_section_without_outcomes_says_why_there_is_no_campaign() -> None:
    empty = evaluate_campaign(ROWS.clear(), Offer(), 0.5).to_json()
    report = make_report(make_scored(), campaign=empty)
    (section,) = (s for s in sections(report) if s.key == "campaign")
    assert section.lead == "Not available, because no subscription has a label."
    assert section.tables == ()
