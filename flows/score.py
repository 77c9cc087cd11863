"""The flow `score`, and `score-from-raw`: a back-test of the candidate, or of the champion."""

from flows import run_command

if __name__ == "__main__":  # Before the other imports, which would delay the first line.
    run_command("score")

from typing import get_args

from churnlib.io.datasets import DatasetRef
from churnlib.settings.tables import TableKind
from flows.standard_features import standard_features
from flows.steps.absent_history import absent_history_warnings
from flows.steps.back_test import score_model
from flows.steps.back_test_plan import back_test_plan
from flows.steps.doubtful_tables import doubtful_table_warnings
from flows.steps.feeds import feeds_of, refuse_late
from flows.steps.flow import churn_flow
from flows.steps.in_use import (
    KnownTables,
    build_in_use_features,
    describe_predictor,
    fit_in_use,
    refresh_in_use,
)
from flows.steps.own_settings import try_warnings
from flows.steps.past_churn import past_churn_warnings
from flows.steps.past_contacts import collect_contacts
from flows.steps.promotion import apply_back_test, is_of_champion, promotes, record_back_test
from flows.steps.raw_tables import cohort_kinds
from flows.steps.reports import check_segments, keep_reports, score_context, show
from flows.steps.run import Run
from flows.steps.run_warnings import data_warnings, leakage_warnings, warn
from flows.steps.sources import noted_feeds, read_sources
from flows.steps.standard_features import announce_due_batch, open_standard_features
from flows.steps.table_tasks import TABLE_TASKS
from flows.steps.window_features import build_window_features, check_first, window_cohort


@churn_flow(
    "score",
    tasks=(
        *TABLE_TASKS,
        collect_contacts,
        build_window_features,
        score_model,
        build_in_use_features,
        fit_in_use,
        record_back_test,
    ),
    tables=cohort_kinds,
)
def score(run: Run) -> tuple[DatasetRef, ...]:
    """Back-tests the candidate against the champion, or the champion alone, and reports.

    The model in use of a champion that is tested alone is fitted again, as by `train`; that of a
    candidate is fitted if the candidate is promoted.
    """
    check_segments(run.settings)
    plan = back_test_plan(run)
    standard = open_standard_features(run, "outcome", "standard")
    sources = read_sources(run)
    refuse_late(run, noted_feeds(run), "score")
    tables = run.tables(*cohort_kinds(run.settings))
    warnings = warn(
        leakage_warnings(run),
        plan.warnings,
        try_warnings(run),
        data_warnings(run, "score", sources, {**noted_feeds(run), **feeds_of(run, tables)}),
        note=plan.note,
    )
    warnings += warn(past_churn_warnings(run, standard))
    cohort = window_cohort(run, "score", standard, sources, tables, plan.window)
    warnings += warn(
        doubtful_table_warnings(run, cohort.sources), absent_history_warnings(run, cohort.features)
    )
    known = KnownTables(standard, sources, tables, cohort.contacts)
    if is_of_champion(run, plan):  # A manually promoted version gets its model in use so.
        warnings += warn(refresh_in_use(run, plan.model, known))
    reports = score_model(
        plan.model,
        plan.rivals,
        cohort.features,
        run.catalog.report("score_report"),
        plan.gate_on(cohort.features),
        score_context(
            run, plan.window, cohort.sources, warnings, describe_predictor(run, plan.model)
        ),
    )
    keep_reports(run, plan.model, reports)
    if promotes(run, reports[0]):  # First, so that a champion has its model in use at once.
        warn(refresh_in_use(run, plan.model, known))
    apply_back_test(run, plan, cohort.features, reports[0])
    show(reports)
    return reports


@churn_flow(
    "score-from-raw",
    tasks=TABLE_TASKS,
    tables=get_args(TableKind),
    parts=(standard_features, score),
)
def score_from_raw(run: Run) -> tuple[DatasetRef, ...]:
    """Builds the standard features, then back-tests on them."""
    check_segments(run.settings)
    back_test_plan(run)
    check_first(run, "score", *run.raw.values())
    standard_features(**run.parameters)
    reports: tuple[DatasetRef, ...] = score(**run.parameters, model=run.model)
    announce_due_batch(run)
    return reports
