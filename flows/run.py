"""A run: the settings, the catalog and the day that all steps of a flow share."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from prefect import Flow

from churnlib import storage
from churnlib.datasets import Catalog, Dataset, DatasetRef
from churnlib.errors import DataError, SettingsError
from churnlib.settings import Settings, WindowName, check_label_overlap, load_settings
from flows.tables import check_raw, latest_currency_date
from flows.task import refreshing


@dataclass(frozen=True)
class Run:
    """What the steps of a flow share.

    Attributes:
        settings: The game's settings.
        catalog: Where its data lie.
        as_of: The day of the run.
        parameters: What the flow was called with, for its sub-flows; the day is resolved.
    """

    settings: Settings
    catalog: Catalog
    as_of: date
    parameters: dict[str, Any]

    def window(self, name: WindowName) -> tuple[date, date]:
        """The first and last day of one of the game's windows.

        Raises:
            SettingsError: The window's end lies before its start on this day.
        """
        window = getattr(self.settings.windows, name)
        first, last = window.span(self.as_of)
        if first > last:
            raise SettingsError(
                f"{self.settings.game}: windows.{name} runs from {first} to {last} for a run as of "
                f"{self.as_of}: its start lies after its end. Change start = {window.start} or "
                f"end = {window.end}."
            )
        return first, last

    def checked(self, table: str, parent: DatasetRef | None = None) -> DatasetRef:
        """A raw table after its checks."""
        return _checked(self.settings, self.catalog, table, parent)

    def existing(self, dataset: Dataset, made_by: str) -> DatasetRef:
        """A dataset that an earlier run must have made.

        Args:
            dataset: Where it should lie.
            made_by: The flow that makes it, as its command line has it.

        Raises:
            DataError: It is not there.
        """
        try:
            return storage.ref(dataset)
        except DataError:
            raise DataError(
                f"{dataset.game}: {dataset.name} is missing: there is no {dataset.uri}. "
                f"Make it: python -m flows.{made_by} --game {dataset.game}"
            ) from None


def churn_flow(name: str) -> Callable[[Callable[[Run], Any]], Flow[..., Any]]:
    """Makes a flow of a function that takes a run; all flows have the same parameters.

    Args:
        name: The flow's name.
    """

    def make(body: Callable[[Run], Any]) -> Flow[..., Any]:
        def entry(
            game: str,
            as_of: date | None = None,
            overrides: dict[str, Any] | None = None,
            data_dir: str | None = None,
            refresh: bool = False,
        ) -> Any:
            with refreshing(refresh):
                return body(open_run(game, as_of, overrides, data_dir))

        entry.__name__ = entry.__qualname__ = body.__name__
        entry.__module__ = body.__module__
        entry.__doc__ = f"{body.__doc__}\n{PARAMETERS}"
        return Flow(entry, name=name, flow_run_name="{game}", persist_result=False)

    return make


PARAMETERS = """
Args:
    game: The game, as its file under games/ is named.
    as_of: The day of the run; nothing dated after it is read. The latest currency date if empty.
    overrides: Settings by dotted path, such as {"train.seed": 7}.
    data_dir: The data folder; that of the settings if empty.
    refresh: Run every task anew, whatever the cache holds.
"""


def open_run(
    game: str,
    as_of: date | None = None,
    overrides: dict[str, Any] | None = None,
    data_dir: str | None = None,
) -> Run:
    """Loads a game's settings and fixes the day of the run.

    Raises:
        ChurnlibError: The settings cannot be, or the day cannot be told from the data.
    """
    changes = dict(overrides or {})
    if data_dir is not None:
        changes["data_dir"] = data_dir
    if as_of is not None:
        changes["as_of"] = as_of
    settings = load_settings(game, changes)
    catalog = Catalog(settings.data_dir, game)
    if settings.as_of is None:
        day = latest_currency_date(_checked(settings, catalog, "character_currency"))
    else:
        day = settings.as_of
    try:
        check_label_overlap(settings, day)
    except ValueError as error:
        raise SettingsError(f"{game}: {error}.") from None
    parameters = {"game": game, "as_of": day, "overrides": overrides, "data_dir": data_dir}
    return Run(settings, catalog, day, parameters)


def _checked(
    settings: Settings, catalog: Catalog, table: str, parent: DatasetRef | None = None
) -> DatasetRef:
    made = check_raw(
        storage.ref(catalog.raw(table)),
        table,
        settings.raw,
        catalog.checked(table),
        catalog.rejected(table),
        parent=parent,
    )
    return made["checked"]
