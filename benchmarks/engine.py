"""Runs the work of the flows, task by task, without Prefect.

It calls the functions of the flows' own tasks, by `.fn`. The overhead of Prefect is measured by
`benchmarks.start_up`. `benchmarks.bare` reads the tables that are written here.
"""

from datetime import date
from pathlib import Path

from churnlib.features.activity import ActivityFeatures
from churnlib.features.cohort_rows import CohortRows
from churnlib.features.standard import StandardColumns
from churnlib.io import datasets
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import DatasetRef
from churnlib.raw.availability import latest_day
from churnlib.schemas.columns import CHAR_ID, SUB_ID
from churnlib.schemas.raw_tables import raw_tables
from churnlib.settings import Settings, load_settings
from flows.steps.past_contacts import collect_contacts
from flows.steps.run import SubscriptionWindow
from flows.steps.standard_features import StandardRequest, build_standard_features
from flows.steps.table_tasks import check_raw, count_unknown
from flows.steps.window_features import WindowRequest, build_window_features


def prepare(data_dir: Path, game: str) -> None:
    """Checks the raw tables and stores them.

    Raises:
        ValueError: A row breaks a rule, which does not happen in sample data.
    """
    settings, catalog = _opened(data_dir, game)
    checked: dict[str, DatasetRef] = {}
    declared, engine = settings.declared, settings.engine
    for name, spec in raw_tables(declared).items():
        table = check_raw.fn(
            datasets.ref(catalog.raw(name)),
            catalog.checked(name),
            declared,
            parent=checked[spec.required_parent.table] if spec.required_parent else None,
            engine=engine,
        )
        if table is None:
            raise ValueError(f"{name} has invalid rows")
        checked[name] = table["checked"]
        if spec.parent and not spec.required_parent:
            count_unknown.fn(checked[name], declared, parent=checked[spec.parent.table])


def features(data_dir: Path, game: str) -> None:
    """Builds the features of all subscriptions from the prepared tables, with their labels."""
    settings, catalog = _opened(data_dir, game)
    raw = raw_tables(settings)
    tables = {name: datasets.ref(catalog.checked(name)) for name in raw}
    as_of = latest_day({name: datasets.scan(table) for name, table in tables.items()}, settings)
    standard = build_standard_features.fn(
        tables[raw.characters.name],
        tables[raw.subscriptions.name],
        tables[raw.misses.name],
        catalog.standard_features(),
        StandardRequest(as_of, settings.outcome, settings.standard, StandardColumns.of(settings)),
        engine=settings.engine,
    )
    whole = SubscriptionWindow("windows.train", date.min, date.max, as_of)
    build_window_features.fn(
        standard,
        tuple(tables[spec.name] for spec in raw.activity),
        no_contacts(catalog, settings, standard),
        catalog.features("train"),
        WindowRequest(
            whole,
            CohortRows.of(settings),
            settings.horizon_months,
            settings.outcome,
            ActivityFeatures.of(settings),
        ),
        engine=settings.engine,
    )


def no_contacts(catalog: Catalog, settings: Settings, standard: DatasetRef) -> DatasetRef:
    """Writes that no earlier batch contacted anyone."""
    types = raw_tables(settings).subscriptions.types
    ids = {name: str(types[name]) for name in (CHAR_ID, SUB_ID)}
    output, engine = catalog.contacts(), settings.engine
    return collect_contacts.fn((), standard, output, ids, engine=engine)


def _opened(data_dir: Path, game: str) -> tuple[Settings, Catalog]:
    settings = load_settings(game, {"data_dir": str(data_dir)})
    return settings, Catalog(settings.data_dir, game)
