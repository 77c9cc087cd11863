"""What a report for terminals says of a campaign."""

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

from churnlib.report.formatting import (
    between,
    count,
    counted,
    exact_share,
    gain_between,
    gain_or_loss,
    points,
    with_interval,
)

LABEL_WIDTH, WIDTH = 20, 80

RISK_IS_NOT_PERSUADABILITY = (
    "Risk is not persuadability: those likeliest to churn need not be those whom an offer keeps, "
    "which only a comparison with characters not contacted can tell."
)
"""What every reader of these figures must know."""
HOLD_OUT = {"contacted": "contacted", "held_out": "held out"}
"""The groups whose churn an uplift study compares, both at or above the threshold."""


def campaign_lines(campaign: Mapping[str, Any]) -> Iterator[str]:
    """Words the figures of `churnlib.metrics.campaign.Campaign`, at most 80 columns wide."""
    terms = campaign["terms"]
    yield (
        f"campaign (kept {terms['lifetime_value']:,g}, incentive {terms['incentive_cost']:,g}, "
        f"contact {terms['contact_cost']:,g}; {campaign['acceptance_rate']:.0%} accept)"
    )
    if campaign["reason"]:
        yield f"  not defined, because {campaign['reason']}"
        return
    for label, words in (*_figures(campaign), *hold_out_facts(campaign)):
        yield f"  {label:<{LABEL_WIDTH - 2}}{words}"
    yield from wrap(RISK_IS_NOT_PERSUADABILITY, WIDTH, initial_indent="  ", subsequent_indent="  ")


def hold_out_facts(campaign: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Words what contacting did, by name; nothing where it was not asked or is not known.

    Args:
        campaign: With `hold_out`, see `churnlib.metrics.contact.compare_counts`.
    """
    found = campaign.get("hold_out")
    if not found:
        return
    for name, label in HOLD_OUT.items():
        group = found[name]
        if not group["n"]:
            yield label, "nobody who reaches the threshold"
            continue
        rate = with_interval(group["churn_rate"], group["churn_rate_ci"], exact_share)
        churned = f"{group['churned']:,} of {counted(group['n'], 'subscription')} churned"
        yield label, f"{churned}, {rate}"
    if found["fall"] is not None:
        low, high = found["fall_ci"]
        open_still = ", not told from none" if low <= 0 <= high else ""
        told = f"{points(found['fall'])} points ({between((low, high), points)}){open_still}"
        yield "fall of churn", told


def _figures(campaign: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    at, best, n = campaign["at_threshold"], campaign["best"], campaign["n"]
    yield "threshold", _threshold(campaign["threshold"])
    reach = f"{at['contacted']:,} of {n:,} ({at['share']:.1%})"
    churned = (
        f", {count(at['churners']) if at['churners'] else 'none'} of them churned"
        if at["contacted"]
        else ""
    )
    yield "reach it", f"{reach}{churned}"
    loses = at["expected_gain"] < 0
    yield "expected loss" if loses else "expected gain", _each(at, _exact(abs(at["expected_gain"])))
    if at["contacted"] and (interval := at["expected_gain_ci"]):
        yield "  95% interval", gain_between(interval, _exact)
    gained = f": {_each(best, _exact(best['expected_gain']))}" if best["contacted"] else ""
    whom = "contact everybody" if best["contacted"] == n else _threshold(best["threshold"])
    yield "best here", f"{whom}{gained}"
    yield "contacting all", _gain(campaign["everybody"])
    even = campaign["break_even"]
    yield "break-even", "never" if even is None else f"at a true probability of {even:.4f}"
    empc = f"{campaign['empc']:,.4f} a subscription"
    yield "EMPC", f"{empc}, contacting {campaign['empc_share']:.1%}"


def _threshold(value: float | None) -> str:
    return "contact nobody" if value is None else f"contact from {value:.4f} on"


def _gain(outcome: Mapping[str, Any]) -> str:
    return _each(outcome, gain_or_loss(outcome["expected_gain"], form=_exact))


def _each(outcome: Mapping[str, Any], told: str) -> str:
    return f"{told} ({abs(outcome['expected_gain_per_subscription']):,.4f} a subscription)"


def _exact(value: float) -> str:
    return f"{value:,.2f}"
