import copy
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import growth, growth_report
from benchmarks.checks import REFERENCE, same_tables
from benchmarks.growth_plot import plot
from benchmarks.process import Ended, run
from benchmarks.ways import WAYS, selected

FOLDER = growth_report.FOLDER
WORK = {"wall": 2.0, "cpu": 3.0}
OUT = {"what": "MemoryError under a cap of 4 GiB", "cpu": 141.0, "wall": 150.0, "memory": 4000.0}


@pytest.fixture
def figures() -> dict[str, Any]:
    """Figures of two sizes, and of a third that was left out. pandas fails at the second."""
    process = {"wall": 3.0, "cpu": 4.0, "memory": 100.0}
    ways = {
        name: {"runs": [{"process": process, "work": WORK}] * 3, "failure": None} for name in WAYS
    }
    small: dict[str, Any] = {
        "size": 10,
        "characters": 300_000,
        "rows": {"sub_data": 30, "character_currency": 700},
        "csv_mib": 1,
        "parquet_mib": 1,
        "disk_mib": 1024.0,
        "rounds": 3,
        "seconds": 180.0,
        "ways": ways,
    }
    large = copy.deepcopy(small) | {"size": 30, "characters": 900_000}
    large["ways"]["pandas from CSV"] = {"runs": [], "failure": OUT}
    return {
        "machine": {"cores": 2, "memory_gib": 8, "system": "Linux", "polars": "2.1.0"},
        "game": "game1",
        "cap_gib": 4,
        "ways": {way.name: way.meaning for way in WAYS.values()},
        "sizes": [small, large, {"size": 100, "left_out": "needs about 9 minutes"}],
    }


@pytest.mark.slow
def test_growth_runs_from_end_to_end(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    line = ["--sizes", "1", "--characters", "300", "--rounds", "1"]
    growth.main([*line, "--work", str(work), "--out", str(tmp_path)])
    assert not list(work.iterdir())
    (size,) = json.loads((tmp_path / "growth.json").read_text())["sizes"]
    assert set(size["same_features"]) == {way.name for way in WAYS.values() if way.features}
    assert set(size["same_tables"]) == {name for name in WAYS if name.startswith(REFERENCE)}
    for way in size["ways"].values():
        (once,) = way["runs"]
        assert once["process"]["cpu"] > once["work"]["cpu"] > 0
    assert "## Scaling with the data" in (tmp_path / "RESULTS.md").read_text()
    assert (tmp_path / "growth.svg").exists()


def test_results_show_the_stored_figures() -> None:
    figures = json.loads((FOLDER / "growth.json").read_text())
    results = (FOLDER / "RESULTS.md").read_text(encoding="utf-8")
    assert growth_report.section(figures) in results, "run `python -m benchmarks.growth_report`"


def test_results_name_what_failed_or_was_left_out(figures: dict[str, Any]) -> None:
    section = growth_report.section(figures)
    assert "- 30x, pandas from CSV: MemoryError under a cap of 4 GiB, after 141 CPU" in section
    assert "- 100x was not measured: it needs about 9 minutes." in section
    assert "| pandas from CSV | 4.00 | 3.00 | 100 |" in section
    assert "| pandas from CSV | failed | failed | failed |" in section
    assert "| engine from CSV / pandas from CSV | 1.00 / 1.00 / 1.00 | - |" in section


def test_results_have_only_what_was_run(figures: dict[str, Any]) -> None:
    for size in growth_report.measured(figures):
        size["size"] *= 10
        for name in ("pandas from CSV", "DuckDB from CSV"):
            del size["ways"][name]
    section = growth_report.section(figures)
    assert "- pandas from CSV: not run at 100x, 300x. When last tried, at 300x: Mem" in section
    assert "/ DuckDB from CSV" not in section
    assert plot(growth_report.measured(figures), "")


def test_ways_that_fail_on_large_data_are_run_only_if_asked_for() -> None:
    names = [way.name for way in selected(None, 100)]
    assert "pandas from CSV" not in names
    assert "DuckDB from CSV" in names
    assert [way.name for way in selected(["pandas from CSV"], 100)] == ["pandas from CSV"]


def test_ways_are_run_with_those_that_they_need() -> None:
    names = [way.name for way in selected(["bare"], 1)]
    assert names == ["engine: preparation", "engine from prepared", "bare"]


def test_tables_with_other_bytes_end_the_benchmark(tmp_path: Path) -> None:
    ways = [way for way in WAYS.values() if way.name.startswith(REFERENCE)]
    for number, way in enumerate(ways):
        table = tmp_path / way.data / "02_intermediate" / "hawk" / "sub_data.parquet"
        table.parent.mkdir(parents=True)
        table.write_text("other" if number == 2 else "same")
    assert same_tables(tmp_path, "hawk", ways[:2]) == [way.name for way in ways[:2]]
    with pytest.raises(SystemExit, match=ways[2].name):
        same_tables(tmp_path, "hawk", ways)


def test_replacing_a_section_keeps_the_others() -> None:
    text = f"# Results\n\n{growth_report.BEGIN}\nold\n{growth_report.END}\n\n## Other\n"
    assert growth_report.with_section(text, "new\n") == text.replace("old", "new")


def test_plot_is_reproducible(figures: dict[str, Any]) -> None:
    sizes = growth_report.measured(figures)
    drawn = plot(sizes, "a & b")
    assert drawn == plot(sizes, "a & b")
    assert 'aria-label="a &amp; b"' in drawn
    assert "prefers-color-scheme:dark" in drawn


def test_size_is_left_out_without_enough_time_or_disk(
    figures: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = figures["sizes"]
    assert growth.obstacle(300, 1, [], tmp_path, 1) is None
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("", (), {"free": 2**50}))
    assert growth.obstacle(300, 1, sizes, tmp_path, 601) is None
    assert growth.obstacle(300, 1, sizes, tmp_path, 599) == (
        "needs about 10 minutes, and 10 are left of those that were allowed"
    )
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("", (), {"free": 11 * 2**30}))
    assert growth.obstacle(300, 1, sizes, tmp_path, 601) == (
        "needs about 12 GiB of disk, of which 11 are free"
    )


def test_way_that_failed_is_not_tried_on_larger_sizes(figures: dict[str, Any]) -> None:
    assert growth.failed_before("bare", figures["sizes"]) is None
    assert growth.failed_before("pandas from CSV", figures["sizes"]) == {
        "what": "not tried, after MemoryError under a cap of 4 GiB at 30x"
    }


@pytest.mark.parametrize(
    ("status", "errors", "verdict"),
    [
        (3, "", True),
        (-9, "", True),
        (-6, "memory allocation of 8 bytes failed", True),
        (1, "KeyError: 'x'", False),
    ],
)
def test_out_of_memory_differs_from_other_errors(status: int, errors: str, verdict: bool) -> None:
    assert growth.ran_out_of_memory(Ended(status, "", errors, 1, 1, 1)) is verdict


def test_process_is_measured(tmp_path: Path) -> None:
    lines = "import time; kept = bytearray(b'x') * 300_000_000; time.sleep(0.2); print('done')"
    ended = run("-c", lines, home=tmp_path)
    assert (ended.status, ended.output) == (0, "done\n")
    assert ended.wall > 0.2
    assert ended.cpu > 0
    assert ended.memory > 280
