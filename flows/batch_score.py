"""The flow `batch-score`, and `batch-score-from-raw`: a batch's predictions against outcomes."""

from flows import run_command

if __name__ == "__main__":  # Before the other imports, which would delay the first line.
    run_command("batch-score")

from churnlib.io.datasets import DatasetRef
from churnlib.io.footer import fact
from churnlib.versions.champion import champion_version
from flows.standard_features import standard_features
from flows.steps.batch_report import BatchScoreContext, score_batch
from flows.steps.doubtful_tables import doubtful_table_warnings
from flows.steps.flow import churn_flow
from flows.steps.past_churn import past_churn_warnings
from flows.steps.past_model import find_existing, past_model
from flows.steps.past_predictions import find_predictions
from flows.steps.raw_tables import STANDARD_KINDS
from flows.steps.reports import check_segments, score_context, show
from flows.steps.run import Run
from flows.steps.run_warnings import data_warnings, warn
from flows.steps.sources import noted_feeds, read_sources
from flows.steps.standard_features import open_standard_features
from flows.steps.table_tasks import CHECKS
from flows.steps.window_features import check_first


@churn_flow("batch-score", tasks=(score_batch,))
def batch_score(run: Run) -> tuple[DatasetRef, ...]:
    """Scores the predictions of an earlier batch, now that its outcomes are known."""
    check_segments(run.settings)
    window = run.window("batch_score")
    standard = open_standard_features(run, "outcome")
    sources = read_sources(run)
    predictions = find_predictions(run, window)
    warnings = warn(
        fact(predictions, "warnings"),
        data_warnings(run, "batch_score", sources, noted_feeds(run)),
        past_churn_warnings(run, standard),
        doubtful_table_warnings(run, sources),
    )
    reports = score_batch(
        standard,
        predictions,
        find_existing(run.catalog.predict_features(window.first)),
        past_model(run, predictions),
        run.catalog.batch_report(window.first),
        BatchScoreContext(
            **vars(score_context(run, window, sources, warnings)),
            champion=champion_version(run.catalog),
        ),
    )
    show(reports)
    return reports


@churn_flow(
    "batch-score-from-raw",
    tasks=CHECKS,
    tables=STANDARD_KINDS,
    parts=(standard_features, batch_score),
)
def batch_score_from_raw(run: Run) -> tuple[DatasetRef, ...]:
    """Builds the standard features, then scores the predictions of an earlier batch."""
    check_segments(run.settings)
    check_first(run, "batch_score", *run.raw.of_kind(*STANDARD_KINDS))
    find_predictions(run, run.window("batch_score"))
    standard_features(**run.parameters)
    reports: tuple[DatasetRef, ...] = batch_score(**run.parameters)
    return reports
