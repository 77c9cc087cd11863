"""The latest output of each flow, by what the files say."""

import json
import os
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from churnlib.io.catalog import Catalog
from churnlib.io.datasets import write_parquet
from churnlib.io.footer import footer
from churnlib.settings import Settings, load_settings
from flows import FLOWS
from flows.cli.latest_output import latest_output

GAME = "game1"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(GAME, {"data_dir": str(tmp_path)}, environ={})


def latest(settings: Settings, flow: str) -> str:
    return latest_output(settings, FLOWS[flow])


def write_json(uri: str, content: object) -> None:
    Path(uri).parent.mkdir(parents=True, exist_ok=True)
    Path(uri).write_text(json.dumps(content))


def test_latest_batch_is_that_of_the_last_month_whenever_it_was_written(settings: Settings) -> None:
    catalog = Catalog(settings.data_dir, GAME)
    for month, end, as_of in (("11", "12-31", "2025-01-01"), ("10", "10-31", "2024-11-01")):
        first = date.fromisoformat(f"2024-{month}-01")
        facts = footer(as_of=as_of, window=(first, f"2024-{end}"))
        write_parquet(pl.LazyFrame({"sub_id": [1]}), catalog.predictions(first), facts)
        report = {"as_of": "2025-07-01", "window": {"start": str(first), "end": f"2024-{end}"}}
        write_json(catalog.batch_report(first).uri, report)
    for place in (catalog.predictions, catalog.batch_report):
        os.utime(place(date(2024, 11, 1)).uri, (0, 0))
    (Path(catalog.predictions(first).uri).parent / "predictions_old.parquet").touch()
    days = "batch 2024-11 (2024-11-01 to 2024-12-31)"
    assert latest(settings, "batch_predict") == (
        f"as of 2025-01-01  predictions_2024-11.parquet, {days}"
    )
    assert latest(settings, "batch_score") == (
        f"as of 2025-07-01  batch_score_report_2024-11.json, {days}"
    )
    assert latest(settings, "train") == latest(settings, "score") == "nothing yet"


def test_latest_model_is_that_of_the_last_training(settings: Settings) -> None:
    catalog = Catalog(settings.data_dir, GAME)
    names = ("20250201T000000000Z", "20250103T000000000Z", "copy")
    for name, as_of in zip(names, ("2025-02-01", "2025-01-01", "2024-01-01"), strict=True):
        write_json(f"{catalog.model(name).uri}/manifest.json", {"as_of": as_of})
    os.utime(f"{catalog.model(names[0]).uri}/manifest.json", (0, 0))
    assert latest(settings, "train") == f"as of 2025-02-01  {names[0]}"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"window": {}}'])
def test_damaged_output_is_listed_as_not_readable(settings: Settings, text: str) -> None:
    report = Path(Catalog(settings.data_dir, GAME).report("score_report").uri)
    report.parent.mkdir(parents=True)
    report.write_text(text)
    assert latest(settings, "score") == "not readable      score_report.json"
