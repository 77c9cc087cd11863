"""The list of a batch: whom operations look at this month."""

import json
from datetime import date

import polars as pl

from churnlib.io import datasets, storage
from churnlib.io.catalog import batch_name
from churnlib.io.datasets import Dataset, DatasetRef, ref
from churnlib.io.footer import fact, facts
from churnlib.raw.past_batches import predicted_months
from churnlib.report.batch_list import BatchList, list_riskiest
from churnlib.schemas.columns import IN_A_ROW, KEYS, MONTHS_LEFT, TENURE
from churnlib.uris import with_suffix
from flows.engine.artifacts import show_page, show_table
from flows.engine.cache import run_logger
from flows.steps.prediction import footer_warnings
from flows.steps.run import Run, SubscriptionWindow
from flows.steps.runtime_code import REPORT_CODE
from flows.task import task


def batch_before(run: Run, window: SubscriptionWindow) -> DatasetRef | None:
    """Finds the predictions of the latest batch before one, to compare with.

    At the start grain a subscription is in one batch only, so there is nothing to compare.
    """
    if not run.settings.cohort.is_monthly:
        return None
    earlier = [m for m in predicted_months(run.catalog) if m < window.first.replace(day=1)]
    return datasets.ref(run.catalog.predictions(earlier[-1])) if earlier else None


@task(
    reads=("07_model_output/predictions", "05_model_input/predict_features"),
    writes=("08_reporting/batch_list",),
    uses=REPORT_CODE,
)
def list_batch(
    predictions: DatasetRef,
    features: DatasetRef,
    before: DatasetRef | None,
    output: Dataset,
) -> tuple[DatasetRef, ...]:
    """Lists the riskiest subscriptions of a batch, and what changed since the batch before."""
    names = ("window", "as_of", "model_version", "horizon_months", "contacted", "threshold")
    window, as_of, version, horizon, contacted, threshold = facts(predictions, *names)
    listed = BatchList(
        game=predictions.game,
        window=_days(window),
        as_of=date.fromisoformat(as_of),
        horizon_months=horizon,
        model_version=version,
        contacted=contacted,
        threshold=threshold,
        no_contact=fact(predictions, "no_contact"),
        before=None if before is None else batch_name(*_days(facts(before, "window")[0])),
        warnings=footer_warnings(predictions),
        **list_riskiest(
            _with_term(datasets.scan(predictions), datasets.scan(features)),
            None if before is None else datasets.read(before),
        ),
    )
    texts = listed.texts()
    places = {suffix: with_suffix(output.uri, suffix) for suffix in texts}
    storage.write_texts({places[suffix]: text for suffix, text in texts.items()})
    return tuple(ref(Dataset(output.name, output.game, place)) for place in places.values())


def _with_term(predictions: pl.LazyFrame, features: pl.LazyFrame) -> pl.DataFrame:
    """Adds how far a subscription is in its term, if the features tell."""
    known = [c for c in (TENURE, MONTHS_LEFT, IN_A_ROW) if c in features.collect_schema()]
    told = features.select(*KEYS, *known)
    return predictions.join(told, on=KEYS, how="left", maintain_order="left").collect()


def _days(window: list[str]) -> tuple[date, date]:
    first, last = map(date.fromisoformat, window)
    return first, last


def announce_list(listed: tuple[DatasetRef, ...]) -> None:
    """Names the list of a batch in the log, and shows it on the run's page."""
    data, _, page = listed
    run_logger().info("the list of the batch: %s", page.uri)
    plain = json.loads(storage.read_bytes(data.uri))
    rows = [{name: str(value) for name, value in row.items()} for row in plain["listed"]]
    show_table(page.game, "list", rows)
    show_page(page, plain["title"])
