"""The flow `train`, and `train-from-raw`: standard features to a model and its report."""

from flows import run_command

if __name__ == "__main__":  # Before the other imports, which would delay the first line.
    run_command("train")

from typing import get_args

from churnlib.io.datasets import DatasetRef
from churnlib.settings.tables import TableKind
from flows.standard_features import standard_features
from flows.steps.absent_history import absent_history_warnings
from flows.steps.doubtful_tables import doubtful_table_warnings
from flows.steps.feeds import feeds_of, refuse_late
from flows.steps.flow import churn_flow
from flows.steps.in_use import (
    KnownTables,
    build_in_use_features,
    champion_after,
    describe_predictor,
    fit_in_use,
    refresh_in_use,
)
from flows.steps.outcome_check import LabelRequest, check_outcomes
from flows.steps.past_churn import past_churn_warnings
from flows.steps.past_contacts import collect_contacts
from flows.steps.raw_tables import cohort_kinds
from flows.steps.registration import register, register_version
from flows.steps.reports import keep_reports, show, training_context
from flows.steps.run import Run
from flows.steps.run_warnings import data_warnings, leakage_warnings, warn
from flows.steps.sources import noted_feeds, read_sources
from flows.steps.standard_features import announce_due_batch, open_standard_features
from flows.steps.table_tasks import TABLE_TASKS
from flows.steps.training import check_model, check_training, fit_model, fit_version
from flows.steps.training_report import report_training
from flows.steps.unit_change_warnings import unit_change_warnings
from flows.steps.window_features import build_window_features, check_first, window_cohort


@churn_flow(
    "train",
    tasks=(
        check_model,
        *TABLE_TASKS,
        collect_contacts,
        build_window_features,
        check_outcomes,
        fit_model,
        build_in_use_features,
        fit_in_use,
        report_training,
        register,
    ),
    tables=cohort_kinds,
)
def train(run: Run) -> DatasetRef:
    """Trains a model on the training window, reports on it, and makes it the candidate.

    The model in use of the champion is fitted again, on all labels that are known by now.
    """
    check_training(run)
    standard = open_standard_features(run, "outcome", "standard")
    sources = read_sources(run)
    refuse_late(run, noted_feeds(run), "train")
    tables = run.tables(*cohort_kinds(run.settings))
    warnings = warn(
        leakage_warnings(run),
        data_warnings(run, "train", sources, {**noted_feeds(run), **feeds_of(run, tables)}),
    )
    warnings += warn(past_churn_warnings(run, standard))
    check_outcomes(standard, LabelRequest.of(run))
    cohort = window_cohort(run, "train", standard, sources, tables)
    warnings += warn(
        doubtful_table_warnings(run, cohort.sources),
        absent_history_warnings(run, cohort.features),
        unit_change_warnings(cohort.features),
    )
    model = fit_version(run, cohort)
    known = KnownTables(standard, sources, tables, cohort.contacts)
    warnings += warn(refresh_in_use(run, champion_after(run, model), known))
    reports = report_training(
        model,
        run.catalog.report("in_sample_report"),
        cohort.features,
        standard,
        training_context(run, cohort.sources, warnings, describe_predictor(run, model)),
    )
    keep_reports(run, model, reports)
    register_version(run, model)
    show(reports)
    return model


@churn_flow(
    "train-from-raw",
    tasks=(check_model, *TABLE_TASKS),
    tables=get_args(TableKind),
    parts=(standard_features, train),
)
def train_from_raw(run: Run) -> DatasetRef:
    """Builds the standard features, then trains on them."""
    check_training(run)
    check_first(run, "train", *run.raw.values())
    standard_features(**run.parameters)
    model: DatasetRef = train(**run.parameters)
    announce_due_batch(run)
    return model
