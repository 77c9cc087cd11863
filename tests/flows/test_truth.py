"""What a back-test says where the truth is known: nothing of noise, something of a signal."""

import pytest

from churnlib.synthesis import PROCESSES, generate
from tests.flows.studio import Studio

GAME = "game1"
SEEDS = (1, 2, 3)


def interval(studio: Studio, signal: float, seed: int) -> tuple[float, float]:
    """The 95 % interval of the back-test's ROC AUC on newly generated data."""
    folder = studio.data / "01_raw" / GAME
    generate(PROCESSES[GAME], 4000, seed, folder, signal=signal)
    studio.run("train_from_raw", GAME)
    studio.run("score", GAME)
    low, high = studio.json(f"08_reporting/{GAME}/score_report.json")["general"]["roc_auc_ci"]
    return low, high


@pytest.mark.slow
def test_back_test_finds_nothing_in_noise(empty_studio: Studio) -> None:
    """Each interval misses 0.5 in one of 20 worlds, so two of three do in less than 1 %.

    A leak from after the start would be found here: who churned earns next to nothing since.
    """
    intervals = [interval(empty_studio, 0, seed) for seed in SEEDS]
    assert all(high - low < 0.25 for low, high in intervals)
    assert sum(low < 0.5 < high for low, high in intervals) >= 2, intervals


@pytest.mark.slow
def test_back_test_finds_a_signal(empty_studio: Studio) -> None:
    low, high = interval(empty_studio, 1, SEEDS[0])
    assert low > 0.55, (low, high)
    assert high < 0.95, (low, high)
