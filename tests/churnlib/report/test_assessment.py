"""What a report comes to: the answers, and what to do."""

import re
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from churnlib.report.assessment import (
    against_baseline,
    against_champion,
    as_probabilities,
    campaign_advice,
    judge,
)
from churnlib.report.html import to_html
from churnlib.report.text import to_text
from churnlib.report.verdict import Verdict
from tests.churnlib.report.samples import (
    COMPARISON,
    groups_of,
    in_training,
    make_report,
    make_scored,
)

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


@pytest.mark.parametrize(
    ("interval", "kind"),
    [((0.001, 0.1), "better"), ((-0.01, 0.1), "unsure"), ((-0.1, -0.001), "worse")],
)
def test_a_model_is_held_against_the_plain_one_by_the_interval_of_their_difference(
    interval: tuple[float, float], kind: str
) -> None:
    apart = {"roc_auc": {"difference": 0.0, "interval": interval}}
    found = against_baseline({"baselines": {"logistic_regression": {"differences": apart}}})
    assert found is not None
    assert found.kind == kind


@pytest.mark.parametrize(
    "baselines",
    [
        {},
        {"base_rate": {"differences": {}}},
        {"logistic_regression": {"differences": {}}},
        {"logistic_regression": {"differences": {"roc_auc": {"difference": 0, "interval": None}}}},
    ],
)
def test_without_a_plain_model_to_compare_with_nothing_is_said(baselines: Any) -> None:
    assert against_baseline({"baselines": baselines}) is None


def calibration(
    error: tuple[float, float],
    said: float = 0.172,
    around: tuple[float, float] = (0.14, 0.2),
    positives: int = 160,
) -> Any:
    return {
        "n": 1_000,
        "positives": positives,
        "expected_calibration_error": 0.02,
        "intervals": {"expected_calibration_error": error, "base_rate": around},
        "mean_predicted": said,
        "base_rate": positives / 1_000,
    }


@pytest.mark.parametrize(
    ("figures", "kind"),
    [
        (calibration((0.0, 0.03)), "better"),
        (calibration((0.01, 0.035)), "better"),
        (calibration((0.0, 0.041)), "unsure"),
        (calibration((0.02, 0.09)), "worse"),
        # The mean prediction judges, too, and where few churned it alone.
        (calibration((0.0, 0.041), said=0.21), "worse"),
        (calibration((0.002, 0.02), 0.02, (0.012, 0.03), positives=20), "unsure"),
        (calibration((0.002, 0.03), 0.04, (0.012, 0.03), positives=20), "worse"),
        # What is small depends on how many churn, or stay.
        (calibration((0.0, 0.02), 0.04, (0.03, 0.05), positives=40), "unsure"),
        (calibration((0.0, 0.009), 0.04, (0.03, 0.05), positives=40), "better"),
        (calibration((0.0, 0.02), 0.96, (0.95, 0.97), positives=960), "unsure"),
    ],
)
def test_probabilities_hold_where_their_error_is_surely_small(figures: Any, kind: str) -> None:
    found = as_probabilities(figures)
    assert found is not None
    assert found.kind == kind


def test_what_probabilities_are_judged_by_is_told() -> None:
    found = as_probabilities(calibration((0.0, 0.03)))
    assert found is not None
    assert found.reason == (
        "17% were predicted to churn, 16% (14% to 20%) did. "
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
    [
        (20_000, 0.02, 2.6, "better unsure"),
        (20_000, 0.02, 1, "worse"),
        (5_000, 0.15, 1.5, "better unsure"),
        (5_000, 0.15, 1, "worse unsure"),
        (500, 0.02, 1, "better"),
        (500, 0.4, 1.5, "better unsure"),
    ],
)
def test_probabilities_off_by_a_factor_are_never_said_to_hold(
    n: int, base_rate: float, factor: float, wrong: str
) -> None:
    for seed in range(3):
        found = as_probabilities(groups_of(simulated(n, base_rate, factor, seed))["general"])
        assert found is not None
        assert found.kind not in wrong.split(), (seed, found)


