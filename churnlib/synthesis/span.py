"""The months of the sample data; days are counted from 1970-01-01, months from 0."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

MONTHS = 48
"""The number of months in which characters are created and subscriptions start, from 2021-01."""

STARTS: NDArray[Any] = (
    np.arange("2021-01", "2025-02", dtype="datetime64[M]").astype("datetime64[D]").astype(np.int32)
)
"""The first day of each month, and of the one after the last, which is the latest date."""

LENGTHS: NDArray[Any] = np.diff(STARTS)
"""The number of days in each month."""


def month_of(days: NDArray[Any]) -> NDArray[Any]:
    """Returns the month of each day."""
    return np.searchsorted(STARTS, days, side="right") - 1
