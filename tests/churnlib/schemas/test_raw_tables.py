"""The records of the raw tables, and what follows from them."""

from collections import Counter

import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.schemas.declared import SHOWN_CATEGORIES, one_of
from churnlib.schemas.outputs import all_tables
from churnlib.schemas.rule_texts import rule_texts
from churnlib.schemas.spec import TableSpec, kind_of
from churnlib.settings import RawSettings
from churnlib.settings.tables import ONE_OF_EACH
from tests.base import HISTORY, declared, output_tables, raw_tables

each_table = pytest.mark.parametrize("spec", raw_tables().values(), ids=lambda spec: spec.name)


def test_there_is_a_table_of_each_kind_that_a_game_must_have() -> None:
    kinds = Counter(spec.kind for spec in raw_tables().values())
    assert {kind: kinds[kind] for kind in ONE_OF_EACH} == dict.fromkeys(ONE_OF_EACH, 1)
    assert raw_tables()[HISTORY] in raw_tables().activity


@each_table
def test_a_table_follows_the_one_that_it_must_refer_to(spec: TableSpec) -> None:
    names = list(raw_tables())
    if spec.required_parent:
        parent = raw_tables()[spec.required_parent.table]
        assert names.index(parent.name) < names.index(spec.name)
        assert spec.required_parent.column in parent.key
    assert raw_tables().with_parents([spec])[-1] is spec


@each_table
def test_a_record_names_only_columns_that_there_are(spec: TableSpec) -> None:
    checked = set(spec.checked_types)
    assert set(spec.order) <= checked
    assert set(spec.key) <= set(spec.order)
    assert set(spec.known_on.meta.root_names()) <= checked
    parent = raw_tables()[spec.parent.table] if spec.parent else None
    for warning in spec.warnings:
        assert set(warning.parent_columns) <= set(parent.checked_types if parent else ())
        types = {name: parent.checked_types[name] for name in warning.parent_columns if parent}
        beside = pl.DataFrame(schema={**spec.checked_types, **types})
        if warning.beside:
            assert parent is not None
            beside = warning.beside(beside, pl.DataFrame(schema=parent.checked_types))
        assert set(warning.rows.meta.root_names()) <= {*beside.columns}
        if warning.known_on is not None:
            assert set(warning.known_on.meta.root_names()) <= {*beside.columns}


@each_table
def test_every_column_has_a_kind_and_a_description(spec: TableSpec) -> None:
    assert all(kind_of(column) and column.description for column in spec.columns.values())


@pytest.mark.parametrize("name", all_tables(declared()))
def test_text_ids_are_text_in_every_table(name: str) -> None:
    texts = all_tables(declared(RawSettings(id_type="text")))[name]
    whole = all_tables(declared())[name]
    assert texts.key == whole.key
    assert list(texts.columns) == list(whole.columns)
    for column, dtype in texts.types.items():
        expected = pl.String() if column in raw_tables().ids else whole.types[column]
        assert dtype == expected


def test_a_closed_list_is_a_rule_of_its_column() -> None:
    tables = raw_tables(RawSettings(categories={"race": ("elf", "human")}))
    assert "race must be one of raw.categories: elf, human" in rule_texts(tables.characters)
    assert not any("race" in text for text in rule_texts(raw_tables().characters))


def test_a_long_closed_list_is_cut_in_messages() -> None:
    names = tuple(f"c{n:02}" for n in range(SHOWN_CATEGORIES + 1))
    text = one_of(names).__doc__ or ""
    assert text.endswith(f"{names[-2]} and 1 more.")
    assert names[-1] not in text


def test_tables_are_made_once_for_the_same_settings() -> None:
    closed = {"race": ("elf",)}
    first = RawSettings.model_validate({"categories": closed})
    second = RawSettings.model_validate({"categories": closed, "on_bad_rows": "quarantine"})
    assert raw_tables(first) is raw_tables(second)
    assert raw_tables(first) is not raw_tables()
    assert output_tables(first) is output_tables(second)


def test_an_unknown_table_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(DataError, match=r"no raw table 'sub_mis'. Did you mean 'sub_miss'"):
        raw_tables()["sub_mis"]
