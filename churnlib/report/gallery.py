"""The pictures of a report's page, by section."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import numpy as np
import polars as pl

from churnlib.report import curves
from churnlib.report.content import GROUPS, Plain, Report
from churnlib.report.pictures import cohorts, ranking, segments, survival
from churnlib.report.pictures.drawing import Picture
from churnlib.report.pictures.importance import importance
from churnlib.report.pictures.profit import profit
from churnlib.report.pictures.ranking import Ranking
from churnlib.report.pictures.reliability import reliability
from churnlib.report.survival import churned_by, shown_months
from churnlib.schemas.columns import BASELINE, LABEL, PROBABILITY

MIN_MONTHS = 2
"""With fewer months there is no trend to draw."""


def pictures(report: Report, scored: pl.DataFrame | None) -> dict[str, tuple[Picture, ...]]:
    """Draws the pictures of a report.

    Args:
        report: The report.
        scored: See `churnlib.report.html.to_html`.

    Returns:
        The pictures by the key of their section; none for undefined metrics.
    """
    everyone, new = (_of_group(name, report, scored) for name in ("general", "new_characters"))
    return {
        "metrics": _chosen(everyone, "roc", "precision_recall"),
        "ranking": _chosen(everyone, "gains", "lift"),
        "calibration": _chosen(everyone, "reliability"),
        "campaign": _of_campaign(report),
        "features": _of_features(report),
        "segments": _of_segments(report),
        "months": _of_months(report),
        "survival": _of_survival(report),
        "new": _chosen(new, "roc", "gains", "reliability"),
    }


def _chosen(possible: Mapping[str, Callable[[], Picture]], *names: str) -> tuple[Picture, ...]:
    return tuple(possible[name]() for name in names if name in possible)


def _of_group(
    name: str, report: Report, scored: pl.DataFrame | None
) -> dict[str, Callable[[], Picture]]:
    """Functions that draw the pictures of a group; none if its ROC AUC is not defined."""
    scores = report.judged[name]
    if scores["roc_auc"] is None:
        return {}
    about, base_rate = report.group_names[name], scores["base_rate"]
    baseline = None
    possible: dict[str, Callable[[], Picture]] = {}
    if scored is not None:
        pairs = _curves(_labelled_rows(name, scored))
        rocs = _rankings(scores, "roc_auc", [roc for roc, _ in pairs])
        possible["roc"] = partial(ranking.roc, f"roc-{name}", about, rocs)
        if len(rocs) > 1:
            baseline = ranking.baseline_gains(rocs[1].curve, base_rate)
        precisions = _rankings(scores, "average_precision", [curve for _, curve in pairs])
        possible["precision_recall"] = partial(
            ranking.precision_recall, f"precision-recall-{name}", about, precisions, base_rate
        )
    deciles = scores["deciles"]
    possible["gains"] = partial(ranking.gains, f"gains-{name}", about, deciles, base_rate, baseline)
    possible["lift"] = partial(ranking.lift, f"lift-{name}", about, deciles)
    possible["reliability"] = partial(
        reliability,
        f"reliability-{name}",
        about,
        scores["risk_groups"],
        scores["expected_calibration_error"],
        scores["intervals"].get("expected_calibration_error"),
    )
    return possible


def _of_campaign(report: Report) -> tuple[Picture, ...]:
    if not report.campaign or report.campaign["reason"]:
        return ()
    return (profit("profit", report.words.everyone, report.campaign),)


def _of_features(report: Report) -> tuple[Picture, ...]:
    if not report.importance:
        return ()
    return (importance("importance", report.words.everyone, report.importance),)


def _of_segments(report: Report) -> tuple[Picture, ...]:
    overall, parts = report.judged["general"]["roc_auc"], report.segments
    about, drawn = report.words.everyone, []
    if overall is not None and _any(parts.values(), "roc_auc"):
        drawn.append(segments.ranking_by_segment("segments-ranking", about, parts, overall))
    if _any(parts.values(), "mean_predicted"):
        drawn.append(segments.churn_by_segment("segments-churn", about, parts))
    return tuple(drawn)


def _of_months(report: Report) -> tuple[Picture, ...]:
    overall, months = report.judged["general"]["roc_auc"], report.cohorts
    about, month, drawn = report.words.everyone, report.words.month, []
    if len(months) < MIN_MONTHS:
        return ()
    if overall is not None and _any([months], "roc_auc"):
        drawn.append(cohorts.ranking_by_month("months-ranking", about, months, overall, month))
    if _any([months], "mean_predicted"):
        drawn.append(cohorts.churn_by_month("months-churn", about, months, month))
    return tuple(drawn)


def _of_survival(report: Report) -> tuple[Picture, ...]:
    months = shown_months(report.survival) if report.survival else []
    if not months:
        return ()
    about, horizon = GROUPS["general"], report.horizon_months
    finding = churned_by(months, horizon)
    return (
        survival.survival_by_tenure("survival", about, months, horizon, finding),
        survival.churn_by_tenure("survival-churn", about, months, horizon),
    )


def _labelled_rows(name: str, scored: pl.DataFrame) -> pl.DataFrame:
    rows = scored.filter("is_first_sub") if name == "new_characters" else scored
    return rows.filter(pl.col(LABEL).is_not_null())


def _curves(labelled: pl.DataFrame) -> list[tuple[curves.Curve, curves.Curve]]:
    """Computes the ROC and precision-recall curves of the model, and of the baseline if any."""
    outcome = labelled[LABEL].to_numpy().astype(np.bool_)
    columns = [
        c for c in (PROBABILITY, BASELINE) if c in labelled.columns and not labelled[c].null_count()
    ]
    probabilities = [labelled[column].to_numpy() for column in columns]
    return [(curves.roc(outcome, p), curves.precision_recall(outcome, p)) for p in probabilities]


def _rankings(scores: Plain, metric: str, lines: list[curves.Curve]) -> list[Ranking]:
    baseline = scores["baselines"].get("logistic_regression")
    areas = [scores[metric], baseline and baseline[metric]]
    names = ("model", "logistic regression")
    named = zip(names, lines, areas, strict=False)
    return [Ranking(model, curve, area) for model, curve, area in named if area is not None]


def _any(parts: Iterable[Iterable[Plain]], metric: str) -> bool:
    return any(part[metric] is not None for group in parts for part in group)
