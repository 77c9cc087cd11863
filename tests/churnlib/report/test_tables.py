"""The tables that all formats render."""

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from churnlib.metrics.definitions import METRICS, compared_metrics, metrics_in
from churnlib.report import tables
from churnlib.report.content import GROUPS, LEFT_OUT
from churnlib.report.formatting import FORMATS
from churnlib.report.tables import BASELINES, MISSING, Cell, Table
from tests.churnlib.report.samples import groups_of, make_report, make_scored

SCORED = make_scored()
GROUPS_OF_ALL = groups_of(SCORED)
GENERAL = GROUPS_OF_ALL["general"]
NEED_THRESHOLD = [metric.name for metric in METRICS.values() if metric.needs == "a threshold"]


def column(table: Table, place: int = 1) -> dict[str, Cell]:
    """The cells of a column by the names of their rows."""
    return {row[0].text: row[place] for row in table.rows}


def test_cell_without_a_value_has_a_mark_and_no_interval() -> None:
    assert (Cell(None).text, Cell(None, interval=(0, 1)).range) == (MISSING, "")
    cell = Cell(0.5, "{:.1%}".format, (0.25, 0.75))
    assert (cell.text, cell.range) == ("50.0%", "25.0% to 75.0%")


def test_metrics_have_a_row_each_and_a_column_per_group() -> None:
    table = tables.metrics(GROUPS_OF_ALL)
    assert table.columns == ("metric", *GROUPS.values())
    for place, scores in enumerate(GROUPS_OF_ALL.values(), 1):
        cells = column(table, place)
        for metric in metrics_in("groups"):
            form = FORMATS[metric.format]
            assert cells[metric.name].text == form(scores[metric.key])
            low, high = scores["intervals"][metric.key]
            assert cells[metric.name].range == f"{form(low)} to {form(high)}"
        assert cells["scored"].text == str(scores["n"])


def test_metrics_that_need_a_threshold_are_left_out_without_one() -> None:
    bare = {name: {**scores, "threshold": None} for name, scores in GROUPS_OF_ALL.items()}
    assert NEED_THRESHOLD
    assert not {"threshold", *NEED_THRESHOLD} & set(column(tables.metrics(bare)))
    assert {"threshold", *NEED_THRESHOLD} <= set(column(tables.metrics(GROUPS_OF_ALL)))


@pytest.mark.parametrize("metric", [m for m in METRICS.values() if m.undefined])
def test_undefined_metric_has_a_reason(metric: Any) -> None:
    nobody = {"general": {**GENERAL, metric.key: None}}
    cell = column(tables.metrics(nobody))[metric.name]
    assert (cell.text, cell.note) == (MISSING, metric.undefined)


def test_groups_without_metrics_have_a_reason() -> None:
    table = tables.metrics({"general": {**GENERAL, "reason": "nobody churned"}})
    (note,) = table.notes
    assert "because nobody churned" in note


def test_baselines_are_shown_with_their_differences() -> None:
    table = tables.baselines(GENERAL)
    assert table is not None
    names = [column for name in BASELINES.values() for column in (name, "difference")]
    assert table.columns == ("metric", "model", *names)
    for metric, row in zip(metrics_in("baselines"), table.rows, strict=True):
        assert (row[0].text, row[1].value) == (metric.name, GENERAL[metric.key])
        for place, name in enumerate(BASELINES):
            value, difference = row[2 + 2 * place : 4 + 2 * place]
            baseline = GENERAL["baselines"][name]
            assert value.value == baseline[metric.key]
            expected = baseline["differences"].get(metric.key)
            if metric in compared_metrics():
                assert difference.value == expected["difference"]
                assert difference.interval == expected["interval"]
            else:
                assert difference.text == ""


def test_model_without_baselines_has_no_table_of_baselines() -> None:
    assert tables.baselines({**GENERAL, "baselines": {}}) is None


def test_deciles_and_risk_groups_have_a_row_each() -> None:
    deciles = tables.deciles(GENERAL)
    assert [row[0].value for row in deciles.rows] == list(range(1, 11))
    first = GENERAL["deciles"][0]
    assert [cell.value for cell in deciles.rows[0][2:]] == [
        first["churn_rate"], first["lift"], first["cumulative_gain"]
    ]  # fmt: skip
    groups = tables.risk_groups(GENERAL)
    assert len(groups.rows) == len(GENERAL["risk_groups"])
    assert groups.rows[0][3].interval == GENERAL["risk_groups"][0]["interval"]