@pytest.mark.parametrize(
    ("n", "kind", "words"),
    [(13, "unsure", "14% were predicted to churn, none of 13 did. That may be chance."),
     (400, "worse", "14% were predicted to churn, none of 400 did.")],
)  # fmt: skip
def test_probabilities_of_what_never_came_are_judged_by_how_likely_that_is(
    n: int, kind: str, words: str
) -> None:
    scored = make_scored(n).with_columns(
        churn_probability=pl.lit(0.135) + 0.01 * pl.col("churn_probability"),
        sub_churn=pl.lit(0, pl.Int8),
    )
    found = as_probabilities(groups_of(scored)["general"])
    assert found is not None
    assert (found.kind, found.reason) == (kind, words)


def test_who_is_to_contact_follows_from_the_gain() -> None:
    sure = advice(1_234.0, (900.0, 1_600.0))
    assert sure.head == "Contact the riskiest 10%."
    assert sure.reason == (
        "Expected gain 1,234 (900 to 1,600), in the game's own money; contacting everybody would "
        "lose 70.00."
    )
    assert advice(100.0, (-5.0, 205.0)).head == "Contacting the riskiest 10% may not pay."
    assert advice(100.0, None).kind == "unsure"
    assert advice(-100.0, (-200.0, -5.0)).kind == "worse"
    assert advice(0.0, (0.0, 0.0), contacted=0).head == "Contact nobody."


def test_a_campaign_that_loses_is_not_said_to_gain() -> None:
    loss = advice(-11.0, (-30.0, 8.0), best=None)
    assert loss.head == "Contacting the riskiest 10% may not pay."
    assert loss.reason == (
        "Expected loss 11.00 (a loss of 30.00 to a gain of 8.00), in the game's own money; "
        "contacting everybody would lose 70.00; best on these rows is to contact nobody."
    )
    assert "Expected loss 100 (5.00 to 200)," in advice(-100.0, (-200.0, -5.0)).reason


def test_why_nobody_is_contacted_is_told() -> None:
    none = advice(0.0, (0.0, 0.0), contacted=0, threshold=None)
    assert none.reason.startswith("By the model's threshold no contact pays at these costs; ")
    unreached = advice(0.0, (0.0, 0.0), contacted=0)
    assert unreached.reason.startswith("Nobody reaches the threshold of 0.300; contacting")


@pytest.mark.parametrize(
    ("decision", "promote", "head"),
    [
        ("accepted", True, "Champion now."),
        ("accepted", False, "May be champion."),
        ("refused", True, "Refused: the champion stays."),
        ("undecided", True, "Not decided: the champion stays."),
    ],
)
def test_the_gate_is_told_in_brief(decision: str, promote: bool, head: str) -> None:
    found = against_champion({**COMPARISON, "decision": decision, "promote": promote})
    assert found.head == head
    apart = "ROC AUC differs by +0.010 (\N{MINUS SIGN}0.005 to +0.025) from that of 2024"
    assert found.reason.startswith(apart)


def test_the_gate_without_figures_tells_its_reason_alone() -> None:
    undecided = {"difference": None, "interval": None, "reason": "the champion has seen the future"}
    assert against_champion({**COMPARISON, **undecided}).reason == (
        "The champion has seen the future."
    )


def test_a_comparison_of_other_subscriptions_is_told_as_one_of_these_dates() -> None:
    later = replace(REPORT, as_of=date(2025, 4, 1), in_use=True)
    (found,) = (answer for answer in judge(later).answers if answer.key == "champion")
    assert (found.question, found.verdict.head) == ("When it became champion", "Champion now.")
    assert found.verdict.reason.startswith(
        "Judged on subscriptions begun 2024-05-01 to 2024-07-31, as known on 2025-01-01, not on "
        "these. ROC AUC differed by +0.010"
    )
    past = replace(later, comparison={**COMPARISON, "difference": None})
    for report in (later, past):
        words = " ".join(to_text(report).split())
        assert "candidate against champion, on other subscriptions than these" in words
        told = "subscriptions begun 2024-05-01 to 2024-07-31, as known on 2025-01-01"
        assert words.count(told) == 1
    assert "other subscriptions" not in to_text(REPORT)
    gate = "gate On subscriptions begun 2024-05-01 to 2024-07-31, as known on 2025-01-01, not on"
    assert gate in " ".join(re.sub("<[^>]+>", " ", to_html(later)).split())


