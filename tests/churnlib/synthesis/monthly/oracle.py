"""The true probabilities from the raw tables, in the plainest Python: a character at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from math import exp, tanh
from typing import Any

from churnlib.synthesis.payments import Payments
from churnlib.synthesis.process import HORIZON_MONTHS, ChurnProcess
from tests.churnlib.synthesis.samples import months

FIRST = date(2021, 1, 1)
Belief = dict[int, float]
Seen = Callable[[date, date], tuple[float, float]]
"""What a character did from a day to another, which is not included, and how long that was seen."""


@dataclass
class Subscription:
    """A subscription, its score, and its missed months, counted from the first month."""

    sub_id: int
    start: date
    term: int
    score: float
    missed: set[int] = field(default_factory=set)

    @property
    def begun(self) -> int:
        return months(FIRST, self.start)

    @property
    def end(self) -> int:
        return self.begun + self.term

    def in_a_row(self, month: int) -> int:
        """How many months in a row it missed until a month."""
        count = 0
        while month - 1 - count in self.missed:
            count += 1
        return count

    def churned(self, month: int) -> bool:
        """Whether it missed three months in a row before a month."""
        return any(self.in_a_row(earlier) == 3 for earlier in range(self.begun, month + 1))


@dataclass
class Oracle:
    """The chances of a process, and what they make of a character."""

    process: ChurnProcess
    signal: float

    @property
    def payments(self) -> Payments:
        assert self.process.payments is not None
        return self.process.payments

    @property
    def paces(self) -> range:
        return range(len(self.payments.paces.rates))

    def miss(self, sub: Subscription, month: int, pace: int, row: int) -> float:
        """The chance that a month is missed."""
        effect = self.payments.paces.effects[pace] + self.payments.seasons[month % 12]
        return sigmoid(self.payments.miss[row] + self.signal * (sub.score + effect))

    def renewal(self, sub: Subscription, pace: int, row: int) -> float:
        """The chance that another subscription begins in the month in which one ends."""
        effect = self.payments.paces.effects[pace]
        return sigmoid(self.payments.renewal[row > 0] - self.signal * (sub.score + effect))

    def churn(self, sub: Subscription, month: int, row: int) -> Belief:
        """The probability of churn within the horizon at each pace."""
        until = month + HORIZON_MONTHS

        @cache
        def within(month: int, pace: int, row: int) -> float:
            if month == until:
                return 0
            if month == sub.end:
                return self.no_renewal(sub, until - month, pace, row)
            paces, total = self.payments.paces, 0.0
            for following in self.paces:
                by_miss = 1.0 if row == 2 else within(month + 1, following, row + 1)
                miss = self.miss(sub, month, pace, row)
                total += miss * paces.after_miss[pace][following] * by_miss
                by_payment = within(month + 1, following, 0)
                total += (1 - miss) * paces.after_payment[pace][following] * by_payment
            return total

        return {pace: within(month, pace, row) for pace in self.paces}

    def no_renewal(self, sub: Subscription, months: int, pace: int, row: int) -> float:
        """The probability that an end is churn, and known to be, within some months."""
        within = self.payments.not_renewed_months
        if within is None or within > months:
            return 0
        others: float = (1 - self.process.subscribe_rate) ** (within - 1)
        return (1 - self.renewal(sub, pace, row)) * others

    def probability(self, sub: Subscription, month: int, belief: Belief) -> float:
        """The probability of churn within the horizon, given the probabilities of the paces."""
        churn = self.churn(sub, month, sub.in_a_row(month))
        return sum(belief[pace] * churn[pace] for pace in self.paces)

    def truths(
        self, created: date, subs: Sequence[Subscription], seen: Seen
    ) -> tuple[dict[tuple[int, date], float], dict[int, float]]:
        """The probabilities of a character by subscription and month, and those at the start."""
        by_month: dict[tuple[int, date], float] = {}
        at_start: dict[int, float] = {}
        belief: Belief = dict(enumerate(self.payments.paces.shares))
        for month in range(months(FIRST, created), 49):
            first = day_of(month)
            for sub in subs:
                if sub.start < first and runs_on(sub, first) and not sub.churned(month):
                    by_month[sub.sub_id, first] = self.probability(sub, month, belief)
            since = max(first, created)
            belief = self.after_ends(belief, month, subs)
            for sub in subs:
                if sub.begun == month:
                    known = self.observed(belief, seen(since, sub.start))
                    at_start[sub.sub_id] = self.probability(sub, month, known)
                    if sub.start == first:
                        by_month[sub.sub_id, first] = at_start[sub.sub_id]
            if month < 48:
                belief = self.observed(belief, seen(since, day_of(month + 1)))
                belief = self.after_payment(belief, month, subs)
        return by_month, at_start

    def after_ends(self, belief: Belief, month: int, subs: Sequence[Subscription]) -> Belief:
        """The probabilities of the paces once it is known who renewed in a month."""
        for sub in subs:
            if sub.end == month and not sub.churned(month):
                is_renewed = any(other.begun == month for other in subs)
                chance = {p: self.renewal(sub, p, sub.in_a_row(month)) for p in self.paces}
                belief = self.weighed(belief, chance, is_renewed)
        return belief

    def after_payment(self, belief: Belief, month: int, subs: Sequence[Subscription]) -> Belief:
        """The probabilities of the next month's paces, once the month is paid or missed."""
        paces, missed, churned = self.payments.paces, False, False
        for sub in subs:
            if sub.begun <= month < sub.end and not sub.churned(month):
                missed, churned = month in sub.missed, sub.churned(month + 1)
                chance = {p: self.miss(sub, month, p, sub.in_a_row(month)) for p in self.paces}
                belief = self.weighed(belief, chance, missed)
        if churned:
            return {pace: float(pace == 0) for pace in self.paces}
        changes = paces.after_miss if missed else paces.after_payment
        return {
            following: sum(belief[pace] * changes[pace][following] for pace in self.paces)
            for following in self.paces
        }

    def observed(self, belief: Belief, seen: tuple[float, float]) -> Belief:
        """The probabilities of the paces once it is known what the character did."""
        count, exposure = seen
        rates = self.payments.paces.rates
        return self.weighed(
            belief,
            {pace: rates[pace] ** count * exp(-exposure * rates[pace]) for pace in self.paces},
        )

    def weighed(self, belief: Belief, likelihood: Belief, happened: bool = True) -> Belief:
        """The probabilities of the paces once it is known whether something happened."""
        if not happened:
            likelihood = {pace: 1 - chance for pace, chance in likelihood.items()}
        total = sum(belief[pace] * likelihood[pace] for pace in self.paces)
        return {pace: belief[pace] * likelihood[pace] / total for pace in self.paces}


def score(process: ChurnProcess, facts: dict[str, Any], text: dict[str, Any]) -> float:
    """The score of a subscription from its facts, where None is null, and its categories."""
    total = -process.centre
    for effect in process.effects:
        if facts[effect.fact] is not None:
            total += effect.weight * tanh((facts[effect.fact] - effect.centre) / effect.scale)
    for column, levels in process.categorical.items():
        total += levels.effects[levels.names.index(text[column])]
    return total


def runs_on(sub: Subscription, day: date) -> bool:
    """Whether the term runs on a day."""
    ends = day_of(sub.end)
    last = (day_of(sub.end + 1) - timedelta(1)).day
    return sub.start <= day < ends.replace(day=min(sub.start.day, last))


def day_of(month: int) -> date:
    """The first day of a month, counted from the first."""
    return date(2021 + month // 12, 1 + month % 12, 1)


def sigmoid(odds: float) -> float:
    return 1 / (1 + exp(-odds))
