"""The note of what the standard features were built from, which no run may depend on."""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from flows.steps.raw_tables import STANDARD_KINDS
from tests.base import raw_tables
from tests.flows.studio import Say, Studio, is_refusal

GAME = "game1"
REPORTS = {
    "train": "in_sample_report",
    "score": "score_report",
    "batch_score": "batch_score_report_2024-06",
}


def spoil_a_table(note: Path) -> None:
    facts = json.loads(note.read_text())
    facts["sub_data"]["odd"] = None
    note.write_text(json.dumps(facts))


@pytest.mark.slow
@pytest.mark.parametrize(
    "spoil",
    [
        lambda note: note.unlink(),
        lambda note: note.write_text("x"),
        lambda note: note.write_text("[]"),
        spoil_a_table,
    ],
    ids=["missing", "no JSON", "of another kind", "of other facts"],
)
@pytest.mark.parametrize("flow", REPORTS)
def test_flows_run_without_sources_with_one_warning(
    complete: Studio, flow: str, spoil: Callable[[Path], None]
) -> None:
    note = complete.file(f"03_primary/{GAME}/standard_features_sources.json")
    whole = note.read_bytes()
    spoil(note)
    try:
        assert complete.command(flow, GAME) == 0
    finally:
        note.write_bytes(whole)
    report = complete.json(f"08_reporting/{GAME}/{REPORTS[flow]}.json")
    (warning,) = report["warnings"]
    assert warning.startswith("the sources of the standard features are unknown")
    for spec in raw_tables().of_kind(*STANDARD_KINDS):
        assert report["data"]["quarantined"][spec.name] is None
        assert report["data"]["odd"][spec.name] is None
    text = complete.file(f"08_reporting/{GAME}/{REPORTS[flow]}.txt").read_text()
    assert "  sub_miss: warning quarantined rows; rows not known\n" in text
    assert "  sub_miss: warning data warnings; rows not known\n" in text
    page = complete.file(f"08_reporting/{GAME}/{REPORTS[flow]}.html").read_text()
    row = '<th scope="row">sub_miss</th><td>{}</td><td>not known</td>'
    assert row.format("quarantined rows") in page
    assert row.format("data warnings") in page


@pytest.mark.parametrize("flow", ["train", "score", "batch-score"])
def test_standard_features_that_no_flow_wrote_are_refused(
    flow: str, complete: Studio, say: Say
) -> None:
    """An earlier file, put back: of the same columns, settings and day, with other labels."""
    file = complete.file(f"03_primary/{GAME}/standard_features.parquet")
    written, before = file.read_bytes(), complete.outputs()
    rows, facts = pl.read_parquet(file), pl.read_parquet_metadata(file)
    facts = {name: text for name, text in facts.items() if name != "ARROW:schema"}
    rows.with_columns(churned_on=None).cast(rows.schema).write_parquet(file, metadata=facts)
    try:
        output = say(complete, flow, GAME)
    finally:
        file.write_bytes(written)
    assert is_refusal(output, "is not the file that the flow standard-features has written")
    assert complete.outputs().keys() == before.keys()
