"""Whether a run has the game's own settings; what a try may change."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from churnlib.io.commands import command_line
from churnlib.versions.manifest import retrain_command
from churnlib.versions.registry import Registry
from flows.cli.exit_status import DONE
from flows.cli.main import main
from flows.steps import own_settings
from flows.steps.own_settings import back_test_changes, deciding_command, try_warnings
from flows.steps.run import open_run
from tests.flows.models import GAME, champion, registry
from tests.flows.studio import FAST, Say, Studio

DAY = date(2025, 1, 1)
FIRST, SECOND = "20250101T000000000Z", "20250102T000000000Z"


@pytest.mark.parametrize(
    ("overrides", "changed"),
    [
        ({}, ()),
        ({"train.seed": 3, "champion.max_loss": 0.1, "engine.memory_mib": 900}, ()),
        ({"windows.score.start": -8, "campaign.contact_cost": 1.0}, ()),
        ({"windows.score.start": -7}, ("windows.score",)),
        ({"raw.on_late": "warn", "campaign.contact_cost": 2.5}, ("raw", "campaign")),
        ({"horizon_months": 5, "evaluation.min_outcomes": 1},
         ("horizon_months", "evaluation.min_outcomes")),
    ],
)  # fmt: skip
def test_only_settings_that_a_back_test_depends_on_make_it_a_try(
    overrides: dict[str, Any],
    changed: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHURN_DATA_DIR", str(tmp_path))
    with open_run(GAME, DAY, overrides) as run:
        assert back_test_changes(run) == changed
        assert len(try_warnings(run)) == bool(changed)
    other = tmp_path / "trial"
    other.mkdir()
    with open_run(GAME, DAY, overrides, str(other)) as run:
        assert back_test_changes(run) == ()


def test_suggestions_of_a_run_have_its_day_and_settings(tmp_path: Path) -> None:
    with open_run(GAME, DAY, {"horizon_months": 5}, str(tmp_path)) as run:
        model, promote = run.catalog.model("v1"), command_line("promote", run.catalog.models())
        assert retrain_command(model) == (
            f"churn train --game {GAME} --data-dir {tmp_path} --refresh --as-of {DAY} "
            "--set=horizon_months=5"
        )
        assert promote == f"churn promote --game {GAME} --data-dir {tmp_path}"
    assert "horizon" not in retrain_command(model)


def test_deciding_command_has_the_settings_of_the_game(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHURN_DATA_DIR", str(tmp_path))
    with open_run(GAME, DAY, {"horizon_months": 5}) as run:
        wanted = f"churn score --game {GAME} --data-dir {tmp_path}"
        assert deciding_command(run, "v1") == wanted


@pytest.mark.parametrize(("candidate", "named"), [(None, False), (FIRST, False), (SECOND, True)])
def test_deciding_command_names_a_version_that_score_would_pass_over(
    candidate: str | None, named: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = (FIRST, Registry(candidate=candidate))
    monkeypatch.setattr(own_settings, "champion_and_registry", lambda _: known)
    with open_run(GAME, DAY, {}, str(tmp_path)) as run:
        assert (f"--model {FIRST}" in deciding_command(run, FIRST)) == named


@pytest.mark.slow
def test_try_in_the_folder_of_the_game_leaves_what_contacts_rest_on(
    restored: Studio, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHURN_DATA_DIR", str(restored.data))
    before = registry(restored)["evidence"]
    assert {*before} == {champion(restored)}
    output = say(restored, "score", GAME, "--set=windows.score.start=-7")
    assert output.startswith("exit 0"), output
    warning = "windows.score differs from the game's own settings, so this back-test is a try"
    assert warning in output
    assert warning in restored.json(f"08_reporting/{GAME}/score_report.json")["warnings"][0]
    assert registry(restored)["evidence"] == before
    arguments = [f"--set={path}={value}" for path, value in FAST[GAME].items()]
    place = restored.file(f"06_models/{GAME}/registry.json")
    place.write_text(json.dumps({**registry(restored), "evidence": {}}))
    assert main(["score", "--game", GAME, *arguments]) == DONE
    assert registry(restored)["evidence"] == before
