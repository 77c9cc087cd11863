"""The command lines that messages suggest: run as written, they fix what the run lacked."""

import re
import shlex

import pytest

from flows.cli.main import main
from tests.flows.models import champion
from tests.flows.studio import LAST_DAY, Say, Studio, is_refusal

GAME = "game1"


def follow(message: str) -> None:
    """Runs the command that a message ends with."""
    (arguments,) = re.findall(r"churn ([\w-]+ --game .*)", message)
    assert main(shlex.split(arguments)) == 0


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (("train", "--set=churn_after_months=2"), "were built with churn_after_months = 3"),
        pytest.param(
            ("train", "--as-of=2025-02-01", "--set=raw.on_late=warn"),
            f"were built as of {LAST_DAY}",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ("score", "--set=currency.lookback_months=12"),
            'lookback_months was "null" and is 12',
            marks=pytest.mark.slow,
        ),
    ],
    ids=["other settings", "a later day", "another model"],
)
def test_suggestion_has_folder_day_and_settings_of_the_run(
    restored: Studio, say: Say, line: tuple[str, ...], fault: str
) -> None:
    flow, *changes = line
    message = say(restored, flow, GAME, *changes)
    assert is_refusal(message, fault), message
    follow(message)
    assert restored.command(flow, GAME, *changes) == 0


@pytest.mark.slow
def test_suggestion_for_a_damaged_pointer_restores_the_champion(restored: Studio, say: Say) -> None:
    first = champion(restored)
    restored.file(f"06_models/{GAME}/champion.json").write_text("x")
    message = say(restored, "batch_predict", GAME)
    assert is_refusal(message, "champion.json is damaged"), message
    follow(message.partition("champion again")[2])
    assert champion(restored) == first
    assert restored.command("batch_predict", GAME) == 0


@pytest.mark.slow
def test_suggestion_without_a_model_trains_in_the_same_folder(
    empty_studio: Studio, say: Say
) -> None:
    message = say(empty_studio, "score", GAME)
    assert is_refusal(message, "there is no model yet"), message
    follow(message)
    assert empty_studio.command("score", GAME) == 0
