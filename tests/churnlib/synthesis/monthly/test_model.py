"""Models at the monthly grain, on games whose customers pay by month, beside the truth."""

from collections.abc import Sequence
from dataclasses import replace
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
from churnlib.schemas.columns import DAY, LABEL, PROBABILITY, SUB_ID
from churnlib.settings import Settings, load_settings
from churnlib.synthesis import GRAINS, generate
from tests.churnlib.synthesis.samples import LAST

SEEDS = (101, 102)
WITHIN = 1
ACTIVITY = ("soft_balance", "logins_", "login_trend", "play_time_", "purchases_", "wallet_")
OF_MISSES = ("months_missed", "months_since_miss")


def rows_by_month(
    folder: Path, game: str, characters: int, seed: int
) -> tuple[Settings, pl.DataFrame]:
    """Generates a game, and computes its rows by month beside the `truth`."""
    process = GRAINS["monthly"][game]
    assert process.payments is not None
    payments = replace(process.payments, not_renewed_months=WITHIN)
    raw = folder / "01_raw" / game
    generate(replace(process, payments=payments), characters, seed, raw)
    own = {
        "data_dir": str(folder),
        "cohort": {"grain": "monthly"},
        "outcome": {"not_renewed_months": WITHIN},
    }
    settings = load_settings(game, own, environ={}, local=False)
    truth = pl.read_parquet(raw / "truth" / "sub_month_truth.parquet")
    rows = feature_table(read_tables(settings), settings, as_of=LAST).collect()
    assert rows.select(SUB_ID, DAY).sort(SUB_ID, DAY).equals(truth.select(SUB_ID, DAY))
    return settings, rows.join(truth.rename({PROBABILITY: "truth"}), on=[SUB_ID, DAY])


@pytest.mark.parametrize("game", sorted(GRAINS["monthly"]))
def test_features_have_the_rows_of_the_truth(tmp_path: Path, game: str) -> None:
    _, rows = rows_by_month(tmp_path, game, 500, 7)
    assert rows.height > 500
    assert rows["truth"].null_count() == 0


@pytest.mark.slow
@pytest.mark.parametrize("game", sorted(GRAINS["monthly"]))
def test_model_nears_the_truth(tmp_path: Path, game: str) -> None:
    """On 30,000 characters, the share of the attainable AUC above 0.5."""
    shares = [shares_of(tmp_path / str(seed), game, seed, [()])[0] for seed in SEEDS]
    assert np.mean(shares) >= 0.95, shares


@pytest.mark.slow
def test_model_needs_misses_and_events(tmp_path: Path) -> None:
    shares = shares_of(tmp_path, "game3", SEEDS[0], [OF_MISSES, ACTIVITY])
    assert shares[0] < 0.88, shares
    assert shares[1] < 0.88, shares


def shares_of(
    folder: Path, game: str, seed: int, left_out: Sequence[tuple[str, ...]]
) -> list[float]:
    """The share of models without the features that start with some names."""
    settings, rows = rows_by_month(folder, game, 30_000, seed)
    train, score = (
        in_window(rows.lazy(), *window.span(LAST)).drop_nulls(LABEL).collect()
        for window in (settings.windows.train, settings.windows.score)
    )
    attainable = roc_auc_score(score[LABEL], score["truth"]) - 0.5
    found = []
    for names in left_out:
        without = [name for name in rows.columns if name.startswith((*names, "truth"))]
        model = fit(train.drop(without), settings.train, seed=seed)
        auc = roc_auc_score(score[LABEL], predict(model, score.drop(without)))
        found.append(float((auc - 0.5) / attainable))
    return found
