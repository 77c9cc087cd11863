"""The page: what it holds, and what it says of data that changed."""

import json
import os
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.io import datasets, storage
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import DatasetRef
from churnlib.io.footer import footer
from churnlib.settings import list_games, load_settings
from flows.cli.exit_status import DONE, USERS_FAULT
from flows.cli.main import main
from flows.map.graph import Graph
from flows.map.stale import stale
from flows.map.state import look
from flows.map.write import PAGE

GAME = "game1"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a checked table and standard features made of it, and nothing else."""
    catalog = Catalog(str(tmp_path), GAME)
    made = write_subs(catalog, 3)
    settings = load_settings(GAME)
    told = footer(churn_after_months=settings.churn_after_months)
    datasets.write_parquet(datasets.scan(made), catalog.standard_features(), told)
    sources = {made.name: {"fingerprint": made.fingerprint}}
    storage.write_text(json.dumps(sources), catalog.standard_sources().uri)
    return tmp_path


def write_subs(catalog: Catalog, rows: int) -> DatasetRef:
    frame = pl.LazyFrame({"sub_id": range(rows)})
    return datasets.write_parquet(frame, catalog.checked("sub_data"))


def stale_in(data: Path, graph: Graph, **overrides: Any) -> dict[str, tuple[str, ...]]:
    settings = load_settings(GAME, {"data_dir": str(data), **overrides})
    return stale(graph, look(graph, GAME, str(data)), settings)


def content_of(page: Path) -> dict[str, Any]:
    text = page.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="content">(.*?)</script>', text, re.S)
    assert found
    content: dict[str, Any] = json.loads(found[1])
    return content


def test_page_holds_every_flow_task_and_dataset_of_every_game(data: Path, graph: Graph) -> None:
    assert main(["map", "--data-dir", str(data)]) == DONE
    content = content_of(data / PAGE)
    assert set(content["games"]) == set(list_games())
    for game in content["games"].values():
        assert set(game["graph"]["flows"]) == set(graph.flows)
        assert set(game["graph"]["tasks"]) == set(graph.tasks)
        assert set(game["graph"]["datasets"]) == set(graph.datasets) == set(game["standing"])
        drawn = set(game["pictures"]["all tasks"]["boxes"])
        assert {task for line in graph.edges() for task in line} == drawn
        assert set(graph.datasets) - drawn == {d for d in graph.datasets if d.endswith("_rejected")}
        assert set(game["pictures"]) >= {"overview", *graph.flows}


def test_page_refers_to_nothing_outside_and_names_no_folder(data: Path) -> None:
    assert main(["map", "--data-dir", str(data), "--game", GAME]) == DONE
    text = (data / PAGE).read_text(encoding="utf-8")
    assert not re.search(r"https?:|src=|@import|url\(|<link", text)
    assert str(data) not in text
    assert "default-src 'none'" in text


def test_page_tells_what_stands_there(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "elsewhere" / "map.html"
    assert main(["map", "--data-dir", str(data), "--game", GAME, "--out", str(out)]) == DONE
    game = content_of(out)["games"][GAME]
    found = game["standing"]["03_primary/standard_features"]
    assert found["rows"] == 3
    assert found["columns"] == {"sub_id": "Int64"}
    assert found["fingerprint"] == storage.fingerprint(
        str(data / "03_primary" / GAME / "standard_features.parquet")
    )
    assert game["standing"]["06_models/champion"]["files"] == []
    assert game["data"] == ".."


def test_page_of_data_that_cannot_be_read_says_so(data: Path) -> None:
    (data / "03_primary" / GAME / "standard_features.parquet").write_text("no table")
    assert main(["map", "--data-dir", str(data), "--game", GAME]) == DONE
    found = content_of(data / PAGE)["games"][GAME]["standing"]["03_primary/standard_features"]
    assert "unreadable" in found["facts"]


def test_stale_is_nothing_that_was_made_of_what_stands(data: Path, graph: Graph) -> None:
    later = data / "02_intermediate" / GAME / "sub_data.parquet"
    os.utime(later, (later.stat().st_mtime + 60,) * 2)  # Written again with the same content.
    assert stale_in(data, graph) == {}


def test_stale_is_what_was_made_of_other_content(data: Path, graph: Graph) -> None:
    write_subs(Catalog(str(data), GAME), 4)
    assert stale_in(data, graph) == {
        "03_primary/standard_features": ("sub_data has changed since",),
        "03_primary/standard_features_sources": ("sub_data has changed since",),
    }


def test_stale_is_what_was_made_by_other_settings(data: Path, graph: Graph) -> None:
    assert stale_in(data, graph, churn_after_months=5) == {
        "03_primary/standard_features": ("the setting churn_after_months was 3 and is 5",)
    }


def test_stale_is_a_report_on_a_campaign_of_other_terms(data: Path, graph: Graph) -> None:
    terms = load_settings(GAME).campaign.offer.model_dump()
    place = Catalog(str(data), GAME).report("score_report").uri
    storage.write_text(json.dumps({"campaign": {"terms": terms}}), place)
    assert stale_in(data, graph) == {}
    assert stale_in(data, graph, **{"campaign.hold_out_share": 0.5}) == {}
    assert stale_in(data, graph, **{"campaign.contact_cost": 2.0}) == {
        "08_reporting/score_report": ("the setting campaign has changed since",)
    }


def test_stale_is_what_is_older_than_its_raw_table_and_all_below(data: Path, graph: Graph) -> None:
    raw = data / "01_raw" / GAME / "sub_data.csv"
    raw.parent.mkdir(parents=True)
    raw.write_text("sub_id\n1\n")
    os.utime(raw, (raw.stat().st_mtime + 60,) * 2)
    assert stale_in(data, graph) == {
        "02_intermediate/sub_data": ("sub_data (01_raw) is newer",),
        "03_primary/standard_features": ("sub_data is out of date",),
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--game", "gmae1"], "there is no game 'gmae1'"),
        (["--data-dir", "nowhere"], "there is no data folder"),
        (["--out", "/dev/null/map.html"], "cannot be written"),
    ],
)
def test_command_line_with_a_mistake_says_one_thing(
    arguments: list[str], said: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["map", "--data-dir", str(data), *arguments]) == USERS_FAULT
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: ")
    assert said in told.err
    assert len(told.err.splitlines()) == 1
