"""A seed that was drawn is told and kept, and with it a run can be had again, to the bit."""

import json
import logging
import re
import shutil
from pathlib import Path

import pytest

from tests.flows.studio import ROOT, Studio, bits, new_studio, python

SETTINGS = {
    "game1": {"train.pipeline.model.params.max_iter": 60},
    "game2": {"train.pipeline.model.params.n_estimators": 40},
}
"""Models large enough to use what there is of threads and randomness."""

REPLAY = (
    "import sys; from flows.command import main; sys.exit(main('train', {0}) or main('train', {1}))"
)


def scored(studio: Studio, game: str) -> str:
    """The probabilities that the champion gave to the rows it was fitted and validated on."""
    version = studio.json(f"06_models/{game}/champion.json")["version"]
    return bits(studio.table(f"06_models/{game}/{version}/scored_rows.parquet"))


def seed_in_manifest(studio: Studio, game: str) -> int:
    """The seed that the champion's manifest tells."""
    version = studio.json(f"06_models/{game}/champion.json")["version"]
    seed: int = studio.json(f"06_models/{game}/{version}/manifest.json")["seed"]
    return seed


@pytest.fixture
def seedless(studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """A project whose games state no seed."""
    games = tmp_path / "games"
    shutil.copytree(ROOT / "games", games)
    base = (games / "base.toml").read_text()
    without = re.sub(r"^seed = .*\n", "", base, flags=re.M)
    assert len(without) < len(base)
    (games / "base.toml").write_text(without)
    monkeypatch.setenv("CHURN_GAMES_DIR", str(games))
    return studio


@pytest.mark.slow
def test_replay_with_the_told_seed_gives_the_same_bits_on_any_threads(
    seedless: Studio, pristine: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    seeds = {}
    for game, settings in SETTINGS.items():
        caplog.clear()
        seedless.run("train_from_raw", game, settings)
        told = re.findall(r"seed (\d+) \(drawn\)", caplog.text)
        assert len(told) == 1
        seeds[game] = int(told[0])
        assert seed_in_manifest(seedless, game) == seeds[game]
    other = new_studio(tmp_path / "other", pristine)
    lines = [
        ["--game", game, "--from-raw", "--data-dir", str(other.data)]
        + [f"--set={path}={value}" for path, value in settings.items()]
        + [f"--set=train.seed={seeds[game]}"]
        for game, settings in SETTINGS.items()
    ]
    run = python(
        "-c",
        REPLAY.format(*map(json.dumps, lines)),
        OMP_NUM_THREADS="2",  # This process fits on one, and Polars takes all that there are.
        POLARS_MAX_THREADS="1",
        PYTHONHASHSEED="1",
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr.count("(from the settings)") == len(SETTINGS)
    for game in SETTINGS:
        assert scored(other, game) == scored(seedless, game), game


@pytest.mark.slow
def test_replay_without_the_seed_gives_another_model(
    seedless: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    game = "game2"
    seedless.run("train_from_raw", game)
    seed, first = seed_in_manifest(seedless, game), scored(seedless, game)
    seedless.run("train_from_raw", game)
    assert seed_in_manifest(seedless, game) != seed
    assert scored(seedless, game) != first
