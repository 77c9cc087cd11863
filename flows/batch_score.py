"""The flow `batch-score`, and `batch-score-from-raw`: a batch's predictions against the truth."""

from flows import run_command

if __name__ == "__main__":  # Before the other imports, which would delay the first line.
    run_command("batch-score")

from datetime import date
from typing import Any

import polars as pl

from churnlib.errors import DataError
from churnlib.features.cohort import in_window
from churnlib.features.outcome import add_label
from churnlib.io import datasets
from churnlib.io.catalog import month_name
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import fact, optional_fact
from churnlib.months import first_day, shift_months
from churnlib.report.content import Report
from churnlib.report.formatting import counted
from churnlib.report.verdicts import against_chance
from churnlib.report.write import write_report
from churnlib.schemas.outputs import output_tables
from churnlib.settings import EvaluationSettings, Offer, Settings, check_label_overlap
from churnlib.versions.champion import champion_version
from flows.engine.events import BatchScored
from flows.standard_features import standard_features
from flows.steps.past_model import about_past_model, model_behind, past_importance, standing
from flows.steps.raw_tables import STANDARD_KINDS
from flows.steps.reports import (
    check_segments,
    data_faults,
    overlap,
    short_data,
    show,
    warn,
)
from flows.steps.run import Run, churn_flow
from flows.steps.runtime_code import REPORT_CODE
from flows.steps.sources import read_sources, stale_source_warnings, standard_of
from flows.steps.window_features import check_first, fits_run, known_subs, refuse_empty
from flows.task import task

NEWER_COLUMNS = ("baseline_probability", "contact", "held_out")
"""What predictions may lack: a batch that is scored today was predicted months ago."""


@churn_flow("batch-score")
def batch_score(run: Run) -> tuple[DatasetRef, ...]:
    """Scores the predictions of an earlier batch, now that its truth is known."""
    check_segments(run.settings)
    standard = standard_of(run)
    window = run.window("batch_score")
    predictions = predictions_of(run, window)
    fits_run(run, standard, "churn_after_months")
    warnings = warn(
        (
            *fact(predictions, "warnings"),
            *overlap(run),
            *short_data(run, run.catalog.checked(run.raw.history.name)),
            *stale_source_warnings(run),
        )
    )
    reports = score_batch(
        standard,
        predictions,
        standing(run.catalog.predict_features(window[0])),
        model_behind(run, predictions),
        run.catalog.report("batch_score_report", window[0]),
        window=window,
        as_of=run.as_of,
        horizon_months=run.settings.horizon_months,
        offer=run.settings.campaign.offer,
        evaluation=run.settings.evaluation,
        data=data_faults(read_sources(run)),
        warnings=warnings,
        champion=champion_version(run.catalog),
        allow_joblib=run.settings.train.model_format == "joblib",
    )
    show(reports)
    return reports


@churn_flow("batch-score-from-raw")
def batch_score_from_raw(run: Run) -> tuple[DatasetRef, ...]:
    """Builds the standard features, then scores the predictions of an earlier batch."""
    check_segments(run.settings)
    check_first(run, "batch_score", *run.raw.of_kind(*STANDARD_KINDS))
    predictions_of(run, run.window("batch_score"))
    standard_features(**run.parameters)
    reports: tuple[DatasetRef, ...] = batch_score(**run.parameters)
    return reports


def day_to_predict(settings: Settings, as_of: date) -> date | None:
    """The day as of which the batch that is scored on a day was the one to predict.

    Args:
        settings: The game's settings.
        as_of: The day of the score.

    Returns:
        A month's first day; null where `windows.batch_predict` covers `windows.batch_score` on no
        day until then.
    """
    batch, moved = settings.windows.batch_score.span(as_of), settings.windows.batch_predict
    if isinstance(moved.start, date):
        return None
    try:
        day = shift_months(first_day(batch[0]), -moved.start)
        first, last = moved.span(day)
        check_label_overlap(settings, day)
    except ValueError:  # There is no such day, or no flow runs on it.
        return None
    return day if first <= batch[0] and batch[1] <= last and day <= as_of else None


def predicting(run: Run, window: tuple[date, date]) -> str:
    """Words the command that predicts the batch to score."""
    day = day_to_predict(run.settings, run.as_of)
    if day is not None:
        return run.command("batch_predict", as_of=day)
    ends = dict(zip(("start", "end"), map(str, window), strict=True))
    return run.command(
        "batch_predict", changes={f"windows.batch_predict.{end}": day for end, day in ends.items()}
    )


def predictions_of(run: Run, window: tuple[date, date]) -> DatasetRef:
    """The predictions of a batch, held against what the run is to score them by.

    Raises:
        DataError: There are none; or they are of a shorter window, or of another kind of churn.
    """
    advice = predicting(run, window)
    predictions = run.existing(run.catalog.predictions(window[0]), advice)
    schema = output_tables(run.settings.raw)["predictions"].schema
    datasets.scan(predictions, schema, newer=NEWER_COLUMNS)
    first, last = (date.fromisoformat(day) for day in fact(predictions, "window"))
    if window[0] < first or window[1] > last:
        raise DataError(
            f"{predictions.game}: windows.batch_score runs from {window[0]} to {window[1]}, but "
            f"{predictions.uri} covers {first} to {last}. Change windows.batch_score, or predict "
            f"the whole window: {advice}"
        )
    for name in ("horizon_months", "churn_after_months"):
        now = getattr(run.settings, name)
        if (was := fact(predictions, name)) != now:
            raise DataError(
                f"{predictions.game}: {predictions.uri} predicts by {name} = {was}, but the "
                f"settings say {now}. Set it back, or train and predict again."
            )
    return predictions


