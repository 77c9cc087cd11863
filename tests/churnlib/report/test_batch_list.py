"""The list of a batch in all its formats."""

import json
from datetime import date
from typing import Any

import polars as pl

from churnlib.report.batch_list import MOST_ROWS, BatchList, Predicted, list_riskiest
from churnlib.report.batch_list_formats import render_list

ROWS = 300


def predictions(decided: bool = True) -> pl.DataFrame:
    """Predictions of risks from 0.3 % to 90 %, of which those from 60 % on are contacted."""
    risk = [0.9 * (ROWS - n) / ROWS for n in range(ROWS)]
    held_out = [n % 20 == 7 for n in range(ROWS)]
    contact = [r >= 0.6 and not h for r, h in zip(risk, held_out, strict=True)]
    return pl.DataFrame(
        {
            "char_id": range(ROWS),
            "sub_id": range(1_000, 1_000 + ROWS),
            "sub_start_date": [date(2024, 1, 5)] * ROWS,
            "day": [date(2024, 5, 1)] * ROWS,
            "tenure_months": [4] * ROWS,
            "months_left": [8] * ROWS,
            "months_missed_in_a_row": [n % 3 for n in range(ROWS)],
            "churn_probability": risk,
            "previous_probability": [None, 0.1, *risk[2:]],
            "risk_rank": range(1, ROWS + 1),
            "contact": contact if decided else [None] * ROWS,
            "held_out": held_out,
        },
        schema_overrides={"contact": pl.Boolean},
    )


def batch_list(
    decided: bool = True,
    before: pl.DataFrame | None = None,
    of_before: str | None = None,
    **more: Any,
) -> BatchList:
    threshold = 0.6 if decided else None
    others = None if before is None else Predicted(before, 0.6)
    return BatchList(
        game="hawk",
        window=(date(2024, 5, 1), date(2024, 5, 31)),
        as_of=date(2024, 5, 1),
        horizon_months=6,
        model_version="v1",
        predictions="f1",
        rule="break_even",
        before=of_before,
        **list_riskiest(Predicted(predictions(decided), threshold), others),
        **more,
    )


def test_list_has_the_contacted_and_those_held_out_the_riskiest_first() -> None:
    found, rows = batch_list(), predictions()
    reached = rows.filter(pl.col("churn_probability") >= 0.6)
    assert found.on_list == len(reached) == 101
    assert (found.contacted, found.held_out) == (96, 5)
    assert len(found.listed) == MOST_ROWS
    assert [row["sub_id"] for row in found.listed] == reached["sub_id"].to_list()[:MOST_ROWS]
    assert {row["action"] for row in found.listed} == {"contact", "held out"}
    assert found.head == "Contact 96 of 300 subscriptions; 5 more are held out."


def test_list_without_a_decision_has_the_riskiest_tenth_and_says_why() -> None:
    found = batch_list(decided=False, no_contact="there is no back-test")
    assert [row["sub_id"] for row in found.listed] == list(range(1_000, 1_030))
    assert found.on_list == 30
    assert found.head == "Contact nobody yet of 300 subscriptions: there is no back-test."


def test_changes_are_told_if_both_lists_follow_the_same_rule() -> None:
    same = batch_list(before=predictions(), of_before="2024-04")
    assert same.changes is not None
    assert (same.changes.stayed, same.changes.began, same.changes.gone) == (101, 0, 0)
    assert [row["sub_id"] for row in same.moved] == [1_001]
    assert batch_list(before=predictions(decided=False)).changes is None


def test_formats_tell_the_same() -> None:
    texts = render_list(
        batch_list(before=predictions(), of_before="2024-04", warnings=("mind <this>",))
    )
    plain = json.loads(texts[".json"])
    assert plain["window"] == {"start": "2024-05-01", "end": "2024-05-31"}
    assert plain["changes"]["stayed"] == 101 and len(plain["listed"]) == MOST_ROWS
    assert "WARNING: mind <this>" in texts[".txt"] and "mind &lt;this&gt;" in texts[".html"]
    for told in ("At risk: hawk, 2024-05", "Contact 96 of 300 subscriptions", "1001"):
        assert told in texts[".txt"] and told in texts[".html"]
    text = " ".join(texts[".txt"].split())
    assert "a risk of 60.0% or more, the break-even probability (campaign.threshold)." in text
    assert "These are the first 20 of 101; the predictions have all" in text
    assert "These are the first 100 of 101; the predictions have all" in texts[".html"]
    assert (texts[".txt"].count(" contact\n"), texts[".html"].count("<td>contact</td>")) == (19, 95)
    assert "<h3>Whose risk moved most</h3>" in texts[".html"]
    assert "still on it" in texts[".txt"] and "+79.7" in texts[".txt"]
    assert max(map(len, texts[".txt"].splitlines())) <= 80
