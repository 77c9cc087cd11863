"""The assessment that a report begins with: the verdicts, and what to do."""

from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl
import pytest

from churnlib.report.assessment import assess, campaign_advice
from churnlib.report.text import to_text
from churnlib.report.verdicts import Verdict
from tests.churnlib.report.samples import COMPARISON, in_training, make_report, make_scored

REPORT = make_report(make_scored())
WORSE = make_scored().with_columns(churn_probability=1 - pl.col("churn_probability"))


def outcome(gain: float, interval: tuple[float, float] | None, contacted: int = 40) -> Any:
    return {
        "contacted": contacted,
        "share": contacted / 400,
        "expected_gain": gain,
        "expected_gain_ci": interval,
    }


def advice(
    gain: float,
    interval: tuple[float, float] | None,
    contacted: int = 40,
    threshold: float | None = 0.3,
    best: float | None = 0.3,
) -> Verdict:
    return campaign_advice(
        {
            "reason": None,
            "threshold": threshold,
            "at_threshold": outcome(gain, interval, contacted),
            "best": {"threshold": best},
            "everybody": outcome(-70.0, None),
        }
    )


def test_contacts_follow_from_the_expected_gain() -> None:
    sure = advice(1_234.0, (900.0, 1_600.0))
    assert sure.head == "Contact the riskiest 10%."
    assert sure.reason == (
        "Expected gain 1,234 (900 to 1,600), in the game's own money; contacting everyone would "
        "lose 70.00."
    )
    assert advice(100.0, (-5.0, 205.0)).head == "Contacting the riskiest 10% may not pay off."
    assert advice(100.0, None).kind == "unsure"
    assert advice(-100.0, (-200.0, -5.0)).kind == "worse"
    assert advice(0.0, (0.0, 0.0), contacted=0).head == "Contact nobody."


def test_campaign_with_a_loss_is_called_a_loss() -> None:
    loss = advice(-11.0, (-30.0, 8.0), best=None)
    assert loss.head == "Contacting the riskiest 10% may not pay off."
    assert loss.reason == (
        "Expected loss 11.00 (a loss of 30.00 to a gain of 8.00), in the game's own money; "
        "contacting everyone would lose 70.00; on these subscriptions contacting nobody would have "
        "been best."
    )
    assert "Expected loss 100 (5.00 to 200)," in advice(-100.0, (-200.0, -5.0)).reason


def test_advice_to_contact_nobody_says_why() -> None:
    none = advice(0.0, (0.0, 0.0), contacted=0, threshold=None)
    assert none.reason.startswith("At these costs the model's threshold is to contact nobody; ")
    unreached = advice(0.0, (0.0, 0.0), contacted=0)
    assert unreached.reason.startswith("No subscription reaches the threshold of 0.300; contacting")


def test_comparison_on_other_subscriptions_names_their_dates() -> None:
    later = replace(REPORT, as_of=date(2025, 4, 1), used_by_campaigns=True)
    (champion,) = (answer for answer in assess(later).answers if answer.key == "champion")
    assert (champion.question, champion.verdict.head) == (
        "When it became champion",
        "Promoted to champion.",
    )
    assert champion.verdict.reason.startswith(
        "Compared on subscriptions started 2024-05-01 to 2024-07-31, as of 2025-01-01, not on "
        "those of this report. Difference in ROC AUC +0.010"
    )
    cohort = "subscriptions started 2024-05-01 to 2024-07-31, as of 2025-01-01"
    past = replace(later, comparison={**COMPARISON, "difference": None})
    for report, times in ((later, 2), (past, 1)):
        assert " ".join(to_text(report).split()).count(cohort) == times
    assert "not on those of this report" not in to_text(REPORT)


@pytest.mark.parametrize("decision", ["accepted", "refused", "undecided"])
def test_text_states_the_reason_of_the_gate_once(decision: str) -> None:
    report = replace(REPORT, comparison={**COMPARISON, "decision": decision})
    # It may begin a sentence, with a capital letter.
    assert " ".join(to_text(report).split()).casefold().count(COMPARISON["reason"]) == 1


def test_answers_are_in_order_of_importance() -> None:
    assessment = assess(REPORT)
    assert [answer.question for answer in assessment.answers] == [
        "Compared with chance",
        "Compared with a logistic regression",
        "Compared with the champion",
        "Calibration",
    ]
    assert assessment.head == "Better than chance and than a logistic regression."
    assert assessment.advice.head == "Contact the riskiest 71%."


@pytest.mark.parametrize(
    ("changes", "head"),
    [
        ({"decision": "refused"}, "Keep the champion."),
        ({"decision": "undecided"}, "Keep the champion for now."),
        ({"promote": False}, "Promote it manually before you use it."),
        ({}, "Contact the riskiest 71%."),
    ],
)
def test_only_a_promoted_candidate_is_recommended(changes: dict[str, Any], head: str) -> None:
    assessment = assess(replace(REPORT, comparison={**COMPARISON, **changes}))
    assert assessment.advice.head == head


