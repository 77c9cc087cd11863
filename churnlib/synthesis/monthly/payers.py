"""The customers of a simulation, who pay or miss each month, and renew or not at the end."""

from abc import ABC, abstractmethod

import numpy as np

from churnlib.synthesis.monthly.belief import likelihood_of, next_month, updated
from churnlib.synthesis.monthly.recursion import Chances
from churnlib.synthesis.payments import CHURN_AFTER_MONTHS, Paces
from churnlib.synthesis.population import Array, Population
from churnlib.synthesis.process import HORIZON_MONTHS
from churnlib.synthesis.span import LENGTHS, MONTHS, STARTS, month_of
from churnlib.synthesis.subscriptions import GOES_ON, MONTH_PROBABILITY, NEVER
from churnlib.synthesis.truth import DECIMALS, Floats

AT_ONCE = 0.5
"""The share of renewals that begin on the day on which the term ends, not later in the month."""
RENEWED = ["sub_type", "sub_size", "term", "price", "hard", "soft"]
"""What a renewal keeps."""


class Payers(Population, ABC):
    """What the monthly simulations of all games have; a character has one subscription at a time.

    Those of a game say what a subscription is (`offer`), what its score is (`score`) and what its
    characters did (`activity`, `activity_before`).
    """

    chances: Chances

    def draw_engagement(self) -> None:
        """Draws the pace of each character, in place of its engagement."""
        characters, paces = len(self.created), self.paces
        self.habit = self.engagement = np.zeros(characters)
        self.pace = self.rng.choice(len(paces.shares), characters, p=paces.shares)
        self.belief: Floats = np.tile(paces.shares, (characters, 1))
        self.evidence = np.zeros_like(self.belief)  # The log-likelihood of the month's payments.
        self.has_missed, self.has_churned = (np.zeros(characters, bool) for _ in range(2))

    @property
    def paces(self) -> Paces:
        """The paces of the game's characters."""
        return self.chances.payments.paces

    @abstractmethod
    def offer(self, month: int, who: Array, day: Array) -> Array:
        """Returns new subscriptions of characters, one each."""

    @abstractmethod
    def score(self, month: int, subs: Array) -> Floats:
        """Returns what facts that remain add to the log-odds of a miss of each subscription."""

    @abstractmethod
    def activity(self, month: int) -> tuple[Array, Array]:
        """Returns what each living character did in a month, and how long that was observed."""

    @abstractmethod
    def activity_before(self, month: int, who: Array, day: Array) -> tuple[Array, Array]:
        """Returns the same of some characters, known on a day of the month."""

    def record_truth(self, month: int) -> None:
        """Records the true probabilities of the subscriptions that run on a month's first day."""
        started = month_of(self.open["start"])
        is_first = self.open["start"] == STARTS[started]
        subs = self.open[(self.open["end"] > month) | ~is_first]
        self._record(month, subs, self.true_churn(month, subs, self.belief[subs["character"]]))

    def _record(self, month: int, subs: Array, probability: Floats) -> None:
        rows = np.zeros(len(subs), MONTH_PROBABILITY)
        rows["number"], rows["month"], rows["probability"] = subs["number"], month, probability
        self.probabilities.append(rows)

    def true_churn(self, month: int, subs: Array, belief: Floats) -> Floats:
        """Returns the true probabilities of subscriptions, given the probabilities of paces."""
        probability = self.chances.churn_within(
            HORIZON_MONTHS, month, subs["score"], subs["missed"], subs["end"] - month, belief
        )
        return np.round(probability, DECIMALS)

    def subscribe(self, month: int) -> None:
        """Begins the subscriptions of a month: renewals, and those of characters without one."""
        old, renewal_day = self._renewals(month)
        new, new_day = self._newcomers(month)
        who, day = np.append(old["character"], new), np.append(renewal_day, new_day)
        subs = self.offer(month, who, day)
        subs[RENEWED][: len(old)] = old[RENEWED]
        subs["number"] = self.count + np.arange(len(subs))
        self.count += len(subs)
        subs["score"] = self.score(month, subs)
        subs["end"], subs["fatal"] = month + self.term_of(subs), NEVER
        seen = likelihood_of(self.paces, *self.activity_before(month, who, day))
        belief = updated(self.belief[who], seen + self.evidence[who])
        subs["probability"] = self.true_churn(month, subs, belief)
        on_first = subs[subs["start"] == STARTS[month]]
        self._record(month, on_first, on_first["probability"])
        self.open = np.concatenate([self.open[self.open["end"] > month], subs])
        self.subscriptions.append(subs)
        self.busy_until[who] = subs["end"]
        self.previous_start[who] = month

    @abstractmethod
    def term_of(self, subs: Array) -> Array:
        """Returns the terms of subscriptions in months."""

    def _renewals(self, month: int) -> tuple[Array, Array]:
        """The subscriptions whose term ends this month that are renewed, and the days."""
        due = self.open[self.open["end"] == month]
        who, every = due["character"], np.arange(len(self.paces.rates))
        chance = self.chances.of_renewal(due["score"][:, None], every, due["missed"][:, None])
        renews = self._draw(chance, who)
        subs = due[renews]
        of_month = subs["start"] - STARTS[month_of(subs["start"])]
        ends_on = STARTS[month] + np.minimum(of_month, _length(month) - 1)
        later = self.rng.integers(ends_on, STARTS[month + 1])
        return subs, np.where(self.rng.random(len(subs)) < AT_ONCE, ends_on, later)

    def _newcomers(self, month: int) -> tuple[Array, Array]:
        """The characters without a subscription that begin one, and the days."""
        n, rng = self.alive[month], self.rng
        last_day = STARTS[month + 1] - 1
        free = (self.busy_until[:n] < month) & (self.created[:n] < last_day)
        who = np.flatnonzero(free & (rng.random(n) < self.chances.subscribe_rate))
        earliest = np.maximum(STARTS[month], self.created[who] + 1)
        return who, rng.integers(earliest, last_day + 1)

    def draw_payments(self, month: int) -> Array:
        """Draws who misses the month; returns which of the open subscriptions do."""
        subs, every = self.open, np.arange(len(self.paces.rates))
        who = subs["character"]
        score, missed = (subs[name][:, None] for name in ("score", "missed"))
        chance = self.chances.of_miss(month, score, every, missed)
        misses = self._draw(chance, who)
        self._close(month - 1, subs[~misses & (subs["missed"] > 0)])
        subs["missed"] = np.where(misses, subs["missed"] + 1, 0)
        churns = subs["missed"] == CHURN_AFTER_MONTHS
        self._close(month, subs[churns | ((subs["missed"] > 0) & (subs["end"] == month + 1))])
        subs["fatal"][churns] = month + 1 - CHURN_AFTER_MONTHS
        self.has_missed[who], self.has_churned[who] = misses, churns
        self.busy_until[who[churns]] = month
        return misses

    def _draw(self, chance: Floats, who: Array) -> Array:
        """Draws what characters do by the chance of their pace, which tells something of it."""
        does: Array = self.rng.random(len(who)) < chance[np.arange(len(who)), self.pace[who]]
        self.evidence[who] += np.log(np.where(does[:, None], chance, 1 - chance))
        return does

    def _close(self, last: int, subs: Array, written: int | None = None) -> None:
        """Records the runs of missed months whose last is a month; `written`, if not that."""
        first = last + 1 - subs["missed"]
        end = np.full(len(subs), last if written is None else written)
        self.runs.append(np.stack([subs["number"], first, end], axis=1))

    def change_paces(self, month: int) -> None:
        """Draws the paces of the next month, and updates what can be known of them."""
        self.open = self.open[self.open["fatal"] == NEVER]
        n, paces, missed = self.alive[month], self.paces, self.has_missed
        seen = likelihood_of(paces, *self.activity(month)) + self.evidence[:n]
        self.belief[:n] = next_month(paces, updated(self.belief[:n], seen), missed[:n])
        changes = np.stack([paces.after_payment, paces.after_miss])
        reached = changes[missed[:n].astype(int), self.pace[:n]].cumsum(axis=1)[:, :-1]
        self.pace[:n] = (self.rng.random(n)[:, None] > reached).sum(axis=1)
        self.pace[self.has_churned] = 0
        self.belief[self.has_churned] = np.eye(len(paces.rates))[0]
        self.evidence[:] = 0
        self.has_missed[:] = self.has_churned[:] = False

    def finish(self) -> None:
        """Records what is known on the last day: the truth of that day, and runs that go on."""
        self.record_truth(MONTHS)
        subs = self.open
        self._close(MONTHS - 1, subs[(subs["missed"] > 0) & (subs["end"] > MONTHS)], GOES_ON)


def _length(month: int) -> int:
    return int(LENGTHS[month])
