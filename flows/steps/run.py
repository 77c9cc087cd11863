"""A run: the settings, the catalog and the day that all steps of a flow share."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from churnlib.errors import DataError, SettingsError, UnreadableError, error_prefix
from churnlib.io import datasets
from churnlib.io.catalog import Catalog
from churnlib.io.commands import churn_command, suggesting
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.schemas.feature_names import check_names
from churnlib.schemas.raw_tables import RawTables, raw_tables
from churnlib.settings import Settings, WindowName, check_label_overlap, load_settings, value_text
from churnlib.settings.tables import TableKind
from churnlib.versions.signature import check_key
from flows.engine.publication import published_together
from flows.engine.run_lock import exclusive_run
from flows.engine.tidying import tidy
from flows.steps.database_tables import read_databases
from flows.steps.deployed_run import check_deployed_run
from flows.steps.raw_tables import RawTable, open_tables
from flows.steps.run_day import DerivedDay, derive_day, find_shared_day, kinds_of_day


@dataclass(frozen=True)
class SubscriptionWindow:
    """The subscriptions of one of the game's windows, as known on the day of the run.

    Attributes:
        setting: The setting that holds the window, such as `windows.train`.
        first: The first day of their rows: at the start grain, of their start.
        last: The last day.
        as_of: The day of the run.
    """

    setting: str
    first: date
    last: date
    as_of: date

    @property
    def span(self) -> tuple[date, date]:
        """The first and the last day."""
        return self.first, self.last


@dataclass(frozen=True)
class Run:
    """What the steps of a flow share.

    Attributes:
        settings: The game's settings.
        catalog: The places of its data.
        as_of: The day of the run.
        parameters: The parameters of the flow, for its sub-flows; `as_of` is always set.
        model: The version to use instead of the champion; None if the run names none.
        derived: How the day was derived from the data; None if it was stated.
        replace: Whether the run may replace delivered predictions by others.
    """

    settings: Settings
    catalog: Catalog
    as_of: date
    parameters: dict[str, Any]
    model: str | None = None
    derived: DerivedDay | None = None
    replace: bool = False

    @property
    def day_warnings(self) -> tuple[str, ...]:
        """Warnings of rows after the day of the run, if it was derived from the data."""
        return self.derived.warnings if self.derived else ()

    @property
    def allow_joblib(self) -> bool:
        """Whether model files in the joblib format may be opened."""
        return self.settings.train.model_format == "joblib"

    def window(self, name: WindowName) -> SubscriptionWindow:
        """Resolves one of the game's windows on the day of the run.

        Raises:
            SettingsError: The window ends before it starts.
        """
        window = getattr(self.settings.windows, name)
        first, last = window.span(self.as_of)
        if first > last:
            raise SettingsError(
                f"{self.settings.game}: windows.{name} runs from {first} to {last} for a run as of "
                f"{self.as_of}: it ends before it starts. Change start = {window.start} or "
                f"end = {window.end}."
            )
        return SubscriptionWindow(f"windows.{name}", first, last, self.as_of)

    @property
    def raw(self) -> RawTables:
        """The game's raw tables: their columns and rules."""
        return raw_tables(self.settings)

    def tables(self, *kinds: TableKind) -> tuple[RawTable, ...]:
        """Checks all raw tables of some kinds, and returns them in the order of the kinds.

        Their facts are as of the run's day. Data warnings are logged.
        """
        specs = self.raw.of_kind(*kinds)
        return open_tables(
            self.settings,
            self.catalog,
            specs,
            self.as_of,
            count_later=self.derived is not None,
            told=self.derived.later if self.derived else (),
        )

    def existing(self, dataset: Dataset, advice: str) -> DatasetRef:
        """Returns a dataset that an earlier run must have written.

        Args:
            dataset: Its place.
            advice: The command that writes it; see `command`.

        Raises:
            DataError: It does not exist.
            UnreadableError: It exists but cannot be read.
        """
        try:
            return datasets.ref(dataset)
        except UnreadableError:
            raise
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
        latest: bool = False,
    ) -> str:
        """Writes the command line that runs a flow with the game, data and settings of this run.

        Args:
            flow: The module of the flow.
            more: Further arguments.
            as_of: The day of that run; if None, the day that this run was given, if any.
            changes: Settings by dotted path, over those that this run was given.
            latest: Whether that run is of the latest day, whatever day this one was given.
        """
        day = None if latest else as_of or self.settings.as_of
        stated = {**(self.parameters["overrides"] or {}), **(changes or {})}
        return churn_command(
            flow,
            self.settings.game,
            self.parameters["data_dir"],
            *_day_option(day),
            *more,
            *_set_options(stated),
        )


def _day_option(day: date | None) -> tuple[str, ...]:
    return () if day is None else ("--as-of", str(day))


def _set_options(stated: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        f"--set={path}={value_text(value)}" for path, value in stated.items() if path != "as_of"
    )


def no_kinds(settings: Settings) -> tuple[TableKind, ...]:
    """Tells that a run reads no raw tables."""
    del settings
    return ()


@contextmanager
def open_run(
    game: str,
    as_of: date | None = None,
    overrides: dict[str, Any] | None = None,
    data_dir: str | None = None,
    model: str | None = None,
    replace: bool = False,
    *,
    kinds: Callable[[Settings], Collection[TableKind]] = no_kinds,
) -> Iterator[Run]:
    """Loads the settings of a game and determines the day of the run.

    Raw tables in databases are read first: those of the kinds that `kinds` tells for a game, and
    those that decide on the day. Until the end of the block, no other run writes to the game's
    data, and outputs are kept aside; see `exclusive_run` and `published_together`.

    Raises:
        ChurnlibError: The settings are invalid, or change what the run of a deployment may not; or
            the data cannot be reached or have no latest day.
    """
    changes = dict(overrides or {})
    if data_dir is not None:
        changes["data_dir"] = data_dir
    if as_of is not None:
        changes["as_of"] = as_of
    settings = load_settings(game, changes)
    check_deployed_run(settings)
    with error_prefix(game):
        raw_tables(settings)  # Whether they can be read as the settings say.
    check_names(settings)
    check_key()  # Not after a fit of hours, when the model is to be signed.
    catalog = Catalog(settings.data_dir, game)
    catalog.check_data_dir()
    with exclusive_run(catalog, partial(tidy, settings, catalog)), published_together():
        of_day = () if settings.as_of else kinds_of_day(settings)
        read_databases(settings, catalog, (*kinds(settings), *of_day))
        derived, day = _day_of(settings, catalog)
        parameters = {"game": game, "as_of": day, "overrides": overrides, "data_dir": data_dir}
        options = (*_day_option(settings.as_of), *_set_options(overrides or {}))
        with suggesting(*options):
            yield Run(settings, catalog, day, parameters, model, derived, replace)


def _day_of(settings: Settings, catalog: Catalog) -> tuple[DerivedDay | None, date]:
    """The day of a run, and how it was derived if it was not stated."""
    stated = settings.as_of
    derived = derive_day(settings, catalog) if stated is None else find_shared_day(stated)
    day = derived.day if derived else stated
    assert day is not None
    try:
        check_label_overlap(settings, day)
    except ValueError as error:
        raise SettingsError(f"{settings.game}: {error}.") from None
    return derived, day
