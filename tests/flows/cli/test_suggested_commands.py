"""The command lines that messages suggest: run as written, they fix what the run lacked."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.cli.app import commands
from flows.cli.main import main
from tests.flows.models import champion
from tests.flows.studio import LAST_DAY, ROOT, Say, Studio, is_refusal

GAME = "game1"


def follow(message: str) -> None:
    """Runs the command that a message ends with."""
    (arguments,) = re.findall(r"churn ([\w-]+ --game .*)", message)
    assert main(shlex.split(arguments)) == 0


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (("train", "--set=outcome.missed_months=2"), "were built with outcome = "),
        pytest.param(
            ("train", "--as-of=2025-02-01", "--set=raw.on_late=warn"),
            f"were built as of {LAST_DAY}",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ("score", "--set=features.character_currency.lookback_months=12"),
            'lookback_months was "null" and is 12',
            marks=pytest.mark.slow,
        ),
    ],
    ids=["other settings", "a later day", "another model"],
)
@pytest.mark.slow
def test_suggestion_has_folder_day_and_settings_of_the_run(
    restored: Studio, say: Say, line: tuple[str, ...], fault: str
) -> None:
    flow, *changes = line
    message = say(restored, flow, GAME, *changes)
    assert is_refusal(message, fault), message
    follow(message)
    assert restored.command(flow, GAME, *changes) == 0


@pytest.mark.slow  # A training and a back-test.
def test_suggestion_for_a_batch_of_another_model_trains_and_scores(
    restored: Studio, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = "CHURN_FEATURES__CHARACTER_CURRENCY__LOOKBACK_MONTHS"  # The game's own settings.
    monkeypatch.setenv(own, "12")
    first = champion(restored)
    message = say(restored, "batch_predict", GAME, "--replace")
    assert is_refusal(message, 'lookback_months was "null" and is 12'), message
    train, score = re.findall(r"churn ([\w-]+ --game [^;\n]*)", message)
    for arguments in (train, score):
        assert main(shlex.split(arguments)) == 0
    assert champion(restored) != first
    assert restored.command("batch_predict", GAME, "--replace") == 0


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


def literals(file: Path) -> Iterator[str]:
    """The texts in a source file, without its docstrings."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    documented = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant))
    texts = (node.value for node in constants if id(node) not in documented)
    yield from (text for text in texts if isinstance(text, str))


def test_command_lines_are_written_by_the_function_that_knows_game_and_folder() -> None:
    """All that it writes in any test is parsed; see `tests/conftest.py`."""
    named = re.compile(rf"(?<!`)churn ({'|'.join(commands())})\b")
    found = [
        (file.name, text)
        for package in ("churnlib", "flows")
        for file in (ROOT / package).rglob("*.py")
        for text in literals(file)
        if named.search(text)
    ]
    assert found == []


def test_options_in_messages_can_be_copied_to_the_end() -> None:
    found = [
        text
        for package in ("churnlib", "flows")
        for file in (ROOT / package).rglob("*.py")
        for text in literals(file)
        if re.search(r"--set [\w.]+=\S*[.;,)]$", text)
    ]
    assert found == []


@pytest.mark.slow
def test_suggestion_for_another_horizon_has_both_outcomes(complete: Studio, say: Say) -> None:
    window = ("--set=windows.train.start=-15", "--set=windows.train.end=-14")
    one = (*window, "--set=horizon_months=1")
    message = say(complete, "train", GAME, *one)
    assert is_refusal(message, "a model cannot be fitted to windows.train, because none"), message
    (options,) = re.findall(r"churned with (--set .*)", message)
    stated = shlex.split(options.replace("--set ", "--set="))
    assert complete.command("train", GAME, *stated) == 0
