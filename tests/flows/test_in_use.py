"""The model in use: fitted on all known labels, it predicts batches of its time and later."""

import re
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.errors import ModelError
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import Dataset
from churnlib.io.footer import facts
from churnlib.model.predict import predict
from churnlib.settings import load_settings
from churnlib.versions import transactions
from churnlib.versions.folder import load_model
from churnlib.versions.in_use import AS_TESTED, list_in_use
from churnlib.versions.manifest import read_manifest
from churnlib.versions.registry import write_registry
from flows.cli.main import main
from tests.flows.models import GAME, LENIENT, candidate, champion, registry
from tests.flows.studio import LAST_DAY, Say, Studio, is_refusal

pytestmark = pytest.mark.slow

BEFORE = "2024-12-01"
"""The day of a run before the last."""


def in_use(studio: Studio, version: str) -> list[Dataset]:
    """The models in use of a version, the newest first."""
    catalog = Catalog(str(studio.data), GAME)
    names = list_in_use(catalog.model(version))
    return [catalog.model_in_use(version, name) for name in names]


def delivered(studio: Studio, month: str) -> str:
    """The model in use that delivered a batch, as its predictions say."""
    first = date.fromisoformat(f"{month}-01")
    predictions = Catalog(str(studio.data), GAME).predictions(first)
    version, name, known_by = facts(predictions, "model_version", "model_in_use", "labels_known_by")
    assert version == champion(studio)
    model = Catalog(str(studio.data), GAME).model(version)
    if name != AS_TESTED:
        model = Catalog(str(studio.data), GAME).model_in_use(version, name)
    assert read_manifest(model)["labels_known_by"] == known_by
    return str(name)


def equals_predictions(studio: Studio, month: str, model: Dataset) -> bool:
    """Whether a batch has the probabilities of a model, to the bit."""
    features = studio.table(f"05_model_input/{GAME}/predict_{month}.parquet")
    batch = studio.table(f"07_model_output/{GAME}/predictions_{month}.parquet")
    again = features.select("sub_id", again=predict(load_model(model), features))
    both = batch.drop_nulls("churn_probability").join(again, on="sub_id", validate="1:1")
    assert len(both) == batch["churn_probability"].count() > 20
    return both["churn_probability"].equals(both["again"])


def test_model_in_use_has_learnt_every_known_label(complete: Studio) -> None:
    version = champion(complete)
    tested = read_manifest(Catalog(str(complete.data), GAME).model(version))
    (place,) = in_use(complete, version)
    manifest = read_manifest(place)
    first, _ = load_settings(GAME).windows.train.span(date.fromisoformat(LAST_DAY))
    assert manifest["window"] == [str(first), "2024-07-31"]
    assert (manifest["as_of"], manifest["labels_known_by"]) == (LAST_DAY, LAST_DAY)
    standard = complete.table(f"03_primary/{GAME}/standard_features.parquet")
    known = standard.filter(pl.col("sub_start_date").is_between(first, date(2024, 7, 31)))
    assert manifest["labelled_rows"] == manifest["rows"] == len(known) > tested["rows"]
    assert manifest["immature"] == 0
    for same in ("seed", "settings"):
        assert manifest[same] == tested[same]
    # The back-tested model is what it was: it stops learning before the back-test opens.
    assert tested["labels_known_by"] == "2024-05-01"


def test_batch_is_predicted_by_the_model_in_use_of_its_day(complete: Studio) -> None:
    version = champion(complete)
    (place,) = in_use(complete, version)
    tested = Catalog(str(complete.data), GAME).model(version)
    assert delivered(complete, "2024-12") == Path(place.uri).name
    assert equals_predictions(complete, "2024-12", place)
    assert not equals_predictions(complete, "2024-12", tested)
    # Its labels became available later than the day of this batch.
    assert delivered(complete, "2024-06") == AS_TESTED
    assert equals_predictions(complete, "2024-06", tested)


def test_reports_say_by_which_labels_each_model_learnt(complete: Studio) -> None:
    learnt = "subscriptions started 2022-06-01 to 2024-07-31, labels available up to 2025-01-01"
    for name in ("in_sample_report", "score_report"):
        told = complete.json(f"08_reporting/{GAME}/{name}.json")["facts"]
        assert told["labels available up to"] == "2024-05-01"
        assert told["batches predicted by"] == learnt
    told = complete.json(f"08_reporting/{GAME}/batch_score_report_2024-06.json")["facts"]
    assert told["labels available up to"] == "2024-05-01"
    assert told["predicted by"] == "the model as tested"