@task(
    reads=(
        "03_primary/standard_features",
        "07_model_output/predictions",
        "05_model_input/predict_features",
        "06_models/models",
    ),
    writes=("08_reporting/batch_score_report",),
    settings=(
        "windows.batch_score",
        "as_of",
        "horizon_months",
        "campaign",
        "evaluation",
        "train.model_format",
    ),
    uses=REPORT_CODE,
    notes=("champion",),
)
def score_batch(
    standard: DatasetRef,
    predictions: DatasetRef,
    features: DatasetRef | None,
    model: DatasetRef | None,
    output: Dataset,
    *,
    window: tuple[date, date],
    as_of: date,
    horizon_months: int,
    offer: Offer,
    evaluation: EvaluationSettings,
    data: dict[str, Any],
    warnings: tuple[str, ...],
    champion: str | None,
    allow_joblib: bool,
) -> tuple[DatasetRef, ...]:
    """Holds the predictions of a batch against what came of its subscriptions.

    Args:
        standard: The truth.
        predictions: What was predicted.
        features: What it was predicted from, where it still stands.
        model: The version that predicted, where it still stands.
        output: Where the report goes.
        window: First and last start of the subscriptions.
        as_of: The day of the run.
        horizon_months: Within how many months churn counts.
        offer: What a campaign costs and brings.
        evaluation: What is told apart.
        data: See `flows.steps.reports.data_faults`.
        warnings: What the reader must know.
        champion: The version in use, for the event.
        allow_joblib: Open a joblib model file, too, which runs what it says.
    """
    from churnlib.metrics.campaign import evaluate_campaign
    from churnlib.metrics.contact import compare_hold_out
    from churnlib.metrics.evaluate import evaluate
    from churnlib.metrics.segments import breakdown

    subs = known_subs(datasets.scan(standard), as_of)
    refuse_empty(subs, standard.game, "windows.batch_score", window)
    truth = add_label(in_window(subs, *window), as_of=as_of, horizon_months=horizon_months)
    predicted = in_window(datasets.scan(predictions), *window)
    columns = {"sub_id", "is_first_sub", "sub_churn", *evaluation.segments}
    both = truth.select(sorted(columns)).join(predicted, on="sub_id", how="full", coalesce=True)
    rows = both.collect()
    known = rows.drop_nulls(["churn_probability", "is_first_sub"])
    refuse_unmatched(predictions, known, window)
    threshold = optional_fact(predictions, "threshold")
    base_rate = optional_fact(predictions, "base_rate")
    groups = evaluate(known, threshold=threshold, base_rate=base_rate)
    scores = {name: scores.to_json() for name, scores in groups.items()}
    campaign = evaluate_campaign(known, offer, threshold).to_json()
    told = {"contact", "held_out"} <= set(known.columns)
    campaign["hold_out"] = compare_hold_out(known, threshold) if told else None
    about = about_past_model(model, *filter(None, (standard, predictions, features)))
    report = Report(
        name="batch_score_report",
        game=standard.game,
        as_of=as_of,
        window=window,
        horizon_months=horizon_months,
        model_version=", ".join(known["model_version"].unique().sort()),
        groups=scores,
        in_use=True,
        campaign=campaign,
        **breakdown(known, evaluation.segments, evaluation.most_values),
        **past_importance(model, features, known, allow_joblib=allow_joblib),
        **about | {"facts": {"predictions": len(known), **about["facts"]}},
        **data,
        warnings=(*warnings, *one_sided(rows)),
    )
    made = write_report(report, output, known)
    BatchScored(
        game=standard.game,
        month=month_name(window[0]),
        version=report.model_version,
        by_champion="yes" if report.model_version == champion else "no",
        verdict=against_chance(scores["general"]).kind,
        **{name: scores["general"][name] for name in ("n", "positives", "roc_auc", "roc_auc_ci")},
    ).emit()
    return made


def refuse_unmatched(
    predictions: DatasetRef, known: pl.DataFrame, window: tuple[date, date]
) -> None:
    """Refuses predictions of which none, or more than one, is about a subscription.

    Raises:
        DataError: Names the file.
    """
    if known.is_empty():
        raise DataError(
            f"{predictions.game}: {predictions.uri} predicts none of the subscriptions that the "
            f"standard features hold from {window[0]} to {window[1]}. Predict the batch again."
        )
    if twice := len(known) - known["sub_id"].n_unique():
        raise DataError(
            f"{predictions.game}: {predictions.uri} predicts "
            f"{counted(twice, 'subscription')} twice. Predict the batch again."
        )


def one_sided(rows: pl.DataFrame) -> tuple[str, ...]:
    """Warns of subscriptions that were not predicted, and of predictions that came to nothing.

    Args:
        rows: Subscriptions and predictions of a batch, joined in full.
    """
    missed, gone = rows["churn_probability"].null_count(), rows["is_first_sub"].null_count()
    warnings = []
    if missed:
        were = "was" if missed == 1 else "were"
        warnings.append(
            f"{counted(missed, 'subscription')} of the window {were} not predicted, so not scored"
        )
    if gone:
        of = "is of a subscription" if gone == 1 else "are of subscriptions"
        warnings.append(
            f"{counted(gone, 'prediction')} {of} that the standard features do not hold any more, "
            "so not scored"
        )
    return tuple(warnings)
