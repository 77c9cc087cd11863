"""The warning of tables that no longer hold those who churned long ago."""

from churnlib.features.label_windows import churn_by_months
from churnlib.features.loyal_cohorts import Cohorts, find_loyal_cohorts
from churnlib.features.outcome import is_at_risk
from churnlib.io import datasets
from churnlib.io.catalog import month_name
from churnlib.io.datasets import DatasetRef
from churnlib.report.formatting import counted
from flows.steps.run import Run


def past_churn_warnings(run: Run, standard: DatasetRef) -> tuple[str, ...]:
    """Warns if older cohorts of the training window churned far less than newer ones.

    An export without the characters or subscriptions that churned long ago makes their months look
    loyal, and a model learns from those who stayed.

    Args:
        run: The run.
        standard: The standard features.
    """
    settings, as_of = run.settings, run.as_of
    subs = datasets.scan(standard).filter(is_at_risk(settings.outcome))
    counts = churn_by_months(subs, as_of=as_of).collect(engine="streaming")
    since, _ = settings.windows.train.span(as_of)
    horizon = settings.horizon_months
    found = find_loyal_cohorts(counts, as_of=as_of, horizon_months=horizon, since=since)
    if found is None:
        return ()
    older, newer = found
    return (
        f"only {_churn(older)} churned within horizon_months = {horizon}, but {_churn(newer)}: if "
        "the tables no longer hold characters or subscriptions that churned long ago, older labels "
        "are wrong, and so is what a model learns from them; export them all, or begin "
        f"windows.train in {month_name(newer.first)} or later",
    )


def _churn(cohorts: Cohorts) -> str:
    months = f"{month_name(cohorts.first)} to {month_name(cohorts.last)}"
    number = counted(cohorts.subscriptions, "subscription")
    return f"{cohorts.rate:.1%} of the {number} that started in {months}"
