"""Which pictures a report shows, and of what."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from churnlib.report import curves
from churnlib.report.content import GROUPS, Report
from churnlib.report.pictures import cohorts, ranking, segments
from churnlib.report.pictures.drawing import Picture
from churnlib.report.pictures.importance import importance
from churnlib.report.pictures.profit import profit
from churnlib.report.pictures.ranking import Ranking
from churnlib.report.pictures.reliability import reliability
from churnlib.schemas.columns import BASELINE, LABEL, PROBABILITY

Figures = Mapping[str, Any]

LEAST_MONTHS = 2
"""Fewer tell nothing of a decay."""


@dataclass(frozen=True)
class Gallery:
    """The pictures of one group of subscriptions.

    Attributes:
        ranking: How well it ranks: the ROC curve, precision and recall, gains, lift.
        reliability: Whether the probabilities hold.
        missing: Why there are no pictures; empty where there are.
    """

    ranking: Mapping[str, Picture]
    reliability: Picture | None = None
    missing: str = ""


def of_group(
    name: str, scores: Figures, scored: pl.DataFrame | None, *, brief: bool = False
) -> Gallery:
    """Draws the pictures of a group.

    Args:
        name: The group, as in `GROUPS`.
        scores: Its figures, as `churnlib.metrics.evaluate.Scores` gives them.
        scored: See `churnlib.report.html.to_html`.
        brief: Draw only what matters most.
    """
    if scores["roc_auc"] is None:
        return Gallery({}, missing=f"Nothing to draw: {scores['reason']}.")
    about, deciles = GROUPS[name], scores["deciles"]
    baseline = None
    drawn: dict[str, Picture] = {}
    if scored is not None:
        found = _curves(_rows(name, scored))
        rocs = _rankings(scores, "roc_auc", [roc for roc, _ in found])
        drawn["roc"] = ranking.roc(f"roc-{name}", about, rocs)
        if len(rocs) > 1:
            baseline = ranking.baseline_gains(rocs[1].curve, scores["base_rate"])
        if not brief:
            pairs = _rankings(scores, "average_precision", [pair for _, pair in found])
            drawn["precision_recall"] = ranking.precision_recall(
                f"precision-recall-{name}", about, pairs, scores["base_rate"]
            )
    base_rate = scores["base_rate"]
    drawn["gains"] = ranking.gains(f"gains-{name}", about, deciles, base_rate, baseline)
    if not brief:
        drawn["lift"] = ranking.lift(f"lift-{name}", about, deciles)
    return Gallery(
        drawn,
        reliability(
            f"reliability-{name}",
            about,
            scores["risk_groups"],
            scores["expected_calibration_error"],
            scores["intervals"].get("expected_calibration_error"),
        ),
    )


def of_campaign(report: Report) -> Picture | None:
    """Draws what a campaign to all subscriptions gains; null where that is not defined."""
    if not report.campaign or report.campaign["reason"]:
        return None
    return profit("profit", GROUPS["general"], report.campaign)


def of_features(report: Report) -> Picture | None:
    """Draws what the model leans on; null where that was not measured."""
    if not report.importance:
        return None
    return importance("importance", GROUPS["general"], report.importance)


def of_segments(report: Report) -> tuple[Picture, ...]:
    """Draws how the model does of each part of the subscriptions."""
    overall, parts = report.judged["general"]["roc_auc"], report.segments
    about, drawn = GROUPS["general"], []
    if overall is not None and _any(parts.values(), "roc_auc"):
        drawn.append(segments.ranking_by_segment("segments-ranking", about, parts, overall))
    if _any(parts.values(), "mean_predicted"):
        drawn.append(segments.churn_by_segment("segments-churn", about, parts))
    return tuple(drawn)


def of_months(report: Report) -> tuple[Picture, ...]:
    """Draws how the model does of each month; nothing of fewer than `LEAST_MONTHS`."""
    overall, months = report.judged["general"]["roc_auc"], report.cohorts
    about, drawn = GROUPS["general"], []
    if len(months) < LEAST_MONTHS:
        return ()
    if overall is not None and _any([months], "roc_auc"):
        drawn.append(cohorts.ranking_by_month("months-ranking", about, months, overall))
    if _any([months], "mean_predicted"):
        drawn.append(cohorts.churn_by_month("months-churn", about, months))
    return tuple(drawn)


def _rows(name: str, scored: pl.DataFrame) -> pl.DataFrame:
    rows = scored.filter("is_first_sub") if name == "new_characters" else scored
    return rows.filter(pl.col(LABEL).is_not_null())


def _curves(known: pl.DataFrame) -> list[tuple[curves.Curve, curves.Curve]]:
    """The ROC and the precision-recall curve of the model, and of the baseline if there is one."""
    outcome = known[LABEL].to_numpy().astype(np.bool_)
    columns = [
        c for c in (PROBABILITY, BASELINE) if c in known.columns and not known[c].null_count()
    ]
    probabilities = [known[column].to_numpy() for column in columns]
    return [(curves.roc(outcome, p), curves.precision_recall(outcome, p)) for p in probabilities]


def _rankings(scores: Figures, figure: str, found: list[curves.Curve]) -> list[Ranking]:
    plain = scores["baselines"].get("logistic_regression")
    areas = [scores[figure], plain and plain[figure]]
    names = ("model", "logistic regression")
    named = zip(names, found, areas, strict=False)
    return [Ranking(who, curve, area) for who, curve, area in named if area is not None]


def _any(parts: Any, figure: str) -> bool:
    return any(part[figure] is not None for group in parts for part in group)
