"""The model that a run uses: the champion, or the version that it names."""

import re
import shlex
from dataclasses import replace

import pytest

from churnlib.io.datasets import DatasetRef
from flows.cli.exit_status import DONE
from flows.cli.main import main
from flows.steps import model_choice
from flows.steps.model_choice import open_version
from tests.flows.models import GAME, champion
from tests.flows.studio import Say, Studio, is_refusal

MODEL = DatasetRef("model", "hawk", "/data/06_models/hawk/v1", "fe" * 32, None)


def test_version_is_opened_once_until_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    monkeypatch.setattr(model_choice, "read_manifest", lambda _: {"version": "v1"})
    monkeypatch.setattr(model_choice, "open_model", lambda model, *_, **__: opened.append(model))
    changed = replace(MODEL, fingerprint="ab" * 32)
    for model in (MODEL, MODEL, changed):
        open_version(model, allow_joblib=False)
    assert opened == [MODEL, changed]
    open_version.cache_clear()


def test_message_of_an_invalid_pointer_names_the_commands_to_use(
    restored: Studio, say: Say
) -> None:
    first, pointer = champion(restored), restored.file(f"06_models/{GAME}/champion.json")
    pointer.write_text('{"version": "gone"}')
    for line in (("score", GAME), ("batch_predict", GAME)):
        output = say(restored, *line)
        assert is_refusal(output, "champion.json names the version 'gone', which cannot"), output
    advised = re.findall(r"churn (?:models|promote) ([^;\n]*);", output)
    assert main(["models", *shlex.split(advised[0])]) == DONE
    assert main(["promote", *shlex.split(advised[1])]) == DONE
    assert champion(restored) == first


@pytest.mark.parametrize("flow", ["score", "batch_predict"])
def test_unknown_version_is_refused_with_the_known_ones(
    flow: str, restored: Studio, say: Say
) -> None:
    output = say(restored, flow, GAME, "--model", "nope")
    assert is_refusal(output, f"there is no model version 'nope' in {restored.data}"), output
    assert f"Known: {champion(restored)}." in output
