"""Seeds and replays: a drawn seed is logged and stored, and reproduces a run exactly."""

import json
import logging
import re
import shutil
import tomllib
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from flows.cli.exit_status import DIFFERENT
from flows.replay import replay
from flows.train import train_from_raw
from tests.flows.studio import ROOT, Studio, bits, new_studio, python

SETTINGS = {
    "game1": {"train.pipeline.model.params.max_iter": 60},
    "game2": {"train.pipeline.model.params.n_estimators": 40},
}
"""Models large enough to use what there is of threads and randomness."""

REPLAY = (
    "import sys; from flows.cli.main import main; "
    "sys.exit(main(['train', *{0}]) or main(['train', *{1}]))"
)


def newest(studio: Studio, game: str) -> str:
    """The version that was trained last."""
    return max(file.parent.name for file in studio.data.glob(f"06_models/{game}/*/manifest.json"))


def scored(studio: Studio, game: str) -> str:
    """The probabilities that the newest model gave to the rows it was fitted and validated on."""
    version = newest(studio, game)
    return bits(studio.table(f"06_models/{game}/{version}/scored_rows.parquet"))


def seed_in_manifest(studio: Studio, game: str) -> int:
    """The seed in the newest model's manifest."""
    version = newest(studio, game)
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
def test_replay_with_the_logged_seed_is_identical_on_any_number_of_threads(
    seedless: Studio, pristine: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    seeds = {}
    for game, settings in SETTINGS.items():
        caplog.clear()
        seedless.run("train_from_raw", game, settings)
        drawn = re.findall(r"seed (\d+) \(drawn\)", caplog.text)
        assert len(drawn) == 1
        seeds[game] = int(drawn[0])
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


def replayed(studio: Studio, game: str, *more: str) -> tuple[int, str]:
    """Makes the champion again in another process, on other numbers of threads."""
    run = python(
        "-m",
        "flows.replay",
        *("--game", game, "--data-dir", str(studio.data), *more),
        OMP_NUM_THREADS="2",
        POLARS_MAX_THREADS="1",
        PYTHONHASHSEED="1",
    )
    assert run.returncode in (0, DIFFERENT), run.stderr
    return run.returncode, run.stderr


@pytest.mark.slow
def test_replay_ignores_later_rows_and_names_changed_tables(
    empty_studio: Studio,
) -> None:
    game, day = "game1", "2024-12-01"
    empty_studio.run("train_from_raw", game, as_of=date.fromisoformat(day))
    version = empty_studio.json(f"06_models/{game}/champion.json")["version"]
    before = empty_studio.outputs()
    result = replay(game, version, str(empty_studio.data))
    assert result.is_equal
    assert (result.inputs, result.others) == ((), ())
    assert result.in_use is not None
    assert result.in_use.as_of == day
    assert 40 <= result.in_use.rows <= 50  # Whole characters.
    assert (result.in_use.is_equal, result.in_use.features) == (True, True)

    # A later extract has more rows, and what is dated later may be another.
    subs = empty_studio.raw(game, "sub_data")
    last = subs.filter(pl.col("sub_start_date") > day).head(1)
    assert len(last) == 1
    more = last.with_columns(sub_id=pl.lit("999999"), sub_start_date=pl.lit("2025-01-15"))
    empty_studio.write_raw(game, "sub_data", pl.concat([subs, more]))
    status, output = replayed(empty_studio, game, "--version", version)
    assert status == 0
    assert re.findall(r"raw table (\w+):", output) == ["sub_data"] * 2  # Of both models.
    assert "the features are the same" in output

    manifest = empty_studio.json(f"06_models/{game}/{version}/manifest.json")
    first, last = manifest["window"]
    in_window = pl.col("sub_start_date").is_between(pl.lit(first), pl.lit(last))
    changed = pl.when(in_window).then(pl.lit("1.11")).otherwise("price").alias("price")
    empty_studio.write_raw(game, "sub_data", subs.with_columns(changed))
    result = replay(game, version, str(empty_studio.data))
    assert not result.is_equal
    assert not result.features
    assert result.in_use is not None
    assert not (result.in_use.is_equal or result.in_use.features)
    assert [change.what for change in result.inputs] == ["raw table sub_data"]
    assert empty_studio.outputs() == before


DOCUMENTED = (ROOT / "docs/algorithms.md").read_text()
ALGORITHMS = re.findall(r"\n## ([^\n]+)\n(?:(?!\n## ).)*?```toml\n(.*?)```", DOCUMENTED, re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("block", [b for _, b in ALGORITHMS], ids=[name for name, _ in ALGORITHMS])
def test_replay_of_each_documented_algorithm_is_identical(block: str, empty_studio: Studio) -> None:
    pipeline = tomllib.loads(block)["train"]["pipeline"]
    overrides = {
        "train.pipeline": pipeline,
        "train.seed": "null",
        "train.calibration_months": 5,  # As many churned then as isotonic calibration asks for.
        "champion.keep_versions": 1,
    }
    train_from_raw(game="game1", data_dir=str(empty_studio.data), overrides=overrides)
    status, output = replayed(empty_studio, "game1", "--version", newest(empty_studio, "game1"))
    assert status == 0, output
    same = re.findall(r"predicts its \d+ golden rows the same to the bit", output)
    assert len(same) == 2, output  # Of the version, and of its model in use.


def test_every_documented_algorithm_is_replayed() -> None:
    assert len(ALGORITHMS) == DOCUMENTED.count("```toml")
