"""The page: its content, and what it says of data that are out of date."""

import json
import os
import re
from datetime import date
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
from flows.map.build import build_graph
from flows.map.graph import Graph
from flows.map.stale import stale_reasons
from flows.map.state import DatasetState, File, read_states
from flows.map.write import PAGE

GAME = "game1"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a checked table and standard features built from it."""
    catalog = Catalog(str(tmp_path), GAME)
    table = write_subs(catalog, 3)
    settings = load_settings(GAME)
    facts = footer(outcome=settings.outcome.model_dump())
    datasets.write_parquet(datasets.scan(table), catalog.standard_features(), facts)
    sources = {table.name: {"fingerprint": table.fingerprint}}
    storage.write_text(json.dumps(sources), catalog.standard_sources().uri)
    return tmp_path


def write_subs(catalog: Catalog, rows: int) -> DatasetRef:
    frame = pl.LazyFrame({"sub_id": range(rows)})
    return datasets.write_parquet(frame, catalog.checked("sub_data"))


def stale_in(data: Path, graph: Graph, **overrides: Any) -> dict[str, tuple[str, ...]]:
    settings = load_settings(GAME, {"data_dir": str(data), **overrides})
    return stale_reasons(graph, read_states(graph, GAME, str(data)), settings)


def content_of(page: Path) -> dict[str, Any]:
    text = page.read_text(encoding="utf-8")
    embedded = re.search(r'<script type="application/json" id="content">(.*?)</script>', text, re.S)
    assert embedded
    content: dict[str, Any] = json.loads(embedded[1])
    return content


def test_page_holds_every_flow_task_and_dataset_of_every_game(data: Path) -> None:
    assert main(["map", "--data-dir", str(data)]) == DONE
    content = content_of(data / PAGE)
    assert set(content["games"]) == set(list_games())
    for name, game in content["games"].items():
        graph = build_graph(load_settings(name), date(2025, 1, 1))
        assert set(game["graph"]["flows"]) == set(graph.flows)
        assert set(game["graph"]["tasks"]) == set(graph.tasks)
        assert set(game["graph"]["datasets"]) == set(graph.datasets) == set(game["states"])
        drawn = set(game["diagrams"]["all tasks"]["boxes"])
        assert {task for line in graph.edges() for task in line} == drawn
        assert set(graph.datasets) - drawn == {d for d in graph.datasets if d.endswith("_rejected")}
        assert set(game["diagrams"]) >= {"overview", *graph.flows}


def test_page_has_no_external_links_and_names_no_folder(data: Path) -> None:
    assert main(["map", "--data-dir", str(data), "--game", GAME]) == DONE
    text = (data / PAGE).read_text(encoding="utf-8")
    assert not re.search(r"https?:|src=|@import|url\(|<link", text)
    assert str(data) not in text
    assert "default-src 'none'" in text


def test_page_has_the_state_of_each_dataset(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "elsewhere" / "map.html"
    assert main(["map", "--data-dir", str(data), "--game", GAME, "--out", str(out)]) == DONE
    game = content_of(out)["games"][GAME]
    state = game["states"]["03_primary/standard_features"]
    assert state["rows"] == 3
    assert state["columns"] == {"sub_id": "Int64"}
    assert state["fingerprint"] == storage.fingerprint(
        str(data / "03_primary" / GAME / "standard_features.parquet")
    )
    assert game["states"]["06_models/champion"]["files"] == []
    assert game["data"] == ".."


def test_page_of_unreadable_data_says_so(data: Path) -> None:
    (data / "03_primary" / GAME / "standard_features.parquet").write_text("no table")
    assert main(["map", "--data-dir", str(data), "--game", GAME]) == DONE
    state = content_of(data / PAGE)["games"][GAME]["states"]["03_primary/standard_features"]
    assert "unreadable" in state["facts"]


def test_nothing_is_stale_while_inputs_are_unchanged(data: Path, graph: Graph) -> None:
    later = data / "02_intermediate" / GAME / "sub_data.parquet"
    os.utime(later, (later.stat().st_mtime + 60,) * 2)  # Written again with the same content.
    assert stale_in(data, graph) == {}


def test_contacts_are_not_stale_when_standard_features_are_newer(data: Path, graph: Graph) -> None:
    catalog = Catalog(str(data), GAME)
    contacts = datasets.write_parquet(pl.LazyFrame({"sub_id": [1]}), catalog.contacts())
    os.utime(contacts.uri, (1, 1))
    assert stale_in(data, graph) == {}


def test_dataset_is_stale_when_an_input_has_changed(data: Path, graph: Graph) -> None:
    write_subs(Catalog(str(data), GAME), 4)
    assert stale_in(data, graph) == {
        "03_primary/standard_features": ("sub_data has changed since",),
        "03_primary/standard_features_sources": ("sub_data has changed since",),
    }


def test_dataset_is_stale_when_a_setting_has_changed(data: Path, graph: Graph) -> None:
    assert stale_in(data, graph, **{"outcome.missed_months": 5}) == {
        "03_primary/standard_features": ("the setting outcome.missed_months was 3 and is now 5",),
        "03_primary/standard_features_sources": ("standard_features is out of date",),
    }


def test_report_is_stale_when_the_terms_of_the_campaign_have_changed(
    data: Path, graph: Graph
) -> None:
    terms = load_settings(GAME).campaign.offer.model_dump()
    place = Catalog(str(data), GAME).report("score_report").uri
    storage.write_text(json.dumps({"campaign": {"terms": terms}}), place)
    assert stale_in(data, graph) == {}
    assert stale_in(data, graph, **{"campaign.hold_out_share": 0.5}) == {}
    assert stale_in(data, graph, **{"campaign.contact_cost": 2.0}) == {
        "08_reporting/score_report": ("the setting campaign.contact_cost was 1.0 and is now 2.0",)
    }


def test_all_that_follows_from_a_newer_raw_table_is_stale(data: Path, graph: Graph) -> None:
    raw = data / "01_raw" / GAME / "sub_data.csv"
    raw.parent.mkdir(parents=True)
    raw.write_text("sub_id\n1\n")
    os.utime(raw, (raw.stat().st_mtime + 60,) * 2)
    assert stale_in(data, graph) == {
        "02_intermediate/sub_data": ("sub_data (01_raw) is newer",),
        "03_primary/standard_features": ("sub_data is out of date",),
        "03_primary/standard_features_sources": ("standard_features is out of date",),
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--game", "gmae1"], "there is no game 'gmae1'"),
        (["--data-dir", "nowhere"], "there is no data folder"),
        (["--out", "/dev/null/map.html"], "cannot be written"),
    ],
)
def test_command_line_with_a_mistake_prints_one_message(
    arguments: list[str],
    message: str,
    data: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHURN_DATA_DIR", str(data))
    assert main(["map", *arguments]) == USERS_FAULT
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert message in printed.err
    assert len(printed.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("model", "reasons"),
    [
        ("newest", ()),
        ("champion", ()),
        ("gone", ("it comes from model gone, but models is newest, champion is champion",)),
    ],
)
def test_report_is_stale_when_it_is_of_neither_the_newest_model_nor_the_champion(
    model: str, reasons: tuple[str, ...], graph: Graph
) -> None:
    states = dict.fromkeys(graph.datasets, DatasetState())
    for dataset, version in (
        ("06_models/models", "newest"),
        ("06_models/champion", "champion"),
        ("08_reporting/score_report", model),
    ):
        states[dataset] = DatasetState(files=(File("file", 1.0, 1, ""),), model=version)
    stale = stale_reasons(graph, states, load_settings(GAME))
    assert stale.get("08_reporting/score_report", ()) == reasons
