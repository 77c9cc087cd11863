"""What a run leaves on its page in Prefect's UI."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from churnlib.io.datasets import DatasetRef
from churnlib.report.content import Report
from churnlib.report.markdown import to_markdown
from flows.engine import artifacts
from flows.engine.artifacts import artifact_key, show_datasets, show_table
from flows.engine.ledger import Call
from tests.flows.studio import Studio

GAME = "game1"


def artifact(key: str, flow_run: UUID | None = None) -> Any:
    """The description and the data of an artifact, the newest unless a flow run is given."""
    newest, *older = artifacts_of(key)
    chosen = next(each for each in (newest, *older) if flow_run in (None, each.flow_run_id))
    data = json.loads(chosen.data) if chosen.type == "table" else chosen.data
    return chosen.description, data


def artifacts_of(key: str) -> list[Any]:
    """All artifacts of a key, the newest first."""
    with get_client(sync_client=True) as client:
        by_key = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
        artifacts = client.read_artifacts(artifact_filter=by_key)
    return sorted(artifacts, key=lambda each: each.created, reverse=True)


def first_run(flow_name: str, studio: Studio) -> UUID:
    """The first run of a flow in a data folder; other tests may have run it again since."""
    of_folder = [
        a for a in artifacts_of(f"{flow_name}-{GAME}-try-datasets") if str(studio.data) in a.data
    ]
    run: UUID = of_folder[-1].flow_run_id
    return run


def test_run_leaves_its_datasets(empty_studio: Studio) -> None:
    empty_studio.run("standard_features", GAME)
    _, rows = artifact(f"standard-features-{GAME}-try-datasets")
    first = {row["dataset"]: row for row in rows}
    row = first["standard_features"]
    features = empty_studio.table(f"03_primary/{GAME}/standard_features.parquet")
    assert row["rows"] == f"{len(features):,}"
    assert (row["cached"], float(row["seconds"]) >= 0) == ("no", True)
    assert row["place"].endswith(f"03_primary/{GAME}/standard_features.parquet")

    empty_studio.run("standard_features", GAME)
    _, rows = artifact(f"standard-features-{GAME}-try-datasets")
    again = {row["dataset"]: row for row in rows}
    assert {(row["cached"], row["seconds"]) for row in again.values()} == {("yes", "")}
    assert again["standard_features"]["fingerprint"] == row["fingerprint"]
    assert set(again) == set(first)


def test_sub_run_has_its_own_datasets(complete: Studio) -> None:
    _, rows = artifact(f"train-{GAME}-try-datasets", first_run("train", complete))
    assert {"train_features", "model", "champion"} <= {row["dataset"] for row in rows}
    _, rows = artifact(f"train-from-raw-{GAME}-try-datasets")
    assert "model" not in {row["dataset"] for row in rows}


@pytest.mark.parametrize(
    ("flow_name", "report", "title"),
    [
        ("train", "in_sample_report", f"Training report: {GAME}"),
        ("score", "score_report", f"Back-test: {GAME}"),
        ("batch-score", "batch_score_report_2024-06", f"Batch score: {GAME}, 2024-06"),
    ],
)
def test_run_leaves_its_scores_and_a_link_to_its_report(
    complete: Studio, flow_name: str, report: str, title: str
) -> None:
    run = first_run(flow_name, complete)
    about, markdown = artifact(f"{flow_name}-{GAME}-try-scores", run)
    plain = complete.json(f"08_reporting/{GAME}/{report}.json")
    assert about == title
    assert markdown == to_markdown(Report.from_json(plain))
    assert plain["model_version"] in markdown
    assert f"| scored | {(plain['validation'] or plain)['general']['n']:,} |" in markdown
    _, link = artifact(f"{flow_name}-{GAME}-try-report", run)
    place = (complete.data / f"08_reporting/{GAME}/{report}.html").as_uri()
    assert link.endswith(f"({place})")


def test_artifacts_that_the_server_refuses_do_not_stop_the_run(
    prefect_server: object, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise httpx.ConnectError("gone")

    monkeypatch.setattr(artifacts, "create_table_artifact", refuse)

    call = Call("fit_model", (), (DatasetRef("model", GAME, "/nowhere", "f" * 64),), 1.0)

    @flow
    def run() -> str:
        show_datasets(GAME, [call])
        return "done"

    assert run() == "done"
    assert "did not accept an artifact: gone" in caplog.text


def test_artifact_key_has_only_valid_characters() -> None:
    assert artifact_key("My_Game.2", "scores") == "my-game-2-scores"


def test_cells_of_tables_are_no_markup(prefect_server: Path) -> None:
    """Prefect's page renders them as Markdown: a picture would tell another host who looks."""

    @flow
    def show() -> None:
        show_table(GAME, "list", [{"sub_id": "![x](http://evil/b.png)", "risk": "12.5 %"}])

    show()
    newest, *_ = artifacts_of(f"show-{GAME}-list")
    assert json.loads(newest.data) == [
        {"sub_id": "!\\[x\\](http:&#47;/evil/b.png)", "risk": "12.5 %"}
    ]
