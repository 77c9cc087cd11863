"""The campaign section of a report: terms, expected gain and hold-out group."""

from collections.abc import Callable, Iterator
from typing import Any

from churnlib.report.content import Plain
from churnlib.report.formatting import (
    between,
    count,
    counted,
    exact_share,
    money,
    number,
    points,
    share,
    with_interval,
)
from churnlib.report.tables import Cell, Table

RISK_IS_NOT_PERSUADABILITY = (
    "Risk is not persuadability: the subscribers most likely to churn need not be those whom an "
    "offer keeps. Only a comparison with characters that were not contacted can show that."
)
"""A caution for every reader of a campaign's expected gain."""
RULES = {
    "break_even": "the break-even probability (campaign.threshold)",
    "fitted": "fitted to the validation months (campaign.threshold)",
}
"""How the threshold was chosen, by the setting."""
HOLD_OUT = {"contacted": "contacted", "held_out": "held out"}
"""The groups whose churn is compared, both at or above the threshold."""


def terms(campaign: Plain) -> str:
    """The costs and gains of contacting, in a sentence."""
    costs = campaign["terms"]
    return (
        f"A subscriber who is kept is worth {money(costs['lifetime_value'])}, the incentive costs "
        f"{money(costs['incentive_cost'])} and a contact {money(costs['contact_cost'])}; "
        f"{share(campaign['acceptance_rate'])} of contacted churners accept. All in the game's own "
        "money."
    )


def expected_gain(campaign: Plain, of: str = "subscription") -> Table:
    """The campaign at the chosen threshold, at the best one in hindsight, and with everyone.

    Args:
        campaign: See `churnlib.metrics.campaign.Campaign`, with `reason` None.
        of: What a row is; see `churnlib.settings.RowWords`.
    """
    outcomes = (campaign["at_threshold"], campaign["best"], campaign["everybody"])

    def row(
        name: str, form: Callable[[Any], str], key: str, interval: str = ""
    ) -> tuple[Cell, ...]:
        cells = (Cell(outcome[key], form, outcome.get(interval)) for outcome in outcomes)
        return Cell(name), *cells

    precision = (
        Cell(outcome["churners"] / outcome["contacted"] if outcome["contacted"] else None, share)
        for outcome in outcomes
    )
    rows = (
        row("threshold", number, "threshold"),
        row("contacted", count, "contacted"),
        row("share of all", exact_share, "share"),
        row("churners among them", count, "churners"),
        (Cell("share of contacted who churn"), *precision),
        row("expected gain", money, "expected_gain", "expected_gain_ci"),
        row(f"gain per {of}", money, "expected_gain_per_subscription"),
    )
    columns = ("campaign", "chosen threshold", "best in hindsight", "everyone")
    return Table("Expected gain", columns, rows)


def campaign_facts(campaign: Plain, of: str = "subscription") -> Table:
    """Lists break-even, expected maximum profit, and the effect of contacting if known.

    Args:
        campaign: See `churnlib.metrics.campaign.Campaign`; for a batch also `hold_out`, see
            `churnlib.metrics.contact.compare_counts`.
        of: What a row is.
    """
    rows = ((Cell(name), Cell(fact)) for name, fact in _facts(campaign, of))
    return Table("More on the campaign", (), tuple(rows))


def _facts(campaign: Plain, of: str) -> Iterator[tuple[str, str]]:
    if rule := RULES.get(campaign.get("rule") or ""):
        chosen = campaign["threshold"]
        yield "threshold", f"{'nobody' if chosen is None else number(chosen)}, {rule}"
    even = campaign["break_even"]
    yield "break-even", "never" if even is None else f"at a churn probability of {number(even)}"
    profit = f"{money(campaign['empc'])} per {of}"
    reach = f"contacting {share(campaign['empc_share'])}"
    yield "expected maximum profit", f"{profit}, {reach} (EMPC)"
    hold_out = campaign.get("hold_out")
    if not hold_out:
        return
    for key, name in HOLD_OUT.items():
        yield name, _group(hold_out[key], of)
    if hold_out["fall"] is not None:
        low, high = hold_out["fall_ci"]
        verdict = ", no significant difference from zero" if low <= 0 <= high else ""
        fall = f"{points(hold_out['fall'])} percentage points ({between((low, high), points)})"
        yield "reduction in churn", f"{fall}{verdict}"


def _group(group: Plain, of: str) -> str:
    if not group["n"]:
        return f"no {of} at or above the threshold"
    rate = with_interval(group["churn_rate"], group["churn_rate_ci"], exact_share)
    return f"{group['churned']:,} of {counted(group['n'], of)} churned, {rate}"
