"""The parameters of a churn process; their values are in `churnlib.synthesis.games`."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from math import isclose

from churnlib.synthesis.payments import Payments

HORIZON_MONTHS = 6
"""The horizon of the true probabilities, in months."""


@dataclass(frozen=True, slots=True)
class Levels:
    """The categories of a text column.

    Attributes:
        names: The categories; if they depend on engagement, from the least to the most engaged.
        shares: Their probabilities, which sum to 1.
        effects: Their contributions to the log-odds of churn; empty if they have none.
        pull: How strongly engagement favours the later categories; 0 for not at all.
    """

    names: tuple[str, ...]
    shares: tuple[float, ...]
    effects: tuple[float, ...] = ()
    pull: float = 0.0

    def __post_init__(self) -> None:
        """Checks that each category has a share, and either each has an effect or none has."""
        if len(self.shares) != len(self.names) or not isclose(sum(self.shares), 1):
            raise ValueError(f"{self.names}: must have one share each, which sum to 1.")
        if len(self.effects) not in (0, len(self.names)):
            raise ValueError(f"{self.names}: must have one effect each, or none.")


@dataclass(frozen=True, slots=True)
class Effect:
    """A feature's contribution to the log-odds of churn: weight * tanh((value - centre) / scale).

    A null contributes nothing.

    Attributes:
        fact: The name of the feature, such as `soft_balance_diff_3`.
        weight: The maximum contribution; positive where larger values mean more churn.
        centre: The value that contributes nothing.
        scale: The distance from the centre at which the contribution is 76 % of the weight.
    """

    fact: str
    weight: float
    centre: float
    scale: float


@dataclass(frozen=True, slots=True)
class Interaction:
    """A contribution to the log-odds of churn that is the weighted product of two effects."""

    weight: float
    first: Effect
    second: Effect


@dataclass(frozen=True, slots=True)
class Economy:
    """The monthly flows of currency, in whole units of it.

    Attributes:
        soft_income: The soft currency that a character of average engagement earns.
        soft_spending: The share of the soft balance that is spent.
        purchase_chance: The probability that one of average engagement buys hard currency.
        purchase: The hard currency of an average purchase.
        hard_spending: The share of the hard balance that is spent.
        response: How strongly income depends on engagement, as an exponent.
    """

    soft_income: float
    soft_spending: float
    purchase_chance: float
    purchase: float
    hard_spending: float
    response: float

    def usual_balances(self) -> tuple[float, float]:
        """Returns the hard and soft balance at which average income equals average spending."""
        hard = self.purchase_chance * self.purchase / self.hard_spending
        return hard, self.soft_income / self.soft_spending


@dataclass(frozen=True, slots=True)
class ChurnProcess(ABC):
    """What the processes of all games have: what causes churn, and how often it happens.

    Attributes:
        game: The game's name; a part of the seed, so that games with the same seed differ.
        terms: Categories of the column `sub_months`, as text.
        base_rate: The share of subscriptions that churn within the horizon.
        subscribe_rate: The monthly probability that a character of average engagement without a
            subscription starts one.
        renewal_rate: The probability of a new subscription in the month after one ended.
        effects: The numeric features that affect churn.
        interactions: Pairs of features that affect churn jointly.
        centre: The mean of the sum of all effects, over subscriptions.
        spread: The standard deviation of the same.
        payments: How customers pay by month; if None, whether and when a subscription churns is
            drawn at its start.
    """

    game: str
    terms: Levels
    base_rate: float
    subscribe_rate: float
    renewal_rate: float
    effects: tuple[Effect, ...]
    interactions: tuple[Interaction, ...]
    centre: float
    spread: float
    payments: Payments | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Checks that no term is shorter than the horizon, if churn is drawn at the start."""
        if self.payments:
            return
        short = [name for name in self.terms.names if int(name) < HORIZON_MONTHS]
        if short:
            raise ValueError(f"{self.game}: terms below {HORIZON_MONTHS} months: {short}.")

    @property
    @abstractmethod
    def columns(self) -> dict[str, Levels]:
        """The text columns that may affect churn, by name."""

    @property
    def categorical(self) -> dict[str, Levels]:
        """The text columns that affect churn, by name."""
        return {column: levels for column, levels in self.columns.items() if levels.effects}


@dataclass(frozen=True, slots=True)
class Process(ChurnProcess):
    """The process of a game with the standard tables: what characters earn, and why they churn.

    Attributes:
        genders: Categories of the column `gender`.
        races: Categories of the column `race`.
        classes: Categories of the column `class`.
        territories: Categories of the column `territory`.
        sub_types: Categories of the column `sub_type`.
        sub_sizes: Categories of the column `sub_size`.
        prices: The monthly price of each type, for a size factor of 1.
        size_factors: The factor of each size, for price and payouts.
        payouts: The monthly payout of hard and soft currency, for a size factor of 1.
        discounts: The probability and the size of a discount on the price.
        economy: The flows of currency.
        drift: The autocorrelation of engagement from month to month.
        twin_rate: The probability that a second subscription starts on the same day.
        mastery_rate: The monthly probability that a character of average engagement masters its
            class.
        kills: The numbers of kills and deaths in a month of average engagement.
    """

    genders: Levels
    races: Levels
    classes: Levels
    territories: Levels
    sub_types: Levels
    sub_sizes: Levels
    prices: tuple[float, ...]
    size_factors: tuple[float, ...]
    payouts: tuple[int, int]
    discounts: tuple[float, float]
    economy: Economy
    drift: float
    twin_rate: float
    mastery_rate: float
    kills: tuple[float, float]

    @property
    def columns(self) -> dict[str, Levels]:
        """The text columns that may affect churn, by name."""
        return {
            "class": self.classes,
            "territory": self.territories,
            "sub_type": self.sub_types,
        }
