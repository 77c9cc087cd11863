"""What the flows do, task by task, without a server: the one place that knows how they do it.

All calls are of the flows' own tasks, by `.fn`, so what is measured is what a run does but for
Prefect's part in it, which `benchmarks.start_up` measures. `benchmarks.bare` knows where the tables
lie that are made here.
"""

from datetime import date
from pathlib import Path

from churnlib.io import datasets
from churnlib.io.buckets import in_order, spill, write
from churnlib.io.catalog import RAW_TABLES, Catalog
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.raw.fast_read import scan_clean
from churnlib.schemas.tables import PARENTS, raw_columns
from churnlib.settings import Settings, load_settings
from flows.steps.raw_tables import REFERS, check_raw, describe_table, latest_currency_date, working
from flows.steps.run import SubscriptionWindow
from flows.steps.standard_features import StandardRequest, build_standard_features
from flows.steps.window_features import WindowRequest, build_window_features

ORDER = ("character_data", "character_currency", "sub_data", "sub_miss")
"""The raw tables, each after the one that it refers to."""


def prepare(data_dir: Path, game: str) -> None:
    """Checks the raw tables and keeps them, and counts what there is to say of them.

    Raises:
        ValueError: A row breaks a rule; sample data have none.
    """
    settings, catalog = _opened(data_dir, game)
    checked: dict[str, DatasetRef] = {}
    for table in ORDER:
        made = check_raw.fn(
            datasets.ref(catalog.raw(table)),
            table,
            settings.raw.categories,
            settings.raw.id_type,
            catalog.checked(table),
            parent=checked.get(PARENTS.get(table, "")),
            engine=settings.engine,
        )
        if made is None:
            raise ValueError(f"{table} has faulty rows")
        checked[table] = made
    as_of = latest_currency_date(checked["character_currency"])
    for table, ref in checked.items():
        parent = checked.get(REFERS.get(table, ""))
        describe_table.fn(ref, table, as_of=as_of, parent=parent, engine=settings.engine)


def read(data_dir: Path, game: str) -> None:
    """Reads the raw tables, orders and keeps them as `prepare` does, but checks nothing."""
    settings, catalog = _opened(data_dir, game)
    for table in RAW_TABLES:
        source = datasets.ref(catalog.raw(table))
        rows = scan_clean(source, table, settings.raw.id_type)
        column = "char_id" if "char_id" in raw_columns(table) else "sub_id"
        with working(source, settings.engine) as work:
            parts = spill(rows, column, work.count, work.folder)
            frames = (in_order(part.rename({column: "char_id"}).collect()) for part in parts)
            schema = {"char_id" if n == column else n: t for n, t in rows.collect_schema().items()}
            write(frames, Dataset(table, game, str(data_dir / "read" / table)), schema)


def features(data_dir: Path, game: str) -> None:
    """Builds the features of all subscriptions from the prepared tables, with their labels."""
    settings, catalog = _opened(data_dir, game)
    characters, currency, subs, misses = (datasets.ref(catalog.checked(t)) for t in ORDER)
    as_of = latest_currency_date(currency)
    standard = build_standard_features.fn(
        characters,
        subs,
        misses,
        catalog.standard_features(),
        StandardRequest(as_of, settings.churn_after_months, settings.standard),
        engine=settings.engine,
    )
    whole = SubscriptionWindow("windows.train", date.min, date.max, as_of)
    build_window_features.fn(
        standard,
        currency,
        catalog.features("train"),
        WindowRequest(whole, settings.horizon_months, settings.currency),
        engine=settings.engine,
    )


def _opened(data_dir: Path, game: str) -> tuple[Settings, Catalog]:
    settings = load_settings(game, {"data_dir": str(data_dir)})
    return settings, Catalog(settings.data_dir, game)
