"""Predictions contact somebody only if the last back-test of their model is good enough."""

import json
from datetime import date
from typing import Any

import polars as pl
import pytest

from churnlib.io.catalog import Catalog
from churnlib.io.datasets import ref
from churnlib.io.footer import facts
from churnlib.metrics.profit import break_even
from churnlib.settings import Offer
from tests.churnlib.versions.samples import make_evidence
from tests.flows.models import GAME, champion
from tests.flows.studio import BATCH_DAY, Say, Studio

pytestmark = pytest.mark.slow

BATCH = f"07_model_output/{GAME}/predictions_2024-06.parquet"
REPORT = f"08_reporting/{GAME}/batch_score_report_2024-06.json"


def test_contacts_follow_from_the_last_back_test(restored: Studio, say: Say) -> None:
    studio, line = restored, ("batch-predict", GAME, "--as-of", BATCH_DAY)

    record(studio, {})
    output = say(studio, *line)
    assert "nobody is contacted, and contact is null in all rows, because no back-test" in output
    untested = studio.table(BATCH)
    assert untested["contact"].null_count() == len(untested)
    studio.run("batch_score", GAME)
    report = studio.json(REPORT)
    assert report["no_contact"] == "no back-test of the model is recorded"
    assert report["campaign"]["hold_out"] is None
    text = " ".join(studio.file(REPORT.replace(".json", ".txt")).read_text().split())
    assert "Nobody was contacted. No back-test of the model is recorded." in text

    record(studio, {champion(studio): make_evidence().model_dump(mode="json")})
    output = say(studio, *line)
    tested = studio.table(BATCH)
    reached = pl.col("churn_probability") >= break_even(Offer())
    assert tested["contact"].equals(
        tested.select(contact=reached & ~pl.col("held_out")).to_series()
    )
    assert tested["held_out"].equals(untested["held_out"])
    assert f"{tested['contact'].sum()} of {len(tested)} subscriptions are contacted" in output
    place = ref(Catalog(str(studio.data), GAME).predictions(date(2024, 6, 1)))
    footer = facts(place, "contacted", "no_contact", "threshold", "threshold_rule")
    assert footer == [tested["contact"].sum(), None, break_even(Offer()), "break_even"]
    studio.run("batch_score", GAME)
    report = studio.json(REPORT)
    assert report["no_contact"] is None
    hold_out = report["campaign"]["hold_out"]
    assert hold_out["contacted"]["n"] == tested["contact"].sum()
    assert hold_out["held_out"]["n"] == len(tested.filter("held_out", reached))


def record(studio: Studio, evidence: dict[str, Any]) -> None:
    """Replaces what the registry knows of back-tests."""
    place = studio.file(f"06_models/{GAME}/registry.json")
    registry = json.loads(place.read_text())
    place.write_text(json.dumps({**registry, "evidence": evidence}))
