"""The simulations of the two kinds of games whose customers pay or miss each month."""

import numpy as np

from churnlib.synthesis.daily.process import DailyProcess
from churnlib.synthesis.daily.world import DailySimulation, weekend_factor
from churnlib.synthesis.monthly.payers import Payers
from churnlib.synthesis.monthly.recursion import Chances
from churnlib.synthesis.population import Array
from churnlib.synthesis.process import ChurnProcess, Process
from churnlib.synthesis.span import STARTS, month_of
from churnlib.synthesis.subscriptions import SUBSCRIPTION, choose, draw_terms, term_months
from churnlib.synthesis.truth import Floats, log_odds
from churnlib.synthesis.world import Simulation

REWARD = 200
"""The soft currency of a reward."""


def chances_of(process: ChurnProcess, signal: float) -> Chances:
    """Returns the chances of a process whose customers pay by month."""
    assert process.payments is not None
    return Chances(process.payments, signal, process.subscribe_rate)


class MonthlySimulation(Payers, Simulation):
    """A game with the standard tables; its characters earn rewards, the more the faster their pace.

    Soft currency expires at the end of a month, so that a balance shows the rewards of the month
    before. A null balance shows nothing.
    """

    def __init__(
        self, process: Process, characters: int, signal: float, rng: np.random.Generator
    ) -> None:
        """Creates the characters; the first `alive[m]` of them exist in month m."""
        self.chances = chances_of(process, signal)
        super().__init__(process, characters, signal, rng)
        self.rewards = np.zeros(characters, np.int64)

    def advance(self, month: int) -> None:
        """Simulates a month."""
        self.record_balances(month)
        self.record_truth(month)
        self.master_class(month)
        self.subscribe(month)
        self.play(month, *self.pay_out(month, self.draw_payments(month)))
        self.change_paces(month)

    def offer(self, month: int, who: Array, day: Array) -> Array:
        """Returns new subscriptions of characters, one each."""
        return draw_terms(self.process, self.rng, who, day, np.zeros(len(who)))

    def term_of(self, subs: Array) -> Array:
        """Returns the terms of subscriptions in months."""
        return term_months(self.process, subs)

    def score(self, month: int, subs: Array) -> Floats:
        """Returns what facts that remain add to the log-odds of a miss of each subscription."""
        score = log_odds(self.process, self.facts(month, subs), self.categories(subs))
        np.add.at(self.started, subs["character"], 1)
        return score - self.process.centre

    def activity(self, month: int) -> tuple[Array, Array]:
        """Returns the rewards of each character in a month, and whether its balance shows them."""
        n = self.alive[month]
        seen = ~self.nulls["soft_balance"][month + 1, :n]
        return np.where(seen, self.rewards[:n], 0), seen.astype(float)

    def activity_before(self, month: int, who: Array, day: Array) -> tuple[Array, Array]:
        """Returns nothing, because balances are those of the first day of the month."""
        return np.zeros(len(who)), np.zeros(len(who))

    def play(self, month: int, paid_hard: Array, paid_soft: Array) -> None:
        """Simulates a month of play: rewards are earned, hard currency is bought and spent."""
        n, rng, economy = self.alive[month], self.rng, self.process.economy
        self.rewards[:n] = rng.poisson(np.asarray(self.paces.rates)[self.pace[:n]])
        self.soft[:n] = REWARD * self.rewards[:n] + paid_soft
        self.played[:n] += 1

        buys = rng.random(n) < economy.purchase_chance
        bought = np.where(buys, economy.purchase * rng.uniform(0.4, 1.6, n), 0)
        kept = 1 - economy.hard_spending * rng.uniform(0.4, 1.6, n)
        self.hard[:n] = np.rint(self.hard[:n] * kept + paid_hard + bought)


class MonthlyDailySimulation(Payers, DailySimulation):
    """A game with daily play; its characters log in the more often the faster their pace.

    Minutes, purchases and currencies follow from the logins alone.
    """

    def __init__(
        self, process: DailyProcess, characters: int, signal: float, rng: np.random.Generator
    ) -> None:
        """Creates the characters; the first `alive[m]` of them exist in month m."""
        self.chances = chances_of(process, signal)
        super().__init__(process, characters, signal, rng)

    def advance(self, month: int) -> None:
        """Simulates a month."""
        self.record_balances(month)
        self.record_truth(month)
        self.join_guilds(month)
        self.play(month)
        self.subscribe(month)
        self.draw_payments(month)
        self.earn_and_spend(month)
        self.change_paces(month)

    def login_rate(self, month: int) -> Floats:
        """Returns the mean number of logins of each living character on a working day."""
        rates: Floats = np.asarray(self.paces.rates)[self.pace[: self.alive[month]]]
        return rates

    def offer(self, month: int, who: Array, day: Array) -> Array:
        """Returns new subscriptions of characters, one each."""
        subs, process = np.zeros(len(who), SUBSCRIPTION), self.process
        subs["character"], subs["start"] = who, day
        subs["sub_type"] = choose(process.plans, len(who), self.rng)
        subs["term"] = choose(process.terms, len(who), self.rng)
        subs["price"] = np.asarray(process.prices)[subs["sub_type"]]
        return subs

    def term_of(self, subs: Array) -> Array:
        """Returns the terms of subscriptions in months."""
        return term_months(self.process, subs)

    def score(self, month: int, subs: Array) -> Floats:
        """Returns what facts that remain add to the log-odds of a miss of each subscription."""
        who = subs["character"]
        previous = self.previous_start[who]
        facts = {
            "age_at_sub_months": (month - month_of(self.created[who])).astype(float),
            "is_streamer": self.traits["is_streamer"][who].astype(float),
            "months_since_previous_sub": np.where(previous >= 0, month - previous, np.nan),
            "sub_months": self.term_of(subs).astype(float),
        }
        return log_odds(self.process, facts, self.categories(month, subs)) - self.process.centre

    def activity(self, month: int) -> tuple[Array, Array]:
        """Returns the logins of each character in a month, and the days, weighted by weekends."""
        return self.activity_before(
            month, np.arange(self.alive[month]), np.full(self.alive[month], STARTS[month + 1])
        )

    def activity_before(self, month: int, who: Array, day: Array) -> tuple[Array, Array]:
        """Returns the same of some characters, before a day of the month."""
        days = np.arange(STARTS[month], STARTS[month + 1])[:, None]
        seen = (days < day) & (days >= self.created[who])
        logins = self.logins[STARTS[month] - STARTS[0] : STARTS[month + 1] - STARTS[0], who]
        weights = np.where(seen, weekend_factor(self.process, days), 0)
        return np.where(seen, logins, 0).sum(axis=0, dtype=np.int64), weights.sum(axis=0)