def test_candidate_without_outcomes_leaves_the_champion() -> None:
    undecided = {**COMPARISON, "decision": "undecided"}
    nothing = make_report(make_scored().head(0), importance=(), comparison=undecided)
    assert assess(nothing).advice.head == "Keep the champion for now."


@pytest.mark.parametrize(
    ("used_by_campaigns", "head"),
    [
        (True, "Contact the riskiest 71%."),
        (False, "If you use this model: contact the riskiest 71%."),
        (None, "If you use this model: contact the riskiest 71%."),
    ],
)
def test_advice_on_a_model_that_campaigns_do_not_follow_is_conditional(
    used_by_campaigns: bool | None, head: str
) -> None:
    assert (
        assess(replace(REPORT, comparison=None, used_by_campaigns=used_by_campaigns)).advice.head
        == head
    )


def test_model_worse_than_the_baseline_is_not_recommended_even_in_use() -> None:
    swapped = make_scored().select(
        pl.exclude("churn_probability", "baseline_probability"),
        churn_probability="baseline_probability",
        baseline_probability="churn_probability",
    )
    assessment = assess(make_report(swapped, comparison=None, used_by_campaigns=True))
    assert assessment.head == "Better than chance, but worse than a logistic regression."
    assert assessment.advice.head == (
        "Find out why a logistic regression ranks better before you use this model."
    )


def test_model_worse_than_chance_is_not_recommended() -> None:
    assessment = assess(make_report(WORSE, comparison=None))
    assert assessment.head == "Worse than chance."
    assert assessment.advice.head == "Do not use this model for a campaign."


def test_model_that_may_be_chance_is_not_recommended() -> None:
    random = make_scored().with_columns(pl.col("churn_probability").shuffle(seed=1))
    assessment = assess(make_report(random, comparison=None))
    assert assessment.head == "No significant difference from chance."
    assert assessment.advice.head == "Do not use this model yet."


def test_nobody_is_contacted_before_a_good_back_test() -> None:
    report = replace(REPORT, no_contact="3 of 9 subscriptions churned")
    advice = assess(report).advice
    assert (advice.kind, advice.head) == ("unsure", "Contact nobody yet.")
    assert advice.reason == "3 of 9 subscriptions churned."


def batch(scored: pl.DataFrame, **changes: Any) -> Verdict:
    report = make_report(
        scored, name="batch_score_report", comparison=None, used_by_campaigns=True, **changes
    )
    return assess(report).advice


def test_batch_without_contacts_says_why() -> None:
    advice = batch(make_scored(), no_contact="no back-test of the model is recorded")
    assert advice.head == "Nobody was contacted."
    assert advice.reason == "No back-test of the model is recorded."


def test_batch_does_not_revoke_what_a_back_test_has_shown() -> None:
    shuffled = pl.col("churn_probability").shuffle(seed=1)
    random = make_scored().drop("baseline_probability").with_columns(shuffled)
    assert batch(make_scored()).head == "Contact the riskiest 71%."
    assert batch(random).head == "This batch alone shows too little."
    assert batch(WORSE).head == "Back-test this model before the next campaign."
    assert batch(make_scored().head(0), importance=()).head == "No recommendation yet."


def test_advice_of_a_training_depends_on_a_back_test() -> None:
    head = assess(in_training(make_scored())).advice.head
    assert head == "If a back-test confirms this: contact the riskiest 73%."


def test_training_says_that_its_gain_is_optimistic() -> None:
    trained = in_training(make_scored())
    assert "optimistic" in assess(trained).advice.reason
    assert "optimistic" not in assess(REPORT).advice.reason
    assert trained.campaign is not None
    by_break_even = replace(trained, campaign={**trained.campaign, "rule": "break_even"})
    assert "optimistic" not in assess(by_break_even).advice.reason


def test_report_without_a_campaign_has_no_recommendation() -> None:
    assert assess(replace(REPORT, campaign=None)).advice.kind == "undefined"


def test_incomplete_batch_is_to_be_predicted_again_instead_of_judging_the_model() -> None:
    few = make_report(
        make_scored(11), name="batch_score_report", comparison=None, used_by_campaigns=True
    )
    assert assess(few).advice.head != "Predict this batch again: it is incomplete."
    incomplete = replace(few, not_predicted=140)
    assert incomplete.is_incomplete
    advice = assess(incomplete).advice
    assert advice.head == "Predict this batch again: it is incomplete."
    assert advice.reason.startswith("11 of the 151 subscriptions of its window were predicted")
    assert not replace(few, not_predicted=1).is_incomplete
    assert not replace(few, not_predicted=None).is_incomplete
