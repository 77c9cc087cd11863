"""A run: the settings, the catalog and the day that all steps of a flow share."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from prefect import Flow
from prefect.context import FlowRunContext

from churnlib.errors import DataError, SettingsError, error_prefix
from churnlib.io import datasets, storage
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.raw.availability import latest_day
from churnlib.schemas.raw_tables import RawTables, raw_tables
from churnlib.schemas.spec import TableKind
from churnlib.settings import Settings, WindowName, check_label_overlap, load_settings, value_text
from flows.engine.artifacts import show_datasets
from flows.engine.events import labelled_as_deployed
from flows.engine.ledger import ledger
from flows.steps.parameters import AsOf, Game, Overrides
from flows.steps.raw_tables import RawTable, check_tables, open_tables
from flows.task import refreshing


@dataclass(frozen=True)
class Run:
    """What the steps of a flow share.

    Attributes:
        settings: The game's settings.
        catalog: Where its data lie.
        as_of: The day of the run.
        parameters: What the flow was called with, for its sub-flows; the day is resolved.
        model: The version to use instead of the champion; null where none was named.
    """

    settings: Settings
    catalog: Catalog
    as_of: date
    parameters: dict[str, Any]
    model: str | None = None

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

    @property
    def raw(self) -> RawTables:
        """The game's raw tables: their columns and rules."""
        return raw_tables(self.settings.raw)

    def tables(self, *kinds: TableKind) -> tuple[RawTable, ...]:
        """Raw tables of some kinds after their checks, with their facts as of the run's day."""
        return open_tables(self.settings, self.catalog, self.raw.of_kind(*kinds), self.as_of)

    def existing(self, dataset: Dataset, advice: str) -> DatasetRef:
        """A dataset that an earlier run must have made.

        Args:
            dataset: Where it should lie.
            advice: The command that makes it; see `command`.

        Raises:
            DataError: It is not there.
        """
        try:
            return datasets.ref(dataset)
        except DataError:
            raise DataError(
                f"{dataset.game}: {dataset.name} is missing: there is no {dataset.uri}. "
                f"Make it: {advice}"
            ) from None

    def command(
        self,
        flow: str,
        *more: str,
        as_of: date | None = None,
        changes: Mapping[str, Any] | None = None,
    ) -> str:
        """Words the command line that runs a flow on this run's game, data and settings.

        Args:
            flow: The flow's module.
            more: Further arguments.
            as_of: The day of that run; this run's, where it was named, if null.
            changes: Settings, by dotted path, over those that this run was called with.
        """
        folder, day = self.parameters["data_dir"], as_of or self.settings.as_of
        stated = {**(self.parameters["overrides"] or {}), **(changes or {})}
        return shlex.join(
            [
                *("churn", flow.replace("_", "-"), "--game", self.settings.game),
                *(() if folder is None else ("--data-dir", folder)),
                *(() if day is None else ("--as-of", str(day))),
                *more,
                *(f"--set={path}={value_text(value)}" for path, value in stated.items()
                  if path != "as_of"),
            ]
        )  # fmt: skip


def churn_flow(
    name: str, *, by_model: bool = False
) -> Callable[[Callable[[Run], Any]], Flow[..., Any]]:
    """Makes a flow of a function that takes a run; all flows have the same parameters.

    Args:
        name: The flow's name.
        by_model: Whether it takes one parameter more: the version to use.
    """

    def make(body: Callable[[Run], Any]) -> Flow[..., Any]:
        def call(
            game: str,
            as_of: date | None,
            overrides: dict[str, Any] | None,
            data_dir: str | None,
            refresh: bool,
            model: str | None = None,
        ) -> Any:
            changed = any(value is not None for value in (as_of, overrides, data_dir, model))
            with refreshing(refresh), labelled_as_deployed(changed=changed), ledger() as calls:
                try:
                    return body(replace(open_run(game, as_of, overrides, data_dir), model=model))
                finally:
                    show_datasets(game, calls)

        def entry(
            game: Game,
            as_of: AsOf = None,
            overrides: Overrides = None,
            data_dir: str | None = None,
            refresh: bool = False,
        ) -> Any:
            return call(game, as_of, overrides, data_dir, refresh)

        def entry_by_model(
            game: Game,
            as_of: AsOf = None,
            overrides: Overrides = None,
            data_dir: str | None = None,
            refresh: bool = False,
            model: str | None = None,
        ) -> Any:
            return call(game, as_of, overrides, data_dir, refresh, model)

        made = entry_by_model if by_model else entry
        made.__name__ = made.__qualname__ = body.__name__
        made.__module__ = body.__module__
        made.__doc__ = f"{body.__doc__}\n{PARAMETERS}{MODEL if by_model else ''}"
        return Flow(made, name=name, flow_run_name="{game}", persist_result=False)

    return make


PARAMETERS = """
Args:
    game: The game, as its file under games/ is named.
    as_of: The day of the run; nothing dated after it is read. The latest currency date if empty.
    overrides: Settings by dotted path, such as {"train.seed": 7}.
    data_dir: The data folder, or an object store's URI such as s3://bucket/data; that of the
        settings if empty.
    refresh: Run every task anew, whatever the cache holds.
"""
MODEL = """    model: The model version to use, instead of the champion, or of a candidate.
"""


def is_part() -> bool:
    """Tells whether the current flow is run by another flow."""
    context = FlowRunContext.get()
    return bool(context and context.flow_run and context.flow_run.parent_task_run_id)


def open_run(
    game: str,
    as_of: date | None = None,
    overrides: dict[str, Any] | None = None,
    data_dir: str | None = None,
) -> Run:
    """Loads a game's settings and fixes the day of the run.

    Raises:
        ChurnlibError: The settings cannot be, the data cannot be reached, or do not tell the day.
    """
    changes = dict(overrides or {})
    if data_dir is not None:
        changes["data_dir"] = data_dir
    if as_of is not None:
        changes["as_of"] = as_of
    settings = load_settings(game, changes)
    catalog = Catalog(settings.data_dir, game)
    with error_prefix(game):
        storage.check_reachable(settings.data_dir)
    day = settings.as_of
    if day is None:
        history = raw_tables(settings.raw).history
        made = check_tables(settings, catalog, [history], None)
        day = latest_day(datasets.scan(made[history.name].checked), game)
    try:
        check_label_overlap(settings, day)
    except ValueError as error:
        raise SettingsError(f"{game}: {error}.") from None
    parameters = {"game": game, "as_of": day, "overrides": overrides, "data_dir": data_dir}
    return Run(settings, catalog, day, parameters)
