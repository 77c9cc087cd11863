"""Pictures of ranking quality: how well churners are ranked above non-churners."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from churnlib.report.curves import DECILE_ENDS, Curve, height_at
from churnlib.report.formatting import between, number, share, times
from churnlib.report.pictures.drawing import (
    ACCENT,
    DASHED,
    DOTTED,
    FILL,
    INK,
    MUTED,
    Picture,
    draw,
    key,
    name_axes,
    reach,
    shares,
)


@dataclass(frozen=True)
class Ranking:
    """The curve of a model.

    Attributes:
        model: The name of the model.
        curve: The curve.
        area: The area under it: ROC AUC or average precision.
    """

    model: str
    curve: Curve
    area: float


def roc(name: str, about: str, rankings: Sequence[Ranking]) -> Picture:
    """Draws ROC curves, with the diagonal of chance.

    Args:
        name: The prefix of the picture's ids, unique in its page.
        about: Which subscriptions it is about.
        rankings: The model, then its baseline, each with its ROC AUC.
    """

    def paint(axes: Axes) -> None:
        _lines(axes, rankings)
        axes.plot([0, 1], [0, 1], color=MUTED, ls=DOTTED, lw=1.2, label="chance 0.5")
        shares(axes, "false positive rate", "true positive rate")
        key(axes, "lower right")

    areas = _areas(rankings)
    return Picture(
        "ROC curve",
        f"In {100 * rankings[0].area:.0f} of 100 pairs of a churner and a non-churner, the churner "
        "is ranked higher.",
        draw(name, f"ROC curve of {about}. Area under the curve: {areas}, chance 0.5.", paint),
        "The farther above the dotted chance line, the better.",
    )


def precision_recall(
    name: str, about: str, rankings: Sequence[Ranking], base_rate: float
) -> Picture:
    """Draws precision-recall curves, with the level of chance.

    Args:
        name: See `roc`.
        about: See `roc`.
        rankings: The model, then its baseline, each with its average precision.
        base_rate: The churn rate.
    """
    half = float(rankings[0].curve[1][np.searchsorted(rankings[0].curve[0], 0.5)])

    def paint(axes: Axes) -> None:
        _lines(axes, rankings, drawstyle="steps-pre")
        chance = f"chance {number(base_rate)}"
        axes.axhline(base_rate, color=MUTED, ls=DOTTED, lw=1.2, label=chance)
        shares(axes, "recall: churners found", "precision")
        key(axes, "upper right")

    finding = f"At 50% recall, {share(half)} of those selected churn"
    areas = _areas(rankings)
    label = f"Precision-recall curve of {about}. Average precision: {areas}. {finding}."
    return Picture(
        "Precision and recall",
        f"{finding}; at random {share(base_rate)} would.",
        draw(name, label, paint),
        "From left to right more are selected, the riskiest first. The higher the "
        "line stays, the better.",
    )


def gains(
    name: str,
    about: str,
    deciles: Sequence[Mapping[str, Any]],
    base_rate: float,
    baseline: Curve | None = None,
) -> Picture:
    """Draws cumulative gains by decile, with their intervals.

    Args:
        name: See `roc`.
        about: See `roc`.
        deciles: The deciles, riskiest first; see `churnlib.metrics.deciles.Decile`.
        base_rate: The churn rate, which limits how steep the curve can be.
        baseline: The gains of the logistic regression; None if there is none.
    """
    cumulative = np.array([0.0, *(decile["cumulative_gain"] for decile in deciles)])
    ends = [decile["intervals"]["cumulative_gain"] for decile in deciles]
    first, interval = cumulative[1], ends[0]

    def paint(axes: Axes) -> None:
        band = np.array([(0.0, 0.0), *(end or (np.nan, np.nan) for end in ends)]).T
        axes.fill_between(DECILE_ENDS, *band, color=FILL, lw=0, label="95% interval")
        axes.plot(
            DECILE_ENDS,
            cumulative,
            color=ACCENT,
            marker="o",
            label="model",
            clip_on=False,
            zorder=3,
        )
        if baseline:
            axes.plot(*baseline, color=INK, ls=DASHED, lw=1.2, label="logistic regression")
        axes.plot([0, base_rate, 1], [0, 1, 1], color=MUTED, lw=0.8, label="best possible")
        axes.plot([0, 1], [0, 1], color=MUTED, ls=DOTTED, lw=1.2, label="chance")
        shares(axes, "selected, riskiest first", "churners found")
        key(axes, "lower right")

    each = ", ".join(
        f"{at:.0%} {share(held)}" for at, held in zip(DECILE_ENDS, cumulative, strict=True)
    )
    certainty = f" ({between(interval, share)})" if interval else ""
    return Picture(
        "Cumulative gains",
        f"The riskiest 10% include {share(first)} of all churners{certainty}.",
        draw(name, f"Cumulative gains of {about}: of the riskiest {each}.", paint),
        "The share of churners found by going down the list from the riskiest.",
    )


def lift(name: str, about: str, deciles: Sequence[Mapping[str, Any]]) -> Picture:
    """Draws the lift of each decile, with its interval.

    Args:
        name: See `roc`.
        about: See `roc`.
        deciles: See `gains`.
    """
    values = [decile["lift"] for decile in deciles]
    ends = [decile["intervals"]["lift"] for decile in deciles]
    at = np.arange(1, len(values) + 1)

    def paint(axes: Axes) -> None:
        axes.bar(at, values, 0.7, color=FILL)
        axes.errorbar(at, values, reach(values, ends), fmt="none", ecolor=INK, elinewidth=1)
        axes.plot(at, values, color=ACCENT, ls="none", marker="_", ms=13, mew=2.5)
        axes.axhline(1, color=MUTED, ls=DOTTED, lw=1.2)
        axes.text(10.45, 1.03, "average", color=MUTED, ha="right", va="bottom", fontsize=9)
        axes.set_xlim(0.5, 10.5)
        axes.set_ylim(0, 1.05 * max([*values, *(end[1] for end in ends if end), 1.2]))
        axes.set_xticks(at)
        axes.tick_params(axis="x", length=0)
        axes.grid(visible=False, axis="x")
        name_axes(axes, "risk decile, riskiest first", "churn rate / average")

    each = ", ".join(map(times, values))
    certainty = f" ({between(ends[0], times)})" if ends[0] else ""
    return Picture(
        "Lift by decile",
        f"The riskiest decile churns {times(values[0])} times as often as average{certainty}.",
        draw(name, f"Lift of {about} by decile, riskiest first: {each}.", paint),
        "Bars should fall from left to right, from far above 1 to far below. Lines are 95% "
        "confidence intervals.",
    )


def baseline_gains(curve: Curve, base_rate: float) -> Curve:
    """Computes the gains by decile of the ranking behind a ROC curve."""
    false_share, true_share = curve
    selected = base_rate * true_share + (1 - base_rate) * false_share
    return DECILE_ENDS, height_at((selected, true_share), DECILE_ENDS)


def _lines(axes: Axes, rankings: Sequence[Ranking], **options: Any) -> None:
    styles: tuple[dict[str, Any], ...] = (
        {"color": ACCENT, "zorder": 3},
        {"color": INK, "ls": DASHED, "lw": 1.2},
    )
    for ranking, style in zip(rankings, styles, strict=False):
        label = f"{ranking.model} {number(ranking.area)}"
        axes.plot(*ranking.curve, label=label, clip_on=False, **style, **options)


def _areas(rankings: Sequence[Ranking]) -> str:
    return ", ".join(f"{ranking.model} {number(ranking.area)}" for ranking in rankings)
