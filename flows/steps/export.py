"""The delivery of predictions to a database, or as a CSV file."""

from datetime import date
from pathlib import Path

from churnlib.errors import DataError
from churnlib.io import datasets, storage
from churnlib.io.batches import Batch
from churnlib.io.catalog import Catalog, catalog_of, month_name
from churnlib.io.csv_delivery import deliver_csv, holds_csv
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import facts
from churnlib.settings import DeliverySettings
from churnlib.settings.databases import database_file, is_database, shown_database
from churnlib.uris import is_remote, join
from flows.engine.cache import run_logger
from flows.engine.run_logger import warn_once
from flows.engine.tries import is_same_folder
from flows.steps.own_settings import own_settings
from flows.steps.run import Run
from flows.task import task


def deliver_predictions(run: Run, predictions: DatasetRef) -> None:
    """Delivers the predictions of a batch where the settings say, if they do.

    Raises:
        DataError: The delivery fails; the predictions stay in the data folder, and the next run
            delivers them.
    """
    if run.settings.delivery.to is None:
        return
    if _is_apart(run):
        warn_once(
            f"{run.settings.game}: the predictions are not delivered, because this run has another "
            "data folder than the game's own, which has a champion. To deliver them, name another "
            "place: --set delivery.to=PLACE"
        )
        return
    deliver(predictions, run.settings.delivery, replaces=run.replace)


def deliver_if_missing(run: Run, output: Dataset) -> None:
    """Delivers existing predictions that the database or folder does not have.

    Raises:
        DataError: See `deliver_predictions`.
    """
    delivery = run.settings.delivery
    if delivery.to is None or not storage.is_file(output.uri):
        return
    predictions = datasets.ref(output)
    if not _is_held(batch_of(predictions), delivery, run.catalog):
        deliver_predictions(run, predictions)


@task(reads=("07_model_output/predictions",), settings=("delivery",), cached=False)
def deliver(predictions: DatasetRef, delivery: DeliverySettings, *, replaces: bool) -> None:
    """Replaces the batch in a table of a database, or in a CSV file, all at once."""
    batch, catalog = batch_of(predictions), catalog_of(predictions)
    to = delivery.to or ""
    try:
        if is_database(to):
            from churnlib.io.databases.delivery import deliver as deliver_rows

            deliver_rows(batch, to, delivery.table, catalog.data_dir, replaces=replaces)
            where = f"{shown_database(to)}, table {delivery.table}"
        else:
            where = deliver_csv(batch, _folder(to, catalog), replaces=replaces)
    except DataError as error:
        raise DataError(
            f"{batch.game}: the batch {month_name(batch.month)} was predicted but not delivered: "
            f"{error} The next run delivers it."
        ) from None
    run_logger().info(
        "batch %s: %s rows delivered to %s",
        *(month_name(batch.month), f"{predictions.rows or 0:,}", where),
    )


def batch_of(predictions: DatasetRef) -> Batch:
    """Describes the predictions of a batch by the facts in their footer."""
    names = ("window", "as_of", "model_version")
    window, as_of, version = facts(predictions, *names)
    return Batch(
        game=predictions.game,
        month=date.fromisoformat(window[0]).replace(day=1),
        as_of=date.fromisoformat(as_of),
        version=version,
        fingerprint=predictions.fingerprint,
        predictions=datasets.scan(predictions),
    )


def _is_held(batch: Batch, delivery: DeliverySettings, catalog: Catalog) -> bool:
    to = delivery.to or ""
    if not is_database(to):
        return holds_csv(batch, _folder(to, catalog))
    from churnlib.io.databases.delivery import holds

    try:
        return holds(batch, to, delivery.table, catalog.data_dir)
    except DataError:  # The delivery itself says what is wrong, or creates the file.
        return False


def _folder(to: str, catalog: Catalog) -> str:
    """The folder of CSV files; a relative one is in the data folder."""
    return to if _is_shared(to) else join(catalog.data_dir, to)


def _is_apart(run: Run) -> bool:
    """Whether a run has a data folder of its own beside one in use, and does not say where to.

    The predictions of a trial must not take the place of those that others act on.
    """
    own, to = own_settings(run.settings.game), run.settings.delivery.to or ""
    if own is None or own.delivery.to != to or not _is_shared(to):
        return False
    champion = Catalog(own.data_dir, own.game).champion().uri
    return not is_same_folder(run.settings.data_dir, own.data_dir) and storage.is_file(champion)


def _is_shared(to: str) -> bool:
    """Whether a place is the same for all data folders, because it does not lie in them."""
    path = database_file(to) if is_database(to) else to
    return path is None or is_remote(path) or Path(path).is_absolute()
