"""The months that the sample data cover; days are counted from 1970-01-01, months from 0."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

MONTHS = 48
"""Months in which characters are created and subscriptions start: 2021-01 to 2024-12."""

STARTS: NDArray[Any] = (
    np.arange("2021-01", "2025-02", dtype="datetime64[M]").astype("datetime64[D]").astype(np.int32)
)
"""First day of each month, and of the month after the last, the latest date in the data."""

LENGTHS: NDArray[Any] = np.diff(STARTS)
"""Days in each month."""


def month_of(days: NDArray[Any]) -> NDArray[Any]:
    """The month in which each day lies."""
    return np.searchsorted(STARTS, days, side="right") - 1
