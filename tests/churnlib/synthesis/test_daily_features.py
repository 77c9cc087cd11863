"""The features that `game3.toml` declares: the truth follows from them, and a model finds it."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from churnlib.features.cohort import feature_table
from churnlib.features.cohort_rows import in_window
from churnlib.model.fit import fit
from churnlib.model.predict import predict
from churnlib.raw.tables import read_tables
from churnlib.schemas.columns import LABEL, PROBABILITY
from churnlib.settings import Settings, load_settings
from churnlib.synthesis import generate
from churnlib.synthesis.games import GAME3
from churnlib.synthesis.truth import churn_probability
from tests.churnlib.synthesis.samples import LAST

SEEDS = (101, 102, 103)
OF_EVENTS = ("logins_", "login_trend", "purchases_", "play_time_")


def features(folder: Path, characters: int, seed: int) -> tuple[Settings, pl.DataFrame]:
    """Generates the game, and computes its features beside the `truth`."""
    raw = folder / "01_raw" / "game3"
    generate(GAME3, characters, seed, raw)
    own = {
        "data_dir": str(folder),
        "cohort": {"grain": "start"},
        "outcome": {"not_renewed_months": "null"},
    }
    settings = load_settings("game3", own, environ={}, local=False)
    truth = pl.read_parquet(raw / "truth" / "sub_truth.parquet").rename({PROBABILITY: "truth"})
    table = feature_table(read_tables(settings), settings, as_of=LAST)
    return settings, table.join(truth.lazy(), on="sub_id").collect()


def test_truth_follows_from_the_features(tmp_path: Path) -> None:
    """Events, histories, ratios and milestones are computed here as the process defines them."""
    _, rows = features(tmp_path, 1500, 7)
    facts = {effect.fact: rows[effect.fact].cast(pl.Float64).to_numpy() for effect in GAME3.effects}
    codes = {
        column: rows[column]
        .cast(pl.String)
        .replace_strict({name: code for code, name in enumerate(levels.names)})
        .to_numpy()
        for column, levels in GAME3.categorical.items()
    }
    expected = churn_probability(GAME3, 1.0, facts, codes)
    np.testing.assert_allclose(rows["truth"], expected, atol=2e-6)


@pytest.mark.slow
def test_model_nears_the_truth_but_not_without_events(tmp_path: Path) -> None:
    """On 30,000 characters, the share of the attainable AUC above 0.5."""
    shares = np.array([attained(tmp_path / str(seed), seed) for seed in SEEDS])
    with_events, without = shares.mean(axis=0)
    assert with_events >= 0.95, shares
    assert without < 0.75, shares


def attained(folder: Path, seed: int) -> tuple[float, float]:
    """The shares of the attainable AUC above 0.5, with and without features of events."""
    settings, rows = features(folder, 30_000, seed)
    train, score = (
        in_window(rows.lazy(), *window.span(LAST)).drop_nulls(LABEL).collect()
        for window in (settings.windows.train, settings.windows.score)
    )
    label = score[LABEL].to_numpy()
    best = roc_auc_score(label, score["truth"]) - 0.5
    events = [name for name in rows.columns if name.startswith(OF_EVENTS)]
    found = []
    for left_out in ([], events):
        model = fit(train.drop("truth", *left_out), settings.train, seed=seed)
        auc = roc_auc_score(label, predict(model, score.drop("truth", *left_out)))
        found.append((auc - 0.5) / best)
    return found[0], found[1]
