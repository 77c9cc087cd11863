"""Runs whose tables lack the rows of their last months."""

import re
from collections.abc import Iterator

import polars as pl
import pytest

from churnlib.io.catalog import Catalog
from churnlib.io.datasets import ref
from churnlib.io.footer import fact
from flows.cli.exit_status import DONE
from flows.cli.main import main
from flows.engine import events
from tests.flows.models import champion
from tests.flows.studio import BATCH_DAY, Say, Studio, is_refusal

GAME = "game1"
REPORTS = {
    "train": "in_sample_report",
    "score": "score_report",
    "batch_score": "batch_score_report_2024-06",
}
LATE_MISSES = "sub_miss is late: 0 rows have start_date in 2024-10 to 2024-12, where about "
WARN = "--set=raw.on_late=warn"


@pytest.fixture
def late_misses(complete: Studio) -> Iterator[Studio]:
    """A data folder in which misses end in September, and all else in December."""
    rows = complete.raw(GAME, "sub_miss")
    complete.write_raw(GAME, "sub_miss", rows.filter(pl.col("start_date") < "2024-10-01"))
    yield complete
    complete.restore()


@pytest.fixture
def late_subs(complete: Studio) -> Iterator[Studio]:
    """A data folder in which the subscriptions of December are those of its first two days."""
    rows = complete.raw(GAME, "sub_data")
    few = rows.filter(pl.col("sub_start_date") < "2024-12-03")
    assert len(few.filter(pl.col("sub_start_date") >= "2024-12-01")) > 0
    complete.write_raw(GAME, "sub_data", few)
    misses = complete.raw(GAME, "sub_miss").join(few, on="sub_id", how="semi")
    complete.write_raw(GAME, "sub_miss", misses)
    yield complete
    complete.restore()


def test_late_misses_are_refused_before_anything_is_built(
    late_misses: Studio, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    emitted = []
    monkeypatch.setattr(
        events, "emit_event", lambda kind, _, payload: emitted.append((kind, payload["refused"]))
    )
    before = late_misses.outputs()
    for flow in (*REPORTS, "standard_features"):
        composite = ["--from-raw"] if flow in REPORTS else []
        output = say(late_misses, flow, GAME, *composite)
        assert is_refusal(output, f"{GAME}: {LATE_MISSES}"), output
        assert "or go on without them: --set raw.on_late=warn" in output
        # On that day the champion has label leakage, and no batch to score was predicted.
        assert ("(--as-of 2024-10-01)" in output) == (flow in ("train", "standard_features"))
    assert late_misses.outputs() == before
    assert emitted == [("churn.feed.late", "yes")] * 4


@pytest.mark.slow  # Three reports.
def test_late_misses_are_refused_from_standard_features_or_warned_of_in_every_report(
    late_misses: Studio, say: Say, capsys: pytest.CaptureFixture[str]
) -> None:
    output = say(late_misses, "standard_features", GAME, WARN)
    assert output.startswith("exit 0"), output
    assert LATE_MISSES in output
    capsys.readouterr()
    assert main(["--data-dir", str(late_misses.data)]) == DONE
    assert f"  late                  {LATE_MISSES}" in capsys.readouterr().out
    for flow, report in REPORTS.items():
        assert is_refusal(say(late_misses, flow, GAME), LATE_MISSES)
        output = say(late_misses, flow, GAME, WARN)
        assert output.startswith("exit 0"), output
        (warning,) = late_misses.json(f"08_reporting/{GAME}/{report}.json")["warnings"]
        assert warning.startswith(LATE_MISSES)
        assert warning in output
        for form in ("txt", "html"):
            assert warning in late_misses.file(f"08_reporting/{GAME}/{report}.{form}").read_text()


@pytest.mark.slow  # All flows.
def test_the_day_that_is_advised_works_for_all_flows(late_misses: Studio, say: Say) -> None:
    output = say(late_misses, "run", GAME)
    assert is_refusal(output, LATE_MISSES), output
    (day,) = re.findall(r"\(--as-of ([\d-]+)\)", output)
    first = champion(late_misses)
    output = say(late_misses, "run", GAME, f"--as-of={day}")
    assert output.startswith("exit 0"), output
    assert champion(late_misses) == first
    earlier = late_misses.file(f"07_model_output/{GAME}/predictions_2024-03.parquet")
    assert pl.read_parquet(earlier)["model_version"].unique().to_list() != [first]


@pytest.mark.slow  # The features of another day.
def test_late_misses_do_not_matter_on_an_earlier_day(late_misses: Studio, say: Say) -> None:
    output = say(late_misses, "train", GAME, "--from-raw", "--as-of=2024-10-01")
    assert output.startswith("exit 0"), output
    assert "is late" not in output


@pytest.mark.slow
def test_late_subscriptions_are_refused_or_noted_with_the_predictions(
    late_subs: Studio, say: Say
) -> None:
    place = Catalog(str(late_subs.data), GAME).predictions
    late = "sub_data is late: "
    before = late_subs.outputs()
    output = say(late_subs, "batch_predict", GAME)
    assert is_refusal(output, late), output
    assert "have sub_start_date in 2024-12, where about" in output
    assert late_subs.outputs() == before
    earlier = ("batch_predict", GAME, f"--as-of={BATCH_DAY}")
    assert say(late_subs, *earlier, "--replace").startswith("exit 0")
    output = say(late_subs, "batch_predict", GAME, WARN, "--replace")
    assert output.startswith("exit 0"), output
    december = next(late_subs.data.glob(f"07_model_output/{GAME}/*_2024-12.parquet"))
    starts = pl.read_parquet(december)["sub_start_date"]
    (warning,) = fact(ref(place(starts[0])), "warnings")
    assert warning.startswith(late)


def test_standard_features_of_a_future_day_are_refused_as_by_the_flows_that_need_them(
    complete: Studio, say: Say
) -> None:
    before = complete.outputs()
    for line in (("standard_features", GAME), ("train", GAME, "--from-raw")):
        output = say(complete, *line, "--as-of=2025-06-01")
        late = "sub_data is late: 0 rows have sub_start_date in 2025-01 to 2025-05, where about "
        assert is_refusal(output, late), output
    assert complete.outputs() == before


@pytest.mark.slow
def test_late_balances_are_refused_for_a_stated_day(complete: Studio, say: Say) -> None:
    output = say(complete, "batch_predict", GAME, "--as-of=2025-02-01")
    assert is_refusal(output, "character_currency is late: 0 rows have date in 2025-02"), output
    assert "sub_data is late: 0 rows have sub_start_date in 2025-01, where about" in output
    assert "(--as-of 2025-01-01)" in output
