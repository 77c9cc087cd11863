"""The gate: models are registered, compared, promoted and rolled back."""

import json
import re
import shlex
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from churnlib.io.catalog import Catalog
from churnlib.io.datasets import Dataset
from churnlib.versions import model_state
from churnlib.versions.champion import champion_version, set_champion
from churnlib.versions.registry import Registry, read_registry, write_registry
from flows.cli.exit_status import DONE, USERS_FAULT
from flows.cli.main import main
from flows.steps import promotion
from tests.churnlib.model.samples import save, usual
from tests.flows.studio import Say, Studio, is_refusal

GAME = "game1"
FEW = {"champion.min_outcomes": 1}
"""Settings that make the few subscriptions of a test enough for a decision."""
LENIENT, STRICT = {"champion.max_loss": 0.9} | FEW, {"champion.max_loss": 0.0} | FEW
"""Settings that accept any candidate, and only those that are significantly better."""
OTHER = {"train.seed": 8}
"""Settings that give a different model."""


@pytest.fixture(scope="module")
def first_models(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of models after a first training."""
    studio.run("train_from_raw", GAME)
    kept = tmp_path_factory.mktemp("models") / GAME
    return Path(shutil.copytree(studio.data / "06_models" / GAME, kept))


@pytest.fixture
def trained(studio: Studio, first_models: Path) -> Studio:
    """A data folder with one model, the champion."""
    folder = studio.data / "06_models" / GAME
    shutil.rmtree(folder)
    shutil.copytree(first_models, folder)
    return studio


def champion(studio: Studio) -> str:
    version: str = studio.json(f"06_models/{GAME}/champion.json")["version"]
    return version


def registry(studio: Studio) -> dict[str, Any]:
    content: dict[str, Any] = studio.json(f"06_models/{GAME}/registry.json")
    return content


def candidate(studio: Studio) -> str:
    version: str = registry(studio)["candidate"]
    return version


def report(studio: Studio) -> dict[str, Any]:
    content: dict[str, Any] = studio.json(f"08_reporting/{GAME}/score_report.json")
    return content


def champion_and_registry(studio: Studio) -> tuple[bytes, bytes]:
    """The contents of the champion's pointer and of the registry."""
    first, second = (
        studio.file(f"06_models/{GAME}/{name}.json") for name in ("champion", "registry")
    )
    return first.read_bytes(), second.read_bytes()


def states(studio: Studio, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    capsys.readouterr()
    assert main(["models", "--game", GAME, "--data-dir", str(studio.data), "--json"]) == DONE
    return {v["version"]: v["state"] for v in json.loads(capsys.readouterr().out)}


def run_promote(studio: Studio, *arguments: str) -> int:
    return main(["promote", "--game", GAME, "--data-dir", str(studio.data), *arguments])


def test_gate_takes_a_model_from_candidate_to_champion_and_back(
    trained: Studio, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    first = champion(trained)
    assert candidate(trained) is None

    # Another model waits as the candidate, and the batches stay with the champion.
    trained.run("train", GAME, OTHER)
    second = candidate(trained)
    assert champion(trained) == first != second
    predictions = "07_model_output/game1/predictions_2024-12.parquet"
    trained.run("batch_predict", GAME)
    assert trained.table(predictions)["model_version"].unique().to_list() == [first]
    trained.run("batch_predict", GAME, model=second)
    assert trained.table(predictions)["model_version"].unique().to_list() == [second]

    # With --model, score only reports.
    before = champion_and_registry(trained)
    trained.run("score", GAME, LENIENT, model=second)
    assert report(trained)["model_version"] == second
    assert report(trained)["comparison"] is None
    assert champion_and_registry(trained) == before

    # The refusal is final: the next score back-tests the champion.
    trained.run("score", GAME, STRICT)
    assert champion(trained) == first
    assert candidate(trained) is None
    refusal = report(trained)
    assert refusal["model_version"] == second
    assert refusal["comparison"]["decision"] == "refused"
    low, high = refusal["comparison"]["interval"]
    assert low < refusal["comparison"]["difference"] < high
    assert refusal["comparison"]["candidate_value"] == pytest.approx(refusal["general"]["roc_auc"])
    text = trained.file(f"08_reporting/{GAME}/score_report.txt").read_text()
    words = " ".join(text.split())
    assert "Compared with the champion: Refused: the champion stays." in words
    assert f" from {first}. " in words
    before = champion_and_registry(trained)
    trained.run("train", GAME, OTHER)
    for terms in (STRICT, LENIENT):
        caplog.clear()
        trained.run("score", GAME, terms)
        assert champion_and_registry(trained) == before
        assert report(trained)["model_version"] == first
        assert report(trained)["warnings"] == []
        (message,) = (r.message for r in caplog.records if "which is final" in r.message)
        assert message.startswith(f"candidate {second} was refused on 20")
    assert states(trained, capsys) == {second: "refused", first: "champion"}
    back_test, force = re.findall(r"churn [\w-]+ ([^;]*)", message)
    assert main(["score", *shlex.split(back_test)]) == DONE
    assert report(trained)["model_version"] == second
    assert main(["promote", *shlex.split(force)]) == DONE
    assert champion(trained) == second
    assert run_promote(trained, "--back") == DONE

    # A new training gives a new candidate, which passes. Later reports keep the comparison.
    trained.run("train", GAME, {"train.seed": 9})
    refused, second = second, candidate(trained)
    trained.run("score", GAME, LENIENT)
    assert champion(trained) == second
    assert candidate(trained) is None
    promoted = report(trained)["comparison"]
    assert (promoted["decision"], promoted["champion"]) == ("accepted", first)
    last = registry(trained)["promotions"][-1]
    assert (last["window"], last["as_of"]) == (["2024-05-01", "2024-07-31"], "2025-01-01")
    before = champion_and_registry(trained)
    trained.run("score", GAME, LENIENT)
    assert report(trained)["comparison"] == promoted
    assert champion_and_registry(trained) == before
    assert states(trained, capsys) == {second: "champion", refused: "former", first: "former"}

    # One command rolls back; a version that was rolled back is only promoted manually.
    assert run_promote(trained, "--back") == DONE
    assert champion(trained) == first
    trained.run("train", GAME, {"train.seed": 9})
    assert candidate(trained) is None
    trained.run("score", GAME, LENIENT)
    assert champion(trained) == first
    assert report(trained)["comparison"] is None
    assert run_promote(trained, "--version", second) == DONE
    assert champion(trained) == second
    trained.run("score", GAME, LENIENT)
    assert report(trained)["model_version"] == second
    # The earlier comparison did not make it champion this time.
    assert report(trained)["comparison"] is None
    assert [p["by"] for p in registry(trained)["promotions"]] == [
        "training",
        "manual",
        "roll back",
        "back-test",
        "roll back",
        "manual",
    ]


def test_promote_of_a_superseded_version_names_the_commands_to_use(
    trained: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    trained.run("train", GAME, OTHER)
    second = candidate(trained)
    trained.run("train", GAME, {"train.seed": 9})
    assert run_promote(trained, "--version", second) == USERS_FAULT
    advised = re.findall(r"churn ([\w-]+) ([^;\n]*)", capsys.readouterr().err)
    assert [flow for flow, _ in advised] == ["score", "promote"]
    (_, back_test), (_, force) = advised
    assert main(["score", *shlex.split(back_test)]) == DONE
    assert report(trained)["model_version"] == second
    assert main(["promote", *shlex.split(force)]) == DONE
    assert champion(trained) == second


def test_promote_warns_where_the_other_flows_will_refuse_the_champion(
    trained: Studio, say: Say, capsys: pytest.CaptureFixture[str]
) -> None:
    first = champion(trained)
    trained.run("train", GAME, {"currency.lookback_months": 12})
    second = candidate(trained)
    capsys.readouterr()
    assert run_promote(trained, "--version", second, "--force") == DONE
    captured = capsys.readouterr()
    assert captured.out == f"{GAME}: model {second} is the champion now; before: {first}\n"
    warning = (
        f"warning: {GAME}: model {second} was trained on other features than the game's settings "
        'require: currency.lookback_months was 12 and is "null". score and batch-predict will '
        "refuse it, with exit status 2"
    )
    assert captured.err.startswith(warning)
    for flow in ("score", "batch_predict"):
        assert is_refusal(output := say(trained, flow, GAME), "lookback_months was 12"), output
    (back,) = re.findall(r"roll back: churn promote ([^;]*);", captured.err)
    assert main(["promote", *shlex.split(back)]) == DONE
    assert champion(trained) == first
    assert capsys.readouterr().err == ""


def test_gate_only_reports_if_promotion_is_manual(
    trained: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    first = champion(trained)
    trained.run("train", GAME, OTHER)
    trained.run("score", GAME, LENIENT | {"champion.promote": False})
    assert champion(trained) == first
    assert report(trained)["comparison"]["decision"] == "accepted"
    assert candidate(trained)
    assert run_promote(trained, "--version", candidate(trained)) == DONE
    assert champion(trained) != first


def test_gate_is_undecided_with_few_subscriptions(
    trained: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    first = champion(trained)
    trained.run("train", GAME, OTHER)
    second = candidate(trained)
    tiny = ["--set=windows.score={ start = -6, end = -6 }", "--set=champion.max_loss=0.9"]
    assert trained.command("score", GAME, *tiny) == DONE
    assert (champion(trained), candidate(trained)) == (first, second)
    comparison = report(trained)["comparison"]
    assert comparison["decision"] == "undecided"
    assert comparison["positives"] < comparison["min_outcomes"] == 30
    text = trained.file(f"08_reporting/{GAME}/score_report.txt").read_text()
    words = " ".join(text.split())
    assert "Undecided: the champion stays. Difference in ROC AUC" in words
    assert f"from {first}. {comparison['positives']} of " in words
    assert "champion.min_outcomes requires 30 of each: score more months, with" in words
    assert states(trained, capsys) == {second: "candidate", first: "champion"}


@pytest.mark.slow
def test_gate_replaces_a_champion_that_cannot_be_loaded(trained: Studio) -> None:
    first = champion(trained)
    made_by_another_library(trained, first)
    trained.run("train", GAME, OTHER)
    second = champion(trained)
    assert second != first
    why = registry(trained)["promotions"][-1]["why"]
    assert "was trained with scikit-learn 0.1" in why

    trained.run("train", GAME, {"train.seed": 9})
    third = candidate(trained)
    made_by_another_library(trained, second)
    trained.run("score", GAME)
    assert champion(trained) == third
    comparison = report(trained)["comparison"]
    assert comparison["decision"] == "accepted"
    assert "the champion cannot be used any more" in comparison["reason"]
    assert comparison["difference"] is None


@pytest.mark.slow
def test_gate_replaces_a_damaged_champion_by_the_existing_candidate(
    trained: Studio,
) -> None:
    trained.run("train", GAME, OTHER)
    second = candidate(trained)
    trained.file(f"06_models/{GAME}/{champion(trained)}/model.skops").write_bytes(b"other")
    trained.run("train", GAME, OTHER)
    assert champion(trained) == second


COMPARISON = {
    "metric": "roc_auc",
    "max_loss": 0.02,
    "promote": True,
    "champion": "v1",
    "cohort": "c1",
    "window": ["2024-05-01", "2024-07-31"],
    "as_of": "2025-01-01",
    "decision": "refused",
    "reason": "of the test",
}
"""A comparison, without its candidate."""


@pytest.mark.parametrize("held_against", [None, "v1"])
def test_gate_replaces_only_the_champion_of_the_comparison(
    held_against: str | None, tmp_path: Path
) -> None:
    catalog = Catalog(str(tmp_path), GAME)
    names = ("v1", "v2", "v3")
    _, second, _ = (save(catalog.model(name), usual()) for name in names)
    write_registry(Registry(candidate="v2"), catalog.registry())
    set_champion(catalog, "v3")  # By another run.
    comparison = COMPARISON | {"candidate": "v2", "champion": held_against, "decision": "accepted"}
    promotion.record_comparison.fn(
        second, comparison, catalog.registry(), before="", keep_versions=None
    )
    assert champion_version(catalog) == "v3"
    known = read_registry(catalog.registry())
    assert known.candidate == "v2"
    (kept,) = known.comparisons
    assert kept.decision == "undecided"
    assert "the champion has changed in the meantime, to v3: score again" in kept.reason


def test_gate_does_not_accept_a_candidate_that_another_run_has_refused(tmp_path: Path) -> None:
    catalog = Catalog(str(tmp_path), GAME)
    _, second = (save(catalog.model(name), usual()) for name in ("v1", "v2"))
    write_registry(Registry(candidate="v2"), catalog.registry())
    set_champion(catalog, "v1")
    for decision in ("refused", "accepted"):
        comparison = COMPARISON | {"candidate": "v2", "decision": decision}
        promotion.record_comparison.fn(
            second, comparison, catalog.registry(), before="", keep_versions=None
        )
    assert champion_version(catalog) == "v1"
    known = read_registry(catalog.registry())
    assert (known.candidate, known.state("v2", "v1")) == (None, "refused")


def test_gate_keeps_the_comparisons_of_concurrent_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = Catalog(str(tmp_path), GAME)
    versions = {name: save(catalog.model(name), usual()) for name in ("v2", "v3", "v4")}

    def read_slowly(place: Dataset) -> Registry:
        known = read_registry(place)
        time.sleep(0.05)
        return known

    def run(name: str) -> None:
        comparison = COMPARISON | {"candidate": name}
        promotion.record_comparison.fn(
            versions[name], comparison, catalog.registry(), before="", keep_versions=None
        )

    monkeypatch.setattr(model_state, "read_registry", read_slowly)
    with ThreadPoolExecutor(len(versions)) as pool:
        list(pool.map(run, versions))
    kept = read_registry(catalog.registry()).comparisons
    assert {comparison.candidate for comparison in kept} == set(versions)


def made_by_another_library(studio: Studio, version: str) -> None:
    manifest = studio.file(f"06_models/{GAME}/{version}/manifest.json")
    content = json.loads(manifest.read_text())
    content["libraries"]["scikit-learn"] = "0.1"
    manifest.write_text(json.dumps(content))


@pytest.mark.slow
def test_gate_is_undecided_about_a_trial_with_other_features(
    trained: Studio,
) -> None:
    first = champion(trained)
    other = {"currency.lookback_months": 12}
    trained.run("train", GAME, other)
    second = candidate(trained)
    trained.run("score", GAME, LENIENT | other)
    assert champion(trained) == first
    assert candidate(trained) == second
    assert report(trained)["comparison"]["decision"] == "undecided"
    # The candidate does not match the game's own settings.
    assert trained.command("score", GAME) == DONE
    assert report(trained)["model_version"] == first
    # Training with the champion's settings gives the same version: there is no candidate.
    trained.run("train", GAME)
    assert candidate(trained) is None
    assert trained.command("score", GAME) == DONE
    assert report(trained)["model_version"] == first


LATE = {"windows.train.end": -12, "windows.score": {"start": -6, "end": -6}}
"""Settings that train on labels that become available only after the scoring window opens."""


@pytest.mark.parametrize(
    ("trial", "fault"),
    [
        ({"currency.lookback_months": 12}, 'currency.lookback_months was 12 and is "null"'),
        pytest.param(
            {"train.model_format": "joblib"}, "is saved as model.joblib", marks=pytest.mark.slow
        ),
        pytest.param(LATE, "label leakage", marks=pytest.mark.slow),
    ],
    ids=["other features", "joblib", "late labels"],
)
def test_score_back_tests_the_champion_if_the_candidate_cannot_be_compared(
    trial: dict[str, Any], fault: str, trained: Studio, say: Say
) -> None:
    first = champion(trained)
    trained.run("train", GAME, trial)
    second = candidate(trained)
    before = champion_and_registry(trained)

    # The scheduled run back-tests the champion, and log and report say why.
    output = say(trained, "score", GAME)
    assert output.startswith("exit 0\n")
    content = report(trained)
    assert content["model_version"] == first
    assert content["comparison"] is None
    (warning,) = content["warnings"]
    assert warning.startswith(
        f"the newest candidate, {second}, cannot be back-tested, so this is a back-test of the "
        f"champion, {first}, and nothing is decided: model {second} "
    )
    assert fault in warning
    assert warning in output
    assert warning in trained.file(f"08_reporting/{GAME}/score_report.txt").read_text()
    assert champion_and_registry(trained) == before

    # With --model, the message says that it is the candidate, and which command to use.
    output = say(trained, "score", GAME, "--model", second)
    assert is_refusal(output, fault), output
    assert (
        f"the newest candidate, {second}, cannot be back-tested (to back-test the champion"
        in output
    )
    (advised,) = re.findall(r"the champion instead: churn score ([^)]*)\)", output)
    assert main(["score", *shlex.split(advised)]) == DONE

    # Without a champion, the run fails.
    trained.file(f"06_models/{GAME}/champion.json").unlink()
    output = say(trained, "score", GAME)
    assert is_refusal(output, fault), output
    assert (
        f"the newest candidate, {second}, cannot be back-tested, and there is no champion" in output
    )


SEEN = {"allow_label_overlap": True, "windows.score.start": -31}
"""Settings that back-test a model on the subscriptions that it was trained on."""


def test_gate_is_undecided_on_a_cohort_that_both_models_were_trained_on(trained: Studio) -> None:
    first = champion(trained)
    trained.run("train", GAME, OTHER)
    second = candidate(trained)
    trained.run("score", GAME, LENIENT | SEEN)
    assert (champion(trained), candidate(trained)) == (first, second)
    comparison = report(trained)["comparison"]
    assert comparison["decision"] == "undecided"
    assert comparison["reason"] == (
        "training labels of the candidate and the champion became available only after the start "
        "of this cohort, so its metrics are optimistic: score later months"
    )


def test_score_without_a_usable_candidate_or_champion_names_both(trained: Studio, say: Say) -> None:
    first = champion(trained)
    trained.run("train", GAME, OTHER)
    output = say(trained, "score", GAME, "--set=currency.lookback_months=3")
    assert is_refusal(output, f"nor can the champion: model {first} was trained on other"), output
    assert f"the newest candidate, {candidate(trained)}, cannot be back-tested: " in output


@pytest.mark.slow
def test_gate_replaces_a_champion_with_features_other_than_the_games(
    trained: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHURN_CURRENCY__LOOKBACK_MONTHS", "12")
    trained.run("train", GAME)
    second = candidate(trained)
    trained.run("score", GAME)
    assert champion(trained) == second
    assert "than the game's settings now require" in report(trained)["comparison"]["reason"]


@pytest.mark.parametrize("text", [None, "x", '{"version": "gone"}'])
def test_gate_promotes_the_trained_model_if_the_pointer_is_invalid(
    text: str | None, trained: Studio
) -> None:
    first, pointer = champion(trained), trained.file(f"06_models/{GAME}/champion.json")
    if text is None:
        pointer.unlink()
    else:
        pointer.write_text(text)
    trained.run("train", GAME)
    assert champion(trained) == first


def test_message_of_an_invalid_pointer_names_the_commands_to_use(trained: Studio, say: Say) -> None:
    first, pointer = champion(trained), trained.file(f"06_models/{GAME}/champion.json")
    pointer.write_text('{"version": "gone"}')
    for line in (("score", GAME), ("batch_predict", GAME)):
        output = say(trained, *line)
        assert is_refusal(output, "champion.json names the version 'gone', which cannot"), output
    advised = re.findall(r"churn (?:models|promote) ([^;\n]*);", output)
    assert main(["models", *shlex.split(advised[0])]) == DONE
    assert main(["promote", *shlex.split(advised[1].replace("VERSION", first))]) == DONE
    assert champion(trained) == first


@pytest.mark.slow
def test_gate_keeps_the_configured_number_of_versions(trained: Studio) -> None:
    first = champion(trained)
    for seed in (8, 9):
        trained.run("train", GAME, {"train.seed": seed, "champion.keep_versions": 1})
    versions = {file.parent.name for file in trained.data.glob(f"06_models/{GAME}/*/manifest.json")}
    assert versions == {first, candidate(trained)}


@pytest.mark.parametrize("flow", ["score", "batch_predict"])
def test_unknown_version_is_refused_with_the_known_ones(
    flow: str, trained: Studio, say: Say
) -> None:
    output = say(trained, flow, GAME, "--model", "nope")
    assert is_refusal(output, f"there is no model version 'nope' in {trained.data}"), output
    assert f"Known: {champion(trained)}." in output


def test_damaged_registry_stops_a_training_early(trained: Studio, say: Say) -> None:
    trained.file(f"06_models/{GAME}/registry.json").write_text("{")
    for line in (("train", GAME), ("score", GAME)):
        output = say(trained, *line)
        assert is_refusal(output, "registry.json is damaged"), output


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (lambda data: main(["models", "--game", "gmae1", "--data-dir", data]), "no game 'gmae1'"),
        (lambda data: main(["promote", "--game", GAME, "--data-dir", data, "--back"]), "not known"),
        (
            lambda data: main(["promote", "--game", GAME, "--data-dir", data, "--version", "v1"]),
            "there is no model version 'v1'",
        ),
    ],
    ids=["models of no game", "back from nothing", "no such version"],
)
def test_commands_with_a_mistake_print_one_message(
    command: Callable[[str], int], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(str(tmp_path / "mistyped")) == USERS_FAULT
    assert list(tmp_path.iterdir()) == []
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1


def test_models_of_a_game_without_models_says_how_to_train_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "--game", GAME, "--data-dir", str(tmp_path)]) == DONE
    assert list(tmp_path.iterdir()) == []
    assert "there is no model yet. Train one: churn train" in capsys.readouterr().out
