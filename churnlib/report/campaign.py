"""What a report for terminals says of a campaign."""

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

LABEL_WIDTH, WIDTH = 20, 80

RISK_IS_NOT_PERSUADABILITY = (
    "Risk is not persuadability: those likeliest to churn need not be those whom an offer keeps, "
    "which only a comparison with characters held out can tell."
)
"""What every reader of these figures must know."""
HOLD_OUT = {"contacted": "contact", "held_out": "held out"}
"""The groups whose churn an uplift study compares, both at or above the threshold."""


def campaign_lines(campaign: Mapping[str, Any]) -> Iterator[str]:
    """Words the figures of `churnlib.model.campaign.Campaign`, at most 80 columns wide."""
    terms = campaign["terms"]
    yield (
        f"campaign (kept {terms['lifetime_value']:,g}, incentive {terms['incentive_cost']:,g}, "
        f"contact {terms['contact_cost']:,g}; {campaign['acceptance_rate']:.0%} accept)"
    )
    if campaign["reason"]:
        yield f"  not defined, because {campaign['reason']}"
        return
    for label, words in _figures(campaign):
        yield f"  {label:<{LABEL_WIDTH - 2}}{words}"
    yield from wrap(RISK_IS_NOT_PERSUADABILITY, WIDTH, initial_indent="  ", subsequent_indent="  ")


def _figures(campaign: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    at, best, n = campaign["at_threshold"], campaign["best"], campaign["n"]
    yield "threshold", _threshold(campaign["threshold"])
    reach = f"{at['contacted']:,} of {n:,} ({at['share']:.1%})"
    yield "reach it", f"{reach}, {at['churners']:,} of them churned"
    yield "expected gain", _gain(at)
    if interval := at["expected_gain_ci"]:
        yield "  95% interval", f"{interval[0]:,.2f} to {interval[1]:,.2f}"
    yield "best here", f"{_threshold(best['threshold'])}: {_gain(best)}"
    yield "contacting all", _gain(campaign["everybody"])
    even = campaign["break_even"]
    yield "break-even", "never" if even is None else f"at a true probability of {even:.4f}"
    empc = f"{campaign['empc']:,.4f} a subscription"
    yield "EMPC", f"{empc}, contacting {campaign['empc_share']:.1%}"
    for name, group in campaign.get("hold_out", {}).items():
        rate = group["churn_rate"]
        churned = "" if rate is None else f", {group['churned']:,} of them churned ({rate:.1%})"
        yield HOLD_OUT[name], f"{group['n']:,} who reach it{churned}"


def _threshold(value: float | None) -> str:
    return "contact nobody" if value is None else f"contact from {value:.4f} on"


def _gain(outcome: Mapping[str, Any]) -> str:
    each = outcome["expected_gain_per_subscription"]
    return f"{outcome['expected_gain']:,.2f} ({each:,.4f} a subscription)"
