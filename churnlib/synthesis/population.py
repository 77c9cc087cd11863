"""The characters of a simulation: when they were created, how engaged they are, who subscribes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from churnlib.synthesis.process import ChurnProcess
from churnlib.synthesis.span import MONTHS, STARTS, month_of
from churnlib.synthesis.subscriptions import SUBSCRIPTION

Array = NDArray[Any]


class Population:
    """A chunk of characters and their subscriptions, which a simulation advances by month."""

    def __init__(self, characters: int, rng: np.random.Generator) -> None:
        """Creates the characters; the first `alive[m]` of them exist in month m."""
        self.rng = rng
        self.created = np.sort(rng.integers(STARTS[0], STARTS[MONTHS], characters))
        month = month_of(self.created)
        self.first_month = month + (self.created > STARTS[month])
        self.alive = np.searchsorted(month, np.arange(MONTHS), side="right")
        self.away = np.zeros(characters, bool)
        self.busy_until = np.full(characters, -1)
        self.previous_start = np.full(characters, -1)
        self.open = np.zeros(0, SUBSCRIPTION)
        self.subscriptions: list[Array] = []
        self.runs: list[Array] = []
        self.probabilities: list[Array] = []
        self.count = 0

    def draw_engagement(self) -> None:
        """Draws the habitual engagement of each character, and the engagement at the beginning."""
        characters = len(self.created)
        self.habit = self.rng.normal(0, 0.6, characters)
        self.engagement = self.habit + self.rng.normal(0, 0.8, characters)

    def finish(self) -> None:
        """Records what is known on the last day, if anything."""

    def draw_subscribers(self, month: int, process: ChurnProcess) -> tuple[Array, Array]:
        """Draws which characters subscribe in a month, and the day on which each one does."""
        n, rng = self.alive[month], self.rng
        rate = process.subscribe_rate * np.exp(0.5 * self.engagement[:n])
        rate = np.where(self.away[:n], 0.3 * rate, rate)
        renews = (self.busy_until[:n] == month) & ~self.away[:n]
        chance = np.where(renews, process.renewal_rate, rate)
        last_day = STARTS[month + 1] - 1
        free = (self.busy_until[:n] <= month) & (self.created[:n] < last_day)
        who = np.flatnonzero(free & (rng.random(n) < chance))
        earliest = np.maximum(STARTS[month], self.created[who] + 1)
        return who, rng.integers(earliest, last_day + 1)
