"""A rule that is added to a table's record holds in every reader, and is named in its own words."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.io.datasets import Dataset
from churnlib.raw.read_clean import UncleanError
from churnlib.schemas.spec import TableSpec, kind_of
from tests.base import raw_tables
from tests.churnlib.raw.samples import AMPLE, FORMATS, GOOD, ROW, Rows, prepare, write
from tests.variants import slow_but


def no_ghosts() -> pl.Expr:
    """A character that was killed must have killed somebody.

    This second paragraph is for readers of the code.
    """
    return (pl.col("total_deaths") == 0) | (pl.col("total_kills") > 0)


def unnamed_rule() -> pl.Expr:
    return pl.col("total_kills") != 13


def even(value: pl.Expr) -> pl.Expr:
    """Must be an even number."""
    return value % 2 == 0


def with_rule(rule: Callable[[], pl.Expr]) -> TableSpec:
    spec = raw_tables()["character_data"]
    return replace(spec, rules=(*spec.rules, rule))


def with_bound(table: str, column: str, **bound: Any) -> TableSpec:
    spec = raw_tables()[table]
    bounded = spec.columns[column].with_properties(**bound)
    return replace(spec, columns={**spec.columns, column: bounded})


def parent_of(spec: TableSpec) -> Rows | None:
    return GOOD[spec.required_parent.table] if spec.required_parent else None


def is_clean(source: Dataset, spec: TableSpec, memory: int = AMPLE) -> bool:
    """Whether the fast reader takes a table."""
    try:
        prepare(source, spec, "clean", parent=parent_of(spec), memory=memory)
    except UncleanError:
        return False
    return True


def refusal(source: Dataset, spec: TableSpec, memory: int = AMPLE) -> str | None:
    """The message of the careful reader; None if it takes the table."""
    try:
        prepare(source, spec, "careful", parent=parent_of(spec), memory=memory)
    except DataError as error:
        return str(error)
    return None


CASES = [
    (
        with_rule(no_ghosts),
        {"total_kills": 0, "total_deaths": 2},
        "A character that was killed must have killed somebody",
        ": total_deaths 2, total_kills 0",
    ),
    (with_rule(unnamed_rule), {"total_kills": 13}, "unnamed rule", ": 13"),
    *(
        (with_bound("sub_data", "sub_months", **bound), {"sub_months": value}, text, f": {value}")
        for bound, value, text in (
            ({"min": 1}, 0, "sub_months must be at least 1"),
            ({"max": 12}, 13, "sub_months must be at most 12"),
            ({"min_exclusive": 0}, 0, "sub_months must be greater than 0"),
            ({"max_exclusive": 24}, 24, "sub_months must be less than 24"),
            ({"is_in": [1, 6, 12]}, 7, "sub_months must be one of 1, 6, 12"),
            ({"check": {"even": even}}, 7, "sub_months must be an even number"),
            ({"check": even}, 7, "sub_months must be an even number"),
            ({"check": [even]}, 7, "sub_months must be an even number"),
            ({"check": lambda value: value < 9}, 9, "sub_months must pass check"),
        )
    ),
    (
        with_bound("sub_data", "sub_type", regex="^[a-z]+$"),
        {"sub_type": "x1"},
        "sub_type must match ^[a-z]+$",
        ": x1",
    ),
    (
        with_bound("character_currency", "hard_balance", min=0.0),
        {"hard_balance": -1.0},
        "hard_balance must be at least 0.0",
        ": -1.0",
    ),
    (
        with_bound("character_currency", "hard_balance", nullable=False),
        {"hard_balance": None},
        "hard_balance must not be empty",
        "",
    ),
    (
        with_bound("sub_miss", "end_date", check={"first": raw_tables()["character_currency"]
                   .columns["date"].check["first_of_month"]}),  # type: ignore[call-overload, index]
        {"end_date": ROW["sub_miss"]()["end_date"].replace(day=2)},
        "end_date must be the first day of a month",
        ": 2024-04-02",
    ),
]  # fmt: skip


@pytest.mark.parametrize("form", slow_but("csv", of=FORMATS))
@pytest.mark.parametrize("case", CASES, ids=lambda case: case[2])
def test_both_readers_hold_an_added_rule_and_name_it(
    case: tuple[TableSpec, dict[str, Any], str, str], form: str, tmp_path: Path
) -> None:
    stricter, broken, text, values = case
    good = GOOD[stricter.name]
    source = write(tmp_path, stricter.name, [{**good[0], **broken}, *good[1:]], form)
    where = "line 2" if form == "csv" else "row 1"
    usual = raw_tables()[stricter.name]
    assert is_clean(source, usual)
    assert refusal(source, usual) is None
    memory = AMPLE if form == "csv" else 0
    assert not is_clean(source, stricter, memory)
    message = refusal(source, stricter, memory)
    assert message is not None
    assert f"\n  {text}: 1 row ({where}{values})\n" in message


@pytest.mark.parametrize("spec", raw_tables().values(), ids=lambda spec: spec.name)
def test_rows_that_hold_an_added_rule_are_taken_by_both_readers(
    spec: TableSpec, tmp_path: Path
) -> None:
    ids = [name for name, column in spec.columns.items() if kind_of(column) == "id"]
    columns = {n: spec.columns[n].with_properties(min=1, max=10**6) for n in ids}
    stricter = replace(spec, columns={**spec.columns, **columns})
    source = write(tmp_path, spec.name, GOOD[spec.name])
    assert is_clean(source, stricter)
    assert refusal(source, stricter) is None


def test_a_rule_across_rows_is_refused_where_it_is_declared() -> None:
    with pytest.raises(ValueError, match="sub_data: only the key can be unique, not price"):
        with_bound("sub_data", "price", unique=True)


def test_a_rule_that_a_null_leaves_open_holds(tmp_path: Path) -> None:
    spec = with_bound("character_data", "class_mastery_date", min=ROW["character_data"]()
                      ["creation_date"])  # fmt: skip
    assert isinstance(spec.columns["class_mastery_date"], dy.Date)
    rows = [{**row, "class_mastery_date": None} for row in GOOD["character_data"]]
    source = write(tmp_path, "character_data", rows)
    assert is_clean(source, spec)
    assert refusal(source, spec) is None
