"""The predictions of an earlier batch, and the command that makes them."""

from datetime import date

from churnlib.errors import DataError
from churnlib.io import datasets
from churnlib.io.datasets import DatasetRef
from churnlib.io.footer import facts, optional_fact, optional_facts
from churnlib.months import first_day, shift_months
from churnlib.schemas.outputs import NEWER_COLUMNS, output_tables
from churnlib.settings import CohortSettings, Settings, check_label_overlap
from churnlib.settings.outcome import OutcomeSettings
from churnlib.versions.compatibility import outcome_of
from flows.steps.run import Run, SubscriptionWindow


def find_predictions(run: Run, window: SubscriptionWindow) -> DatasetRef:
    """Finds the predictions of a batch, and checks that they can be scored by a run.

    Raises:
        DataError: They do not exist, or have a shorter window or another label.
    """
    predictions = run.existing(
        run.catalog.predictions(window.first), prediction_command(run, window)
    )
    schema = output_tables(run.settings)["predictions"].schema
    datasets.scan(predictions, schema, newer=NEWER_COLUMNS)
    span, horizon = facts(predictions, "window", "horizon_months")
    first, last = map(date.fromisoformat, span)
    if window.first < first or window.last > last:
        raise DataError(
            f"{predictions.game}: {window.setting} runs from {window.first} to {window.last}, but "
            f"{predictions.uri} covers {first} to {last}. Change {window.setting}, or predict the "
            f"whole window: {prediction_command(run, window, '--replace')}"
        )
    settings = run.settings
    for name, was, now in (
        ("horizon_months", horizon, settings.horizon_months),
        ("outcome", _outcome(predictions), settings.outcome),
        ("cohort.grain", _grain(predictions), settings.cohort.grain),
    ):
        if was != now:
            raise DataError(
                f"{predictions.game}: {predictions.uri} was predicted with {name} = {was}, but the "
                f"settings say {now}. Set it back; or train and score a model with the present "
                f"settings, and predict again: {prediction_command(run, window, '--replace')}"
            )
    return predictions


def _outcome(predictions: DatasetRef) -> OutcomeSettings:
    """What counted as churn when a batch was predicted."""
    known = optional_facts(predictions, "outcome", "churn_after_months")
    return outcome_of({name: value for name, value in known.items() if value is not None})


def _grain(predictions: DatasetRef) -> str:
    """Which rows the subscriptions of a batch had when it was predicted."""
    known: CohortSettings = CohortSettings.model_validate(
        optional_fact(predictions, "cohort") or {}
    )
    return known.grain


def prediction_command(run: Run, window: SubscriptionWindow, *more: str) -> str:
    """Writes the command line that predicts the batch to score, with further arguments."""
    day = day_to_predict(run.settings, run.as_of)
    if day is not None:
        return run.command("batch_predict", *more, as_of=day)
    changes = {
        "windows.batch_predict.start": str(window.first),
        "windows.batch_predict.end": str(window.last),
    }
    return run.command("batch_predict", *more, changes=changes)


def day_to_predict(settings: Settings, as_of: date) -> date | None:
    """The day on which the batch had to be predicted that is scored on another day.

    Returns:
        The first day of a month; None if `windows.batch_predict` covers `windows.batch_score` on no
        day until then.
    """
    batch, window = settings.windows.batch_score.span(as_of), settings.windows.batch_predict
    if isinstance(window.start, date):
        return None
    try:
        day = shift_months(first_day(batch[0]), -window.start)
        first, last = window.span(day)
        check_label_overlap(settings, day)
    except ValueError:  # No such day exists, or no flow can run on it.
        return None
    return day if first <= batch[0] and batch[1] <= last and day <= as_of else None
