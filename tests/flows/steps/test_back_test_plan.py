"""Which model a back-test takes: the candidate, else the champion."""

import re
import shlex
from typing import Any

import pytest

from flows.cli.exit_status import DONE
from flows.cli.main import main
from tests.flows.models import GAME, candidate, champion, champion_and_registry, score_report
from tests.flows.studio import Say, Studio, is_refusal

LATE = {"windows.train.end": -12, "windows.score": {"start": -6, "end": -6}}
"""Settings that train on labels that become available only after the scoring window opens."""


@pytest.mark.parametrize(
    ("trial", "fault"),
    [
        (
            {"features.character_currency.lookback_months": 12},
            'features.character_currency.lookback_months was 12 and is "null"',
        ),
        pytest.param(
            {"train.model_format": "joblib"}, "is saved as model.joblib", marks=pytest.mark.slow
        ),
        pytest.param(LATE, "label leakage", marks=pytest.mark.slow),
    ],
    ids=["other features", "joblib", "late labels"],
)
@pytest.mark.slow
def test_score_back_tests_the_champion_if_the_candidate_cannot_be_compared(
    trial: dict[str, Any], fault: str, restored: Studio, say: Say
) -> None:
    first = champion(restored)
    restored.run("train", GAME, trial)
    second = candidate(restored)
    before = champion_and_registry(restored)

    # The scheduled run back-tests the champion, and log and report say why.
    output = say(restored, "score", GAME)
    assert output.startswith("exit 0\n")
    content = score_report(restored)
    assert content["model_version"] == first
    assert content["comparison"] is None
    (warning,) = content["warnings"]
    assert warning.startswith(
        f"the newest candidate, {second}, cannot be back-tested, so this is a back-test of the "
        f"champion, {first}, and nothing is decided: model {second} "
    )
    assert fault in warning
    assert warning in output
    assert warning in restored.file(f"08_reporting/{GAME}/score_report.txt").read_text()
    assert champion_and_registry(restored) == before

    # With --model, the message says that it is the candidate, and which command to use.
    output = say(restored, "score", GAME, "--model", second)
    assert is_refusal(output, fault), output
    assert (
        f"the newest candidate, {second}, cannot be back-tested (to back-test the champion"
        in output
    )
    (advised,) = re.findall(r"the champion instead: churn score ([^)]*)\)", output)
    assert main(["score", *shlex.split(advised)]) == DONE

    # Without a champion, the run fails.
    restored.file(f"06_models/{GAME}/champion.json").unlink()
    output = say(restored, "score", GAME)
    assert is_refusal(output, fault), output
    assert (
        f"the newest candidate, {second}, cannot be back-tested, and there is no champion" in output
    )


def test_score_without_a_usable_candidate_or_champion_names_both(
    with_candidate: Studio, say: Say
) -> None:
    first = champion(with_candidate)
    output = say(
        with_candidate, "score", GAME, "--set=features.character_currency.lookback_months=3"
    )
    assert is_refusal(output, f"nor can the champion: model {first} was trained on other"), output
    assert f"the newest candidate, {candidate(with_candidate)}, cannot be back-tested: " in output
