"""The tables of the page, in words."""

from dataclasses import replace

import polars as pl

from churnlib.report import sheets
from churnlib.report.sheets import Cell
from tests.churnlib.report.samples import groups_of, make_report, make_scored

SCORED = make_scored()
GENERAL = groups_of(SCORED)["general"]


def test_quality_has_a_column_for_the_model_and_each_baseline() -> None:
    table = sheets.quality(GENERAL)
    assert table.heads == ("figure", "model", "logistic regression", "base rate for all")
    assert [row[0].text for row in table.rows] == [name for _, name, _, _ in sheets.QUALITY]
    assert {len(row) for row in table.rows} == {4}


def test_quality_without_a_threshold_leaves_out_what_needs_one() -> None:
    names = [row[0].text for row in sheets.quality({**GENERAL, "threshold": None}).rows]
    assert not [name for name in names if "threshold" in name]


def test_precision_of_nobody_says_why_it_is_not_defined() -> None:
    nobody = {**GENERAL, "precision": None}
    cells = {row[0].text: row[1] for row in sheets.quality(nobody).rows}
    assert cells["precision at threshold"] == Cell("not defined", "nobody is called")


def test_tiles_leave_out_what_is_not_defined() -> None:
    names = [name for name, _ in sheets.tiles(groups_of(SCORED.head(0))["general"])]
    assert names == ["scored"]
    assert [name for name, _ in sheets.tiles(GENERAL)][:3] == ["scored", "base rate", "ROC AUC"]


def test_campaign_stands_beside_the_best_and_everybody() -> None:
    campaign = make_report(SCORED).campaign
    assert campaign is not None
    rows = {row[0].text: row[1:] for row in sheets.campaign(campaign).rows}
    assert [cell.text for cell in rows["share of all"]][2] == "100.0%"
    assert rows["from a probability of"][0].text == "0.300"
    assert " to " in rows["expected gain"][0].note
    nobody = {**campaign, "best": {**campaign["best"], "threshold": None}}
    assert sheets.campaign(nobody).rows[0][2].text == sheets.MISSING


def test_counts_add_up_to_all_subscriptions() -> None:
    young = SCORED.with_columns(sub_churn=pl.when(pl.col("sub_id") >= 50).then("sub_churn"))
    rows = {row[0].text: row[1].text for row in sheets.counts(make_report(young)).rows}
    assert rows["subscriptions"] == "400"
    assert (rows["outcome not yet known"], rows["scored"]) == ("50", "350")


def test_a_part_without_figures_keeps_its_counts() -> None:
    few = make_report(SCORED.head(12), segments={}, importance=())
    table = sheets.parts("months", "month", [("2024-05", few.cohorts[0])])
    assert [cell.text for cell in table.rows[0][:3]] == ["2024-05", "4", sheets.MISSING]


def test_settings_and_inputs_are_listed_as_they_are() -> None:
    report = replace(make_report(SCORED), inputs={"x": {"fingerprint": "abc"}})
    assert sheets.changes(report.changes or ()).rows == (
        (Cell("train.seed"), Cell("null"), Cell("7")),
    )
    assert sheets.inputs(report.inputs).rows == ((Cell("x"), Cell(sheets.MISSING), Cell("abc")),)
