"""What the flows do, task by task, without a server: the one place that knows how they do it.

All calls are of the flows' own tasks, by `.fn`, so what is measured is what a run does but for
Prefect's part in it, which `benchmarks.start_up` measures. `benchmarks.bare` knows where the tables
lie that are made here.
"""

from datetime import date
from pathlib import Path

from churnlib import storage
from churnlib.datasets import RAW_TABLES, Catalog, Dataset, DatasetRef
from churnlib.raw.reading import scan_raw, typed
from churnlib.schemas import raw_columns
from churnlib.settings import Settings, load_settings
from flows.features import build_window_features
from flows.standard_features import build_standard_features
from flows.tables import PARENTS, REFERS, check_raw, describe_table, latest_currency_date

ORDER = ("character_data", "character_currency", "sub_data", "sub_miss")
"""The raw tables, each after the one that it refers to."""
EVER = (date.min, date.max)
"""A window of all subscriptions."""


def prepare(data_dir: Path, game: str) -> None:
    """Checks the raw tables and keeps them, and counts what there is to say of them.

    Raises:
        ValueError: A row breaks a rule; sample data have none.
    """
    settings, catalog = _opened(data_dir, game)
    checked: dict[str, DatasetRef] = {}
    for table in ORDER:
        made = check_raw.fn(
            storage.ref(catalog.raw(table)),
            table,
            settings.raw.categories,
            settings.raw.id_type,
            catalog.checked(table),
            parent=checked.get(PARENTS.get(table, "")),
        )
        if made is None:
            raise ValueError(f"{table} has faulty rows")
        checked[table] = made
    as_of = latest_currency_date(checked["character_currency"])
    for table, ref in checked.items():
        describe_table.fn(ref, table, as_of=as_of, parent=checked.get(REFERS.get(table, "")))


def read(data_dir: Path, game: str) -> None:
    """Reads the raw tables by the types of their columns and keeps them: preparation unchecked."""
    _, catalog = _opened(data_dir, game)
    for table in RAW_TABLES:
        rows = typed(scan_raw(catalog.raw(table), table), table).select(raw_columns(table))
        storage.write_parquet(rows, Dataset(table, game, str(data_dir / "read" / table)))


def features(data_dir: Path, game: str) -> None:
    """Builds the features of all subscriptions from the prepared tables, with their labels."""
    settings, catalog = _opened(data_dir, game)
    characters, currency, subs, misses = (storage.ref(catalog.checked(t)) for t in ORDER)
    as_of = latest_currency_date(currency)
    standard = build_standard_features.fn(
        characters,
        subs,
        misses,
        catalog.standard_features(),
        as_of=as_of,
        churn_after_months=settings.churn_after_months,
        settings=settings.standard,
    )
    build_window_features.fn(
        standard,
        currency,
        catalog.features("train"),
        setting="windows.train",
        window=EVER,
        as_of=as_of,
        horizon_months=settings.horizon_months,
        currency_settings=settings.currency,
    )


def _opened(data_dir: Path, game: str) -> tuple[Settings, Catalog]:
    settings = load_settings(game, {"data_dir": str(data_dir)})
    return settings, Catalog(settings.data_dir, game)
