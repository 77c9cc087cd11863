"""A sample of every kind of picture."""

from collections.abc import Callable
from typing import Any

import numpy as np

from churnlib.report.pictures import cohorts, ranking, segments
from churnlib.report.pictures.drawing import Picture
from churnlib.report.pictures.importance import importance
from churnlib.report.pictures.profit import profit
from churnlib.report.pictures.ranking import Ranking
from churnlib.report.pictures.reliability import reliability
from churnlib.report.pictures.survival import churn_by_tenure, survival_by_tenure
from tests.churnlib.report.samples import make_survival

ABOUT = 'a "label" with <marks> & more'
STEPS = np.linspace(0, 1, 11)
RANKINGS = (Ranking("model", (STEPS**2, STEPS), 0.8), Ranking("plain", (STEPS, STEPS), 0.5))
PRECISION = (Ranking("model", (STEPS, 1 - 0.8 * STEPS), 0.6),)
RISK_GROUPS = [
    {"rows": 12_345, "predicted": 0.7, "churn_rate": 0.72, "interval": (0.6, 0.8)},
    {"rows": 950, "predicted": 0.1, "churn_rate": 0.0, "interval": (0.0, 0.05)},
]


def decile(place: int) -> dict[str, Any]:
    gain = float(STEPS[place + 1] ** 0.5)
    held = gain - float(STEPS[place] ** 0.5)
    return {
        "decile": place + 1,
        "churn_rate": 2 * held,
        "lift": 10 * held,
        "cumulative_gain": gain,
        "intervals": {
            "lift": (9 * held, 11 * held),
            "cumulative_gain": (gain - 0.05, min(gain + 0.05, 1)),
        },
    }


DECILES = [decile(place) for place in range(10)]


def outcome(share: float, gain: float, **more: Any) -> dict[str, Any]:
    return {"share": share, "contacted": int(400 * share), "expected_gain": gain, **more}


CAMPAIGN = {
    "at_threshold": outcome(0.2, 1_250.0, expected_gain_ci=(900.0, 1_600.0)),
    "best": outcome(0.3, 1_400.0),
    "everybody": outcome(1.0, -800.0),
    "curve": [outcome(x, 1_400 - 4_500 * (x - 0.3) ** 2) for x in STEPS.tolist()],
}


def part(
    value: str | None, auc: float | None, rate: float, predicted: float | None
) -> dict[str, Any]:
    return {
        "value": value,
        "n": 120,
        "positives": 24,
        "immature": 0,
        "base_rate": rate,
        "mean_predicted": predicted,
        "roc_auc": auc,
        "expected_calibration_error": None,
        "intervals": {
            "roc_auc": auc and (auc - 0.05, auc + 0.05),
            "base_rate": (rate - 0.04, rate + 0.04),
        },
        "reason": None,
    }


SEGMENTS = {
    "characters": [part("new", 0.7, 0.2, 0.21), part("returning", 0.8, 0.1, 0.2)],
    "race": [part("elf", 0.72, 0.15, 0.15), part(None, None, 0.2, None)],
}
COHORTS = [part("2024-05", 0.8, 0.2, 0.3), part("2024-06", None, 0.2, None)]
COHORTS += [part("2024-07", 0.6, 0.1, 0.1)]
FEATURES = [
    {"feature": "hard_balance", "auc_loss": 0.1, "least": 0.08, "most": 0.12},
    {"feature": "a_name_that_goes_on_and_on_and_on", "auc_loss": 0.0, "least": -0.01, "most": 0.01},
]

TENURE = make_survival()["months"]

PICTURES: dict[str, Callable[[str], Picture]] = {
    "roc": lambda name: ranking.roc(name, ABOUT, RANKINGS),
    "precision-recall": lambda name: ranking.precision_recall(name, ABOUT, PRECISION, 0.2),
    "gains": lambda name: ranking.gains(name, ABOUT, DECILES, 0.2, (STEPS, STEPS)),
    "lift": lambda name: ranking.lift(name, ABOUT, DECILES),
    "reliability": lambda name: reliability(name, ABOUT, RISK_GROUPS, 0.02, (0.0, 0.04)),
    "profit": lambda name: profit(name, ABOUT, CAMPAIGN),
    "importance": lambda name: importance(name, ABOUT, FEATURES),
    "segments-ranking": lambda name: segments.ranking_by_segment(name, ABOUT, SEGMENTS, 0.72),
    "segments-churn": lambda name: segments.churn_by_segment(name, ABOUT, SEGMENTS),
    "months-ranking": lambda name: cohorts.ranking_by_month(name, ABOUT, COHORTS, 0.72),
    "months-churn": lambda name: cohorts.churn_by_month(name, ABOUT, COHORTS),
    "survival": lambda name: survival_by_tenure(name, ABOUT, TENURE, 6, "27% churn."),
    "survival-churn": lambda name: churn_by_tenure(name, ABOUT, TENURE, 6),
}
"""A drawing of each kind, by its name."""


def draw(kind: str) -> Picture:
    return PICTURES[kind](kind)
