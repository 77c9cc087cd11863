"""The flow `batch-predict`: the churn probabilities of a month's subscriptions."""

from flows import run_command

if __name__ == "__main__":  # Before the other imports, which would delay the first line.
    run_command("batch-predict")

from churnlib.features.activity import ActivityFeatures
from churnlib.features.cohort_rows import CohortRows
from churnlib.io.datasets import DatasetRef
from flows.steps.absent_history import absent_history_warnings
from flows.steps.batch_list import announce_list, batch_before, list_batch
from flows.steps.batches import announce_gaps, batch_facts, beyond_warnings, news_warnings
from flows.steps.contacts import announce_contacts, contact_plan
from flows.steps.delivery import check_delivery, check_not_smaller
from flows.steps.doubtful_tables import doubtful_table_warnings
from flows.steps.export import deliver, deliver_predictions
from flows.steps.feeds import check_feeds, feeds_of
from flows.steps.flow import churn_flow, is_subflow
from flows.steps.prediction import (
    BatchRequest,
    build_predict_features,
    footer_warnings,
    predict_batch,
)
from flows.steps.predictor import find_predictor
from flows.steps.raw_tables import batch_kinds
from flows.steps.run import Run
from flows.steps.run_warnings import leakage_warnings, warn
from flows.steps.table_tasks import TABLE_TASKS
from flows.steps.window_features import check_first


@churn_flow(
    "batch-predict",
    tasks=(*TABLE_TASKS, build_predict_features, predict_batch, list_batch, deliver),
    tables=batch_kinds,
)
def batch_predict(run: Run) -> DatasetRef:
    """Predicts the batch of the window from the raw tables; see `batch_kinds` for which."""
    settings, window = run.settings, run.window("batch_predict")
    kinds, output = batch_kinds(settings), run.catalog.predictions(window.first)
    predictor = find_predictor(run, output)
    check_delivery(run, output, predictor.made)
    check_first(run, "batch_predict", *run.raw.of_kind(*kinds))
    tables = run.tables(*kinds)
    check_not_smaller(run, output, tables)
    warnings = warn(
        run.day_warnings,
        leakage_warnings(run),
        predictor.warnings,
        check_feeds(run, feeds_of(run, tables), "batch_predict"),
        beyond_warnings(run, window),
        doubtful_table_warnings(run, {table.checked.name: table.facts for table in tables}),
    )
    features = build_predict_features(
        tuple(table.checked for table in tables),
        run.catalog.predict_features(window.first),
        BatchRequest(
            window, CohortRows.of(settings), settings.outcome, ActivityFeatures.of(settings)
        ),
        engine=settings.engine,
    )
    warnings += warn(absent_history_warnings(run, features))
    warn(news_warnings(run, window, tables))
    before = batch_before(run, window)
    predictions = predict_batch(
        predictor.model,
        features,
        output,
        batch_facts(run, window, tables, warnings),
        in_use=predictor.in_use,
        contacts=contact_plan(run, predictor.model),
        before=before,
        allow_joblib=run.allow_joblib,
    )
    warn(footer_warnings(predictions))
    announce_contacts(run, predictions)
    listed = list_batch(predictions, features, before, run.catalog.batch_list(window.first))
    announce_list(listed)
    if not is_subflow():
        announce_gaps(run, window, tables)
    deliver_predictions(run, predictions)
    return predictions
