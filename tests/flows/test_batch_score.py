"""Batch scores: the predictions of a batch against its outcomes."""

import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from churnlib.io.catalog import Catalog
from churnlib.io.footer import read_metadata
from churnlib.versions.manifest import MANIFEST
from flows.cli.main import main
from tests.flows.studio import Say, Studio, is_refusal

pytestmark = pytest.mark.slow

GAME = "game1"
BATCH = f"07_model_output/{GAME}/predictions_2024-06.parquet"


@pytest.fixture(autouse=True)
def _restore(complete: Studio) -> Iterator[None]:
    """Puts the predictions back as they were."""
    kept = complete.file(BATCH).read_bytes()
    yield
    complete.file(BATCH).write_bytes(kept)


def replace(studio: Studio, rows: pl.DataFrame) -> None:
    """Changes the rows of the predictions, not what they say of themselves."""
    facts = read_metadata(Catalog(str(studio.data), GAME).predictions(date(2024, 6, 1)))
    rows.write_parquet(studio.file(BATCH), metadata=facts)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"windows.batch_score.end": -6}, "covers 2024-06-01 to 2024-06-30"),
        (
            {"horizon_months": 4, "windows.batch_score.start": -7, "windows.batch_score.end": -7},
            "was predicted with horizon_months = 6, but the settings say 4",
        ),
        ({"outcome.missed_months": 2}, "were built with outcome = "),
    ],
)
def test_batch_score_of_other_predictions_is_refused(
    complete: Studio, say: Say, settings: dict[str, object], expected: str
) -> None:
    before = complete.outputs()
    output = say(complete, "batch_score", GAME, *(f"--set={p}={v}" for p, v in settings.items()))
    assert is_refusal(output, expected), output
    assert complete.outputs() == before


def test_batch_score_without_predictions_says_on_which_day_to_predict(
    complete: Studio, say: Say
) -> None:
    output = say(complete, "batch_score", GAME, "--as-of=2024-12-01")
    advice = f"churn batch-predict --game {GAME} --data-dir {complete.data} --as-of "
    assert is_refusal(output, f"Make it: {advice}2024-06-01"), output
    assert complete.command("batch_predict", GAME, "--as-of=2024-06-01") == 0
    assert complete.command("batch_score", GAME, "--as-of=2024-12-01") == 0
    file = complete.file(f"07_model_output/{GAME}/predictions_2024-05.parquet")
    file.unlink()


@pytest.mark.parametrize(
    ("settings", "by"),
    [
        (
            {"batch_score.start": "2024-05-01", "batch_score.end": "2024-05-31"},
            "--as-of 2024-06-01",
        ),
        pytest.param(
            {"batch_score.start": "2024-05-10", "batch_score.end": "2024-05-20"},
            "--as-of 2024-06-01",
            marks=pytest.mark.slow,
        ),
        (
            {"batch_score.start": "2024-05-01", "batch_score.end": -7},
            "--set=windows.batch_predict.start=2024-05-01 "
            "--set=windows.batch_predict.end=2024-06-30",
        ),
        pytest.param(
            {"batch_score.start": "2024-05-01", "batch_score.end": "2024-05-31",
             "batch_predict.start": "2024-12-01", "batch_predict.end": "2024-12-31"},
            "--set=windows.batch_predict.end=2024-05-31",
            marks=pytest.mark.slow,
        ),
        (
            {"batch_score.start": "2024-05-01", "batch_score.end": "2024-05-31",
             "train.start": "2022-06-01", "train.end": "2023-11-30"},
            "--set=windows.batch_predict.end=2024-05-31",
        ),
    ],
    ids=["a month", "days of a month", "two months", "another month", "a day that overlaps"],
)  # fmt: skip
def test_batch_score_without_predictions_names_the_command_that_makes_just_these(
    complete: Studio, say: Say, settings: dict[str, object], by: str
) -> None:
    asked = [f"--set=windows.{path}={value}" for path, value in settings.items()]
    output = say(complete, "batch_score", GAME, *asked)
    assert is_refusal(output, "predictions is missing"), output
    (advice,) = re.findall(r"churn batch-predict (.*)", output)
    assert by in advice
    assert main(["batch-predict", *shlex.split(advice)]) == 0
    file = complete.file(f"07_model_output/{GAME}/predictions_2024-05.parquet")
    try:
        assert complete.command("batch_score", GAME, *asked) == 0
    finally:
        file.unlink()


def test_batch_score_before_the_batch_began_is_refused(complete: Studio, say: Say) -> None:
    days = (
        "--set=windows.batch_score.start=2024-06-01",
        "--set=windows.batch_score.end=2024-06-30",
    )
    output = say(complete, "batch_score", GAME, "--as-of=2024-05-31", *days)
    assert is_refusal(output, "windows.batch_score selects no subscription"), output
    assert "the data cover" in output


def test_batch_score_warns_of_missing_and_unknown_subscriptions(complete: Studio) -> None:
    rows = complete.table(BATCH)
    foreign = rows.head(1).with_columns(sub_id=pl.lit(10**9, pl.Int64))
    replace(complete, pl.concat([foreign, rows.tail(-3)]))
    complete.run("batch_score", GAME)
    report = complete.json(f"08_reporting/{GAME}/batch_score_report_2024-06.json")
    assert report["general"]["n"] == report["facts"]["predictions"] == len(rows) - 3
    missed, gone = report["warnings"]
    assert missed.startswith("3 subscriptions of the window were not predicted")
    assert gone.startswith("1 prediction is of a subscription that the standard features do not")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda rows: pl.concat([rows, rows.head(2)]), "predicts 2 subscriptions twice"),
        (lambda rows: rows.with_columns(pl.col("sub_id") + 10**9), "predicts none of"),
    ],
    ids=["twice", "none"],
)
def test_batch_score_refuses_predictions_that_match_no_subscription(
    complete: Studio, say: Say, change: Callable[[pl.DataFrame], pl.DataFrame], expected: str
) -> None:
    replace(complete, change(complete.table(BATCH)))
    output = say(complete, "batch_score", GAME)
    assert is_refusal(output, expected), output


