"""`churn promote` and `churn models`: what they print, and the commands that they advise."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from flows.cli.exit_status import DONE, USERS_FAULT
from flows.cli.main import main
from tests.flows.models import GAME, candidate, champion, promote, score_report
from tests.flows.studio import Say, Studio, is_refusal


@pytest.mark.slow
def test_promote_of_a_superseded_version_names_the_commands_to_use(
    with_candidate: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    second = candidate(with_candidate)
    with_candidate.run("train", GAME, {"train.seed": 9})
    assert promote(with_candidate, "--version", second) == USERS_FAULT
    advised = re.findall(r"churn ([\w-]+) ([^;\n]*)", capsys.readouterr().err)
    assert [flow for flow, _ in advised] == ["score", "promote"]
    (_, back_test), (_, force) = advised
    assert main(["score", *shlex.split(back_test)]) == DONE
    assert score_report(with_candidate)["model_version"] == second
    assert main(["promote", *shlex.split(force)]) == DONE
    assert champion(with_candidate) == second


@pytest.mark.slow
def test_promote_warns_where_the_other_flows_will_refuse_the_champion(
    restored: Studio, say: Say, capsys: pytest.CaptureFixture[str]
) -> None:
    first = champion(restored)
    restored.run("train", GAME, {"features.character_currency.lookback_months": 12})
    second = candidate(restored)
    capsys.readouterr()
    assert promote(restored, "--version", second, "--force") == DONE
    captured = capsys.readouterr()
    done, predicted_by = captured.out.splitlines()
    assert done == f"{GAME}: model {second} is the champion now; before: {first}"
    assert predicted_by == f"{GAME}: batches are predicted by the model as tested"
    warning = (
        f"warning: {GAME}: model {second} was trained on other features than the game's settings "
        'require: features.character_currency.lookback_months was 12 and is "null". score and '
        "batch-predict will refuse it, with exit status 2"
    )
    assert captured.err.startswith(warning)
    for flow in ("score", "batch_predict"):
        assert is_refusal(output := say(restored, flow, GAME), "lookback_months was 12"), output
    (back,) = re.findall(r"roll back: churn promote ([^;]*);", captured.err)
    assert main(["promote", *shlex.split(back)]) == DONE
    assert champion(restored) == first
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_promote_names_the_command_that_replaces_the_last_batch(
    with_candidate: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = champion(with_candidate), candidate(with_candidate)
    batch = with_candidate.file(f"07_model_output/{GAME}/predictions_2024-12.parquet")
    assert pl.read_parquet_metadata(batch)["model_version"] == json.dumps(first)
    assert promote(with_candidate, "--version", second, "--force") == DONE
    (again,) = re.findall(r"To replace the last batch: churn (.*)", capsys.readouterr().out)
    assert main(shlex.split(again)) == DONE
    assert pl.read_parquet_metadata(batch)["model_version"] == json.dumps(second)
    capsys.readouterr()
    assert promote(with_candidate, "--version", second) == DONE
    assert "replace" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (lambda data: main(["models", "--game", "gmae1", "--data-dir", data]), "no game 'gmae1'"),
        (
            lambda data: main(["models", "--game", GAME, "--data-dir", f"{data}/mistyped"]),
            "there is no data folder",
        ),
        (
            lambda data: main(["promote", "--game", GAME, "--data-dir", data, "--back"]),
            "no champion before",
        ),
        (
            lambda data: main(["promote", "--game", GAME, "--data-dir", data, "--version", "v1"]),
            "there is no model version 'v1'",
        ),
    ],
    ids=["models of no game", "no folder", "back from nothing", "no such version"],
)
def test_commands_with_a_mistake_print_one_message(
    command: Callable[[str], int], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(str(tmp_path)) == USERS_FAULT
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
    expected = f"there is no model in {tmp_path}/06_models/{GAME} yet. Train one: churn train"
    assert expected in " ".join(capsys.readouterr().out.split())
