"""`churn run`: takes a game through all flows, as its months would."""

import os
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from churnlib.io import datasets, storage
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.months import first_day, shift_months
from churnlib.settings import Settings
from churnlib.uris import name_of, with_suffix
from churnlib.versions.champion import champion
from churnlib.versions.compatibility import has_label_leakage
from churnlib.versions.manifest import read_manifest
from flows.batch_predict import batch_predict
from flows.batch_score import batch_score
from flows.cli.parameters import RunOptions
from flows.cli.session import checked_settings
from flows.score import score
from flows.steps.database_tables import read_once
from flows.steps.past_predictions import day_to_predict
from flows.steps.reports import verdicts_only
from flows.train import train_from_raw

SHOWN_LINES = 19
"""The number of lines of a list that are shown: ten subscriptions."""


@read_once()
@verdicts_only()
def run_all(run: RunOptions, *, replace: bool = False) -> list[str]:
    """Trains from raw, back-tests, predicts an earlier batch and scores it, predicts the latest.

    At the monthly grain it predicts the months between, too, so that the list of the latest batch
    tells what changed.

    Args:
        run: What the flows are called with.
        replace: Whether to replace delivered predictions; see `flows.steps.delivery`.

    Returns:
        Lines that name the outputs; and at the monthly grain, the list.
    """
    model = train_from_raw(**run.parameters)
    settings = checked_settings(run)
    training = Catalog(settings.data_dir, settings.game).report("in_sample_report")
    outputs = {"model": model.uri, "training report": training.uri.replace(".json", ".html")}
    outputs["back-test"] = score(**run.parameters)[-1].uri
    day = date.fromisoformat(read_manifest(model)["as_of"])
    earlier = day_to_predict(settings, day)
    if earlier is not None:
        parameters = {**run.parameters, "as_of": earlier, "replace": replace}
        outputs["earlier predictions"] = _predict(settings, model, earlier, parameters).uri
        outputs["their score"] = batch_score(**run.parameters)[-1].uri
        for between in _days_between(settings, earlier, day):
            _predict(settings, model, between, {**parameters, "as_of": between})
    parameters = {**run.parameters, "replace": replace}
    outputs["predictions"] = _predict(settings, model, day, parameters).uri
    listed = with_suffix(_list_of(settings, day).uri, ".txt")
    outputs["whom to contact"] = with_suffix(listed, ".html")
    rest = f"... the rest: {os.path.relpath(outputs['whom to contact'])}"
    return [
        f"\n{run.game}, as of {day}:",
        *(f"  {name:<20} {os.path.relpath(uri)}" for name, uri in outputs.items()),
        *([] if earlier else [_skipped(settings, day)]),
        *(["", *_head(listed), rest] if settings.cohort.is_monthly else []),
    ]


def _days_between(settings: Settings, earlier: date, day: date) -> Iterator[date]:
    """The first days of the months between two batches of running subscriptions."""
    month = shift_months(first_day(earlier), 1)
    while settings.cohort.is_monthly and month < first_day(day):
        yield month
        month = shift_months(month, 1)


def _list_of(settings: Settings, day: date) -> Dataset:
    """The list of the batch that is predicted on a day."""
    first, _ = settings.windows.batch_predict.span(day)
    return Catalog(settings.data_dir, settings.game).batch_list(first)


def _head(text: str) -> list[str]:
    """The first lines of a text, up to those whose risk is the highest."""
    return storage.read_bytes(text).decode().splitlines()[:SHOWN_LINES]


def _predict(
    settings: Settings, trained: DatasetRef, day: date, parameters: Mapping[str, Any]
) -> DatasetRef:
    """Predicts the batch of a day by the champion.

    If the champion was trained on later days, so that it has label leakage, the batch is predicted
    by the model just trained, or stays as it was delivered.
    """
    catalog = Catalog(settings.data_dir, settings.game)
    first, _ = settings.windows.batch_predict.span(day)
    leaks = has_label_leakage(read_manifest(champion(catalog)), first)
    model = name_of(trained.uri) if leaks and not settings.allow_label_overlap else None
    delivered = catalog.predictions(first)
    if model and not parameters["replace"] and storage.is_file(delivered.uri):
        return datasets.ref(delivered)
    predictions: DatasetRef = batch_predict(**parameters, model=model)
    return predictions


def _skipped(settings: Settings, day: date) -> str:
    scored, predicted = settings.windows.batch_score, settings.windows.batch_predict
    return (
        "  skipped: an earlier batch and its score, because windows.batch_predict "
        f"({predicted.start} to {predicted.end}) covers windows.batch_score ({scored.start} "
        f"to {scored.end}) as of no day up to {day}. State both in months relative to as_of."
    )
