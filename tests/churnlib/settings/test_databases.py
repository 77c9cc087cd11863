"""The settings of what is read from databases, and delivered to them."""

import pytest

from churnlib.errors import SettingsError
from churnlib.schemas.raw_tables import raw_tables
from churnlib.settings import load_settings, operator_settings

GAME, TABLE = "game1", "tables.character_data"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {f"{TABLE}.path": "postgresql://me:secret@host/game", f"{TABLE}.table": "x"},
            f"{TABLE}.path (from overrides): 'postgresql://***' must not contain a user or passw",
        ),
        (
            {f"{TABLE}.path": "postgresql://host/game"},
            f"{TABLE} (from overrides): is in a database, so that `query` or `table` must name its "
            "rows",
        ),
        (
            {f"{TABLE}.path": "duckdb:///x", f"{TABLE}.query": "select 1", f"{TABLE}.table": "x"},
            "has both a query and a table",
        ),
        ({"delivery.to": "postgresql://me@host/x"}, "delivery.to (from overrides): 'postgresql:"),
        ({"delivery.to": "s3://key:secret@bucket/x"}, "'s3://***' must not contain a user or pass"),
        ({"delivery.to": "ftp://host/x"}, "'ftp://' leads nowhere. Name a folder, or as in postg"),
        ({"delivery.table": "a; drop table b"}, "should be the name of a table, such as predictio"),
    ],
)
def test_impossible_place_is_refused(overrides: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError) as info:
        load_settings(GAME, overrides)
    assert message in str(info.value)
    assert "secret" not in str(info.value)


def test_query_of_no_database_is_refused() -> None:
    settings = load_settings(GAME, {f"{TABLE}.path": "chars.csv", f"{TABLE}.query": "select 1"})
    with pytest.raises(SettingsError, match=f"{TABLE} has a query .* its path names no database"):
        raw_tables(settings)


@pytest.mark.parametrize(
    "to", ["exports", "s3://bucket/x", "postgresql://host/game?sslmode=require", "sqlite:///x.db"]
)
def test_places_of_deliveries(to: str) -> None:
    settings = load_settings(GAME, {"delivery.to": to, "delivery.table": "crm.churn.predictions"})
    assert (settings.delivery.to, settings.delivery.table) == (to, "crm.churn.predictions")


def test_runs_of_deployments_cannot_change_what_is_read_and_where_it_goes() -> None:
    fixed = set(operator_settings(load_settings(GAME)))
    assert {"delivery.to", "delivery.table"} < fixed
    assert {f"{TABLE}.{name}" for name in ("path", "query", "table")} < fixed
