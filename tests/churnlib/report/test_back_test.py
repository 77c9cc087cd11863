import json
from datetime import date
from pathlib import Path

import pytest

from churnlib.errors import DataError
from churnlib.metrics.evaluate import evaluate
from churnlib.model.fit import fit
from churnlib.report.back_test import BackTest, back_test
from churnlib.settings import Settings, load_settings
from tests.churnlib.model.samples import features, step, training

AS_OF = date(2025, 1, 1)
MODEL = step(
    "sklearn.ensemble.HistGradientBoostingClassifier",
    categorical_features="from_dtype",
    max_iter=30,
    min_samples_leaf=5,
)


@pytest.fixture(scope="module")
def settings() -> Settings:
    overrides = {"evaluation.segments": ["race"], "train.seed": 9}
    return load_settings("game1", overrides, environ={})


@pytest.fixture(scope="module")
def result(settings: Settings) -> BackTest:
    model = fit(features(600), training(MODEL), seed=1)
    return back_test(model, features(300, seed=1), settings, as_of=AS_OF)


def test_back_test_has_the_metrics_of_its_rows(result: BackTest) -> None:
    assert len(result.rows) == 300
    threshold = result.scores["general"].threshold
    assert threshold == pytest.approx(0.1642, abs=1e-4)
    base_rate = result.scores["general"].baselines["base_rate"].mean_predicted
    assert result.scores == evaluate(result.rows, threshold=threshold, base_rate=base_rate)
    auc = result.scores["general"].roc_auc
    assert auc is not None and auc > 0.6
    assert "logistic_regression" in result.scores["general"].baselines


def test_back_test_is_the_same_in_every_format(result: BackTest, tmp_path: Path) -> None:
    auc = result.scores["general"].roc_auc
    for suffix in (".json", ".txt", ".html", ".md"):
        result.save(tmp_path / f"report{suffix}")
    data = json.loads((tmp_path / "report.json").read_text())
    assert data["general"]["roc_auc"] == auc
    assert [segment["value"] for segment in data["segments"]["race"]]
    assert {change["setting"] for change in data["changes"]} == {
        "evaluation.segments",
        "train.seed",
    }
    assert data["data"] == {"quarantined": None, "odd": None}
    assert f"{auc:.3f}" in (tmp_path / "report.txt").read_text()
    assert f"{auc:.3f}" in (tmp_path / "report.html").read_text()


def test_back_test_in_a_notebook_is_a_page_in_a_frame(result: BackTest) -> None:
    shown = result._repr_html_()
    assert shown.startswith("<iframe") and shown.count("<iframe") == 1
    assert "&lt;!DOCTYPE html&gt;" in shown and "<!DOCTYPE html>" not in shown


def test_back_test_of_no_rows_is_an_error(settings: Settings) -> None:
    model = fit(features(), training(MODEL), seed=1)
    with pytest.raises(DataError, match="game1: there are no rows to test the model on"):
        back_test(model, features().clear(), settings, as_of=AS_OF)


def test_back_test_cannot_be_saved_in_another_format(result: BackTest, tmp_path: Path) -> None:
    with pytest.raises(
        DataError,
        match=r"report\.pdf: a report's file name ends with one of \.html, \.txt, \.md, \.json",
    ):
        result.save(tmp_path / "report.pdf")


def test_repr_of_a_back_test_is_short(result: BackTest) -> None:
    lines = repr(result).splitlines()
    assert len(lines) <= 10
    assert lines[0] == "BackTest of model not saved on game1"
    for group, scores in result.scores.items():
        (line,) = (line for line in lines if line.split()[0] == group)
        assert f"{scores.n} subscriptions" in line
        assert f"ROC AUC {scores.roc_auc:.4f}" in line
