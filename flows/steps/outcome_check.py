"""The check that a training window has subscriptions that churned and others that did not."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from churnlib.errors import DataError
from churnlib.features.cohort_rows import rows_on_days
from churnlib.features.label_windows import LabelWindow, churn_by_months, suggest_label_window
from churnlib.features.outcome import add_label, is_at_risk
from churnlib.io import datasets
from churnlib.io.datasets import DatasetRef
from churnlib.months import months_apart
from churnlib.report.formatting import counted
from churnlib.schemas.columns import LABEL
from churnlib.settings import CohortSettings, Window
from churnlib.settings.outcome import OutcomeSettings
from flows.steps.run import Run
from flows.steps.window_features import known_subs
from flows.task import task


@dataclass(frozen=True)
class LabelRequest:
    """The settings that labels depend on.

    Attributes:
        as_of: The day of the run.
        horizon_months: The horizon of the label.
        outcome: What counts as churn.
        cohort: Which rows a subscription has.
        train: The training window.
        score: The scoring window.
    """

    as_of: date
    horizon_months: int
    outcome: OutcomeSettings
    cohort: CohortSettings
    train: Window
    score: Window

    @classmethod
    def of(cls, run: Run) -> "LabelRequest":
        """The settings of a run.

        Raises:
            SettingsError: See `flows.steps.run.Run.window`.
        """
        run.window("train")
        settings = run.settings
        windows = settings.windows
        return cls(
            run.as_of,
            settings.horizon_months,
            settings.outcome,
            settings.cohort,
            windows.train,
            windows.score,
        )


@task(
    reads=("03_primary/standard_features",),
    settings=("windows.train", "windows.score", "as_of", "horizon_months", "outcome", "cohort"),
)
def check_outcomes(standard: DatasetRef, request: LabelRequest) -> str:
    """Checks that the training window has both outcomes; if not, says which window would.

    Returns:
        The number of either outcome, for the log.

    Raises:
        DataError: All known labels of the window are equal.
    """
    selected, labels = _labels(standard, request)
    rows = f"{request.cohort.row_name}s"
    churned, known = int(labels.sum()), labels.count()
    if not selected or 0 < churned < known:  # An empty window has a message of its own.
        return f"{churned:,} of {known:,} {rows} with a known label churned"
    if labels.is_empty():
        raise DataError(
            f"{standard.game}: a model cannot be fitted to windows.train, because none of its "
            f"{counted(selected, request.cohort.row_name)} can churn: "
            f"{request.outcome.why_not_at_risk}, in all of them. Choose "
            "another window, lower it, or set outcome.not_renewed_months."
        )
    subs = datasets.scan(standard).filter(is_at_risk(request.outcome))
    at_risk = rows_on_days(subs, request.cohort, as_of=request.as_of)
    counts = churn_by_months(at_risk, as_of=request.as_of).collect(engine="streaming")
    found = f"{'all' if churned else 'none'} of {known:,} {rows} with a known label churned"
    if not known:
        found = "no label is known yet"
    raise DataError(
        f"{standard.game}: a model cannot be fitted to windows.train, because {found} within "
        f"horizon_months = {request.horizon_months}. {_describe(counts, request)} "
        f"{_advice(counts, request)}"
    )


def _labels(standard: DatasetRef, request: LabelRequest) -> tuple[int, pl.Series]:
    """The labels of the training window, as in its features, which are not built yet.

    Returns:
        The number of rows that the window selects, and the labels of those that can churn.
    """
    subs = known_subs(datasets.scan(standard), request.as_of)
    as_of, span = request.as_of, request.train.span(request.as_of)
    rows = rows_on_days(subs, request.cohort, as_of=as_of, span=span).pipe(
        add_label, as_of=as_of, horizon_months=request.horizon_months
    )
    at_risk = is_at_risk(request.outcome).alias("at_risk")
    labelled = rows.select(LABEL, at_risk).collect()
    return len(labelled), labelled.filter("at_risk")[LABEL]


def _describe(counts: pl.DataFrame, request: LabelRequest) -> str:
    """How many rows have churned at all, and after how many months."""
    rows = f"{request.cohort.row_name}s"
    since = "day" if request.cohort.is_monthly else "start"
    churned = counts.drop_nulls("churn_months")
    total, number = counts["subscriptions"].sum(), churned["subscriptions"].sum()
    if not number:
        return f"Of all {total:,} {rows}, none had churned by {request.as_of}."
    months = churned["churn_months"].repeat_by(churned["subscriptions"]).explode().sort()
    return (
        f"Of all {total:,} {rows}, {number:,} had churned by {request.as_of}, {months[0]} to "
        f"{months[-1]} months after their {since}, half of them within {months[len(months) // 2]}."
    )


def _advice(counts: pl.DataFrame, request: LabelRequest) -> str:
    """Which settings would do."""
    window = suggest_label_window(
        counts,
        as_of=request.as_of,
        horizon_months=request.horizon_months,
        score_start=request.score.span(request.as_of)[0],
    )
    if window is None:
        return (
            "No earlier window and no other horizon has both outcomes: wait for more months, or "
            "check the misses and [outcome]."
        )
    start, end = _ends(window, request)
    return (
        f"{window.churned:,} of {window.churned + window.stayed:,} churned with --set "
        f"horizon_months={window.horizon_months} --set windows.train.start={start} --set "
        f"windows.train.end={end}"
    )


def _ends(window: LabelWindow, request: LabelRequest) -> tuple[str, str]:
    """The ends of a window as the setting states them."""
    if request.train.is_relative:
        start, end = (-months_apart(day, request.as_of) for day in (window.first, window.last))
        return str(start), str(end)
    return str(window.first), str(window.last)
