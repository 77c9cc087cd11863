"""What batches gain by the model in use, by the truth: `python -m benchmarks.in_use`.

For each process and seed, generates sample data of game1, fits a model on `windows.train`, as it is
back-tested, and the model in use on all labels known by the day of the run. Both rank the
subscriptions that started after those of known labels. The ROC AUC of either is that expected under
the true probabilities, so that outcomes add no chance. In the drifting process, the causes of churn
turn month by month, from those of the sample process to others.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from math import sqrt
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import t as student

from churnlib.features.cohort import feature_table
from churnlib.model.feature_table import FeatureTable
from churnlib.model.fit import fit, fit_in_use
from churnlib.model.fitted_model import FittedModel
from churnlib.model.predict import predict
from churnlib.months import months_apart
from churnlib.raw.tables import read_tables
from churnlib.settings import Settings, load_settings
from churnlib.synthesis import PROCESSES, generate
from churnlib.versions.in_use import last_known_start

AS_OF = date(2025, 1, 1)
TURN = np.pi / 2
"""How far a drifting process has turned when the batch is predicted: into an unrelated one."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Gain:
    """What one draw shows, in ROC AUC by the truth.

    Attributes:
        tested: That of the back-tested model.
        in_use: That of the model in use.
        best: That of the true probabilities.
    """

    tested: float
    in_use: float
    best: float

    @property
    def value(self) -> float:
        """The gain by the model in use."""
        return self.in_use - self.tested


def main() -> None:
    """Measures, and prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--characters", type=int, default=4_000)
    parser.add_argument("--draws", type=int, default=10)
    args = parser.parse_args()
    print("| process | seed | as tested | in use | the truth | gain |\n|---|---|---|---|---|---|")
    for drifts in (False, True):
        name, gains = ("drifting" if drifts else "stationary"), []
        for seed in range(1, args.draws + 1):
            gains.append(measure(seed, args.characters, drifts=drifts))
            g = gains[-1]
            row = f"{g.tested:.4f} | {g.in_use:.4f} | {g.best:.4f} | {g.value:+.4f}"
            print(f"| {name} | {seed} | {row} |", flush=True)
        mean, low, high = interval([gain.value for gain in gains])
        share = np.mean([g.value / (g.best - 0.5) for g in gains])
        gained = f"{mean:+.4f} ({low:+.4f} to {high:+.4f}), {share:.1%} of the attainable"
        print(f"| {name} | mean | | | | {gained} |", flush=True)


def interval(values: list[float]) -> tuple[float, float, float]:
    """The mean of some draws, and its 95 % confidence interval."""
    mean, draws = float(np.mean(values)), len(values)
    error = float(np.std(values, ddof=1)) / sqrt(draws) * float(student.ppf(0.975, draws - 1))
    return mean, mean - error, mean + error


def measure(seed: int, characters: int, *, drifts: bool) -> Gain:
    """Draws sample data, fits both models and compares them."""
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder, "01_raw", "game1")
        generate(PROCESSES["game1"], characters, seed, raw)
        settings = load_settings("game1", {"data_dir": folder}, local=False)
        tables = read_tables(settings, as_of=AS_OF)
        rows = feature_table(tables, settings, as_of=AS_OF).collect()
        truth = pl.read_parquet(raw / "truth" / "sub_truth.parquet").select(
            "sub_id", truth="churn_probability"
        )
    rows = rows.join(truth, on="sub_id", maintain_order="left")
    return compare(drifting(rows, settings, seed) if drifts else rows, settings)


def compare(rows: pl.DataFrame, settings: Settings) -> Gain:
    """Compares the models of a feature table with its true probabilities."""
    first, last = settings.windows.train.span(AS_OF)
    known = last_known_start(AS_OF, settings.horizon_months)
    start = pl.col("sub_start_date")
    tested = fit(rows.filter(start.is_between(first, last)), settings.train, seed=1)
    all_known = FeatureTable.of(rows.filter(start.is_between(first, known)))
    in_use = fit_in_use(all_known, settings.train, 1, tested)
    batch = rows.filter(start > known)
    truth = batch["truth"].to_numpy()
    return Gain(*(expected_auc(score, truth) for score in scores(batch, tested, in_use)))


def scores(batch: pl.DataFrame, *models: FittedModel) -> Iterator[Floats]:
    """Yields what each model predicts for a batch, and last the truth."""
    for model in models:
        yield predict(model, batch).to_numpy()
    yield batch["truth"].to_numpy()


def drifting(rows: pl.DataFrame, settings: Settings, seed: int) -> pl.DataFrame:
    """Replaces truth and labels by those of a process whose causes turn month by month."""
    first, _ = settings.windows.train.span(AS_OF)
    months = np.array([months_apart(first, day) for day in rows["sub_start_date"]])
    angle = TURN * np.clip(months / months_apart(first, AS_OF), 0, 1)
    truth = rows["truth"].to_numpy()
    usual = np.log(truth / (1 - truth))
    other = _standard(rows["sub_months"]) - _standard(rows["age_at_sub_months"])
    turned = _standard(pl.Series(usual)) * np.cos(angle) + other / sqrt(2) * np.sin(angle)
    probability = 1 / (1 + np.exp(-(usual.mean() + usual.std() * turned)))
    drawn = np.random.default_rng(seed).random(len(rows)) < probability
    label = pl.when(pl.col("sub_churn").is_not_null()).then(pl.Series(drawn).cast(pl.Int8))
    return rows.with_columns(sub_churn=label, truth=pl.Series(probability))


def _standard(values: pl.Series) -> Floats:
    known = values.cast(pl.Float64)
    scaled = (known - known.mean()) / known.std()
    return scaled.fill_null(0).to_numpy()


def expected_auc(score: Floats, truth: Floats) -> float:
    """The ROC AUC of a ranking that is expected under true probabilities."""
    order = np.argsort(score, kind="stable")
    ranked, churned, stayed = score[order], truth[order], 1 - truth[order]
    _, group = np.unique(ranked, return_inverse=True)
    stays = np.bincount(group, stayed)
    below = np.cumsum(stays) - stays / 2  # Half of those with an equal score.
    pairs = churned.sum() * stayed.sum() - (truth * (1 - truth)).sum()
    own = (churned * stayed).sum() / 2  # A subscription is no pair with itself.
    return float(((churned * below[group]).sum() - own) / pairs)


if __name__ == "__main__":
    main()
