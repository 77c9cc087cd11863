"""The flow `standard-features`: raw tables to the standard features."""

from flows import run_command

if __name__ == "__main__":  # Before the other imports, which would delay the first line.
    run_command("standard-features")

from churnlib.io.datasets import DatasetRef
from flows.steps.feeds import check_feeds
from flows.steps.flow import churn_flow, is_subflow
from flows.steps.raw_tables import STANDARD_KINDS
from flows.steps.run import Run
from flows.steps.run_warnings import leakage_warnings, warn
from flows.steps.sources import note_sources, noted_feeds
from flows.steps.standard_features import (
    announce_due_batch,
    build_features,
    build_standard_features,
)
from flows.steps.table_tasks import CHECKS


@churn_flow(
    "standard-features",
    tasks=(*CHECKS, build_standard_features, note_sources),
    tables=STANDARD_KINDS,
)
def standard_features(run: Run) -> DatasetRef:
    """Builds all features but currency, and the day of each churn, from the raw tables."""
    warn(run.day_warnings, leakage_warnings(run.settings.standard))
    features = build_features(run)
    if not is_subflow():  # The enclosing flow judges the tables that it needs.
        warn(check_feeds(run, noted_feeds(run), None))
    announce_due_batch(run)
    return features
