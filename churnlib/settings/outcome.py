"""Settings of the outcome: what counts as churn."""

from typing import Literal

from pydantic import model_validator

from churnlib.settings.fields import Months, Section


class OutcomeSettings(Section):
    """What counts as churn; the earliest of the outcomes that are set."""

    missed_months: Months | None = 3
    """The number of missed months in a row that are churn, on the first day after them. If null,
    misses are none."""
    not_renewed_months: Months | None = None
    """The number of months after the end of a subscription's term within which its character must
    begin another. If it does not, that is churn, on the first day of the month after these months.
    If null, a subscription that ends is none."""
    of: Literal["subscription", "character"] = "subscription"
    """Whether a subscription churns by itself, or only while its character has no other
    subscription whose term runs."""

    @property
    def least_months(self) -> int:
        """The least term with which a subscription can churn."""
        return 0 if self.missed_months is None or self.not_renewed_months else self.missed_months

    @property
    def meaning(self) -> str:
        """What counts as churn, in words.

        >>> OutcomeSettings(not_renewed_months=1).meaning
        '3 missed months in a row, or no other subscription within 1 month of the end of the term'
        """
        missed = f"{self.missed_months} missed months in a row"
        within = f"{self.not_renewed_months} month{'' if self.not_renewed_months == 1 else 's'}"
        ended = f"no other subscription within {within} of the end of the term"
        return ", or ".join(
            text
            for text, months in ((missed, self.missed_months), (ended, self.not_renewed_months))
            if months
        )

    def __str__(self) -> str:
        """What counts as churn, in words."""
        alone = ", while its character has no other running subscription"
        return f"{self.meaning}{alone if self.of == 'character' else ''}"

    @property
    def why_not_at_risk(self) -> str:
        """Why a subscription cannot churn."""
        return (
            f"sub_months is less than the {self.missed_months} missed months in a row that are "
            "churn (outcome.missed_months)"
        )

    @model_validator(mode="after")
    def _is_any(self) -> "OutcomeSettings":
        if self.missed_months is None and self.not_renewed_months is None:
            raise ValueError("needs missed_months or not_renewed_months, so that there is churn")
        return self
