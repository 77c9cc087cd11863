"""What the flows that report have in common."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

import polars as pl

from churnlib.errors import error_prefix
from churnlib.io import datasets, storage
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.model.sample import describe
from churnlib.months import months_apart
from churnlib.schemas.columns import DATE
from churnlib.schemas.raw_tables import raw_tables
from churnlib.settings import Settings, StandardSettings, changes, label_overlap
from flows.engine.artifacts import show_report
from flows.engine.cache import run_logger
from flows.steps.raw_tables import STANDARD_KINDS
from flows.steps.run import Run


def data_faults(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What a report says of the raw tables: rows set apart and odd facts, by table.

    Args:
        tables: See `flows.steps.raw_tables.RawTable.facts`. Those of `STANDARD_KINDS` that are
            missing are reported as not known.
    """
    standard = (spec.name for spec in raw_tables().of_kind(*STANDARD_KINDS))
    unknown = dict.fromkeys(name for name in standard if name not in tables)
    return {
        "quarantined": {
            **unknown,
            **{name: facts["quarantined"] for name, facts in tables.items()},
        },
        "odd": {
            **unknown,
            **{name: facts["odd"] for name, facts in tables.items()},
        },
    }


def changed_settings(settings: Settings) -> list[dict[str, str]] | None:
    """What tells the settings of a run from those of `base.toml`; null where nothing can.

    The day of the run is no setting of the game, and stands in every report anyway.
    """
    found = changes(settings)
    return None if found is None else [asdict(c) for c in found if c.setting != "as_of"]


def about_model(manifest: Mapping[str, Any], *inputs: DatasetRef) -> dict[str, Any]:
    """What a report says of a model: its seed and months, settings, libraries, inputs.

    Args:
        manifest: The model's manifest; one of an older version tells less.
        inputs: What the report was made from besides.
    """
    from churnlib.model.calibration import describe_calibration

    first, last = manifest["window"]
    facts = {
        "trained on": f"subscriptions begun {first} to {last}",
        "labels known by": manifest["labels_known_by"],
        "seed": manifest["seed"],
    }
    if sample := manifest.get("sample"):
        facts["learnt from"] = describe(sample)
    if calibration := manifest.get("calibration"):
        facts["calibration"] = describe_calibration(calibration["kept"])
    libraries = {name: manifest["libraries"][name] for name in manifest["depends_on"]}
    return {
        "facts": facts,
        "changes": manifest.get("changes"),
        "libraries": {"python": manifest["python"], **libraries},
        "inputs": {**manifest["inputs"], **{ref.name: ref_facts(ref) for ref in inputs}},
    }


def ref_facts(ref: DatasetRef) -> dict[str, Any]:
    """What a report says of a dataset."""
    return {"rows": ref.rows, "fingerprint": ref.fingerprint}


def check_segments(settings: Settings) -> None:
    """Refuses segments that are none, before hours of work.

    Raises:
        SettingsError: See `churnlib.metrics.segments.check_segments`; names the game.
    """
    from churnlib.metrics.segments import check_segments

    with error_prefix(settings.game):
        check_segments(settings.evaluation.segments)


def warn(warnings: Iterable[str]) -> tuple[str, ...]:
    """Tells in the log what the reader of a run's reports must know, and hands it on to them."""
    told = tuple(dict.fromkeys(warnings))
    for warning in told:
        run_logger().warning(warning)
    return told


def leaks(settings: StandardSettings) -> tuple[str, ...]:
    """Warns where the settings ask for features that leak the future."""
    if not settings.undated_totals:
        return ()
    return (
        "standard.undated_totals: total_kills and total_deaths are known only as of the extract; "
        "as features they leak the future, and back-tests flatter",
    )


def overlap(run: Run) -> tuple[str, ...]:
    """Warns where the settings let training labels overlap the scoring window."""
    found = label_overlap(run.settings, run.as_of)
    if found is None:
        return ()
    known, opens = found
    return (
        f"training labels are known only by {known}, after windows.score opens on {opens}; "
        "back-tests flatter (allow_label_overlap is set)",
    )


def short_data(run: Run, currency: Dataset | DatasetRef) -> tuple[str, ...]:
    """Warns where the data end so long before the run's day that its truth may not be in yet.

    Args:
        run: The run.
        currency: The checked currency table, by which the end is told; there may be none.
    """
    if not storage.exists(currency.uri):  # A flow that starts from features may have none.
        return ()
    latest: date | None = datasets.scan(currency).select(pl.col(DATE).max()).collect().item()
    if latest is None or (months := months_apart(latest, run.as_of)) <= 1:
        return ()
    return (
        f"the latest currency is of {latest}, {months} months before the day of the run, "
        f"{run.as_of}: where misses since then are not in the data either, labels are 0 that "
        "should be 1 or unknown",
    )


def show(reports: tuple[DatasetRef, ...]) -> None:
    """Tells a report in the log and on the run's page, also where it was taken from the cache."""
    data, text, _ = (report.uri for report in reports)
    run_logger().info("%s\n\n%s", text, storage.read_bytes(text).decode())
    show_report(reports[-1], json.loads(storage.read_bytes(data)))