def test_candidate_has_a_model_in_use_once_it_is_promoted(
    with_candidate: Studio, lenient_floor: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = candidate(with_candidate)
    assert in_use(with_candidate, second) == []
    before = []

    def write(*given: Any) -> Any:
        before.append(in_use(with_candidate, second))
        return write_registry(*given)

    monkeypatch.setattr(transactions, "write_registry", write)
    with_candidate.run("score", GAME, LENIENT)
    assert champion(with_candidate) == second
    (place,) = in_use(with_candidate, second)
    assert before[0] == [place], "made before the registry names the champion"
    assert read_manifest(place)["seed"] == 8


def test_back_test_of_a_manually_promoted_version_fits_its_model_in_use(
    with_candidate: Studio,
) -> None:
    second = candidate(with_candidate)
    where = ("--game", GAME, "--data-dir", str(with_candidate.data))
    assert main(["promote", *where, "--version", second, "--force"]) == 0
    assert champion(with_candidate) == second
    assert in_use(with_candidate, second) == []
    with_candidate.run("score", GAME, model=second)
    assert in_use(with_candidate, second) == [], "a run that names the version only reports"
    with_candidate.run("score", GAME)
    (place,) = in_use(with_candidate, second)
    assert read_manifest(place)["seed"] == 8
    facts = with_candidate.json(f"08_reporting/{GAME}/score_report.json")["facts"]
    assert facts["batches predicted by"].endswith(f"labels available up to {LAST_DAY}")


def test_waiting_candidate_is_not_the_model_that_a_back_test_brings_up_to_date(
    with_candidate: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    second = candidate(with_candidate)
    with_candidate.run("train", GAME, {"train.seed": 9})
    assert candidate(with_candidate) != second
    where = ("--game", GAME, "--data-dir", str(with_candidate.data))
    capsys.readouterr()
    assert main(["promote", *where, "--version", second, "--force"]) == 0
    assert re.findall("all known labels: churn ([a-z]+) ", capsys.readouterr().out) == ["train"]


def test_back_test_that_is_a_try_fits_no_model_in_use(
    restored: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = champion(restored)
    for place in in_use(restored, version):
        shutil.rmtree(place.uri)
    monkeypatch.setenv("CHURN_DATA_DIR", str(restored.data))
    restored.run("score", GAME, {"raw.max_unknown_share": 0.6})
    assert in_use(restored, version) == []
    restored.run("score", GAME)
    assert len(in_use(restored, version)) == 1


def test_training_refreshes_the_champion_without_a_comparison(
    empty_studio: Studio, say: Say
) -> None:
    empty_studio.run("train_from_raw", GAME, as_of=date.fromisoformat(BEFORE))
    first = champion(empty_studio)
    (old,) = in_use(empty_studio, first)
    empty_studio.run("batch_predict", GAME, as_of=date.fromisoformat(BEFORE))
    empty_studio.run("train_from_raw", GAME)
    assert champion(empty_studio) == first
    assert candidate(empty_studio) not in (first, None)
    assert registry(empty_studio)["comparisons"] == []
    new, kept = in_use(empty_studio, first)
    assert kept == old
    assert [read_manifest(each)["labels_known_by"] for each in (new, old)] == [LAST_DAY, BEFORE]
    assert in_use(empty_studio, candidate(empty_studio)) == []

    empty_studio.run("batch_predict", GAME)
    assert delivered(empty_studio, "2024-12") == Path(new.uri).name
    # The delivered batch knows no later label, whenever it is made again.
    assert delivered(empty_studio, "2024-11") == Path(old.uri).name
    output = say(empty_studio, "batch_predict", GAME, f"--as-of={BEFORE}")
    assert f"predicts by its model in use {Path(old.uri).name}" in output
    assert equals_predictions(empty_studio, "2024-11", old)


def test_delivered_batch_stays_with_the_model_that_made_it(restored: Studio, say: Say) -> None:
    (place,) = in_use(restored, champion(restored))
    as_tested = "--set=train.in_use=as_tested"
    output = say(restored, "batch_predict", GAME, as_tested)
    assert is_refusal(output, f"model_in_use was {Path(place.uri).name} and is as_tested. To")
    assert say(restored, "batch_predict", GAME, as_tested, "--replace").startswith("exit 0\n")
    output = say(restored, "batch_predict", GAME)
    assert delivered(restored, "2024-12") == AS_TESTED
    assert "has delivered the batch so; --replace predicts it by that fitted on" in output
    assert say(restored, "batch_predict", GAME, "--replace").startswith("exit 0\n")
    assert delivered(restored, "2024-12") == Path(place.uri).name


def test_version_predicts_as_tested_with_a_warning_if_it_cannot_be_fitted_again(
    restored: Studio, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ModelError("a step failed")

    (place,) = in_use(restored, champion(restored))
    shutil.rmtree(place.uri)
    monkeypatch.setattr("churnlib.model.fit.fit_in_use", fail)
    output = say(restored, "train", GAME)
    assert output.startswith("exit 0\n")
    warning = (
        f"model {champion(restored)} could not be fitted on all labels known by {LAST_DAY}, so "
        "batches are predicted as before: a step failed"
    )
    assert warning in output
    assert warning in restored.json(f"08_reporting/{GAME}/in_sample_report.json")["warnings"]
    output = say(restored, "batch_predict", GAME, "--replace")
    assert "predicts as tested, by labels available up to 2024-05-01: it has no" in output
    assert delivered(restored, "2024-12") == AS_TESTED


def test_damaged_model_in_use_does_not_predict_until_a_training_makes_another(
    restored: Studio, say: Say
) -> None:
    (place,) = in_use(restored, champion(restored))
    Path(place.uri, "manifest.json").write_text("{}")
    output = say(restored, "batch_predict", GAME, "--replace")
    assert is_refusal(output, f"Or remove {place.uri}: then an earlier model in use predicts")
    restored.run("train", GAME)
    new, old = in_use(restored, champion(restored))
    assert old == place
    assert say(restored, "batch_predict", GAME, "--replace").startswith("exit 0\n")
    assert delivered(restored, "2024-12") == Path(new.uri).name