def test_batch_score_shows_baselines_and_segments_if_predictions_have_them(
    complete: Studio,
) -> None:
    path = f"08_reporting/{GAME}/batch_score_report_2024-06.json"
    complete.run("batch_score", GAME, {"evaluation.segments": ["gender"]})
    report = complete.json(path)
    assert all(
        report["general"]["baselines"][name] for name in ("base_rate", "logistic_regression")
    )
    assert sum(part["n"] for part in report["segments"]["gender"]) == report["general"]["n"]
    assert [part["value"] for part in report["cohorts"]] == ["2024-06"]
    # Predictions of earlier versions have no baseline and no contact columns.
    rows = complete.table(BATCH).drop("baseline_probability", "contact", "held_out")
    facts = read_metadata(Catalog(str(complete.data), GAME).predictions(date(2024, 6, 1)))
    del facts["base_rate"], facts["threshold"]
    rows.write_parquet(complete.file(BATCH), metadata=facts)
    complete.run("batch_score", GAME)
    assert complete.json(path)["campaign"]["hold_out"] is None
    again = complete.json(path)["general"]
    assert again["baselines"] == {"base_rate": None, "logistic_regression": None}
    assert again["roc_auc_ci"] == report["general"]["roc_auc_ci"]


@pytest.mark.parametrize("flow", ["train", "score", "batch_score"])
def test_invalid_segments_are_refused_at_once(complete: Studio, say: Say, flow: str) -> None:
    before = complete.outputs()
    output = say(complete, flow, GAME, '--set=evaluation.segments=["gendr"]')
    assert is_refusal(output, f"{GAME}: evaluation.segments: 'gendr' is not a standard feature"), (
        output
    )
    assert complete.outputs() == before


REPORT = f"08_reporting/{GAME}/batch_score_report_2024-06.json"
FEATURES = f"05_model_input/{GAME}/predict_2024-06.parquet"


def version(studio: Studio) -> Path:
    (name,) = studio.table(BATCH)["model_version"].unique()
    return studio.file(f"06_models/{GAME}/{name}")


def test_batch_score_describes_the_model_that_predicted(complete: Studio) -> None:
    complete.run("batch_score", GAME)
    report, manifest = complete.json(REPORT), json.loads((version(complete) / MANIFEST).read_text())
    assert report["importance_reason"] is None
    assert {f["feature"] for f in report["importance"]} == {f["name"] for f in manifest["features"]}
    assert max(f["auc_loss"] for f in report["importance"]) > 0
    assert report["changes"] == manifest["changes"]
    assert report["facts"]["seed"] == manifest["seed"]
    assert report["facts"]["labels available up to"] == manifest["labels_known_by"]
    assert report["libraries"]["python"] == manifest["python"]
    own = {"standard_features", "predictions", "predict_features"}
    assert report["inputs"].keys() == {*manifest["inputs"], *own}


@pytest.fixture
def put_back(complete: Studio) -> Iterator[None]:
    """Restores features and model after each test."""
    features, model = complete.file(FEATURES), version(complete)
    kept, aside = features.read_bytes(), complete.data / "aside"
    shutil.copytree(model, aside)
    yield
    features.write_bytes(kept)
    shutil.rmtree(model, ignore_errors=True)
    shutil.move(aside, model)


def lose_features(studio: Studio) -> None:
    studio.file(FEATURES).unlink()


def change_features(studio: Studio) -> None:
    rows = studio.table(FEATURES).with_columns(pl.col("hard_balance") * 100 + 1)
    rows.write_parquet(studio.file(FEATURES))


def take_features_of_other_settings(studio: Studio) -> None:
    studio.table(FEATURES).drop("hard_balance").write_parquet(studio.file(FEATURES))


def lose_model(studio: Studio) -> None:
    shutil.rmtree(version(studio))


def damage_model(studio: Studio) -> None:
    (version(studio) / "model.skops").write_bytes(b"")


@pytest.mark.usefixtures("put_back")
@pytest.mark.parametrize(
    ("change", "reason", "has_seed"),
    [
        (lose_features, "the features that were predicted from do not exist any more", True),
        (change_features, "the features that exist are not those that were predicted from", True),
        (take_features_of_other_settings, "the features that exist are not those that", True),
        (lose_model, "the model that predicted does not exist any more", False),
        (damage_model, "the model cannot be loaded any more: ", True),
    ],
)
def test_batch_score_says_why_there_is_no_importance(
    complete: Studio, change: Callable[[Studio], None], reason: str, has_seed: bool
) -> None:
    change(complete)
    complete.run("batch_score", GAME)
    report = complete.json(REPORT)
    assert report["importance"] == []
    assert report["importance_reason"].startswith(reason)
    assert ("seed" in report["facts"]) == has_seed
    text = complete.file(REPORT.replace(".json", ".txt")).read_text(encoding="utf-8")
    assert f"Not measured, because {reason}" in " ".join(text.split())
    assert "Not measured, because the" in complete.file(REPORT.replace(".json", ".html")).read_text(
        encoding="utf-8"
    )
