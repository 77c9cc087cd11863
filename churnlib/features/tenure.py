"""How long subscriptions ran, and how that ended, as counts."""

from datetime import date

import polars as pl

from churnlib.features.outcome import is_at_risk
from churnlib.months import last_day, months_from
from churnlib.schemas.columns import SUB_MONTHS, SUB_START_DATE
from churnlib.schemas.validation import require
from churnlib.settings.outcome import OutcomeSettings

TENURE, EXIT, SUBSCRIPTIONS = "tenure_months", "exit", "subscriptions"
CHURNED, ENDED, RUNNING = "churned", "ended", "running"


def exits_by_tenure(subs: pl.LazyFrame, outcome: OutcomeSettings, *, as_of: date) -> pl.LazyFrame:
    """Counts subscriptions by their term, by how they left, and by how long they had run by then.

    A subscription churned in the month of its tenure in which churn became a fact. Otherwise it
    ended with its term; where an end without another subscription is churn, it ended once that had
    not come about, so many months later. Otherwise it still runs. Only whole months of tenure
    count: what happened in one that is not over by `as_of` is not known for all.

    Args:
        subs: One row per subscription, with `sub_start_date`, `sub_months` and `churned_on`.
        outcome: What counts as churn. Subscriptions that are not at risk are left out; see
            `churnlib.features.outcome.is_at_risk`.
        as_of: The day of the run; what happens later is not known.

    Returns:
        One row per combination that occurs, in any order: `sub_months`, `exit` (`churned`, `ended`
        or `running`), `tenure_months` (Int32), and `subscriptions`, their number.

    Raises:
        DataError: A column is missing.
    """
    require(subs.collect_schema(), (SUB_START_DATE, SUB_MONTHS, "churned_on"), "the subscriptions")
    start, day = pl.col(SUB_START_DATE), pl.lit(as_of)
    is_last = as_of == last_day(as_of)
    has_begun = pl.lit(False) if is_last else start.dt.day() > as_of.day
    whole = months_from(start, day) - has_begun.cast(pl.Int32)
    churn = months_from(start, pl.col("churned_on"))
    end = (pl.col(SUB_MONTHS) + (outcome.not_renewed_months or 0)).cast(pl.Int32)
    has_churned, has_ended = (churn <= whole).fill_null(False), end <= whole
    exits = pl.when(has_churned).then(pl.lit(CHURNED)).when(has_ended).then(pl.lit(ENDED))
    tenure = pl.when(has_churned).then(churn).when(has_ended).then(end)
    return (
        subs.filter(
            is_at_risk(outcome),
            start <= as_of,
            pl.col(SUB_MONTHS) > 0,
            (churn > 0).fill_null(True),  # Misses before the start are no churn.
        )
        .group_by(
            SUB_MONTHS,
            exits.otherwise(pl.lit(RUNNING)).alias(EXIT),
            tenure.otherwise(whole).alias(TENURE),
        )
        .agg(pl.len().alias(SUBSCRIPTIONS))
    )
