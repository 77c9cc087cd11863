"""The work of `train --from-raw` without Prefect: `python -m benchmarks.plain_train GAME FOLDER`.

Makes the same calls of churnlib as the flow's tasks, in one process, without cache, ledger and log.
Garbage collection is limited as by the command lines, because that is independent of Prefect.
"""

import atexit
import gc
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from churnlib.features.activity import add_activity_features
from churnlib.features.cohort import feature_columns
from churnlib.features.cohort_rows import in_window
from churnlib.features.outcome import add_churned_on, add_label
from churnlib.features.standard import standard_features
from churnlib.io import datasets
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import footer
from churnlib.metrics.campaign import plan_campaign
from churnlib.metrics.evaluate import evaluate
from churnlib.metrics.segments import breakdown
from churnlib.model.pipeline import check_pipeline
from churnlib.model.training import train
from churnlib.raw.quality_warnings import DayCounts, count_known
from churnlib.raw.validate import check_table
from churnlib.report.content import Report
from churnlib.report.write import write_report
from churnlib.schemas.outputs import output_tables
from churnlib.schemas.raw_tables import raw_tables
from churnlib.schemas.spec import TableSpec
from churnlib.settings import Settings, labels_known_by, load_settings
from churnlib.versions.champion import set_champion
from churnlib.versions.folder import new_version, read_scored, save_model
from churnlib.versions.manifest import read_manifest
from churnlib.versions.verification import GOLDEN_ROWS


def main(game: str, folder: str) -> None:
    """Trains a model from the raw tables in a data folder."""
    settings = load_settings(game, {"data_dir": folder})
    catalog = Catalog(settings.data_dir, game)
    check_pipeline(settings.train, feature_columns(settings))
    checked = check_all(settings, catalog)
    latest = checked["character_currency"]
    as_of = datasets.scan(latest).select("date").max().collect().item()
    tables = raw_tables(settings)
    odd = {name: data_warnings(tables[name], checked, as_of) for name in checked}
    build_features(settings, catalog, checked, as_of)
    fit_and_report(settings, catalog, as_of, {name: rows for name, rows in odd.items() if rows})


def check_all(settings: Settings, catalog: Catalog) -> dict[str, DatasetRef]:
    """Checks the raw tables and stores them as Parquet."""
    checked: dict[str, DatasetRef] = {}
    for name, spec in raw_tables(settings).items():
        reference = spec.required_parent
        parent = datasets.scan(checked[reference.table]) if reference else None
        table = check_table(datasets.ref(catalog.raw(name)), name, settings, parent=parent)
        checked[name] = datasets.write_parquet(table.rows.lazy(), catalog.checked(name))
    return checked


def data_warnings(spec: TableSpec, checked: dict[str, DatasetRef], as_of: date) -> dict[str, int]:
    """Counts the data warnings of a raw table."""
    parent = datasets.scan(checked[spec.parent.table]) if spec.parent else None
    counts = DayCounts(spec, parent)
    counts.add(datasets.read(checked[spec.name]))
    return count_known(counts.by_day, as_of)[1]


def build_features(
    settings: Settings, catalog: Catalog, checked: dict[str, DatasetRef], as_of: date
) -> None:
    """Builds the standard features, and the features and labels of the training window."""
    scan = datasets.scan
    features = standard_features(
        scan(checked["character_data"]), scan(checked["sub_data"]), settings, as_of=as_of
    )
    churned = add_churned_on(
        features,
        scan(checked["sub_miss"]),
        as_of=as_of,
        outcome=settings.outcome,
    )
    standard = datasets.write_parquet(churned, catalog.standard_features())
    window = settings.windows.train.span(as_of)
    labelled = add_label(
        in_window(scan(standard, output_tables(settings)["standard_features"].schema), *window),
        as_of=as_of,
        horizon_months=settings.horizon_months,
    )
    tables = {name: scan(table) for name, table in checked.items()}
    with_activity = add_activity_features(labelled, tables, settings, as_of=as_of)
    facts = footer(as_of=as_of, window=window)
    datasets.write_parquet(with_activity, catalog.features("train"), facts)


def fit_and_report(
    settings: Settings, catalog: Catalog, as_of: date, odd: dict[str, dict[str, int]]
) -> None:
    """Validates, fits and saves a model, makes it the champion and reports on it."""
    rows = datasets.read(catalog.features("train"))
    window = settings.windows.train.span(as_of)
    seed = settings.train.seed or 1
    horizon = settings.horizon_months
    training = train(rows, settings.train, window[1], seed, horizon_months=horizon)
    slices = training.scored.partition_by("slice", as_dict=True)
    campaign = plan_campaign(
        slices["validation",], settings.campaign.offer, settings.campaign.threshold
    )
    metrics = {
        str(name): evaluate(
            scored, threshold=campaign.threshold, base_rate=training.base_rates[name]
        )
        for (name,), scored in slices.items()
    }
    facts: dict[str, Any] = {
        "as_of": as_of,
        "window": window,
        "labels_known_by": labels_known_by(settings, as_of),
        "left_out_features": training.model.schema.left_out,
        "validation_warning": training.warning,
        "campaign": campaign.to_json(curve=False),
        "seed": seed,
        "settings": settings.model_dump(mode="json"),
        "settings_hash": "",
        "rows": len(rows),
        "labelled_rows": len(rows) - rows["sub_churn"].null_count(),
        "positives": int(rows["sub_churn"].sum()),
        "immature": rows["sub_churn"].null_count(),
        "inputs": {},
        "metrics": {
            part: {name: scores.to_json() for name, scores in groups.items()}
            for part, groups in metrics.items()
        },
    }
    version = new_version(datetime.now(UTC))
    target = Dataset("model", settings.game, f"{catalog.models().uri}/{version}")
    golden = rows.head(GOLDEN_ROWS)
    model = save_model(target, training.model, training.scored, golden, facts)
    scored = read_scored(model, read_manifest(model))
    held_out = scored.filter(scored["slice"] == "validation")
    parts = settings.evaluation
    with_segments = held_out.join(rows.select("sub_id", *parts.segments), on="sub_id")
    report = Report(
        name="in_sample_report",
        game=settings.game,
        as_of=as_of,
        window=window,
        horizon_months=horizon,
        model_version=version,
        groups=facts["metrics"]["in_sample"],
        validation=facts["metrics"]["validation"],
        **breakdown(with_segments, parts.segments, parts.most_values),
        campaign=campaign.to_json(),
        facts={"seed": seed},
        quarantined={},
        odd=odd,
        warnings=(),
    )
    outputs = write_report(report, catalog.report("in_sample_report"), held_out)
    set_champion(catalog, version)
    print(Path(outputs[1].uri).read_text(encoding="utf-8"))


if __name__ == "__main__":
    gc.set_threshold(20_000)
    atexit.register(gc.freeze)
    main(*sys.argv[1:])
