"""The records of tables that a game declares itself."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

from churnlib.schemas.outputs import output_tables
from churnlib.schemas.raw_tables import RawTables, declared_for, raw_tables
from churnlib.schemas.spec import TableSpec
from churnlib.settings import Settings, load_settings
from tests.base import HISTORY

GEMS = {"kind": "history", "columns": {"gem_balance": "number"}}
PLAY = {"kind": "history", "every": "day", "columns": {"minutes": "number"}}
LOGINS = {
    "kind": "events",
    "time": "at",
    "columns": {"minutes": "number", "platform": "category", "is_party": "flag"},
}


def game(**tables: Any) -> Settings:
    """The settings of a game with tables of its own."""
    changes = {f"tables.{name}": value for name, value in tables.items()}
    return load_settings("game1", changes, local=False, environ={})


def tables(**own: Any) -> RawTables:
    return raw_tables(game(**own))


def characters(**columns: Any) -> Settings:
    """The settings of a game whose characters have other columns; None removes one."""
    changed = {name: "null" if kind is None else kind for name, kind in columns.items()}
    return game(character_data={"columns": changed})


def types(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {name: str(column.dtype) for name, column in columns.items()}


def known_on(spec: TableSpec, **row: Any) -> date:
    day = pl.DataFrame({name: [value] for name, value in row.items()}).select(spec.known_on)
    found = day.item()
    assert isinstance(found, date)
    return found


def test_second_monthly_history_has_the_rules_of_the_first() -> None:
    first, second = tables(gems=GEMS)[HISTORY], tables(gems=GEMS)["gems"]
    assert (second.key, second.order, second.dated) == (("char_id", "date"),) * 2 + ("date",)
    assert list(second.columns) == ["char_id", "date", "gem_balance"]
    assert second.columns["date"].check is not None  # The first day of a month.
    texts = {warning.text for warning in second.warnings}
    assert {"months missing before a row", "row before its character's creation"} <= texts
    assert second.parent == first.parent


def test_daily_history_may_have_any_day_and_gaps() -> None:
    play = tables(play=PLAY)["play"]
    assert play.columns["date"].check is None
    assert play.order == ("char_id", "date")
    assert "months missing before a row" not in {warning.text for warning in play.warnings}


def test_day_of_a_daily_history_is_compared_with_the_day_of_creation() -> None:
    rows = pl.DataFrame({"date": [date(2024, 3, 4)], "creation_date": [date(2024, 3, 5)]})
    own = tables(play=PLAY, gems=GEMS)
    text = "row before its character's creation"
    (daily,), (monthly,) = (
        [warning for warning in own[name].warnings if warning.text == text]
        for name in ("play", "gems")
    )
    assert rows.select(daily.rows).item() is True
    assert rows.select(monthly.rows).item() is False  # The month of the creation.


def test_events_have_a_time_and_no_key() -> None:
    logins = tables(logins=LOGINS)["logins"]
    assert logins.key == ()
    assert logins.dated == "at"
    assert logins.order == ("char_id", "at", "minutes", "platform", "is_party")
    assert types(logins.columns) == {
        "char_id": "Int64",
        "at": "Datetime(time_unit='us', time_zone=None)",
        "minutes": "Float64",
        "platform": "String",
        "is_party": "Boolean",
    }
    assert known_on(logins, at=datetime(2024, 2, 28, 23, 59)) == date(2024, 2, 28)
    assert {warning.text for warning in logins.warnings} == {
        "event before its character's creation"
    }
    assert logins.parent is not None
    assert logins.parent.unknown == "event of an unknown character"


@pytest.mark.parametrize("days", [0, 1, 3])
def test_known_after_days_moves_the_day_on_which_facts_are_known(days: int) -> None:
    own = tables(
        gems={**GEMS, "known_after_days": days},
        logins={**LOGINS, "known_after_days": days},
    )
    known = date(2024, 2, 28 + days) if days < 2 else date(2024, 3, days - 1)
    assert known_on(own["gems"], date=date(2024, 2, 28)) == known
    assert known_on(own["logins"], at=datetime(2024, 2, 28, 12)) == known


def test_missed_month_is_known_on_the_first_day_of_the_next() -> None:
    own = tables()
    assert known_on(own["sub_miss"], start_date=date(2024, 2, 1)) == date(2024, 3, 1)
    assert known_on(own["sub_data"], sub_start_date=date(2024, 2, 28)) == date(2024, 2, 28)


def test_tables_follow_those_that_they_refer_to() -> None:
    names = list(tables(play=PLAY, logins=LOGINS, gems=GEMS))
    assert names == [
        *("character_data", HISTORY, "play", "gems"),
        *("logins", "sub_data", "sub_miss"),
    ]


def test_absent_table_is_none_of_the_game() -> None:
    own = tables(**{HISTORY: {"absent": True}})
    assert HISTORY not in own
    assert own.activity == ()


def test_game_without_creation_has_no_warnings_about_it() -> None:
    own = raw_tables(characters(creation_date=None))
    assert "creation_date" not in own.characters.columns
    assert not any("creation" in w.text for spec in own.specs for w in spec.warnings)
    day = own.characters.known_on
    assert pl.DataFrame({"char_id": [1]}).select(day).item() <= date(1900, 1, 1)


def test_standard_features_follow_the_declared_columns() -> None:
    usual = output_tables(characters())["standard_features"].columns
    own = characters(
        race=None,
        class_mastery_date=None,
        vip_since="date",
        guild_joined="milestone",
        is_vip="flag",
    )
    columns = output_tables(own)["standard_features"].columns
    assert usual.keys() - columns.keys() == {"race", "is_mastered", "months_to_mastery"}
    assert columns.keys() - usual.keys() == {
        *("is_vip", "vip_since", "vip_since_months"),
        *("is_guild_joined", "months_to_guild_joined"),
    }
    assert columns["vip_since"].nullable  # Where it is after the start.


def test_features_of_the_creation_and_the_price_go_with_them() -> None:
    usual = output_tables(characters())["standard_features"].columns
    without = output_tables(characters(creation_date=None))["standard_features"].columns
    assert usual.keys() - without.keys() == {
        *("creation_date", "age_at_sub_months", "months_to_mastery"),
    }
    free = output_tables(game(sub_data={"columns": {"price": "null"}}))["standard_features"].columns
    assert usual.keys() - free.keys() == {"price", "expected_revenue"}


def test_record_of_a_table_depends_on_those_that_it_refers_to_alone() -> None:
    one, other = game(gems=GEMS), game(gems=GEMS, logins=LOGINS)
    spec = raw_tables(one)["gems"]
    assert declared_for(one, spec) == declared_for(other, spec)
    assert raw_tables(declared_for(one, spec))["gems"].columns.keys() == spec.columns.keys()
