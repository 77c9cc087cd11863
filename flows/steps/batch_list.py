"""The list of a batch: whom operations look at this month."""

import json
from datetime import date

from churnlib.io import datasets, storage
from churnlib.io.catalog import batch_name
from churnlib.io.datasets import Dataset, DatasetRef, ref
from churnlib.io.footer import fact, facts, optional_fact, optional_facts
from churnlib.raw.past_batches import predicted_months
from churnlib.report.batch_list import BatchList, Predicted, list_riskiest
from churnlib.report.batch_list_formats import render_list
from churnlib.schemas.columns import IN_A_ROW, KEYS, MONTHS_LEFT, TENURE
from churnlib.uris import name_of, with_suffix
from flows.engine.artifacts import show_page, show_table
from flows.engine.cache import run_logger
from flows.steps.contacts import is_acted_on
from flows.steps.prediction import footer_warnings
from flows.steps.run import Run, SubscriptionWindow
from flows.steps.runtime_code import REPORT_CODE
from flows.task import task

LIKE = ("cohort", "horizon_months", "outcome")
"""The facts in which batches must be alike for their probabilities to mean the same."""


def batch_before(run: Run, window: SubscriptionWindow) -> DatasetRef | None:
    """Finds the predictions of the latest batch before one, to compare with.

    At the start grain a subscription is in one batch only, so there is nothing to compare; nor with
    a batch that was predicted with another grain, horizon or outcome.
    """
    settings = run.settings
    earlier = [m for m in predicted_months(run.catalog) if m < window.first.replace(day=1)]
    if not (settings.cohort.is_monthly and earlier):
        return None
    before = datasets.ref(run.catalog.predictions(earlier[-1]))
    now = settings.model_dump(mode="json", include={*LIKE})
    return before if optional_facts(before, *LIKE) == now else None


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
    window, as_of, version, horizon = facts(
        predictions, "window", "as_of", "model_version", "horizon_months"
    )
    listed = BatchList(
        game=predictions.game,
        window=_days(window),
        as_of=date.fromisoformat(as_of),
        horizon_months=horizon,
        model_version=version,
        predictions=predictions.fingerprint,
        rule=optional_fact(predictions, "threshold_rule"),
        no_contact=fact(predictions, "no_contact"),
        before=None if before is None else batch_name(*_days(fact(before, "window"))),
        warnings=footer_warnings(predictions),
        **list_riskiest(
            _predicted(predictions, features), None if before is None else _predicted(before)
        ),
    )
    texts = render_list(listed)
    places = {suffix: with_suffix(output.uri, suffix) for suffix in texts}
    storage.write_texts({places[suffix]: texts[suffix] for suffix in (".txt", ".html")})
    storage.write_text(texts[".json"], output.uri)  # Last: it names the predictions of the others.
    return tuple(ref(Dataset(output.name, output.game, place)) for place in places.values())


def list_if_missing(run: Run, month: date) -> None:
    """Lists an existing batch whose list was not made of its predictions, as after a kill.

    Predictions of an earlier release have no list, and those whose features do not exist any more
    get none.

    Args:
        run: The run.
        month: The month of the batch.
    """
    output, features = run.catalog.batch_list(month), run.catalog.predict_features(month)
    predictions = ref(run.catalog.predictions(month))
    known = optional_facts(predictions, "model_in_use", "before")
    if known["model_in_use"] is None or not storage.is_file(features.uri):
        return
    if _listed_of(output) == predictions.fingerprint:
        return
    name = known["before"]
    earlier = [run.catalog.predictions(m) for m in predicted_months(run.catalog)]
    before = next((ref(place) for place in earlier if name_of(place.uri) == name), None)
    announce_list(list_batch(predictions, ref(features), before, output))


def _listed_of(output: Dataset) -> str | None:
    """The fingerprint of the predictions that a list was made of; None without a sound list."""
    try:
        content = json.loads(storage.read_if_exists(output.uri) or b"{}")
        return str(content["predictions"])
    except (
        ValueError,
        KeyError,
        TypeError,
        RecursionError,
    ):  # Damaged, or of another version of this package.
        return None


def _predicted(predictions: DatasetRef, features: DatasetRef | None = None) -> Predicted:
    """Reads predictions, those of running subscriptions of their last month alone.

    Args:
        predictions: The predictions.
        features: Their features, which tell how far a subscription is in its term; None if nobody
            wants to know.
    """
    rows = datasets.read(predictions)
    if features is not None:
        known = datasets.scan(features)
        columns = [c for c in (TENURE, MONTHS_LEFT, IN_A_ROW) if c in known.collect_schema()]
        told = known.select(*KEYS, *columns).collect()
        rows = rows.join(told, on=KEYS, how="left", maintain_order="left")
    return Predicted(rows.filter(is_acted_on(predictions)), fact(predictions, "threshold"))


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
