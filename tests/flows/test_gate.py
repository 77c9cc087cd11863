"""The gate in real runs: a candidate is back-tested, promoted, refused and rolled back."""

import json
import re
import shlex

import pytest

from flows.cli.exit_status import DONE
from flows.cli.main import main
from tests.flows.models import (
    GAME,
    LENIENT,
    OTHER,
    STRICT,
    WORSE,
    candidate,
    champion,
    champion_and_registry,
    promote,
    registry,
    score_report,
)
from tests.flows.studio import Studio

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("lenient_floor")]
SEEN = {"allow_label_overlap": True, "windows.score.start": -31}
"""Settings that back-test a model on the subscriptions that it was trained on."""


def states(studio: Studio, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    capsys.readouterr()
    assert main(["models", "--game", GAME, "--data-dir", str(studio.data), "--json"]) == DONE
    return {v["version"]: v["state"] for v in json.loads(capsys.readouterr().out)}


def test_candidate_is_only_used_where_a_run_names_it(with_candidate: Studio) -> None:
    studio, first, second = with_candidate, champion(with_candidate), candidate(with_candidate)
    assert first != second
    predictions = f"07_model_output/{GAME}/predictions_2024-12.parquet"
    studio.run("batch_predict", GAME)
    assert studio.table(predictions)["model_version"].unique().to_list() == [first]
    studio.run("batch_predict", GAME, model=second, replace=True)
    rows = studio.table(predictions)
    assert rows["model_version"].unique().to_list() == [second]
    assert rows["contact"].null_count() == len(rows)  # The gate has not decided on it.

    # With --model, score only reports.
    before = registry(studio)
    studio.run("score", GAME, LENIENT, model=second)
    assert score_report(studio)["model_version"] == second
    assert score_report(studio)["comparison"] is None
    assert champion(studio) == first
    after = registry(studio)
    assert {**after, "evidence": before["evidence"]} == before
    assert set(after["evidence"]) == {*before["evidence"], second}


def test_gate_refuses_a_worse_candidate_for_good(
    restored: Studio, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    studio, first = restored, champion(restored)
    studio.run("train", GAME, WORSE)
    second = candidate(studio)
    studio.run("score", GAME, STRICT)
    assert champion(studio) == first
    assert candidate(studio) is None
    refusal = score_report(studio)
    assert refusal["model_version"] == second
    assert refusal["comparison"]["decision"] == "refused"
    low, high = refusal["comparison"]["interval"]
    assert low < refusal["comparison"]["difference"] < high
    assert refusal["comparison"]["candidate_value"] == pytest.approx(refusal["general"]["roc_auc"])
    text = studio.file(f"08_reporting/{GAME}/score_report.txt").read_text()
    words = " ".join(text.split())
    assert "Compared with the champion: Refused: the champion stays." in words
    assert f" from {first}. " in words

    # Later runs back-test the champion, even after the same training and on other terms.
    before = champion(studio), registry(studio)["comparisons"]
    studio.run("train", GAME, WORSE)
    caplog.clear()
    studio.run("score", GAME, LENIENT)
    assert (champion(studio), registry(studio)["comparisons"]) == before
    assert score_report(studio)["model_version"] == first
    assert score_report(studio)["warnings"] == []
    (message,) = (r.message for r in caplog.records if "which is final" in r.message)
    assert message.startswith(f"candidate {second} was refused on 20")
    assert states(studio, capsys) == {second: "refused", first: "champion"}

    # The message names the commands for another back-test and for a promotion anyway.
    back_test, force = re.findall(r"churn [\w-]+ ([^;]*)", message)
    assert main(["score", *shlex.split(back_test)]) == DONE
    assert score_report(studio)["model_version"] == second
    assert main(["promote", *shlex.split(force)]) == DONE
    assert champion(studio) == second


def test_gate_promotes_a_candidate_that_can_be_rolled_back(
    with_candidate: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    studio, first, second = with_candidate, champion(with_candidate), candidate(with_candidate)
    studio.run("score", GAME, LENIENT)
    assert champion(studio) == second
    assert candidate(studio) is None
    accepted = score_report(studio)["comparison"]
    assert (accepted["decision"], accepted["champion"]) == ("accepted", first)
    last = registry(studio)["promotions"][-1]
    assert (last["window"], last["as_of"]) == (["2024-05-01", "2024-07-31"], "2025-01-01")

    # Later reports keep the comparison.
    before = champion_and_registry(studio)
    studio.run("score", GAME, LENIENT)
    assert score_report(studio)["comparison"] == accepted
    assert champion_and_registry(studio) == before
    assert states(studio, capsys) == {second: "champion", first: "former"}

    # A version that was rolled back is only promoted manually.
    assert promote(studio, "--back") == DONE
    assert champion(studio) == first
    studio.run("train", GAME, OTHER)
    assert candidate(studio) is None
    studio.run("score", GAME, LENIENT)
    assert champion(studio) == first
    assert score_report(studio)["comparison"] is None
    assert promote(studio, "--version", second) == DONE
    assert champion(studio) == second

    # The earlier comparison did not make it champion this time.
    studio.run("score", GAME, LENIENT)
    assert score_report(studio)["model_version"] == second
    assert score_report(studio)["comparison"] is None
    causes = [promotion["by"] for promotion in registry(studio)["promotions"]]
    assert causes == ["training", "back-test", "roll back", "manual"]


def test_gate_only_reports_if_promotion_is_manual(
    with_candidate: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    first = champion(with_candidate)
    with_candidate.run("score", GAME, LENIENT | {"champion.promote": False})
    assert champion(with_candidate) == first
    assert score_report(with_candidate)["comparison"]["decision"] == "accepted"
    assert candidate(with_candidate)
    assert promote(with_candidate, "--version", candidate(with_candidate)) == DONE
    assert champion(with_candidate) != first


def test_gate_is_undecided_with_few_subscriptions(
    with_candidate: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = champion(with_candidate), candidate(with_candidate)
    tiny = ["--set=windows.score={ start = -6, end = -6 }", "--set=champion.max_loss=0.9"]
    assert with_candidate.command("score", GAME, *tiny) == DONE
    assert (champion(with_candidate), candidate(with_candidate)) == (first, second)
    comparison = score_report(with_candidate)["comparison"]
    assert comparison["decision"] == "undecided"
    assert comparison["positives"] < comparison["min_outcomes"] == 30
    text = with_candidate.file(f"08_reporting/{GAME}/score_report.txt").read_text()
    words = " ".join(text.split())
    assert "Undecided: the champion stays. Difference in ROC AUC" in words
    assert f"from {first}. {comparison['positives']} of " in words
    assert "champion.min_outcomes requires 30 of each: score again once the outcomes of" in words
    assert states(with_candidate, capsys) == {second: "candidate", first: "champion"}


def test_gate_is_undecided_on_a_cohort_that_both_models_were_trained_on(
    with_candidate: Studio,
) -> None:
    first, second = champion(with_candidate), candidate(with_candidate)
    with_candidate.run("score", GAME, LENIENT | SEEN)
    assert (champion(with_candidate), candidate(with_candidate)) == (first, second)
    comparison = score_report(with_candidate)["comparison"]
    assert comparison["decision"] == "undecided"
    assert comparison["reason"] == (
        "training labels of the candidate and the champion became available only after the start "
        "of this cohort, so its metrics are optimistic: score later months"
    )


def test_gate_is_undecided_about_a_trial_with_other_features(
    restored: Studio,
) -> None:
    first = champion(restored)
    other = {"features.character_currency.lookback_months": 12}
    restored.run("train", GAME, other)
    second = candidate(restored)
    restored.run("score", GAME, LENIENT | other)
    assert champion(restored) == first
    assert candidate(restored) == second
    assert score_report(restored)["comparison"]["decision"] == "undecided"
    # The candidate does not match the game's own settings.
    assert restored.command("score", GAME) == DONE
    assert score_report(restored)["model_version"] == first
    # Training with the champion's settings gives the same version: there is no candidate.
    restored.run("train", GAME)
    assert candidate(restored) is None
    assert restored.command("score", GAME) == DONE
    assert score_report(restored)["model_version"] == first


def test_gate_replaces_a_champion_with_features_other_than_the_games(
    restored: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHURN_FEATURES__CHARACTER_CURRENCY__LOOKBACK_MONTHS", "12")
    restored.run("train", GAME)
    second = candidate(restored)
    restored.run("score", GAME)
    assert champion(restored) == second
    assert "than the game's settings now require" in score_report(restored)["comparison"]["reason"]


def test_gate_replaces_a_champion_that_cannot_be_loaded(restored: Studio) -> None:
    first = champion(restored)
    made_by_another_library(restored, first)
    restored.run("train", GAME, OTHER)
    second = champion(restored)
    assert second != first
    why = registry(restored)["promotions"][-1]["why"]
    assert "was trained with scikit-learn 0.1" in why

    restored.run("train", GAME, {"train.seed": 9})
    third = candidate(restored)
    made_by_another_library(restored, second)
    restored.run("score", GAME)
    assert champion(restored) == third
    comparison = score_report(restored)["comparison"]
    assert comparison["decision"] == "accepted"
    assert "the champion cannot be used any more" in comparison["reason"]
    assert comparison["difference"] is None


def made_by_another_library(studio: Studio, version: str) -> None:
    manifest = studio.file(f"06_models/{GAME}/{version}/manifest.json")
    content = json.loads(manifest.read_text())
    content["libraries"]["scikit-learn"] = "0.1"
    manifest.write_text(json.dumps(content))


def test_gate_replaces_a_damaged_champion_by_the_existing_candidate(
    with_candidate: Studio,
) -> None:
    second = candidate(with_candidate)
    with_candidate.file(f"06_models/{GAME}/{champion(with_candidate)}/model.skops").write_bytes(
        b"other"
    )
    with_candidate.run("train", GAME, OTHER)
    assert champion(with_candidate) == second