@pytest.mark.parametrize("decision", ["accepted", "refused", "undecided"])
def test_the_text_tells_the_reason_of_the_gate_once(decision: str) -> None:
    report = replace(REPORT, comparison={**COMPARISON, "decision": decision})
    # It may begin a sentence.
    assert " ".join(to_text(report).split()).casefold().count(COMPARISON["reason"]) == 1


def test_questions_are_answered_in_the_order_of_their_weight() -> None:
    judgement = judge(REPORT)
    assert [answer.question for answer in judgement.answers] == [
        "Against chance",
        "Against a plain model",
        "Against the champion",
        "As probabilities",
    ]
    assert judgement.head == "Better than chance, and than a logistic regression."
    assert judgement.advice.head == "Contact the riskiest 71%."


@pytest.mark.parametrize(
    ("changes", "head"),
    [
        ({"decision": "refused"}, "Keep the champion."),
        ({"decision": "undecided"}, "Keep the champion for now."),
        ({"promote": False}, "Promote it by hand before you act on it."),
        ({}, "Contact the riskiest 71%."),
    ],
)
def test_only_a_candidate_that_wins_is_to_be_acted_on(changes: dict[str, Any], head: str) -> None:
    judgement = judge(replace(REPORT, comparison={**COMPARISON, **changes}))
    assert judgement.advice.head == head


def test_a_candidate_of_which_nothing_can_be_judged_leaves_the_champion_in_its_place() -> None:
    undecided = {**COMPARISON, "decision": "undecided"}
    nothing = make_report(make_scored().head(0), importance=(), comparison=undecided)
    assert judge(nothing).advice.head == "Keep the champion for now."


@pytest.mark.parametrize(
    ("in_use", "head"),
    [
        (True, "Contact the riskiest 71%."),
        (False, "If it is used: contact the riskiest 71%."),
        (None, "If it is used: contact the riskiest 71%."),
    ],
)
def test_of_a_model_not_known_to_be_in_use_it_is_told_what_would_be(
    in_use: bool | None, head: str
) -> None:
    assert judge(replace(REPORT, comparison=None, in_use=in_use)).advice.head == head


def test_a_model_that_a_plain_one_beats_is_not_to_be_acted_on_even_in_use() -> None:
    swapped = make_scored().select(
        pl.exclude("churn_probability", "baseline_probability"),
        churn_probability="baseline_probability",
        baseline_probability="churn_probability",
    )
    judgement = judge(make_report(swapped, comparison=None, in_use=True))
    assert judgement.head == "Better than chance, but worse than a logistic regression."
    assert judgement.advice.head == (
        "Find out why a logistic regression ranks better before you act on it."
    )


def test_who_ranks_worse_than_chance_is_no_guide() -> None:
    judgement = judge(make_report(WORSE, comparison=None))
    assert judgement.head == "Worse than chance."
    assert judgement.advice.head == "Contact nobody by this model."


def test_nothing_is_advised_on_what_cannot_be_told_from_chance() -> None:
    random = make_scored().with_columns(pl.col("churn_probability").shuffle(seed=1))
    judgement = judge(make_report(random, comparison=None))
    assert judgement.head == "Not told apart from chance."
    assert judgement.advice.head == "Do not act on this model yet."


def test_a_training_says_that_its_threshold_was_chosen_on_the_same_rows() -> None:
    assert "flatters" in judge(in_training(make_scored())).advice.reason
    assert "flatters" not in judge(REPORT).advice.reason


def test_a_report_without_a_campaign_leaves_open_whom_to_contact() -> None:
    assert judge(replace(REPORT, campaign=None)).advice.kind == "undefined"
