"""The bootstrap behind all intervals: characters drawn anew, each with all its rows.

Subscriptions of one character are alike, so rows drawn one by one would promise too much. Each
character gets a weight of its own in each draw, Poisson-distributed with mean 1, which is how often
it would be drawn with replacement (Hanley and MacGibbon, Computer Methods and Programs in
Biomedicine 83, 2006). Any figures on the same rows share the weights, so differences are paired.
"""

from dataclasses import dataclass
from functools import cached_property
from math import exp, factorial

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from churnlib.seeds import derive_seed

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]

DRAWS = 1000
"""How often characters are drawn anew: the standard errors are then right to 2 %."""
MAX_UNITS = 10_000
"""Of more characters, so many groups made at random stand for them, which bounds memory and time;
the standard errors stay right to 1 %."""
SEED = 0
"""Where the draws begin: fixed, so that the same rows have the same intervals."""


def _poisson_quantiles() -> Floats:
    """What each of 65,536 equally likely numbers becomes, to be Poisson-distributed, of mean 1."""
    chances = [exp(-1) / factorial(count) for count in range(16)]
    steps = (np.arange(2**16) + 0.5) / 2**16
    return np.searchsorted(np.cumsum(chances), steps).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Resampling:
    """Draws of the characters of some rows.

    Attributes:
        units: The unit of each row: its character, or the group that the character is in.
        weights: How often each unit is drawn, a column a draw.
    """

    units: Whole
    weights: Floats

    @classmethod
    def over(cls, characters: pl.Series, draws: int = DRAWS) -> "Resampling":
        """Draws characters.

        Args:
            characters: The character of each row. The order of rows does not matter.
            draws: How often.
        """
        units = characters.rank("dense").to_numpy().astype(np.int64) - 1
        count = int(units.max(initial=-1)) + 1
        if count > MAX_UNITS:
            shuffled = np.random.default_rng(derive_seed(SEED, "units")).permutation(count)
            units, count = shuffled[units] % MAX_UNITS, MAX_UNITS
        bits = np.random.default_rng(derive_seed(SEED, "weights"))
        drawn = bits.integers(2**16, size=(count, draws), dtype=np.uint16)
        return cls(units, _poisson_quantiles()[drawn])

    def where(self, keep: Flags) -> "Resampling":
        """The same draws of some of the rows."""
        units = self.units[keep]
        there = np.bincount(units, minlength=len(self.weights)) > 0
        if there.all():
            return Resampling(units, self.weights)
        return Resampling((np.cumsum(there) - 1)[units], self.weights[there])

    def count(self, keep: Flags) -> int:
        """How many units some of the rows belong to."""
        return int(np.count_nonzero(np.bincount(self.units[keep], minlength=1)))

    def totals(self, cells: Whole, count: int, values: Floats | None = None) -> Floats:
        """Adds up the rows of each cell, as often as they were drawn.

        Args:
            cells: The cell of each row, from 0.
            count: How many cells there are.
            values: What to add up; rows are counted if null.

        Returns:
            A row a cell, a column a draw.
        """
        values = np.ones(len(cells)) if values is None else values
        shape = (count, len(self.weights))
        if count * len(self.weights) <= len(cells):
            places = cells * len(self.weights) + self.units
            dense = np.bincount(places, values, count * len(self.weights))
            entries = sparse.csr_array(dense.reshape(shape))
        else:
            scattered = sparse.coo_array((values, (cells, self.units)), shape=shape)
            # Entries of one place may stay apart, which saves sorting: the product adds them up.
            scattered.has_canonical_format = True
            entries = scattered.tocsr()
        # A sparse product adds up in one order, whatever the number of threads.
        totals: Floats = entries @ self.weights
        return totals

    def sums(self, values: Floats) -> Floats:
        """Adds up a value of each row in each draw."""
        (sums,) = self.totals(np.zeros(len(values), np.int64), 1, values)
        return np.asarray(sums)

    @cached_property
    def rows(self) -> Floats:
        """How many rows each draw has."""
        return self.sums(np.ones(len(self.units)))
