"""Settings of the campaign that wins subscribers back before they go."""

from pydantic import Field, model_validator

from churnlib.settings.parts import Number, Section


class Offer(Section):
    """What contacting a subscriber costs and brings.

    Money is in the currency that the game reckons in. The model of profit and all defaults are
    those of the expected-maximum-profit measure: Verbraken, Verbeke and Baesens, IEEE Transactions
    on Knowledge and Data Engineering 25 (2013).
    """

    lifetime_value: Number = Field(default=200.0, gt=0)
    """What a subscriber who would have churned and is kept is worth (customer lifetime value), in
    the game's own money."""
    incentive_cost: Number = Field(default=10.0, ge=0)
    """What the incentive costs, in money: paid to churners who accept it, and to all who would have
    stayed anyway."""
    contact_cost: Number = Field(default=1.0, ge=0)
    """What contacting a subscriber costs, in money, whatever comes of it."""
    acceptance_alpha: Number = Field(default=6.0, gt=0, le=1e6)
    """The share of contacted churners who accept and stay is not known; it is taken to follow a
    Beta distribution. Its first parameter: by default 30 % accept, give or take 10."""
    acceptance_beta: Number = Field(default=14.0, gt=0, le=1e6)
    """The second parameter; the mean is alpha / (alpha + beta)."""

    @property
    def acceptance_rate(self) -> float:
        """The mean share of contacted churners who accept and stay."""
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
    """Whom a campaign contacts, and what that costs and brings."""

    hold_out_share: Number = Field(default=0.05, ge=0, lt=1)
    """The share of the characters that is never contacted, so that a later study can tell what
    contacting does; by a hash of the id, so the same ones in every month and for every model."""

    @property
    def offer(self) -> Offer:
        """What a model's threshold follows from; the share held out does not matter for it."""
        return Offer(**self.model_dump(exclude={"hold_out_share"}))
