"""The findings of each picture."""

from xml.etree import ElementTree as ET

import numpy as np
import pytest

from churnlib.report.pictures import cohorts, ranking, segments
from churnlib.report.pictures.importance import MOST_FEATURES, importance
from churnlib.report.pictures.profit import profit
from churnlib.report.pictures.ranking import Ranking, baseline_gains
from churnlib.report.pictures.reliability import reliability
from tests.churnlib.report.pictures.samples import (
    CAMPAIGN,
    COHORTS,
    DECILES,
    FEATURES,
    RISK_GROUPS,
    SEGMENTS,
    STEPS,
    draw,
    outcome,
    part,
)

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def test_roc_names_model_and_baseline() -> None:
    picture = draw("roc")
    assert {"model 0.800", "plain 0.500", "chance 0.5"} <= set(texts(picture.svg))
    assert "In 80 of 100 pairs" in picture.finding


def test_precision_is_stated_at_half_of_the_recall() -> None:
    assert (
        "At 50% recall, 60% of those selected churn; at random 20% would"
        in draw("precision-recall").finding
    )


def test_gains_and_lift_state_the_first_decile_with_its_interval() -> None:
    assert draw("gains").finding == "The riskiest 10% include 32% of all churners (27% to 37%)."
    assert "3.2 times as often as average (2.8 to 3.5)" in draw("lift").finding


def test_gains_without_an_interval_are_drawn_without_a_band() -> None:
    bare = [{**tenth, "intervals": {"cumulative_gain": None}} for tenth in DECILES]
    picture = ranking.gains("g", "all", bare, 0.2)
    assert picture.finding == "The riskiest 10% include 32% of all churners."


def test_gains_of_a_baseline_follow_from_its_roc_curve() -> None:
    """Half of the rows churn, and the first half of the list holds them all."""
    across, up = baseline_gains((np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0])), 0.5)
    assert across.tolist() == pytest.approx(STEPS.tolist())
    assert up.tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1, 1, 1])


def test_reliability_weighs_its_groups_by_their_rows() -> None:
    predicted = (12_345 * 0.7 + 950 * 0.1) / 13_295
    observed = 12_345 * 0.72 / 13_295
    finding = f"The mean prediction is {predicted:.0%}, the churn rate {observed:.0%}."
    assert finding in draw("reliability").finding


def test_reliability_of_rare_churn_has_distinct_ticks() -> None:
    rare = [{**g, "predicted": 0.002, "churn_rate": 0.003, "interval": None} for g in RISK_GROUPS]
    ticks = [t for t in texts(reliability("r", "all", rare, 0.001, None).svg) if t.endswith("%")]
    assert len(ticks) > 4
    assert max(map(ticks.count, ticks)) <= 2  # Once across and once up.


def test_reliability_of_one_group_at_the_ends() -> None:
    one = [{"rows": 3, "predicted": 1.0, "churn_rate": 1.0, "interval": (0.4, 1.0)}]
    assert "100%" in texts(reliability("r", "all", one, 0.0, None).svg)


def test_profit_states_the_chosen_threshold_and_the_best() -> None:
    picture = draw("profit")
    assert picture.finding == "Contacting the riskiest 20% gains 1,250 (900 to 1,600)."
    assert "1,400 at 30%" in picture.reading
    assert {"chosen threshold", "best in hindsight", "1k"} <= set(texts(picture.svg))


@pytest.mark.parametrize("gain", [-5.0, 0.0])
def test_profit_of_nobody_is_drawn(gain: float) -> None:
    nobody = outcome(0.0, 0.0, expected_gain_ci=None)
    curve = [nobody, outcome(1.0, gain)]
    flat = {**CAMPAIGN, "at_threshold": nobody, "best": nobody, "curve": curve}
    assert profit("p", "all", flat).finding.startswith("The chosen threshold contacts nobody")


def test_importance_shows_the_first_features_and_counts_the_unimportant() -> None:
    many = [{**FEATURES[0], "feature": f"feature_{n}"} for n in range(30)]
    shown = [t for t in texts(importance("i", "all", many).svg) if t.startswith("feature_")]
    assert len(shown) == MOST_FEATURES
    reading = draw("importance").reading
    assert reading.startswith("2 features, of which 1 loses nothing. ")
    assert "Correlated features can replace each other" in reading


def test_importance_of_a_model_without_important_features() -> None:
    picture = importance("i", "all", FEATURES[1:])
    assert picture.finding == "Shuffling any of the features loses nothing."


def test_segment_that_differs_significantly_is_named() -> None:
    assert draw("segments-ranking").finding.startswith(
        "Characters returning (0.800) differs significantly"
    )
    alike = {"characters": [part("new", 0.7, 0.2, 0.2), part("returning", 0.74, 0.1, 0.1)]}
    picture = segments.ranking_by_segment("s", "all", alike, 0.72)
    assert picture.finding == "None of 2 segments differs significantly from the overall 0.720."


def test_segment_without_metrics_has_a_note() -> None:
    assert " 24 of 120 churned" in texts(draw("segments-ranking").svg)
    assert "not known" in texts(draw("segments-ranking").svg)


def test_segments_with_poor_mean_predictions_are_counted() -> None:
    assert draw("segments-churn").finding.startswith(
        "1 of 3 segments has a mean prediction outside"
    )
    right = {"race": SEGMENTS["race"]}
    assert segments.churn_by_segment("s", "all", right).finding.startswith("None of 1 segment have")


@pytest.mark.parametrize(
    ("last", "word"),
    [(0.6, "significant decay"), (0.95, "significant rise"), (0.78, "no significant change")],
)
def test_decay_is_significant_where_intervals_do_not_overlap(last: float, word: str) -> None:
    months = [COHORTS[0], part("2024-07", last, 0.1, 0.1)]
    picture = cohorts.ranking_by_month("m", "all", months, 0.75)
    assert picture.finding == f"ROC AUC 0.800 in 2024-05, {last:.3f} in 2024-07; {word}."


def test_months_are_labelled_so_that_they_fit() -> None:
    months = [part(f"{2022 + n // 12}-{n % 12 + 1:02}", 0.7, 0.1, 0.1) for n in range(25)]
    labels = [t for t in texts(cohorts.churn_by_month("m", "all", months).svg) if "20" in t[:2]]
    assert labels == ["2022-01", "2022-06", "2022-11", "2023-04", "2023-09"]


def test_single_ranking_is_drawn() -> None:
    alone = (Ranking("model", (STEPS, STEPS), 0.5),)
    assert "plain" not in " ".join(texts(ranking.roc("r", "all", alone).svg))
