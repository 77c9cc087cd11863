"""What later runs leave as it was: delivered predictions, and the reports on earlier versions."""

import os
from pathlib import Path

import polars as pl
import pytest
from prefect.client.orchestration import get_client

from churnlib.settings import load_settings
from flows.engine.tries import LONGEST_NAME, changes_of_try
from tests.flows.models import GAME
from tests.flows.studio import BATCH_DAY, LAST_DAY, Say, Studio, is_refusal

BATCH = f"07_model_output/{GAME}/predictions_2024-06.parquet"


@pytest.fixture
def versions(with_candidate: Studio) -> tuple[str, str]:
    """The champion and a second version."""
    folders = sorted(with_candidate.data.glob(f"06_models/{GAME}/*/manifest.json"))
    first, second = (file.parent.name for file in folders)
    return first, second


@pytest.mark.parametrize(
    ("option", "difference"),
    [
        ("--set=campaign.contact_cost=2.5", "campaign.contact_cost was 1.0 and is 2.5"),
        ("--set=campaign.hold_out_share=0.1", "campaign.hold_out_share was 0.05 and is 0.1"),
        ("--set=champion.min_outcomes=1", "champion.min_outcomes was 30 and is 1"),
        ("--set=evaluation.min_outcomes=1", "evaluation.min_outcomes was 10 and is 1"),
        (
            "--set=windows.batch_predict.end=0",
            'window was ["2024-06-01", "2024-06-30"] and is ["2024-06-01", "2024-07-31"]',
        ),
    ],
)
def test_delivered_batch_is_not_replaced(
    complete: Studio, say: Say, option: str, difference: str
) -> None:
    before = complete.outputs()
    output = say(complete, "batch-predict", GAME, "--as-of", BATCH_DAY, option, "--refresh")
    assert is_refusal(
        output,
        f"has been delivered, and this run would replace it by other "
        f"predictions: {difference}. To replace it, add --replace",
    )
    assert complete.outputs() == before


@pytest.mark.slow
def test_delivered_batch_is_not_replaced_by_a_part_of_it(restored: Studio, say: Say) -> None:
    window = [f"--set=windows.batch_predict.{end}=0" for end in ("start", "end")]
    line = ("batch-predict", GAME, *window, "--as-of")
    assert say(restored, *line, "2024-06-30", "--replace").startswith("exit 0\n")
    before = restored.outputs()
    part = say(restored, *line, "2024-06-03")
    assert is_refusal(part, "as_of was 2024-06-30 and is 2024-06-03")
    assert restored.outputs() == before


@pytest.mark.slow
def test_delivered_batch_of_another_model_is_not_replaced(
    with_candidate: Studio, say: Say, versions: tuple[str, str]
) -> None:
    first, second = versions
    line = ("batch-predict", GAME, "--as-of", BATCH_DAY, "--model", second)
    before = with_candidate.outputs()
    refused = say(with_candidate, *line)
    assert is_refusal(refused, f"model_version was {first} and is {second}")
    assert with_candidate.outputs() == before
    assert say(with_candidate, *line, "--replace").startswith("exit 0\n")
    assert with_candidate.table(BATCH)["model_version"].unique().to_list() == [second]


@pytest.mark.slow
def test_delivered_batch_is_made_again_in_the_same_way(restored: Studio, say: Say) -> None:
    before = restored.table(BATCH)
    made = say(restored, "batch-predict", GAME, "--as-of", BATCH_DAY, "--refresh")
    assert made.startswith("exit 0\n")
    assert restored.table(BATCH).equals(before)


@pytest.mark.slow
def test_reports_on_earlier_versions_stay(
    with_candidate: Studio, versions: tuple[str, str]
) -> None:
    first, second = versions
    for version, report in ((first, "score_report"), (second, "in_sample_report")):
        for suffix in ("json", "txt", "html"):
            kept = with_candidate.file(f"06_models/{GAME}/{version}/reports/{report}.{suffix}")
            latest = with_candidate.file(f"08_reporting/{GAME}/{report}.{suffix}")
            assert kept.read_bytes() == latest.read_bytes()
    earlier = with_candidate.json(f"06_models/{GAME}/{first}/reports/in_sample_report.json")
    assert earlier["model_version"] == first


def test_changes_of_a_try_are_its_settings_and_its_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = load_settings(GAME).data_dir
    monkeypatch.setenv("CHURN_GAMES_DIR", str(Path("games").absolute()))
    monkeypatch.chdir(tmp_path)
    assert changes_of_try(GAME, None, None) == changes_of_try(GAME, {}, own) == ()
    assert changes_of_try(GAME, {}, os.path.relpath(own)) == ()
    trial, elsewhere = str(tmp_path / "data" / "trial"), "s3://bucket/data"
    assert changes_of_try(GAME, {"train.seed": 5}, trial) == ("train.seed=5", "data/trial")
    assert changes_of_try(GAME, None, elsewhere) == (elsewhere,)


@pytest.mark.slow
def test_try_is_named_and_tagged_on_the_server(complete: Studio, say: Say) -> None:
    assert say(
        complete,
        "standard-features",
        GAME,
        "--as-of",
        LAST_DAY,
        "--set=standard.undated_totals=true",
    ).startswith("exit 0\n")
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(sort="START_TIME_DESC", limit=20)  # type: ignore[arg-type]
    name = next(run.name for run in runs if "undated_totals" in run.name)
    run = next(run for run in runs if run.name == name)
    assert run.tags == ["try"]
    assert name.startswith(f"{GAME} try: ")
    assert len(name) <= LONGEST_NAME


@pytest.mark.slow
def test_delivered_batch_is_not_replaced_by_one_of_fewer_subscriptions(
    restored: Studio, say: Say
) -> None:
    subs = restored.raw(GAME, "sub_data")
    lost = subs.filter(
        pl.col("sub_start_date").is_between(pl.lit("2024-06-20"), pl.lit("2024-06-30"))
    )
    kept = subs.join(lost, on="sub_id", how="anti")
    misses = restored.raw(GAME, "sub_miss").join(lost, on="sub_id", how="anti")
    restored.write_raw(GAME, "sub_data", kept)
    restored.write_raw(GAME, "sub_miss", misses)
    before = restored.snapshot("07*/**")
    line = ("batch-predict", GAME, "--as-of", BATCH_DAY, "--set=raw.on_late=warn")
    output = say(restored, *line)
    assert is_refusal(output, "rows of sub_data, and now there are "), output
    assert restored.snapshot("07*/**") == before
    assert say(restored, *line, "--replace").startswith("exit 0\n")
    assert len(restored.table(BATCH)) == len(
        kept.filter(pl.col("sub_start_date").str.starts_with("2024-06"))
    )
    restored.restore()
