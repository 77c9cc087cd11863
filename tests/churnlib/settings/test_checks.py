"""Whether tables fit each other, and features their tables."""

import pytest

from churnlib.settings import load_settings
from churnlib.settings.tables import NOT_TABLES, ROLES, TableKind
from tests.churnlib.settings.samples import Load, refusal

EVENTS = '[tables.logins]\nkind = "events"\ntime = "at"\ncolumns = { minutes = "number" }\n'
GEMS = '[tables.gems]\nkind = "history"\ncolumns = { gem_balance = "number" }\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[tables.players]\nkind = "entity"',
            "tables: character_data and players are of kind entity, of which a game has one table",
        ),
        (
            '[tables.sub_miss]\nkind = "history"',
            "tables: none is of kind misses, of which a game has one table",
        ),
        *(
            (f'[tables.{name}]\nkind = "history"', f"tables.{name}: a table cannot have this name")
            for name in NOT_TABLES
        ),
        (
            GEMS + '[tables.gems_rejected]\nkind = "history"',
            "tables.gems_rejected: a table cannot have this name",
        ),
        (
            '[tables.sub_data.columns]\nrace = "category"',
            "tables.sub_data.columns.race: character_data has a column of this name, too. Rename "
            "one of them, with rename",
        ),
        (
            "[raw.categories]\nrase = ['elf']",
            "raw.categories.rase: no such category. Did you mean 'race'?",
        ),
        (
            "[features.character_curency]\nlatest = []",
            "features.character_curency: there is no table of this name. Did you mean "
            "'character_currency'?",
        ),
        (
            EVENTS + '[features.logins]\nlatest = ["minutes"]',
            "features.logins: logins is of kind events, but these are the features of a history",
        ),
        (
            GEMS + '[features.gems]\nwindows = ["30d"]\ncount = true',
            "features.gems: gems is of kind history, but these are the features of events",
        ),
        (
            '[features.character_currency]\nlatest = ["hard_balanse"]',
            "features.character_currency.latest.0: character_currency has no column "
            "'hard_balanse' of kind number or flag. Did you mean 'hard_balance'?",
        ),
        (
            EVENTS + '[features.logins]\nwindows = ["30d"]\nby = { minutes = ["1"] }',
            "features.logins.by.minutes: logins has no column 'minutes' of kind category. "
            "Known: none.",
        ),
        (
            GEMS + '[features.gems]\nlatest_known = ["date"]',
            "features.gems.latest_known.0: gems has no column 'date' of kind number or flag. "
            "Known: gem_balance.",
        ),
    ],
)
def test_tables_and_features_that_do_not_fit_are_refused(
    load: Load, text: str, message: str
) -> None:
    path, _, problem = message.partition(": ")
    assert f"  {path} (from games/hawk.toml): {problem}" in refusal(load, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[tables.logins]\nkind = "events"',
            "  tables.logins (from games/hawk.toml): are events, so that `time` must name the "
            "column of their day or time",
        ),
        (
            '[tables.gems]\nkind = "history"\ntime = "at"',
            "  tables.gems (from games/hawk.toml): has time, which only events have, not a table "
            "of kind history",
        ),
        (
            "[tables.sub_miss]\nknown_after_days = 1",
            "  tables.sub_miss (from games/hawk.toml): has known_after_days, which only histories "
            "and events have",
        ),
        (
            "[tables.sub_miss]\nabsent = true",
            "  tables.sub_miss (from games/hawk.toml): cannot be absent: every game has a table of "
            "kind misses",
        ),
        (
            '[tables.character_data.columns]\nchar_id = "category"',
            "  tables.character_data (from games/hawk.toml): always has the column char_id, of "
            "kind id. Do not declare it",
        ),
        (
            '[tables.character_data.columns]\nrace = "colour"',
            "  tables.character_data.columns.race.kind (from games/hawk.toml): should be "
            "'category', 'number', 'flag', 'date', 'milestone' or 'undated', not 'colour'",
        ),
        (
            '[tables.logins]\nkind = "events"\ntime = "char_id"',
            "  tables.logins (from games/hawk.toml): has time = 'char_id', which is a column of "
            "another meaning",
        ),
        (
            EVENTS.replace("minutes", "at"),
            "  tables.logins (from games/hawk.toml): always has the column at, of kind date. Do "
            "not declare it",
        ),
        (
            GEMS.replace('"number"', '"undated"'),
            "  tables.gems (from games/hawk.toml): has the column gem_balance of kind undated, "
            "which only tables of kind entity or subscriptions have. Declare another kind, or "
            "remove the column",
        ),
        (
            '[tables.sub_data.columns]\ncancelled_on = "milestone"',
            "  tables.sub_data (from games/hawk.toml): has the column cancelled_on of kind "
            "milestone, which only tables of kind entity have. ",
        ),
        (
            "[tables.sub_data]\nknown_after_days = -1",
            "  tables.sub_data.known_after_days (from games/hawk.toml): ",
        ),
        (
            "[tables.sub_data]\nknown_after = 1",
            "  tables.sub_data.known_after (from games/hawk.toml): there is no such setting. Did "
            "you mean 'known_after_days'?",
        ),
    ],
)
def test_invalid_table_is_refused_with_its_path(load: Load, text: str, message: str) -> None:
    assert message in refusal(load, text)


def test_column_in_short_and_in_long_form_are_the_same(load: Load) -> None:
    short = load('[tables.character_data.columns]\nvip_level = "category"')
    long = load('[tables.character_data.columns]\nvip_level = { kind = "category" }')
    assert short == long
    assert list(short.tables["character_data"].declared) == [
        *("gender", "race", "creation_date", "vip_level"),
    ]


def test_null_removes_a_column(load: Load) -> None:
    settings = load('[tables.character_data.columns]\nrace = "null"')
    assert list(settings.tables["character_data"].declared) == ["gender", "creation_date"]


def test_absent_history_keeps_the_features_that_all_games_ask_for(load: Load) -> None:
    settings = load("[tables.character_currency]\nabsent = true")
    assert settings.tables["character_currency"].absent


@pytest.mark.parametrize("kind", ROLES)
def test_columns_of_a_kind_need_no_declaration(kind: TableKind) -> None:
    for table in load_settings("game1", environ={}).tables.values():
        if table.kind == kind:
            assert not table.roles.keys() & table.declared.keys()
