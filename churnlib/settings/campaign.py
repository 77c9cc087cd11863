"""Settings of the retention campaign."""

from typing import Literal

from pydantic import Field, model_validator

from churnlib.settings.fields import Number, Section

ThresholdRule = Literal["break_even", "fitted"]
"""How the lowest churn probability that is contacted is chosen."""


class Offer(Section):
    """The costs and benefits of contacting a subscriber.

    Money is in the game's currency. The profit model and all defaults are those of the expected
    maximum profit measure: Verbraken, Verbeke and Baesens, IEEE Transactions on Knowledge and Data
    Engineering 25 (2013).
    """

    lifetime_value: Number = Field(default=200.0, gt=0)
    """The customer lifetime value of a subscriber who would have churned and stays, in the game's
    currency."""
    incentive_cost: Number = Field(default=10.0, ge=0)
    """The cost of the incentive, in the game's currency: paid for churners who accept it, and for
    all contacted subscribers who would have stayed anyway."""
    contact_cost: Number = Field(default=1.0, ge=0)
    """The cost of contacting a subscriber, in the game's currency, regardless of the outcome."""
    acceptance_alpha: Number = Field(default=6.0, gt=0, le=1e6)
    """The first parameter of the Beta distribution of the share of contacted churners who accept
    the offer and stay. By default 30 % do, with a standard deviation of 10 %."""
    acceptance_beta: Number = Field(default=14.0, gt=0, le=1e6)
    """The second parameter; the mean is alpha / (alpha + beta)."""

    @property
    def acceptance_rate(self) -> float:
        """The mean share of contacted churners who accept the offer and stay."""
        return self.acceptance_alpha / (self.acceptance_alpha + self.acceptance_beta)

    @model_validator(mode="after")
    def _can_pay(self) -> "Offer":
        if self.lifetime_value <= self.incentive_cost:
            raise ValueError(
                f"lifetime_value {self.lifetime_value:g} should be above incentive_cost "
                f"{self.incentive_cost:g}: no campaign pays otherwise"
            )
        return self


class CampaignSettings(Offer):
    """The offer, whom it reaches, and the control group that no campaign contacts."""

    threshold: ThresholdRule = "break_even"
    """The lowest churn probability that is contacted: `break_even`, from which contacting pays off
    if probabilities are calibrated; or `fitted`, which corrects them by a calibration curve of the
    validation months."""

    hold_out_share: Number = Field(default=0.05, ge=0, lt=1)
    """The share of characters that is never contacted, so that the effect of contacting can be
    measured. Chosen by a hash of the id: the same characters in every month and for every model."""

    @property
    def offer(self) -> Offer:
        """The costs and gains of contacting, without the rule and the share held out."""
        return Offer(**self.model_dump(include=set(Offer.model_fields)))
