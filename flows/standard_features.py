"""The flow `standard-features`: raw tables to the standard features."""

from flows import run_command

if __name__ == "__main__":  # Before the other imports, which would delay the first line.
    run_command("standard-features")

from churnlib.io.datasets import DatasetRef
from flows.steps.doubtful_tables import doubtful_table_warnings
from flows.steps.feeds import check_feeds
from flows.steps.flow import churn_flow, is_subflow
from flows.steps.past_churn import past_churn_warnings
from flows.steps.raw_tables import STANDARD_KINDS
from flows.steps.run import Run
from flows.steps.run_warnings import leakage_warnings, warn
from flows.steps.sources import note_sources, noted_feeds, read_sources
from flows.steps.standard_features import (
    announce_due_batch,
    build_features,
    build_standard_features,
)
from flows.steps.table_tasks import CHECKS
from flows.steps.window_features import check_first


@churn_flow(
    "standard-features",
    tasks=(*CHECKS, build_standard_features, note_sources),
    tables=STANDARD_KINDS,
)
def standard_features(run: Run) -> DatasetRef:
    """Builds the features that need no histories or events, and the day of each churn."""
    warn(run.day_warnings, leakage_warnings(run))
    if is_subflow():  # The enclosing flow judges the tables.
        return build_features(run)
    check_first(run, None, *run.raw.of_kind(*STANDARD_KINDS))
    features = build_features(run)
    warn(
        check_feeds(run, noted_feeds(run), None),
        past_churn_warnings(run, features),
        doubtful_table_warnings(run, read_sources(run)),
    )
    announce_due_batch(run)
    return features
