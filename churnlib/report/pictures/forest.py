"""Forest plots: values with their intervals, one below the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from churnlib.report.pictures.drawing import (
    ACCENT,
    DOTTED,
    FILL,
    INK,
    MUTED,
    draw,
    name_axes,
    percentages,
)
from churnlib.shown import one_line

ROW_INCHES = 0.2
FRAME_INCHES = 0.75
LETTER_INCHES = 0.068
MOST_LETTERS = 26
LABEL_SIZE = 9


@dataclass(frozen=True)
class Row:
    """A line of a picture.

    Attributes:
        label: Its name.
        value: The value; None if not defined, or for a heading.
        interval: The interval of the value.
        beside: Another value to compare it with.
        note: A text instead of a value.
    """

    label: str
    value: float | None = None
    interval: Sequence[float] | None = None
    beside: float | None = None
    note: str = ""

    @property
    def is_heading(self) -> bool:
        """Whether it is a heading of the lines below."""
        return self.value is None and not self.note


def bars(name: str, label: str, rows: Sequence[Row], across: str) -> Markup:
    """Draws values as bars from 0, each with a thin line for its interval.

    Args:
        name: The prefix of the picture's ids, unique in its page.
        label: A description in words and numbers, for screen readers.
        rows: The values, from top to bottom.
        across: The label of the x axis.
    """

    def paint(axes: Axes, at: Sequence[int]) -> None:
        values = [row.value or 0.0 for row in rows]
        axes.barh(at, values, 0.62, color=FILL)
        axes.axvline(0, color=MUTED, lw=1)
        for y, row in zip(at, rows, strict=True):
            if row.interval:
                axes.plot(row.interval, [y, y], color=INK, lw=1)
            if row.value is not None:
                axes.plot([row.value] * 2, [y - 0.31, y + 0.31], color=ACCENT, lw=2.5)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        name_axes(axes, across)

    return _draw(name, label, rows, paint)


def dots(
    name: str,
    label: str,
    rows: Sequence[Row],
    across: str,
    *,
    line: float | None = None,
    as_shares: bool = False,
) -> Markup:
    """Draws values as dots on their intervals, each with a diamond to compare it with.

    Args:
        name: See `bars`.
        label: See `bars`.
        rows: See `bars`.
        across: See `bars`.
        line: A value to compare all with.
        as_shares: Whether the values are shares, shown in percent from 0.
    """

    def paint(axes: Axes, at: Sequence[int]) -> None:
        if line is not None:
            axes.axvline(line, color=MUTED, ls=DOTTED, lw=1.2)
        for y, row in zip(at, rows, strict=True):
            if row.value is None:
                continue
            if row.interval:
                axes.plot(row.interval, [y, y], color=INK, lw=1)
            if row.beside is not None:
                ring: dict[str, Any] = {"marker": "D", "mfc": "none", "ms": 5.5}
                axes.plot(row.beside, y, color=INK, clip_on=False, zorder=4, **ring)
            axes.plot(row.value, y, color=ACCENT, marker="o", ms=5, clip_on=False, zorder=3)
        _span(axes, rows, as_shares=as_shares)
        for y, row in zip(at, rows, strict=True):
            if row.note:
                left = axes.get_xlim()[0]
                axes.text(left, y, f" {row.note}", color=MUTED, va="center", fontsize=8)
        name_axes(axes, across)

    return _draw(name, label, rows, paint)


def _span(axes: Axes, rows: Sequence[Row], *, as_shares: bool) -> None:
    """Scales the x axis to all values and their intervals."""
    shown = [
        v for row in rows for v in (row.value, row.beside, *(row.interval or ())) if v is not None
    ]
    if as_shares:
        percentages(axes, max(shown, default=1.0), "x")
        return
    low, high = min(shown, default=0.0), max(shown, default=1.0)
    room = 0.05 * (high - low or 0.1)
    axes.set_xlim(low - room, high + room)
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))


def _draw(
    name: str,
    label: str,
    rows: Sequence[Row],
    paint: Callable[[Axes, Sequence[int]], None],
) -> Markup:
    shown = [_shortened(one_line(row.label)) for row in rows]
    at = np.arange(len(rows)).tolist()

    def paint_all(axes: Axes) -> None:
        paint(axes, at)
        axes.set_yticks(at, shown, fontsize=LABEL_SIZE)
        for tick, row in zip(axes.get_yticklabels(), rows, strict=True):
            if row.is_heading:
                tick.set_color(MUTED)
                tick.set_fontsize(8)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="x", length=0)

    longest = max(map(len, shown), default=0)
    left = 0.2 + LETTER_INCHES * max(longest, 6)
    return draw(name, label, paint_all, height=FRAME_INCHES + ROW_INCHES * len(rows), left=left)


def _shortened(label: str) -> str:
    """Shortens a name to the space available.

    >>> _shortened("a_name_that_goes_on_and_on_and_on")
    'a_name_that_goes_on_and_o…'
    """
    return label if len(label) <= MOST_LETTERS else label[: MOST_LETTERS - 1] + "…"
