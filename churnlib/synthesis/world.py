"""The simulation of characters: play, currency, mastery, subscriptions, misses and churn."""

from dataclasses import dataclass

import numpy as np

from churnlib.synthesis import span
from churnlib.synthesis.population import Array, Population
from churnlib.synthesis.process import Process
from churnlib.synthesis.span import MONTHS, STARTS, month_of
from churnlib.synthesis.subscriptions import (
    MONTH_PROBABILITY,
    SUBSCRIPTION,
    choose,
    draw_churn,
    draw_misses,
    draw_terms,
    term_months,
)
from churnlib.synthesis.truth import Floats, churn_probability

NOT_YET = 100_000
"""The mastery day of a character that has not mastered its class."""
NULL_SHARE = 0.01
"""The share of nulls in each currency column."""
ABSENT_INCOME = 0.05
"""The remaining share of income and spending while a character is away."""


@dataclass(frozen=True, slots=True)
class World:
    """A simulated chunk of characters.

    Characters are numbered in order of creation. Currency has the shape (months, characters);
    values before a character's `first_month` are meaningless.
    """

    characters: dict[str, Array]
    first_month: Array
    currency: dict[str, Array]
    nulls: dict[str, Array]
    subscriptions: Array
    runs: Array
    probabilities: Array


class Simulation(Population):
    """The state of a chunk of characters, which `run` advances month by month."""

    def __init__(
        self, process: Process, characters: int, signal: float, rng: np.random.Generator
    ) -> None:
        """Creates the characters; the first `alive[m]` of them exist in month m."""
        super().__init__(characters, rng)
        self.process, self.signal = process, signal
        self.traits = {
            "gender": choose(process.genders, characters, rng),
            "race": choose(process.races, characters, rng),
            "class": choose(process.classes, characters, rng),
            "territory": choose(process.territories, characters, rng),
        }
        self.draw_engagement()
        self.mastered = np.full(characters, NOT_YET, np.int32)
        self.played = np.zeros(characters)
        self.spends_while_away = rng.random(characters) < 0.5
        hard, soft = process.economy.usual_balances()
        self.hard = np.rint(hard * rng.uniform(0.3, 1.7, characters))
        self.soft = np.rint(soft * rng.uniform(0.2, 1.0, characters))
        self.started = np.zeros(characters, np.int32)

        shape = (MONTHS + 1, characters)
        columns = ("sub_hard", "sub_soft", "hard_balance", "soft_balance")
        self.currency = {column: np.zeros(shape, np.int32) for column in columns}
        self.nulls = {
            column: rng.random(shape, dtype=np.float32) < NULL_SHARE for column in columns
        }
        self.sums = {column: np.zeros((2, characters)) for column in columns[2:]}

    def run(self) -> World:
        """Simulates all months."""
        for month in range(MONTHS):
            self.advance(month)
        self.record_balances(MONTHS)
        self.finish()
        kills, deaths = (self.rng.poisson(rate * self.played) for rate in self.process.kills)
        dates: dict[str, Array] = {"creation": self.created, "mastery": self.mastered}
        return World(
            {**self.traits, **dates, "kills": kills, "deaths": deaths},
            self.first_month,
            self.currency,
            self.nulls,
            np.concatenate([np.zeros(0, SUBSCRIPTION), *self.subscriptions]),
            np.concatenate([np.zeros((0, 3), np.int32), *self.runs]),
            np.concatenate([np.zeros(0, MONTH_PROBABILITY), *self.probabilities]),
        )

    def advance(self, month: int) -> None:
        """Simulates a month."""
        self.record_balances(month)
        self.master_class(month)
        self.start_subscriptions(month)
        paid = self.pay_out(month, self.miss(month))
        self.play(month, *paid)

    def record_balances(self, month: int) -> None:
        """Records the balances at the beginning of a month."""
        for column, balance in (("hard_balance", self.hard), ("soft_balance", self.soft)):
            self.currency[column][month] = balance
            seen = ~self.nulls[column][month] & (self.first_month <= month)
            self.sums[column] += np.where(seen, (balance, np.ones_like(balance)), 0)

    def master_class(self, month: int) -> None:
        """Lets some characters master their class, more often the engaged ones."""
        n = self.alive[month]
        chance = self.process.mastery_rate * np.exp(0.5 * self.engagement[:n])
        new = self.rng.random(n) < np.where(self.away[:n], 0, chance)
        who = np.flatnonzero(new & (self.mastered[:n] > STARTS[month]))
        day = STARTS[month] + self.rng.integers(0, span.LENGTHS[month], len(who))
        self.mastered[who] = np.maximum(day, self.created[who])

    def start_subscriptions(self, month: int) -> None:
        """Starts subscriptions of characters without one, and draws when each will churn."""
        rng, process = self.rng, self.process
        who, day = self.draw_subscribers(month, process)

        twins = np.repeat(np.arange(len(who)), 1 + (rng.random(len(who)) < process.twin_rate))
        mood = self.engagement[who[twins]]
        subs = draw_terms(process, rng, who[twins], day[twins], mood)
        subs["number"] = self.count + np.arange(len(subs))
        self.count += len(subs)
        subs["probability"] = churn_probability(
            process, self.signal, self.facts(month, subs), self.categories(subs)
        )
        draw_churn(process, rng, month, subs)
        self.open = np.concatenate([self.open[self.open["end"] > month], subs])
        self.subscriptions.append(subs)

        np.maximum.at(self.busy_until, subs["character"], subs["end"])
        np.add.at(self.started, subs["character"], 1)
        self.previous_start[who] = month
        self.away[who] = False

    def facts(self, month: int, subs: Array) -> dict[str, Floats]:
        """Returns the numeric features of subscriptions; NaN is null."""
        who = subs["character"]
        is_mastered = self.mastered[who] <= subs["start"]
        created = month_of(self.created[who])
        age = (month - created).astype(float)
        previous = self.previous_start[who]
        facts = {
            "age_at_sub_months": age,
            "is_mastered": is_mastered.astype(float),
            "months_to_mastery": np.where(
                is_mastered, month_of(self.mastered[who]) - created, np.nan
            ),
            "sub_number": 1.0 + self.started[who],
            "months_since_previous_sub": np.where(previous >= 0, month - previous, np.nan),
            "sub_months": term_months(self.process, subs).astype(float),
            "price": subs["price"],
        }
        for column in self.sums:
            newest = self.visible(column, month, who)
            facts[column] = newest
            for period in (1, 3, 6):
                earlier = self.visible(column, month - period, who)
                facts[f"{column}_diff_{period}"] = newest - earlier
            total, count = self.sums[column][:, who]
            mean = np.divide(total, count, out=np.full(len(who), np.nan), where=count > 0)
            facts[f"{column}_mean"] = mean
        return facts

    def categories(self, subs: Array) -> dict[str, Array]:
        """Returns the codes of the text columns that affect churn."""
        who = subs["character"]
        own = {column: self.traits[column][who] for column in ("class", "territory")}
        return {**own, "sub_type": subs["sub_type"]}

    def visible(self, column: str, month: int, who: Array) -> Floats:
        """Returns a month's balances as in the raw table; NaN where there is no row, or a null."""
        if month < 0:
            return np.full(len(who), np.nan)
        shown = (self.first_month[who] <= month) & ~self.nulls[column][month, who]
        return np.where(shown, self.currency[column][month, who], np.nan)

    def miss(self, month: int) -> Array:
        """Starts runs of missed months; returns which open subscriptions miss this month."""
        subs = self.open
        mood = self.engagement[subs["character"]]
        self.runs.append(draw_misses(self.rng, month, subs, mood))
        leavers = subs["character"][subs["fatal"] == month]
        self.away[leavers] = True
        self.engagement[leavers] -= 1.5
        return (month <= subs["missed_until"]) | (month >= subs["fatal"])

    def pay_out(self, month: int, missed: Array) -> tuple[Array, Array]:
        """Pays out the open subscriptions; returns the hard and soft currency of each character."""
        paying = self.open[~missed]
        for kind in ("hard", "soft"):
            paid = self.currency[f"sub_{kind}"][month + 1]
            np.add.at(paid, paying["character"], paying[kind])
        n = self.alive[month]
        hard, soft = self.currency["sub_hard"], self.currency["sub_soft"]
        return hard[month + 1, :n], soft[month + 1, :n]

    def play(self, month: int, paid_hard: Array, paid_soft: Array) -> None:
        """Simulates a month of play: engagement changes; currency is earned, bought and spent."""
        n, rng, economy = self.alive[month], self.rng, self.process.economy
        away, habit, drift = self.away[:n], self.habit[:n], self.process.drift
        noise = rng.normal(0, 0.8 * np.sqrt(1 - drift**2), n)
        self.engagement[:n] = habit + drift * (self.engagement[:n] - habit) + noise
        activity = np.exp(economy.response * self.engagement[:n])
        activity *= np.where(away, ABSENT_INCOME, 1)
        self.played[:n] += activity

        spends = np.where(away, ABSENT_INCOME, 1)
        soft = self.soft[:n]
        earned = economy.soft_income * activity * rng.uniform(0.7, 1.3, n)
        spent = soft * economy.soft_spending * spends * rng.uniform(0.6, 1.4, n)
        self.soft[:n] = np.rint(soft + paid_soft + earned - spent)

        hard = self.hard[:n]
        buys = rng.random(n) < economy.purchase_chance * activity
        bought = np.where(buys, economy.purchase * rng.uniform(0.4, 1.6, n), 0)
        share = economy.hard_spending * rng.uniform(0.4, 1.6, n)
        share = np.where(away, np.where(self.spends_while_away[:n], 0.6, 0), share)
        self.hard[:n] = np.rint(hard + paid_hard + bought - hard * share)

        back = away & (rng.random(n) < 0.08) & (self.busy_until[:n] <= month + 1)
        self.away[:n] = away & ~back
