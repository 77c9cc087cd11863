"""The state of raw tables that are not one plain file."""

import gzip
from pathlib import Path

from churnlib.io.storage import fingerprint
from churnlib.settings import load_settings
from flows.map.build import catalog_nodes
from flows.map.graph import Graph
from flows.map.state import read_states

TABLES = {
    "tables.sub_data.path": "subs/part-*.csv.gz",
    "tables.sub_miss.path": "missed.txt",
}


def test_parts_of_raw_tables_are_listed_wherever_they_are(tmp_path: Path) -> None:
    settings = load_settings("game1", TABLES, environ={})
    nodes = {node.id: node for node in catalog_nodes(settings) if node.layer == "01_raw"}
    folder = tmp_path / "01_raw" / "game1"
    for name in ("subs/part-1.csv.gz", "subs/part-2.csv.gz", "subs/notes.md", "missed.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(gzip.compress(b"sub_id\n"))
    (folder / "character_currency").mkdir()
    (folder / "character_currency" / "a.parquet").touch()
    (folder / "character_data.csv").write_text("char_id\n1\n2\n")
    states = read_states(Graph(flows={}, tasks={}, datasets=nodes), "game1", str(tmp_path))
    files = {
        node.removeprefix("01_raw/"): [
            file.path.removeprefix("01_raw/game1/") for file in state.files
        ]
        for node, state in states.items()
    }
    assert files == {
        "character_data": ["character_data.csv"],
        "character_currency": ["character_currency/a.parquet"],
        "sub_data": ["subs/part-1.csv.gz", "subs/part-2.csv.gz"],
        "sub_miss": ["missed.txt"],
    }
    assert states["01_raw/character_data"].rows == 2
    whole = str(folder / "subs" / "part-*.csv.gz")
    assert states["01_raw/sub_data"].fingerprint == fingerprint(whole)
