"""`churn check`: its exit status, its text and its page."""

from pathlib import Path

import pytest

from churnlib.synthesis import PROCESSES, generate
from flows.cli.exit_status import DONE, USERS_FAULT
from flows.cli.main import main
from tests.churnlib.synthesis.samples import written

GAME = "game1"


def test_check_prints_a_profile_and_writes_only_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, page = tmp_path / "data", tmp_path / "check.html"
    raw = data / "01_raw" / GAME
    generate(PROCESSES[GAME], 1000, 2, raw)
    before = written(data)
    line = ["check", "--game", GAME, "--data-dir", str(data)]
    assert main([*line, "--html", str(page)]) == DONE
    text = capsys.readouterr().out
    assert "No run would be refused" in text
    assert text.endswith(f"{page}\n")
    assert "Raw data of game1" in page.read_text()
    assert written(data) == before

    (raw / "sub_miss.csv").unlink()
    assert main([*line, "--as-of", "2024-06-01", "--set", "horizon_months=5"]) == USERS_FAULT
    text = capsys.readouterr().out
    assert "as of 2024-06-01, as the settings state" in text
    assert "REFUSED: game1: the raw table sub_miss is missing" in text
