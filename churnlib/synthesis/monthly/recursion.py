"""The true probability that a subscription churns within the horizon, by backward recursion.

On the first day of a month, a subscription's future depends on its score, which stays, on its pace,
on the months missed in a row and on the months left to pay. Let W(i, pace, missed) be the
probability that it churns within the horizon, if in i months it still runs at that pace with so
many misses in a row. Then W = 0 once i is the horizon. Before, while months are left to pay,

    W(i, pace, missed) = miss * sum over next of after_miss[pace, next] * W(i + 1, next, missed + 1)
                       + (1 - miss) * sum over next of after_payment[pace, next] * W(i + 1, next, 0)

where W is 1 after the third miss, and `miss` is the chance of a miss, given the same. In the month
in which the term ends, W is the probability that the customer begins no other subscription in time,
if that counts as churn and becomes a fact within the horizon, and else 0.
"""

from dataclasses import dataclass

import numpy as np

from churnlib.synthesis.payments import CHURN_AFTER_MONTHS, Payments
from churnlib.synthesis.population import Array
from churnlib.synthesis.truth import Floats

MISSED = np.arange(CHURN_AFTER_MONTHS)
"""The numbers of months missed in a row of a subscription that has not churned."""


@dataclass(frozen=True, slots=True)
class Chances:
    """The chances of the payments of a game.

    Attributes:
        payments: How customers pay.
        signal: How strongly churn depends on scores, paces and seasons, from 0 to 1.
        subscribe_rate: The monthly chance that a character without a subscription begins one.
    """

    payments: Payments
    signal: float
    subscribe_rate: float

    def of_miss(self, month: int, score: Array, pace: Array, missed: Array) -> Floats:
        """Returns the chance of missing a month; the arrays are broadcast."""
        season = self.payments.seasons[month % 12]
        effect = np.asarray(self.payments.paces.effects)[pace]
        odds = np.asarray(self.payments.miss)[missed] + self.signal * (score + effect + season)
        return _sigmoid(odds)

    def of_renewal(self, score: Array, pace: Array, missed: Array) -> Floats:
        """Returns the chance of another subscription in the month in which a term ends."""
        effect = np.asarray(self.payments.paces.effects)[pace]
        odds = np.asarray(self.payments.renewal)[(missed > 0).astype(int)]
        return _sigmoid(odds - self.signal * (score + effect))

    def churn_within(
        self, horizon: int, month: int, score: Array, missed: Array, left: Array, belief: Floats
    ) -> Floats:
        """Returns the probability of churn within some months, given what is known of each.

        Args:
            horizon: The number of months.
            month: The month, counted from the first, whose first day it is.
            score: The score of each subscription.
            missed: The months missed in a row until this one.
            left: The number of months left to pay, this one included; 0 in the month in which the
                term ends.
            belief: The probability of each pace in this month, of shape (subscriptions, paces).
        """
        paces = self.payments.paces
        state = (score[:, None, None], np.arange(len(paces.rates))[:, None], MISSED)
        after_miss, after_payment = map(np.asarray, (paces.after_miss, paces.after_payment))
        churn = np.zeros((len(score), len(paces.rates), CHURN_AFTER_MONTHS))
        for ahead in reversed(range(horizon)):
            miss = self.of_miss(month + ahead, *state)
            worse = np.einsum("ab,nbk->nak", after_miss, churn[:, :, 1:])
            if_missed = np.concatenate([worse, np.ones_like(worse[:, :, :1])], axis=2)
            if_paid = np.einsum("ab,nb->na", after_payment, churn[:, :, 0])[:, :, None]
            months_left = left[:, None, None] - ahead
            churn = np.where(months_left > 0, miss * if_missed + (1 - miss) * if_paid, 0)
            lost = self._of_no_renewal(horizon - ahead, *state)
            churn = np.where(months_left == 0, lost, churn)
        of_pace = np.take_along_axis(churn, missed[:, None, None], axis=2)[:, :, 0]
        total: Floats = (belief * of_pace).sum(axis=1)
        return total

    def _of_no_renewal(self, months: int, score: Array, pace: Array, missed: Array) -> Floats:
        """The chance that the end of a term this month counts as churn within some months."""
        within = self.payments.not_renewed_months
        if within is None or within > months:
            return np.zeros(())
        lost = 1 - self.of_renewal(score, pace, missed)
        never: Floats = lost * (1 - self.subscribe_rate) ** (within - 1)
        return never


def _sigmoid(odds: Floats) -> Floats:
    chance: Floats = 1 / (1 + np.exp(-odds))
    return chance
