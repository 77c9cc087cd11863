"""What a churn process is made of; `churnlib.synthesis.games` has the values."""

from dataclasses import dataclass
from math import isclose

HORIZON_MONTHS = 6
"""The horizon that the truth speaks of: churn is a fact within so many months of the start."""

CHURN_AFTER_MONTHS = 3
"""So many missed months in a row are churn."""


@dataclass(frozen=True, slots=True)
class Levels:
    """The categories of a text column.

    Attributes:
        names: The categories; where engagement matters, from the least to the most engaged.
        shares: How often each is drawn; they sum to 1.
        effects: What each adds to the log-odds of churn; empty for nothing.
        pull: How strongly engagement moves the choice upwards, 0 for not at all.
    """

    names: tuple[str, ...]
    shares: tuple[float, ...]
    effects: tuple[float, ...] = ()
    pull: float = 0.0

    def __post_init__(self) -> None:
        """Checks that there is a share, and an effect if any, for each category."""
        if len(self.shares) != len(self.names) or not isclose(sum(self.shares), 1):
            raise ValueError(f"{self.names}: needs a share each, and they must sum to 1.")
        if len(self.effects) not in (0, len(self.names)):
            raise ValueError(f"{self.names}: needs an effect each, or none at all.")


@dataclass(frozen=True, slots=True)
class Effect:
    """One numeric fact's part in the log-odds of churn: weight * tanh((fact - centre) / scale).

    A fact that is null adds nothing.

    Attributes:
        fact: The name of the feature, such as `soft_balance_diff_3`.
        weight: The largest size of the effect; positive where a large value means more churn.
        centre: The value without effect.
        scale: The distance from the centre at which the effect has reached 76 % of its weight.
    """

    fact: str
    weight: float
    centre: float
    scale: float


@dataclass(frozen=True, slots=True)
class Interaction:
    """The product of two shapes in the log-odds of churn; the weights of all three multiply."""

    weight: float
    first: Effect
    second: Effect


@dataclass(frozen=True, slots=True)
class Economy:
    """How currency flows in a month; amounts in whole currency units.

    Attributes:
        soft_income: Soft currency that a character of average engagement earns.
        soft_spending: Share of the soft balance that is spent.
        purchase_chance: How likely a character of average engagement buys hard currency.
        purchase: Hard currency in an average purchase.
        hard_spending: Share of the hard balance that is spent.
        response: How strongly income follows engagement, as an exponent.
    """

    soft_income: float
    soft_spending: float
    purchase_chance: float
    purchase: float
    hard_spending: float
    response: float

    def usual_balances(self) -> tuple[float, float]:
        """Hard and soft balance at which an average character's income equals its spending."""
        hard = self.purchase_chance * self.purchase / self.hard_spending
        return hard, self.soft_income / self.soft_spending


@dataclass(frozen=True, slots=True)
class Process:
    """A game's whole process: who plays, what they earn, who subscribes and who churns.

    Attributes:
        game: The game's name; a part of the seed, so that games differ under one seed.
        genders: Categories of the column `gender`.
        races: Categories of the column `race`.
        classes: Categories of the column `class`.
        territories: Categories of the column `territory`.
        sub_types: Categories of the column `sub_type`.
        sub_sizes: Categories of the column `sub_size`.
        terms: Categories of the column `sub_months`, as text.
        prices: Price a month of each type, in the size of factor 1.
        size_factors: What each size multiplies price and payouts with.
        payouts: Hard and soft currency that a month pays out, in the size of factor 1.
        discounts: Chance and depth of a discount on the price.
        economy: The flows of currency.
        drift: Share of the engagement's deviation from its mean that is left a month later.
        subscribe_rate: Monthly chance that an idle character of average engagement subscribes.
        renewal_rate: Chance to subscribe in the month after a subscription ran out.
        twin_rate: Chance that a second subscription starts on the same day.
        mastery_rate: Monthly chance that a character of average engagement masters its class.
        kills: Kills and deaths in a month of average engagement.
        base_rate: Share of subscriptions that churn within the horizon.
        effects: The numeric facts that drive churn.
        interactions: Pairs of facts that drive churn together.
        centre: Mean over the subscriptions of all effects together.
        spread: Standard deviation of the same.
    """

    game: str
    genders: Levels
    races: Levels
    classes: Levels
    territories: Levels
    sub_types: Levels
    sub_sizes: Levels
    terms: Levels
    prices: tuple[float, ...]
    size_factors: tuple[float, ...]
    payouts: tuple[int, int]
    discounts: tuple[float, float]
    economy: Economy
    drift: float
    subscribe_rate: float
    renewal_rate: float
    twin_rate: float
    mastery_rate: float
    kills: tuple[float, float]
    base_rate: float
    effects: tuple[Effect, ...]
    interactions: tuple[Interaction, ...]
    centre: float
    spread: float

    def __post_init__(self) -> None:
        """Checks that a churn can begin anywhere within the horizon of every term."""
        short = [name for name in self.terms.names if int(name) < HORIZON_MONTHS]
        if short:
            raise ValueError(f"{self.game}: terms below {HORIZON_MONTHS} months: {short}.")
