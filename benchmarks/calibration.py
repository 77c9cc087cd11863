"""Measures the calibration of models: `python -m benchmarks.calibration`.

For each number of characters, generates sample data of game1 and runs `train` and `score` with
histogram gradient boosting, which is not calibrated, and with a random forest, uncalibrated and
calibrated. Prints a row for each with the expected calibration error on the scored subscriptions,
and that of the true churn probabilities on the same ones, which is due to chance alone.
"""

import argparse
import tempfile
from itertools import product
from pathlib import Path

import polars as pl

from benchmarks.best_attainable import run
from churnlib.io import datasets
from churnlib.io.catalog import Catalog
from churnlib.metrics.evaluate import score_group
from churnlib.model.feature_table import FeatureTable
from churnlib.model.predict import predict_in_parts
from churnlib.schemas.columns import LABEL, PROBABILITY
from churnlib.synthesis import PROCESSES, generate
from churnlib.versions.folder import load_model

GAME = "game1"
CATEGORIES = '{ type = "churnlib.model.columns.OfKind", params = { kind = "category" } }'
ONE_HOT = (
    '{ type = "sklearn.preprocessing.OneHotEncoder", params = '
    '{ handle_unknown = "ignore", min_frequency = 20, sparse_output = false } }'
)
FOREST = f"""train.pipeline=[
  {{ name = "encode", type = "sklearn.compose.ColumnTransformer", params = {{
    remainder = "passthrough", verbose_feature_names_out = false,
    transformers = [["categories", {ONE_HOT}, {CATEGORIES}]] }} }},
  {{ name = "impute", type = "sklearn.impute.SimpleImputer", params = {{ add_indicator = true }} }},
  {{ name = "model", type = "sklearn.ensemble.RandomForestClassifier", params = {{
    n_estimators = 300, max_depth = 10, min_samples_leaf = 20, n_jobs = 2 }} }},
]""".replace("\n", " ")
MODELS = {
    "histogram gradient boosting": (),
    "random forest, not calibrated": (FOREST, "train.calibration=none"),
    "random forest, isotonic": (FOREST, "train.calibration=isotonic"),
}
"""The settings of each model to compare."""


def main() -> None:
    """Measures, and prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--characters", type=int, nargs="+", default=[30_000, 100_000, 300_000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[101])
    args = parser.parse_args()
    columns = "characters | seed | scored | model | ECE | ECE of the truth | predicted | churned"
    print(f"| {columns} |\n|---|---|---|---|---|---|---|---|")
    for characters, seed in product(args.characters, args.seeds):
        measure(characters, seed)


def measure(characters: int, seed: int) -> None:
    """Measures all models on one draw of sample data."""
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "01_raw" / GAME
        generate(PROCESSES[GAME], characters, seed, raw, file_format="parquet")
        truth = pl.read_parquet(raw / "truth" / "sub_truth.parquet").rename({PROBABILITY: "truth"})
        for name, settings in MODELS.items():
            options = [word for setting in settings for word in ("--set", setting)]
            for flow, *more in (("train", "--from-raw"), ("score",)):
                run(flow, "--game", GAME, "--data-dir", folder, *more, *options)
            rows = scored(Catalog(folder, GAME)).join(truth, on="sub_id")
            predicted, churned = (rows[column].to_numpy().mean() for column in (PROBABILITY, LABEL))
            print(
                f"| {characters:,} | {seed} | {len(rows):,} | {name} "
                f"| {error(rows, PROBABILITY):.4f} | {error(rows, 'truth'):.4f} "
                f"| {predicted:.4f} | {churned:.4f} |",
                flush=True,
            )


def scored(catalog: Catalog) -> pl.DataFrame:
    """The back-tested subscriptions with a known outcome, as the newest model predicts them."""
    versions = (file.name for file in Path(catalog.models().uri).iterdir() if file.is_dir())
    model = load_model(catalog.model(max(versions)))
    features = FeatureTable.read(datasets.ref(catalog.features("score")))
    return predict_in_parts(model, features, baseline=False).rows.drop_nulls(LABEL)


def error(rows: pl.DataFrame, column: str) -> float | None:
    """The expected calibration error of the probabilities in a column."""
    predictions = rows.with_columns(pl.col(column).alias(PROBABILITY))
    return score_group(predictions).expected_calibration_error


if __name__ == "__main__":
    main()
