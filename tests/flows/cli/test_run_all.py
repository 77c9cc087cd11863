"""`churn run`: what it prints in the end."""

import pytest

from flows.cli.exit_status import DONE
from flows.cli.main import main
from tests.flows.studio import Studio

GAME = "game1"


@pytest.mark.slow
def test_run_says_why_it_skips_a_batch(
    empty_studio: Studio, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    june = (
        "--set=windows.batch_score.start=2024-06-01",
        "--set=windows.batch_score.end=2024-06-30",
    )
    may = [
        argument.replace("batch_score", "batch_predict").replace("06-", "05-") for argument in june
    ]
    may[1] = may[1].replace("30", "31")
    arguments = empty_studio.arguments(GAME, *june)
    assert main(["run", *arguments]) == DONE
    printed = capsys.readouterr()
    log = f"{caplog.text}{printed.err}"
    text = printed.out.partition("as of 2025-01-01:")[2]
    assert "predictions_2024-06.parquet" in text
    assert "skipped" not in text
    for report in ("in_sample_report", "score_report", "batch_score_report_2024-06"):
        assert f"{report}.html\n\n" in log
    assert "ROC AUC" in log and "METRICS" not in log  # Verdicts alone.
    assert main(["run", *arguments, *may, "--set=allow_label_overlap=true"]) == 0
    text = capsys.readouterr().out.partition("as of 2025-01-01:")[2]
    assert "their score" not in text
    assert (
        "skipped: an earlier batch and its score, because windows.batch_predict (2024-05-01" in text
    )
