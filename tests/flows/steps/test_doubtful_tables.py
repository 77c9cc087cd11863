"""The warning of tables of which many rows contradict another table."""

from datetime import date
from pathlib import Path

import pytest

from churnlib.io.catalog import Catalog
from churnlib.settings import load_settings
from flows.steps.doubtful_tables import doubtful_table_warnings
from flows.steps.run import Run
from tests.base import raw_tables

TEXT = "miss before its subscription"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(load_settings("game1"), Catalog(str(tmp_path), "game1"), date(2025, 1, 1), {})


def test_many_rows_with_a_doubt_are_warned_of(run: Run) -> None:
    (warning,) = doubtful_table_warnings(run, {"sub_miss": {"rows": 1_813, "odd": {TEXT: 1_178}}})
    assert warning == (
        "sub_miss: 1,178 of 1,813 rows have the data warning 'miss before its subscription': "
        "sub_id may mean other subscriptions in sub_data, or dates be written year-day-month. "
        "Labels and features are then wrong: compare the table with its source"
    )


def test_few_rows_and_rows_without_a_doubt_are_not(run: Run) -> None:
    assert doubtful_table_warnings(run, {"sub_miss": {"rows": 100, "odd": {TEXT: 4}}}) == ()
    sources = {
        spec.name: {"rows": 1, "odd": {w.text: 1 for w in spec.warnings if not w.doubt}}
        for spec in raw_tables().specs
    }
    assert doubtful_table_warnings(run, sources) == ()
    assert doubtful_table_warnings(run, {"sub_miss": {"rows": 0, "odd": {}}}) == ()
