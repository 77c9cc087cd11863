"""A picture of the expected gain of a campaign."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from churnlib.report.formatting import capital, gain_between, gain_or_loss, minus, share
from churnlib.report.pictures.drawing import (
    ACCENT,
    FILL,
    INK,
    MUTED,
    PAPER,
    Picture,
    draw,
    key,
    name_axes,
    reach,
)


def profit(name: str, about: str, campaign: Mapping[str, Any]) -> Picture:
    """Draws the expected gain of a campaign by the share that it contacts.

    Args:
        name: The prefix of the picture's ids, unique in its page.
        about: Which subscriptions it is about.
        campaign: See `churnlib.metrics.campaign.Campaign`.
    """
    chosen, best, curve = campaign["at_threshold"], campaign["best"], campaign["curve"]
    interval = chosen["expected_gain_ci"]

    def paint(axes: Axes) -> None:
        across = [point["share"] for point in curve]
        gains = [point["expected_gain"] for point in curve]
        axes.axhline(0, color=MUTED, lw=1)
        axes.plot(across, gains, color=ACCENT)
        axes.fill_between(across, gains, 0, where=[g >= 0 for g in gains], color=FILL, lw=0)
        at = (chosen["share"], chosen["expected_gain"])
        spread = reach([at[1]], [interval])
        axes.errorbar(*at, spread, fmt="none", ecolor=INK, elinewidth=1.2, zorder=4)
        label = "best in hindsight"
        dot: dict[str, Any] = {"marker": "o", "ls": "none", "clip_on": False}
        axes.plot(*at, **dot, color=ACCENT, ms=8, zorder=6, label="chosen threshold")
        axes.plot(
            best["share"],
            best["expected_gain"],
            **dot,
            color=INK,
            mfc=PAPER,
            ms=6,
            zorder=5,
            label=label,
        )
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(PercentFormatter(1, 0))
        axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
        _reach_of_money(axes, gains, interval)
        name_axes(axes, "contacted, riskiest first")
        key(axes, "lower left")

    result = gain_or_loss(chosen["expected_gain"], "gains", "loses")
    certainty = f" ({gain_between(interval)})" if interval else ""
    what = f"contacting the riskiest {share(chosen['share'])} {result}{certainty}"
    if not chosen["contacted"]:
        what = "the chosen threshold contacts nobody, which gains nothing"
    other = f"{gain_or_loss(best['expected_gain'])} at {share(best['share'])}"
    if not best["share"]:
        other = "contacting nobody"
    everyone = gain_or_loss(campaign["everybody"]["expected_gain"], "gains", "loses")
    more = f"best in hindsight is {other}; contacting everyone {everyone}"
    return Picture(
        "Profit curve",
        f"{capital(what)}.",
        draw(name, f"Expected gain of a campaign to {about}: {what}; {more}.", paint, left=0.68),
        f"Expected gain, in the game's own money. {capital(more)}.",
    )


def _reach_of_money(axes: Axes, gains: list[float], interval: tuple[float, float] | None) -> None:
    """Scales the y axis to all gains, and to losses of up to the same size."""
    highest = max(*gains, 0.0, interval[1] if interval else 0.0)
    lowest = min(*gains, 0.0, interval[0] if interval else 0.0)
    if highest > 0:
        lowest = max(lowest, min(-1.2 * highest, interval[0] if interval else 0.0))
        lowest = min(lowest, -0.3 * highest)  # Room for the key.
    room = 0.06 * (highest - lowest or 1.0)
    axes.set_ylim(lowest - room, highest + room)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))


def _short(value: float) -> str:
    """Writes an amount of money in few characters.

    >>> _short(950), _short(12_500), _short(2_500_000), _short(0.25)
    ('950', '12.5k', '2.5M', '0.25')
    """
    size = abs(value)
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size >= unit:
            return minus(f"{value / unit:.3g}{letter}")
    return minus(f"{value:.3g}")
