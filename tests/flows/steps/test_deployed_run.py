"""What a run of a deployment may not set, and a person's command line may."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from prefect.context import FlowRunContext

from churnlib.errors import SettingsError
from churnlib.settings import describe_settings, load_settings, operator_settings
from docs.generate import pages
from flows.steps.deployed_run import WORKERS_VARIABLE, check_deployed_run
from flows.steps.run import open_run

GAME = "game1"
OTHER: dict[str, Any] = {
    "data_dir": "/elsewhere",
    "train.model_format": "joblib",
    "engine.scheduler": "tcp://127.0.0.1:8786",
    "engine.scratch_dir": "/elsewhere",
    "delivery.to": "postgresql://elsewhere/game",
    "delivery.table": "users",
    **{
        f"tables.{table}.{name}": value
        for table in load_settings(GAME).tables
        for name, value in (("path", "/etc/passwd"), ("query", "select 1"), ("table", "users"))
    },
}
"""Another value of each setting that the operator alone may set."""

OPERATOR = operator_settings(load_settings(GAME))


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of a run that a worker has started."""
    monkeypatch.setenv(WORKERS_VARIABLE, str(uuid4()))


@pytest.mark.parametrize("path", OPERATOR)
def test_deployed_run_is_refused_another_value(path: str, deployed: None) -> None:
    why = OPERATOR[path].why
    with pytest.raises(SettingsError) as refusal, open_run(GAME, overrides={path: OTHER[path]}):
        pass
    message = str(refusal.value)
    assert message.startswith(f"{GAME}: {path} = {OTHER[path]} is refused")
    assert why in message
    assert f"CHURN_{path.upper().replace('.', '__')}." in message


@pytest.mark.parametrize("path", OPERATOR)
def test_person_may_set_everything(path: str) -> None:
    check_deployed_run(load_settings(GAME, {path: OTHER[path]}))


@pytest.mark.parametrize("path", OPERATOR)
def test_deployed_run_may_have_what_the_environment_sets(
    path: str, deployed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"CHURN_{path.upper().replace('.', '__')}", OTHER[path])
    check_deployed_run(load_settings(GAME))
    check_deployed_run(load_settings(GAME, {path: OTHER[path], "train.seed": 3}))


@pytest.mark.parametrize(
    "overrides",
    [
        {"train": {"model_format": "joblib"}},
        {"train.model_format": '"joblib"'},
        {"engine": {"scheduler": "tcp://127.0.0.1:8786"}},
    ],
)
def test_deployed_run_cannot_hide_a_setting_in_another_form(
    overrides: dict[str, Any], deployed: None
) -> None:
    refused = pytest.raises(SettingsError, match="refused in the parameters of a deployment's run")
    with refused, open_run(GAME, overrides=overrides):
        pass


def test_deployed_run_may_use_a_folder_inside_the_data_folder_only(
    deployed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "data"
    (own / "trial").mkdir(parents=True)
    (tmp_path / "beside").mkdir()
    (own / "link").symlink_to(tmp_path / "beside")
    monkeypatch.setenv("CHURN_DATA_DIR", str(own))
    for allowed in (own, own / "trial", own / "trial" / ".." / "new"):
        check_deployed_run(load_settings(GAME, {"data_dir": str(allowed)}))
    for refused in (tmp_path, own / ".." / "beside", own / "link", f"{own}2", "s3://bucket/data"):
        with pytest.raises(SettingsError, match=f"Allowed: {own} and folders inside it"):
            check_deployed_run(load_settings(GAME, {"data_dir": str(refused)}))


def test_deployed_run_may_use_a_folder_inside_the_bucket_folder_only(
    deployed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHURN_DATA_DIR", "s3://bucket/data")
    check_deployed_run(load_settings(GAME, {"data_dir": "s3://bucket/data/trial"}))
    for refused in ("s3://bucket", "s3://other/data", "s3://bucket/data/../x", "/tmp"):
        with pytest.raises(SettingsError, match="s3://bucket/data and folders inside it"):
            check_deployed_run(load_settings(GAME, {"data_dir": refused}))


def test_run_with_the_id_of_a_deployment_is_deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(GAME, {"train.model_format": "joblib"})
    for deployment, refused in ((None, False), (uuid4(), True)):
        run = SimpleNamespace(flow_run=SimpleNamespace(deployment_id=deployment))
        monkeypatch.setattr(FlowRunContext, "get", lambda run=run: run)
        if refused:
            with pytest.raises(SettingsError, match="model_format"):
                check_deployed_run(settings)
        else:
            check_deployed_run(settings)


def test_trusted_packages_are_no_setting(deployed: None) -> None:
    for name in ("trusted_packages", "train.trusted_packages", "CHURN_TRUSTED_PACKAGES"):
        with pytest.raises(SettingsError), open_run(GAME, overrides={name: "ours"}):
            pass


def test_every_setting_of_operators_has_another_value_here() -> None:
    assert OTHER.keys() == OPERATOR.keys()


def test_deployed_run_cannot_add_a_table_with_a_path(deployed: None) -> None:
    table = {"kind": "history", "path": "/etc/passwd"}
    with pytest.raises(SettingsError, match=r"tables\.mine\.path = /etc/passwd is refused"):
        check_deployed_run(load_settings(GAME, {"tables.mine": table}))


def test_deployed_run_may_change_other_settings_of_tables(deployed: None) -> None:
    changes = {
        "tables.character_data.columns.race": "null",
        "tables.character_currency.known_after_days": 2,
    }
    check_deployed_run(load_settings(GAME, changes))


def test_settings_of_operators_are_documented_as_such() -> None:
    for text in (describe_settings(), pages()["settings.md"]):
        for path, mark in OPERATOR.items():
            documented = re.sub(r"^tables\.\w+", "tables.<name>", path)
            _, _, after = text.partition(f"  {documented}: ")
            assert mark.why in after.splitlines()[1]
