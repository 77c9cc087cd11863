"""Runs the work of the flows, task by task, without Prefect.

It calls the functions of the flows' own tasks, by `.fn`. The overhead of Prefect is measured by
`benchmarks.start_up`. `benchmarks.bare` reads the tables that are written here.
"""

from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from churnlib.io import datasets
from churnlib.io.buckets import CHECKING, count_for, in_order, spill, write
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.raw.availability import latest_day
from churnlib.raw.read import raw_size, scan_clean
from churnlib.schemas.raw_tables import raw_tables
from churnlib.settings import Settings, load_settings
from flows.steps.raw_tables import check_raw, describe_table
from flows.steps.run import SubscriptionWindow
from flows.steps.standard_features import StandardRequest, build_standard_features
from flows.steps.window_features import WindowRequest, build_window_features


def prepare(data_dir: Path, game: str) -> None:
    """Checks the raw tables, stores them, and counts rows and data warnings.

    Raises:
        ValueError: A row breaks a rule, which does not happen in sample data.
    """
    settings, catalog = _opened(data_dir, game)
    checked: dict[str, DatasetRef] = {}
    tables, engine = raw_tables(settings.raw), settings.engine
    for name, spec in tables.items():
        reference = spec.required_parent
        table = check_raw.fn(
            datasets.ref(catalog.raw(name)),
            catalog.checked(name),
            settings.raw,
            parent=checked[reference.table] if reference else None,
            engine=engine,
        )
        if table is None:
            raise ValueError(f"{name} has invalid rows")
        checked[name] = table
    as_of = latest_day(datasets.scan(checked[tables.history.name]), game)
    for name, spec in tables.items():
        parent = checked[spec.parent.table] if spec.parent else None
        describe_table.fn(checked[name], as_of=as_of, parent=parent, engine=engine)


def read(data_dir: Path, game: str) -> None:
    """Reads, sorts and stores the raw tables as `prepare` does, but without checks."""
    settings, catalog = _opened(data_dir, game)
    for name, spec in raw_tables(settings.raw).items():
        source = datasets.ref(catalog.raw(name))
        rows = scan_clean(source, spec)
        column = "char_id" if "char_id" in spec.columns else "sub_id"
        count = count_for(settings.engine.memory_mib, raw_size(source), times=CHECKING)
        with TemporaryDirectory(dir=settings.engine.scratch_dir) as folder:
            parts = spill(rows, column, count, Path(folder))
            frames = (in_order(part.rename({column: "char_id"}).collect()) for part in parts)
            schema = {"char_id" if n == column else n: t for n, t in rows.collect_schema().items()}
            write(frames, Dataset(name, game, str(data_dir / "read" / name)), schema)


def features(data_dir: Path, game: str) -> None:
    """Builds the features of all subscriptions from the prepared tables, with their labels."""
    settings, catalog = _opened(data_dir, game)
    characters, currency, subs, misses = (
        datasets.ref(catalog.checked(spec.name))
        for spec in raw_tables().of_kind("entity", "history", "subscriptions", "misses")
    )
    as_of = latest_day(datasets.scan(currency), game)
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