def test_parts_have_the_metrics_of_segments() -> None:
    segments = make_report(SCORED).segments["territory"]
    table = tables.parts("territory", segments)
    assert table.columns == ("territory", "scored", *(m.name for m in metrics_in("segments")))
    for row, part in zip(table.rows, segments, strict=True):
        assert [cell.value for cell in row] == [
            part["value"], part["n"], *(part[m.key] for m in metrics_in("segments"))
        ]  # fmt: skip
    assert not table.notes


def test_part_without_metrics_keeps_its_counts() -> None:
    few = make_report(SCORED.head(12)).cohorts[0]
    table = tables.parts("month", [{**few, "value": None, "immature": 3}])
    name, scored, *_, auc, _ = table.rows[0]
    assert (name.text, scored.text, auc.text) == (tables.UNKNOWN, "4", MISSING)
    assert scored.note == "3 without a label yet"
    assert table.notes == ("No metrics for fewer than 20 subscriptions with a label.",)


def test_counts_add_up_to_all_subscriptions() -> None:
    young = SCORED.with_columns(sub_churn=pl.when(pl.col("sub_id") >= 50).then("sub_churn"))
    cells = column(tables.counts(make_report(young)))
    assert cells["started"].text == "400"
    assert (cells["label not yet available"].text, cells["scored"].text) == ("50", "350")
    assert "without currency" in cells
    bare = young.drop("currency_age_months")
    assert "without currency" not in column(tables.counts(make_report(bare)))


def test_subscriptions_that_are_left_out_have_started_too() -> None:
    new = GROUPS_OF_ALL["new_characters"]["n"]
    left_out = {
        "not_at_risk": {"general": 12, "new_characters": 5},
        "not_predicted": {"general": 3, "new_characters": 0},
    }
    table = tables.counts(make_report(SCORED, left_out=left_out))
    general, others = column(table, 1), column(table, 2)
    names = ["too short to churn", "not predicted", "scored"]
    assert [general[name].text for name in ("started", *names)] == ["415", "12", "3", "400"]
    assert [others[name].value for name in ("started", *names)] == [new + 5, 5, 0, new]
    nobody = {reason: dict.fromkeys(GROUPS, 0) for reason in LEFT_OUT}
    assert not {*LEFT_OUT.values()} & {*column(tables.counts(make_report(SCORED, left_out=nobody)))}


def test_settings_and_inputs_are_listed() -> None:
    report = replace(make_report(SCORED), inputs={"x": {"fingerprint": "abc" * 20}})
    (change,) = tables.changes(report.changes or ()).rows
    assert [cell.text for cell in change] == ["train.seed", "null", "7"]
    assert tables.changes(()).notes == ("None.",)
    (row,) = tables.inputs(report.inputs).rows
    assert [cell.text for cell in row] == ["x", MISSING, ("abc" * 20)[: tables.FINGERPRINT_LENGTH]]


def test_data_warnings_name_table_warning_and_rows() -> None:
    report = replace(
        make_report(SCORED),
        quarantined={"sub_data": 1, "sub_miss": 0, "character_data": None},
        odd={"sub_data": {"negative price": 1200}, "sub_miss": None},
    )
    rows = [[cell.text for cell in row] for row in tables.data_warnings(report).rows]
    assert rows == [
        ["sub_data", "quarantined rows", "1"],
        ["character_data", "quarantined rows", tables.UNKNOWN],
        ["sub_data", "negative price", "1,200"],
        ["sub_miss", "data warnings", tables.UNKNOWN],
    ]


@pytest.mark.parametrize(
    ("known", "note"),
    [
        ({}, "Not checked: quarantined rows and data warnings."),
        ({"quarantined": {}}, "Not checked: data warnings."),
        ({"quarantined": {"sub_data": 0}, "odd": {"sub_data": {}}}, "None."),
    ],
)
def test_unchecked_data_is_not_called_clean(known: dict[str, Any], note: str) -> None:
    assert tables.data_warnings(replace(make_report(SCORED), **known)).notes == (note,)
