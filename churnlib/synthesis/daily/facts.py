"""The features of a subscription on the day it starts that are computed from days of play."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from churnlib.synthesis.span import STARTS
from churnlib.synthesis.truth import Floats

Array = NDArray[Any]


def total(daily: Array, who: Array, first: Array, last: Array) -> Floats:
    """Sums the days of some characters from a first to a last day, both included.

    Args:
        daily: The values, of shape (days, characters).
        who: The characters.
        first: The first day for each, since 1970-01-01; earlier ones than the data's hold nothing.
        last: The last day for each.
    """
    if not len(who):
        return np.zeros(0)
    begin = max(int(first.min()) - STARTS[0], 0)
    end = max(int(last.max()) - STARTS[0] + 1, begin)
    days = STARTS[0] + np.arange(begin, end)[:, None]
    inside = (first <= days) & (days <= last)
    sums: Floats = np.where(inside, daily[begin:end, who], 0).sum(axis=0, dtype=np.float64)
    return sums


def days_since_last(daily: Array, who: Array, day: Array, last: Array) -> Floats:
    """Counts the days from the last day with anything to another day; NaN if there is none.

    Args:
        daily: The values, of shape (days, characters).
        who: The characters.
        day: The day to which it counts, for each.
        last: The last day that is visible, for each.
    """
    days = STARTS[0] + np.arange(len(daily))[:, None]
    newest = np.where((daily[:, who] > 0) & (days <= last), days, -1).max(axis=0, initial=-1)
    return np.where(newest < 0, np.nan, day - newest)


def ratio(of: Floats, over: Floats) -> Floats:
    """Divides; NaN where the divisor is 0 or NaN."""
    quotient: Floats = np.divide(of, over, out=np.full(len(of), np.nan), where=over > 0)
    return quotient
