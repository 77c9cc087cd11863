"""How many outcomes a verdict on a ranking needs."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from churnlib.metrics.evaluate import score_group
from churnlib.metrics.few_outcomes import require_outcomes, too_few
from churnlib.report.verdicts import against_baseline, against_chance
from churnlib.settings import EvaluationSettings
from tests.churnlib.metrics.test_evaluate import score, table

LEAST = EvaluationSettings().min_outcomes


def plain(churned: int, stayed: int) -> dict[str, Any]:
    """The metrics of a perfect ranking."""
    outcome = np.arange(churned + stayed) < churned
    return score(outcome, np.linspace(0.9, 0.1, len(outcome))).to_json()


@pytest.mark.parametrize(
    ("churned", "stayed", "kind"),
    [(LEAST - 1, 300, "unsure"), (LEAST, 300, "better"), (300, LEAST - 1, "unsure")],
)
def test_better_than_chance_needs_enough_of_each_outcome(
    churned: int, stayed: int, kind: str
) -> None:
    scores = require_outcomes({"general": plain(churned, stayed)}, LEAST)["general"]
    verdict = against_chance(scores)
    assert verdict.kind == kind
    assert scores["min_outcomes"] == LEAST
    sentence = (
        f"a verdict on the ranking needs {LEAST} churners and {LEAST} others, and there are "
        f"{churned} and {stayed}"
    )
    assert (sentence in (scores["reason"] or "")) == (kind == "unsure")
    assert (sentence in verdict.reason) == (kind == "unsure")
    assert too_few({**scores, "min_outcomes": 1}) is None


def test_worse_than_chance_needs_them_too() -> None:
    outcome: list[int | None] = [*[0] * 300, *[1] * (LEAST - 1)]
    backwards = score_group(table(outcome, np.linspace(0.9, 0.1, len(outcome)).tolist()))
    scores = require_outcomes({"general": backwards.to_json()}, LEAST)["general"]
    assert scores["roc_auc_ci"][1] < 0.5
    verdict = against_chance(scores)
    assert (verdict.kind, verdict.head) == ("unsure", "Too few outcomes to compare with chance.")


def test_there_is_no_verdict_on_the_baseline_with_too_few_outcomes() -> None:
    differences = {"roc_auc": {"difference": 0.2, "interval": (0.1, 0.3)}}
    scores = plain(3, 50) | {"baselines": {"logistic_regression": {"differences": differences}}}
    assert against_baseline(scores) is not None
    assert against_baseline(require_outcomes({"general": scores}, LEAST)["general"]) is None


def test_an_undefined_ranking_keeps_its_own_reason() -> None:
    scores = plain(0, 5)
    assert require_outcomes({"general": scores}, LEAST)["general"]["reason"] == scores["reason"]


@pytest.mark.slow
def test_random_rankings_of_few_churners_are_hardly_ever_called_better() -> None:
    """With two churners, one in eight would be."""
    rng = np.random.default_rng(1)
    claims = 0
    for churned in (2, LEAST):
        outcome = np.arange(200) < churned
        for _ in range(40):
            scores = score(outcome, rng.random(200)).to_json()
            judged = require_outcomes({"general": scores}, LEAST)["general"]
            claims += against_chance(judged).kind == "better"
    assert claims <= 5


def test_churn_in_several_rows_of_a_subscription_counts_once() -> None:
    outcome = np.arange(400) < 6 * (LEAST - 1)
    rows = table(outcome.astype(int).tolist(), np.linspace(0.9, 0.1, 400).tolist())
    rows = rows.with_columns(sub_id=pl.col("sub_id") // 6, char_id=pl.col("sub_id") // 6)
    scores = score_group(rows).to_json()
    assert (scores["n"], scores["positives"]) == (400, 6 * (LEAST - 1))
    assert (scores["subscriptions"], scores["churned_subscriptions"]) == (67, LEAST - 1)
    judged = require_outcomes({"general": scores}, LEAST)["general"]
    assert f"there are {LEAST - 1} and {67 - (LEAST - 1)}" in judged["reason"]
    assert against_chance(judged).kind == "unsure"
    assert (
        against_chance(require_outcomes({"general": scores}, LEAST - 1)["general"]).kind == "better"
    )
