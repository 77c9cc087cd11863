"""The kill tests themselves: a few kills, and that faults would be found."""

import random
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from churnlib.io.temporary import temporary_name
from tests.flows.studio import ROOT
from tests.torture.content import contents, difference, left_over, unreadable
from tests.torture.disturbances import TRAIN
from tests.torture.kills import Tally, drawn, survive
from tests.torture.place import GAME, Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.slow
def test_killed_trainings_leave_nothing_wrong_and_can_be_repeated(place: Place) -> None:
    tally = Tally()
    survive(place, (TRAIN,), 4, random.Random(1), tally)
    assert (tally.runs, tally.failures) == (4, [])


@pytest.mark.parametrize(("at", "made"), [("0", []), ("1", ["one"]), ("null", ["one", "two"])])
def test_victim_dies_before_a_change_below_its_folders(
    at: str, made: list[str], tmp_path: Path
) -> None:
    program = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from tests.torture.victim import Changes, Fate
sys.addaudithook(Changes(Fate(({str(tmp_path)!r},), "", {at.replace("null", "None")})).hear)
os.mkdir({str(tmp_path / "one")!r})
os.mkdir({str(tmp_path / "two")!r})
"""
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == (0 if at == "null" else -9)
    assert sorted(path.name for path in tmp_path.iterdir()) == made


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (f"07_model_output/{GAME}/predictions_2024-12.parquet", b"PAR1half"),
        (f"08_reporting/{GAME}/score_report.json", b'{"half": '),
        (f"08_reporting/{GAME}/score_report.html", b"<html><body>half"),
        (f"06_models/{GAME}/registry.json", b"{"),
        (f"06_models/{GAME}/champion.json", b'{"version": "20250101T000000000Z"}'),
    ],
)
def test_half_files_and_dangling_champions_are_found(
    name: str, content: bytes, place: Place
) -> None:
    assert unreadable(place) == []
    file = place.data / name
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    assert unreadable(place)


def test_what_a_run_must_not_leave_is_found(place: Place) -> None:
    assert left_over(place) == []
    folder = place.data / "02_intermediate" / GAME
    (folder / "parts").mkdir(parents=True)
    left = [
        folder / temporary_name("a"),
        folder / ".run.json.lock",
        folder / "run.json",
        folder / "parts" / "a.arrow",
        place.folder / "home" / temporary_name("a"),
        place.folder / "results" / temporary_name("a"),
        place.folder / "tmp" / "churn-scratch-a",
    ]
    for path in left:
        path.touch()
    assert {*left_over(place)} == {str(path) for path in left}


def test_contents_differ_by_rows_and_not_by_versions_and_times(place: Place) -> None:
    folder = place.data / "07_model_output" / GAME
    folder.mkdir(parents=True)

    def found(version: str, probability: float, when: str) -> dict[str, str]:
        (place.data / "06_models" / GAME / version).mkdir(parents=True)
        rows = pl.DataFrame({"churn_probability": [probability], "model_version": [version]})
        rows.write_parquet(folder / "predictions.parquet", metadata={"version": version})
        (folder / "report.json").write_text(f'{{"version": "{version}", "when": "{when}"}}')
        contained = contents(place)
        (place.data / "06_models" / GAME / version).rmdir()
        return contained

    first = found("20250101T000000000Z", 0.25, "2025-01-01T00:00:00Z")
    assert found("20260301T010101001Z", 0.25, "2026-03-01T01:01:01.001Z") == first
    other = found("20250101T000000000Z", 0.75, "2025-01-01T00:00:00Z")
    assert difference(other, first) == [f"07_model_output/{GAME}/predictions.parquet"]


def test_half_of_the_kills_are_at_changes_and_equal_seeds_draw_equal_kills() -> None:
    kills = drawn(1000, 9, random.Random(7))
    assert kills == drawn(1000, 9, random.Random(7))
    assert [kill.at is None for kill in kills] == [False] * 5 + [True] * 4
    assert len({kill.at for kill in kills[:5]}) == 5
    assert len(drawn(3, 20, random.Random(7))) == 20
