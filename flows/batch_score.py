"""The flow `batch-score`, and `batch-score-from-raw`: a batch's predictions against the truth."""

if __name__ == "__main__":  # Before the imports below: the first line is printed while they load.
    from flows.command import main

    raise SystemExit(main("batch_score"))

from datetime import date
from typing import Any

import polars as pl

from churnlib import storage
from churnlib.datasets import Dataset, DatasetRef
from churnlib.features.labels import add_label
from churnlib.lineage import tables_behind
from churnlib.report.content import Report
from churnlib.report.write import write_report
from flows.features import fits_run, known_subs
from flows.reports import TEMPLATE, data_faults, show
from flows.run import Run, churn_flow
from flows.standard_features import standard_features
from flows.task import task


@churn_flow("batch-score")
def batch_score(run: Run) -> tuple[DatasetRef, ...]:
    """Scores the predictions of an earlier batch, now that its truth is known."""
    window = run.window("batch_score")
    reports = score_batch(
        run.existing(run.catalog.standard_features(), "standard_features"),
        run.existing(run.catalog.predictions(window[0]), "batch_predict"),
        run.catalog.report("batch_score_report", window[0]),
        window=window,
        as_of=run.as_of,
        horizon_months=run.settings.horizon_months,
        churn_after_months=run.settings.churn_after_months,
    )
    show(reports)
    return reports


@churn_flow("batch-score-from-raw")
def batch_score_from_raw(run: Run) -> tuple[DatasetRef, ...]:
    """Builds the standard features, then scores the predictions of an earlier batch."""
    standard_features(**run.parameters)
    reports: tuple[DatasetRef, ...] = batch_score(**run.parameters)
    return reports


@task(uses=(TEMPLATE,))
def score_batch(
    standard: DatasetRef,
    predictions: DatasetRef,
    output: Dataset,
    *,
    window: tuple[date, date],
    as_of: date,
    horizon_months: int,
    churn_after_months: int,
) -> tuple[DatasetRef, ...]:
    """Holds the predictions of a batch against what came of its subscriptions."""
    from churnlib.model.evaluate import evaluate

    fits_run(standard, as_of, churn_after_months=churn_after_months)
    subs = add_label(known_subs(standard, as_of), as_of=as_of, horizon_months=horizon_months)
    predicted = storage.scan(predictions).filter(pl.col("sub_start_date").is_between(*window))
    rows = predicted.join(
        subs.select("sub_id", "is_first_sub", "sub_churn"), on="sub_id", how="left"
    ).collect()
    known = rows.filter(pl.col("is_first_sub").is_not_null())
    facts: dict[str, Any] = {"predictions": len(rows)}
    if gone := len(rows) - len(known):
        facts["without subscription"] = f"{gone} are not among the standard features any more"
    report = Report(
        name="batch_score_report",
        game=standard.game,
        as_of=as_of,
        window=window,
        horizon_months=horizon_months,
        model_version=", ".join(rows["model_version"].unique().sort()),
        groups={name: scores.to_json() for name, scores in evaluate(known).items()},
        facts=facts,
        **data_faults(tables_behind(standard)),
    )
    return write_report(report, output, known)
