"""New models on their way to be champion: registered, compared, promoted, rolled back."""

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
"""Settings by which the few subscriptions of a test are enough."""
LENIENT, STRICT = {"champion.max_loss": 0.9} | FEW, {"champion.max_loss": 0.0} | FEW
"""Settings by which any candidate passes, and none that is not better beyond doubt."""
OTHER = {"train.seed": 8}
"""What makes another model."""


@pytest.fixture(scope="module")
def first_models(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of models after a first training."""
    studio.run("train_from_raw", GAME)
    kept = tmp_path_factory.mktemp("models") / GAME
    return Path(shutil.copytree(studio.data / "06_models" / GAME, kept))


@pytest.fixture
def trained(studio: Studio, first_models: Path) -> Studio:
    """A data folder with one model, the champion."""
    models_there = studio.data / "06_models" / GAME
    shutil.rmtree(models_there)
    shutil.copytree(first_models, models_there)
    return studio


def champion(studio: Studio) -> str:
    version: str = studio.json(f"06_models/{GAME}/champion.json")["version"]
    return version


def registry(studio: Studio) -> dict[str, Any]:
    found: dict[str, Any] = studio.json(f"06_models/{GAME}/registry.json")
    return found


def candidate(studio: Studio) -> str:
    version: str = registry(studio)["candidate"]
    return version


def report(studio: Studio) -> dict[str, Any]:
    found: dict[str, Any] = studio.json(f"08_reporting/{GAME}/score_report.json")
    return found


def standing(studio: Studio) -> tuple[bytes, bytes]:
    """What says which version is what."""
    first, second = (
        studio.file(f"06_models/{GAME}/{name}.json") for name in ("champion", "registry")
    )
    return first.read_bytes(), second.read_bytes()


def states(studio: Studio, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    capsys.readouterr()
    assert main(["models", "--game", GAME, "--data-dir", str(studio.data), "--json"]) == DONE
    return {v["version"]: v["state"] for v in json.loads(capsys.readouterr().out)}


def by_hand(studio: Studio, *arguments: str) -> int:
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

    # A version that is named is only reported on.
    before = standing(trained)
    trained.run("score", GAME, LENIENT, model=second)
    assert report(trained)["model_version"] == second
    assert report(trained)["comparison"] is None
    assert standing(trained) == before

    # It is refused, and that is final: scored again, it is not the one that is looked at.
    trained.run("score", GAME, STRICT)
    assert champion(trained) == first
    assert candidate(trained) is None
    found = report(trained)
    assert found["model_version"] == second
    assert found["comparison"]["decision"] == "refused"
    low, high = found["comparison"]["interval"]
    assert low < found["comparison"]["difference"] < high
    assert found["comparison"]["candidate_value"] == pytest.approx(found["general"]["roc_auc"])
    text = trained.file(f"08_reporting/{GAME}/score_report.txt").read_text()
    words = " ".join(text.split())
    assert "Compared with the champion: Refused: the champion stays." in words
    assert f" from {first}. " in words
    before = standing(trained)
    trained.run("train", GAME, OTHER)
    for terms in (STRICT, LENIENT):
        caplog.clear()
        trained.run("score", GAME, terms)
        assert standing(trained) == before
        assert report(trained)["model_version"] == first
        assert report(trained)["warnings"] == []
        (told,) = (r.message for r in caplog.records if "which is final" in r.message)
        assert told.startswith(f"candidate {second} was refused on 20")
    assert states(trained, capsys) == {second: "refused", first: "champion"}
    look, force = re.findall(r"churn [\w-]+ ([^;]*)", told)
    assert main(["score", *shlex.split(look)]) == DONE
    assert report(trained)["model_version"] == second
    assert main(["promote", *shlex.split(force)]) == DONE
    assert champion(trained) == second
    assert by_hand(trained, "--back") == DONE

    # Of a new training a new one passes. It is kept by what. The report keeps how it came to be.
    trained.run("train", GAME, {"train.seed": 9})
    refused, second = second, candidate(trained)
    trained.run("score", GAME, LENIENT)
    assert champion(trained) == second
    assert candidate(trained) is None
    promoted = report(trained)["comparison"]
    assert (promoted["decision"], promoted["champion"]) == ("accepted", first)
    last = registry(trained)["promotions"][-1]
    assert (last["window"], last["as_of"]) == (["2024-05-01", "2024-07-31"], "2025-01-01")
    before = standing(trained)
    trained.run("score", GAME, LENIENT)
    assert report(trained)["comparison"] == promoted
    assert standing(trained) == before
    assert states(trained, capsys) == {second: "champion", refused: "former", first: "former"}

    # Back is one command; what a hand took back comes again by a hand alone.
    assert by_hand(trained, "--back") == DONE
    assert champion(trained) == first
    trained.run("train", GAME, {"train.seed": 9})
    assert candidate(trained) is None
    trained.run("score", GAME, LENIENT)
    assert champion(trained) == first
    assert report(trained)["comparison"] is None
    assert by_hand(trained, "--version", second) == DONE
    assert champion(trained) == second
    trained.run("score", GAME, LENIENT)
    assert report(trained)["model_version"] == second
    # The one that there was is not why it is champion.
    assert report(trained)["comparison"] is None
    assert [p["by"] for p in registry(trained)["promotions"]] == [
        "training",
        "manual",
        "roll back",
        "back-test",
        "roll back",
        "manual",
    ]


def test_promote_of_a_superseded_version_advises_what_makes_it_champion(
    trained: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    trained.run("train", GAME, OTHER)
    second = candidate(trained)
    trained.run("train", GAME, {"train.seed": 9})
    assert by_hand(trained, "--version", second) == USERS_FAULT
    advised = re.findall(r"churn ([\w-]+) ([^;\n]*)", capsys.readouterr().err)
    assert [flow for flow, _ in advised] == ["score", "promote"]
    (_, look), (_, force) = advised
    assert main(["score", *shlex.split(look)]) == DONE
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
    assert by_hand(trained, "--version", second, "--force") == DONE
    told = capsys.readouterr()
    assert told.out == f"{GAME}: model {second} is the champion now; before: {first}\n"
    warning = (
        f"warning: {GAME}: model {second} was trained on other features than the game's settings "
        "require: currency.lookback_months was 12 and is None. score and batch-predict will refuse "
        "it, with exit status 2"
    )
    assert told.err.startswith(warning)
    for flow in ("score", "batch_predict"):
        assert is_refusal(said := say(trained, flow, GAME), "lookback_months was 12"), said
    (back,) = re.findall(r"roll back: churn promote ([^;]*);", told.err)
    assert main(["promote", *shlex.split(back)]) == DONE
    assert champion(trained) == first
    assert capsys.readouterr().err == ""


def test_gate_only_reports_where_a_hand_is_to_promote(
    trained: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    first = champion(trained)
    trained.run("train", GAME, OTHER)
    trained.run("score", GAME, LENIENT | {"champion.promote": False})
    assert champion(trained) == first
    assert report(trained)["comparison"]["decision"] == "accepted"
    assert candidate(trained)
    assert by_hand(trained, "--version", candidate(trained)) == DONE
    assert champion(trained) != first


def test_gate_decides_nothing_by_a_handful_of_subscriptions(
    trained: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    first = champion(trained)
    trained.run("train", GAME, OTHER)
    second = candidate(trained)
    tiny = ["--set=windows.score={ start = -6, end = -6 }", "--set=champion.max_loss=0.9"]
    assert trained.command("score", GAME, *tiny) == DONE
    assert (champion(trained), candidate(trained)) == (first, second)
    found = report(trained)["comparison"]
    assert found["decision"] == "undecided"
    assert found["positives"] < found["min_outcomes"] == 30
    text = trained.file(f"08_reporting/{GAME}/score_report.txt").read_text()
    told = " ".join(text.split())
    assert "Undecided: the champion stays. Difference in ROC AUC" in told
    assert f"from {first}. {found['positives']} of " in told
    assert "champion.min_outcomes requires 30 of each: score more months, with" in told
    assert states(trained, capsys) == {second: "candidate", first: "champion"}


@pytest.mark.slow
def test_gate_gives_the_place_of_a_champion_that_cannot_be_opened(trained: Studio) -> None:
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
    found = report(trained)["comparison"]
    assert found["decision"] == "accepted"
    assert "the champion cannot be used any more" in found["reason"]
    assert found["difference"] is None


@pytest.mark.slow
def test_gate_gives_the_place_of_a_damaged_champion_to_a_candidate_that_was_there(
    trained: Studio,
) -> None:
    trained.run("train", GAME, OTHER)
    second = candidate(trained)
    trained.file(f"06_models/{GAME}/{champion(trained)}/model.skops").write_bytes(b"other")
    trained.run("train", GAME, OTHER)
    assert champion(trained) == second


FOUND = {
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
"""A comparison."""


@pytest.mark.parametrize("held_against", [None, "v1"])
def test_gate_replaces_no_champion_that_the_candidate_was_not_held_against(
    held_against: str | None, tmp_path: Path
) -> None:
    catalog = Catalog(str(tmp_path), GAME)
    names = ("v1", "v2", "v3")
    _, second, _ = (save(catalog.model(name), usual()) for name in names)
    write_registry(Registry(candidate="v2"), catalog.registry())
    set_champion(catalog, "v3")  # By another run.
    made = FOUND | {"candidate": "v2", "champion": held_against, "decision": "accepted"}
    promotion.record_comparison.fn(second, made, catalog.registry(), before="", keep_versions=None)
    assert champion_version(catalog) == "v3"
    known = read_registry(catalog.registry())
    assert known.candidate == "v2"
    (kept,) = known.comparisons
    assert kept.decision == "undecided"
    assert "the champion has changed in the meantime, to v3: score again" in kept.reason


def test_gate_does_not_accept_what_another_run_has_refused_meanwhile(tmp_path: Path) -> None:
    catalog = Catalog(str(tmp_path), GAME)
    _, second = (save(catalog.model(name), usual()) for name in ("v1", "v2"))
    write_registry(Registry(candidate="v2"), catalog.registry())
    set_champion(catalog, "v1")
    for decision in ("refused", "accepted"):
        made = FOUND | {"candidate": "v2", "decision": decision}
        promotion.record_comparison.fn(
            second, made, catalog.registry(), before="", keep_versions=None
        )
    assert champion_version(catalog) == "v1"
    known = read_registry(catalog.registry())
    assert (known.candidate, known.state("v2", "v1")) == (None, "refused")


def test_gate_keeps_the_comparisons_of_runs_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = Catalog(str(tmp_path), GAME)
    models_there = {name: save(catalog.model(name), usual()) for name in ("v2", "v3", "v4")}

    def read_slowly(place: Dataset) -> Registry:
        known = read_registry(place)
        time.sleep(0.05)
        return known

    def run(name: str) -> None:
        made = FOUND | {"candidate": name}
        promotion.record_comparison.fn(
            models_there[name], made, catalog.registry(), before="", keep_versions=None
        )

    monkeypatch.setattr(model_state, "read_registry", read_slowly)
    with ThreadPoolExecutor(len(models_there)) as pool:
        list(pool.map(run, models_there))
    kept = read_registry(catalog.registry()).comparisons
    assert {comparison.candidate for comparison in kept} == set(models_there)


def made_by_another_library(studio: Studio, version: str) -> None:
    manifest = studio.file(f"06_models/{GAME}/{version}/manifest.json")
    told = json.loads(manifest.read_text())
    told["libraries"]["scikit-learn"] = "0.1"
    manifest.write_text(json.dumps(told))


@pytest.mark.slow
def test_gate_decides_nothing_of_a_candidate_that_was_tried_with_other_features(
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
    # By the game's own settings the candidate does not fit.
    assert trained.command("score", GAME) == DONE
    assert report(trained)["model_version"] == first
    # The settings that made the champion give the champion: nothing is left to compare.
    trained.run("train", GAME)
    assert candidate(trained) is None
    assert trained.command("score", GAME) == DONE
    assert report(trained)["model_version"] == first


LATE = {"windows.train.end": -12, "windows.score": {"start": -6, "end": -6}}
"""Settings by which a model learns from labels that are known only after the usual window opens."""


@pytest.mark.parametrize(
    ("trial", "fault"),
    [
        ({"currency.lookback_months": 12}, "currency.lookback_months was 12 and is None"),
        pytest.param(
            {"train.model_format": "joblib"}, "is saved as model.joblib", marks=pytest.mark.slow
        ),
        pytest.param(LATE, "label leakage", marks=pytest.mark.slow),
    ],
    ids=["other features", "joblib", "late labels"],
)
def test_score_of_a_candidate_that_cannot_be_compared_is_of_the_champion_with_a_warning(
    trial: dict[str, Any], fault: str, trained: Studio, say: Say
) -> None:
    first = champion(trained)
    trained.run("train", GAME, trial)
    second = candidate(trained)
    before = standing(trained)

    # The scheduled run goes on, with the champion, and says why in the log and in the report.
    said = say(trained, "score", GAME)
    assert said.startswith("exit 0\n")
    found = report(trained)
    assert found["model_version"] == first
    assert found["comparison"] is None
    (warning,) = found["warnings"]
    assert warning.startswith(
        f"the newest candidate, {second}, cannot be back-tested, so this is a back-test of the "
        f"champion, {first}, and nothing is decided: model {second} "
    )
    assert fault in warning
    assert warning in said
    assert warning in trained.file(f"08_reporting/{GAME}/score_report.txt").read_text()
    assert standing(trained) == before

    # Who names it is told that it is the candidate, and what to type.
    said = say(trained, "score", GAME, "--model", second)
    assert is_refusal(said, fault), said
    assert (
        f"the newest candidate, {second}, cannot be back-tested (to back-test the champion" in said
    )
    (advised,) = re.findall(r"the champion instead: churn score ([^)]*)\)", said)
    assert main(["score", *shlex.split(advised)]) == DONE

    # Without a champion there is nothing to go on with.
    trained.file(f"06_models/{GAME}/champion.json").unlink()
    said = say(trained, "score", GAME)
    assert is_refusal(said, fault), said
    assert (
        f"the newest candidate, {second}, cannot be back-tested, and there is no champion" in said
    )


SEEN = {"allow_label_overlap": True, "windows.score.start": -31}
"""Settings by which a model is back-tested on what it learnt from."""


def test_gate_decides_nothing_by_a_cohort_that_both_models_learnt_from(trained: Studio) -> None:
    first = champion(trained)
    trained.run("train", GAME, OTHER)
    second = candidate(trained)
    trained.run("score", GAME, LENIENT | SEEN)
    assert (champion(trained), candidate(trained)) == (first, second)
    found = report(trained)["comparison"]
    assert found["decision"] == "undecided"
    assert found["reason"] == (
        "training labels of the candidate and the champion became available only after the start "
        "of this cohort, so its metrics are optimistic: score later months"
    )


def test_score_where_neither_candidate_nor_champion_can_be_used_tells_of_both(
    trained: Studio, say: Say
) -> None:
    first = champion(trained)
    trained.run("train", GAME, OTHER)
    said = say(trained, "score", GAME, "--set=currency.lookback_months=3")
    assert is_refusal(said, f"nor can the champion: model {first} was trained on other"), said
    assert f"the newest candidate, {candidate(trained)}, cannot be back-tested: " in said


@pytest.mark.slow
def test_gate_gives_the_place_of_a_champion_that_the_game_has_left_behind(
    trained: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHURN_CURRENCY__LOOKBACK_MONTHS", "12")
    trained.run("train", GAME)
    second = candidate(trained)
    trained.run("score", GAME)
    assert champion(trained) == second
    assert "than the game's settings now require" in report(trained)["comparison"]["reason"]


@pytest.mark.parametrize("text", [None, "x", '{"version": "gone"}'])
def test_gate_makes_the_trained_model_champion_where_the_pointer_leads_nowhere(
    text: str | None, trained: Studio
) -> None:
    first, pointer = champion(trained), trained.file(f"06_models/{GAME}/champion.json")
    if text is None:
        pointer.unlink()
    else:
        pointer.write_text(text)
    trained.run("train", GAME)
    assert champion(trained) == first


def test_a_pointer_that_leads_nowhere_is_told_with_what_helps(trained: Studio, say: Say) -> None:
    first, pointer = champion(trained), trained.file(f"06_models/{GAME}/champion.json")
    pointer.write_text('{"version": "gone"}')
    for line in (("score", GAME), ("batch_predict", GAME)):
        said = say(trained, *line)
        assert is_refusal(said, "champion.json names the version 'gone', which cannot"), said
    advised = re.findall(r"churn (?:models|promote) ([^;\n]*);", said)
    assert main(["models", *shlex.split(advised[0])]) == DONE
    assert main(["promote", *shlex.split(advised[1].replace("VERSION", first))]) == DONE
    assert champion(trained) == first


@pytest.mark.slow
def test_gate_keeps_as_many_versions_as_the_settings_say(trained: Studio) -> None:
    first = champion(trained)
    for seed in (8, 9):
        trained.run("train", GAME, {"train.seed": seed, "champion.keep_versions": 1})
    found = {file.parent.name for file in trained.data.glob(f"06_models/{GAME}/*/manifest.json")}
    assert found == {first, candidate(trained)}


@pytest.mark.parametrize("flow", ["score", "batch_predict"])
def test_gate_names_the_versions_there_are_where_another_is_asked_for(
    flow: str, trained: Studio, say: Say
) -> None:
    said = say(trained, flow, GAME, "--model", "nope")
    assert is_refusal(said, f"there is no model version 'nope' in {trained.data}"), said
    assert f"Known: {champion(trained)}." in said


def test_gate_stops_a_training_early_where_the_registry_is_damaged(
    trained: Studio, say: Say
) -> None:
    trained.file(f"06_models/{GAME}/registry.json").write_text("{")
    for line in (("train", GAME), ("score", GAME)):
        said = say(trained, *line)
        assert is_refusal(said, "registry.json is damaged"), said


@pytest.mark.parametrize(
    ("command", "said"),
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
def test_commands_with_a_mistake_say_one_thing(
    command: Callable[[str], int], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(str(tmp_path / "mistyped")) == USERS_FAULT
    assert list(tmp_path.iterdir()) == []
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: ")
    assert said in told.err
    assert len(told.err.splitlines()) == 1


def test_models_of_a_game_without_any_says_how_to_make_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "--game", GAME, "--data-dir", str(tmp_path / "mistyped")]) == DONE
    assert list(tmp_path.iterdir()) == []
    assert "there is no model yet. Train one: churn train" in capsys.readouterr().out
