"""The survival section of a report: when subscriptions churn, and when they end."""

from collections.abc import Sequence

from churnlib.report.content import Plain
from churnlib.report.formatting import count, counted, exact_share, share
from churnlib.report.tables import Cell, Table

MIN_AT_RISK = 20
"""The least number of subscriptions at risk in a month that is shown."""
FIRST_MONTHS = 12
"""Number of months in text and Markdown."""
SHARES = {
    "churn_rate": "churn rate",
    "not_churned": "not churned",
    "not_ended": "not ended",
    "churned_so_far": "churned so far",
}
"""The estimates of a month, and their names."""


def shown_months(survival: Plain) -> list[Plain]:
    """The months of tenure with enough subscriptions; see `churnlib.metrics.survival.survival`."""
    return [month for month in survival["months"] if month["at_risk"] >= MIN_AT_RISK]


def lead(survival: Plain, horizon_months: int) -> str:
    """What the section shows, in a sentence or two."""
    about = counted(survival["subscriptions"], "subscription")
    text = (
        f"Of all {about} that can churn, by months since the start. Those that still run count for "
        "as long as they have. 95% confidence intervals take subscriptions as independent."
    )
    if finding := churned_by(shown_months(survival), horizon_months):
        return f"{finding} {text}"
    return f"Not available, because no month has {MIN_AT_RISK} subscriptions. {text}"


def churned_by(months: Sequence[Plain], horizon_months: int) -> str:
    """How many churn within the horizon and in all, in a sentence; empty without months."""
    if not months:
        return ""
    last = months[-1]
    at = months[min(horizon_months, len(months)) - 1]
    within = f"{share(at['churned_so_far'])} churn within {_months(at)}"
    if last is at:
        return f"{within}."
    return f"{within}, {share(last['churned_so_far'])} within {_months(last)}."


def by_tenure(survival: Plain) -> Table:
    """The subscriptions at risk, and the estimates, of each month of tenure."""
    rows = [
        (
            Cell(month["tenure_months"]),
            *(Cell(month[key], count) for key in ("at_risk", "churned", "ended")),
            *(Cell(month[key], exact_share, month["intervals"][key]) for key in SHARES),
        )
        for month in shown_months(survival)
    ]
    notes = (
        "Churn rate: of those at risk. Not churned and not ended: Kaplan-Meier estimates, each as "
        "if the other did not happen. Churned so far: of all, where terms end.",
    )
    return Table(
        "By month of tenure",
        ("month", "at risk", "churned", "ended", *SHARES.values()),
        tuple(rows),
        notes,
        is_detail=True,
        first_rows=FIRST_MONTHS,
    )


def by_term(survival: Plain) -> Table:
    """The churn of each term."""
    keys = {"within_horizon": "churn within the horizon", "in_all": "churn in all"}
    rows = [
        (
            Cell(term["sub_months"]),
            Cell(term["subscriptions"], count),
            *(Cell(term[key], exact_share, term["intervals"][key]) for key in keys),
        )
        for term in survival["terms"]
    ]
    columns = ("sub_months", "subscriptions", *keys.values())
    return Table("By sub_months", columns, tuple(rows), is_wide=True)


def _months(month: Plain) -> str:
    return counted(month["tenure_months"], "month")
