"""Measures the coverage of the confidence intervals: `python -m benchmarks.coverage`.

A model is fitted once, on a draw of the sample process, and kept fixed. Its true metrics are
computed on a very large draw, with the true churn probabilities as outcomes. Then small draws are
scored with intervals, as in reports: all subscriptions whose outcome is known on the last day,
several per character. Prints the truth of each metric and the coverage of its interval, by
bootstrap draws of characters and, for comparison, of independent subscriptions.
"""

import argparse
from collections.abc import Iterator, Sequence
from datetime import date

import numpy as np
import polars as pl

from churnlib.features.activity import add_activity_features
from churnlib.features.outcome import add_churned_on, add_label
from churnlib.features.standard import standard_features
from churnlib.metrics.definitions import METRICS, measure
from churnlib.metrics.predictions import Predictions, known_rows
from churnlib.metrics.ranking import Tally, average_precision, gains, levels, roc_auc
from churnlib.metrics.scores import CALIBRATION_GROUPS
from churnlib.model.fit import fit
from churnlib.model.fitted_model import FittedModel
from churnlib.model.predict import predict
from churnlib.schemas.columns import LABEL, PROBABILITY
from churnlib.settings import Settings, load_settings
from churnlib.synthesis import STANDARD
from churnlib.synthesis.tables import tables
from churnlib.synthesis.world import Simulation

AS_OF = date(2025, 1, 1)
GAME = "game1"
AT_ONCE = 25_000
"""Number of characters simulated at a time for the truth."""


def main() -> None:
    """Measures, and prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--characters", type=int, default=2_000, help="of each draw")
    parser.add_argument("--learnt", type=int, default=10_000, help="characters to fit on")
    parser.add_argument("--population", type=int, default=500_000, help="characters of the truth")
    parser.add_argument("--seed", type=int, default=1, help="of the first draw")
    args = parser.parse_args()
    settings = load_settings(GAME)
    model = fit(draw(settings, args.learnt, 10**6).drop("truth"), settings.train, seed=1)
    truth = true_metrics(settings, model, args.population)
    cohorts = (scored(settings, model, args.characters, args.seed + n) for n in range(args.draws))
    show(truth, list(cohorts))


def draw(settings: Settings, characters: int, seed: int) -> pl.DataFrame:
    """Simulates characters; returns features, labels and `truth` of all subscriptions."""
    process = STANDARD[GAME]
    world = Simulation(process, characters, 1.0, np.random.default_rng(seed)).run()
    raw = {name: frame.lazy() for name, frame in tables(process, world, 1).items()}
    standard = standard_features(raw["character_data"], raw["sub_data"], settings, as_of=AS_OF)
    churned = add_churned_on(standard, raw["sub_miss"], as_of=AS_OF, outcome=settings.outcome)
    labelled = add_label(churned, as_of=AS_OF, horizon_months=settings.horizon_months)
    features = add_activity_features(labelled, raw, settings, as_of=AS_OF)
    truth = raw["sub_truth"].rename({PROBABILITY: "truth"})
    return features.filter(pl.col(LABEL).is_not_null()).join(truth, on="sub_id").collect()


def scored(settings: Settings, model: FittedModel, characters: int, seed: int) -> pl.DataFrame:
    """Simulates characters and predicts their subscriptions."""
    rows = draw(settings, characters, seed)
    probability = predict(model, rows)
    return rows.select("char_id", "sub_id", LABEL, "truth").with_columns(probability)


def true_metrics(settings: Settings, model: FittedModel, characters: int) -> dict[str, float]:
    """Computes metrics on the population, with the true probabilities as outcomes."""
    parts = [
        scored(settings, model, min(AT_ONCE, characters), 2 * 10**6 + n)
        for n in range(-(-characters // AT_ONCE))
    ]
    rows = pl.concat(parts)
    truth, predicted = rows["truth"].to_numpy(), rows[PROBABILITY].to_numpy()
    level, group = levels(predicted), levels(predicted, CALIBRATION_GROUPS)
    count = int(level.max()) + 1
    churned, stayed = (
        np.bincount(level, part, count).astype(np.float64).reshape(-1, 1)
        for part in (truth, 1 - truth)
    )
    tally = Tally(churned, stayed)
    gaps = np.bincount(group, truth - predicted) / len(rows)
    return {
        "roc_auc": roc_auc(tally).item(),
        "average_precision": average_precision(tally).item(),
        "log_loss": float(
            -(truth * np.log(predicted) + (1 - truth) * np.log(1 - predicted)).mean()
        ),
        "brier": float((truth * (1 - predicted) ** 2 + (1 - truth) * predicted**2).mean()),
        "expected_calibration_error": float(np.abs(gaps).sum()),
        "lift_top_decile": 10 * gains(tally)[0].item(),
    }


def show(truth: dict[str, float], cohorts: Sequence[pl.DataFrame]) -> None:
    """Prints coverage and mean width of the intervals of all draws."""
    rows = np.mean([len(cohort) for cohort in cohorts])
    churned = np.mean([cohort[LABEL].sum() for cohort in cohorts])
    characters = np.mean([cohort["char_id"].n_unique() for cohort in cohorts])
    print(
        f"{len(cohorts)} draws of {rows:,.0f} subscriptions of {characters:,.0f} characters, "
        f"{churned:,.0f} of them churned, on average."
    )
    print()
    print("| metric | truth | coverage | width | coverage, independent rows | width |")
    print("|---|---|---|---|---|---|")
    by_method = [list(intervals(cohorts, clustered)) for clustered in (True, False)]
    for name in truth:
        cells = [f"{METRICS[name].name} | {truth[name]:.4f}"]
        for of_draws in by_method:
            ends = [each[name] for each in of_draws]
            covered = sum(low <= truth[name] <= high for low, high in ends)
            width = np.mean([high - low for low, high in ends])
            cells.append(f"{covered / len(ends):.1%} | {width:.4f}")
        print(f"| {' | '.join(cells)} |", flush=True)


def intervals(
    cohorts: Sequence[pl.DataFrame], clustered: bool
) -> Iterator[dict[str, tuple[float, float]]]:
    """Computes the intervals of each draw, by metric."""
    for cohort in cohorts:
        rows = cohort if clustered else cohort.drop("char_id")
        measured = measure(Predictions.of(known_rows(rows)), "groups")
        yield {key: value.interval() or (np.nan, np.nan) for key, value in measured.items()}


if __name__ == "__main__":
    main()
