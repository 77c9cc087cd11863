"""The model that a run uses: the champion, or the version that it names."""

import re
import shlex

import pytest

from flows.cli.exit_status import DONE
from flows.cli.main import main
from tests.flows.models import GAME, champion
from tests.flows.studio import Say, Studio, is_refusal


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


@pytest.mark.parametrize("flow", ["score", "batch_predict"])
def test_unknown_version_is_refused_with_the_known_ones(
    flow: str, trained: Studio, say: Say
) -> None:
    output = say(trained, flow, GAME, "--model", "nope")
    assert is_refusal(output, f"there is no model version 'nope' in {trained.data}"), output
    assert f"Known: {champion(trained)}." in output
