"""Single files: what their values are, how they are written, and what they lack."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from churnlib.proposal.columns import Column
from churnlib.proposal.describe import describe
from churnlib.proposal.sources import find_sources, open_source
from churnlib.proposal.text_format import TextFormat, text_format
from tests.churnlib.proposal.proposed import Proposed
from tests.churnlib.proposal.samples import music_shop


def column(folder: Path, cells: Sequence[str]) -> Column:
    """The facts of a column."""
    (folder / "file.csv").write_text("\n".join(["value;other", *(f'"{c}";x' for c in cells)]))
    (source,), _ = find_sources(folder)
    return describe(open_source(source)).columns["value"]


@pytest.mark.parametrize(
    ("cells", "type_", "date_format", "least"),
    [
        (["1", "20", "-3"], "whole", None, -3),
        (["001", "020"], "text", None, "001"),
        (["1.5", "2", "1e3"], "number", None, 1.5),
        (["1,5", "2"], "number", None, 1.5),
        (["yes", "No", ""], "flag", None, False),
        (["f", "m"], "text", None, "f"),
        (["0", "1"], "whole", None, 0),
        (["2024-01-31", "2024-02-01T00:00:00Z"], "time", None, date(2024, 1, 31)),
        (["31.12.2024", "1.1.2025"], "time", "%d.%m.%Y", date(2024, 12, 31)),
        (["12/31/2024", "1/2/2025"], "time", "%m/%d/%Y", date(2024, 12, 31)),
        (["31/12/2024 18:30", "01/02/2025 07:05"], "time", "%d/%m/%Y %H:%M", date(2024, 12, 31)),
        (["20240131", "20240229"], "time", "%Y%m%d", date(2024, 1, 31)),
        (["20240131", "20240231"], "whole", None, 20240131),
        (["2024-01", "2024-12"], "month", None, "2024-01"),
        (["5551 234", "5552 111"], "text", None, "5551 234"),
        (["3 months", "12 months"], "text", None, "12 months"),
        (["1.5", "N/A", "2.5"], "number", None, 1.5),
        (["2024-01-31", "0000-00-00", "9999-12-31"], "time", None, date(2024, 1, 31)),
    ],
)
def test_type_of_a_column_is_found(
    tmp_path: Path, cells: Sequence[str], type_: str, date_format: str | None, least: object
) -> None:
    found = column(tmp_path, cells)
    assert (found.type, found.reader.date_format) == (type_, date_format)
    assert (found.least.date() if found.type == "time" else found.least) == least
    assert found.faults == 0


def test_months_written_day_first_or_month_first_are_firsts_of_months(tmp_path: Path) -> None:
    first = column(tmp_path, ["01/02/2024", "01/03/2024", "01/04/2024"])
    assert (first.reader.date_format, first.is_months) == ("%d/%m/%Y", True)
    second = column(tmp_path, ["02/01/2024", "03/01/2024", "04/01/2024"])
    assert (second.reader.date_format, second.is_months) == ("%m/%d/%Y", True)
    assert first.is_ambiguous and second.is_ambiguous


def test_value_after_the_sample_changes_the_type(tmp_path: Path) -> None:
    found = column(tmp_path, ["01/02/2024"] * 6_000 + ["01/31/2024"])
    assert (found.reader.date_format, found.is_ambiguous) == ("%m/%d/%Y", False)
    found = column(tmp_path, [str(n) for n in range(6_000)] + ["7.5"] * 100)
    assert found.type == "number"


def test_few_faults_do_not_make_numbers_text(tmp_path: Path) -> None:
    found = column(tmp_path, [f"{n}.5" for n in range(1_000)] + ["oops"])
    assert (found.type, found.faults, found.nulls) == ("number", 1, 0)
    assert column(tmp_path, ["1.5", "oops"] * 10).type == "text"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a;b\n1,5;2\n", TextFormat("utf-8", ";")),
        ("\ufeffa\tb\nx, y\tz, w\n".encode(), TextFormat("utf-8", "\t")),
        ("a,b\nMüller,2\n".encode("cp1252"), TextFormat("cp1252", ",")),
        ("a|b\nü|2\n".encode("utf-16"), TextFormat("utf-16", "|")),
        (b'a,b\n"x;y;z",2\n', TextFormat("utf-8", ",")),
    ],
)
def test_text_is_read_as_it_is_written(
    tmp_path: Path, content: bytes, expected: TextFormat
) -> None:
    (tmp_path / "file.csv").write_bytes(content)
    assert text_format([tmp_path / "file.csv"]) == expected


def test_parts_are_one_table(tmp_path: Path) -> None:
    for month in (1, 2):
        rows = pl.DataFrame({"hero": [1, 2], "at": [f"2024-0{month}-05 18:30"] * 2})
        rows.write_csv(tmp_path / f"logins_2024-0{month}.csv")
        (tmp_path / "play" / f"month={month}").mkdir(parents=True)
        rows.write_parquet(tmp_path / "play" / f"month={month}" / "0.parquet")
    (tmp_path / "level1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "level2.csv").write_text("c,d\n1,2\n")
    sources, skipped = find_sources(tmp_path)
    assert {source.name: len(source.files) for source in sources} == {
        "level1.csv": 1,
        "level2.csv": 1,
        "logins_*.csv": 2,
        "play": 2,
    }
    assert [source.stem for source in sources] == ["level1", "level2", "logins", "play"]
    assert not skipped


def shop_without(folder: Path, file: str, *columns: str) -> Proposed:
    """A shop one of whose files lacks some columns."""
    music_shop(folder, members=200)
    rows = pl.read_csv(folder / file, infer_schema=False)
    (folder / file).unlink()
    if columns:
        rows.drop(columns).write_csv(folder / file)
    return Proposed.of(folder)


def test_missing_misses_are_said_and_the_rest_is_proposed(tmp_path: Path) -> None:
    proposed = shop_without(tmp_path, "skipped_months.csv")
    assert proposed.missing.startswith("Missed months: no file refers to the id of a subscription")
    assert "# - Missed months: " in proposed.text
    assert proposed.table("purchases").kind == "events"
    assert proposed.table("sub_data").rename["plan_id"] == "sub_id"


def test_missing_term_is_said_with_what_to_prepare(tmp_path: Path) -> None:
    proposed = shop_without(tmp_path, "plans.csv", "months")
    assert "plans.csv: sub_months: no column has the whole number of months" in proposed.missing
    rows = pl.read_csv(tmp_path / "plans.csv").with_columns(term=pl.lit("3 months"))
    rows.write_csv(tmp_path / "plans.csv")
    proposed = Proposed.of(tmp_path)
    assert "Prepare it from term, which is text such as '3 months'." in proposed.missing
    rows = rows.with_columns(term=pl.lit(30) * pl.int_range(pl.len()).mod(5).add(1))
    rows.write_csv(tmp_path / "plans.csv")
    proposed = Proposed.of(tmp_path)
    assert "term is 30 to 150, in days? Convert it to months." in proposed.missing


def test_start_with_times_is_said_with_what_to_prepare(tmp_path: Path) -> None:
    music_shop(tmp_path, members=200)
    rows = pl.read_csv(tmp_path / "plans.csv").with_columns(pl.col("start_date") + " 18:30:00")
    rows.write_csv(tmp_path / "plans.csv")
    assert Proposed.of(tmp_path).missing == (
        "plans.csv: sub_start_date: no column has a day in every row. start_date has times of day: "
        "write the days alone."
    )


def test_names_that_mean_something_else_are_replaced(tmp_path: Path) -> None:
    music_shop(tmp_path, members=200)
    members = pl.read_csv(tmp_path / "members.csv")
    members.rename({"country": "sub_number", "favourite_genre": "tariff"}).write_csv(
        tmp_path / "members.csv"
    )
    plans = pl.read_csv(tmp_path / "plans.csv")
    plans.with_columns(tariff=pl.lit("a"), **{"2nd line": pl.lit(1.5)}).write_csv(
        tmp_path / "plans.csv"
    )
    proposed = Proposed.of(tmp_path)
    assert proposed.table("character_data").rename["sub_number"] == "members_sub_number"
    assert proposed.table("sub_data").rename["tariff"] == "plans_tariff"
    assert proposed.table("sub_data").rename["2nd line"] == "c_2nd_line"


def test_words_and_days_that_mean_null_become_settings(tmp_path: Path) -> None:
    music_shop(tmp_path, members=200)
    plans = pl.read_csv(tmp_path / "plans.csv", infer_schema=False)
    price = pl.when(pl.int_range(pl.len()) == 7).then(pl.lit("n/a")).otherwise("price")
    plans.with_columns(price.alias("price")).write_csv(tmp_path / "plans.csv")
    members = pl.read_csv(tmp_path / "members.csv", infer_schema=False)
    never = pl.when(pl.int_range(pl.len()) < 9).then(pl.lit("9999-12-31")).otherwise("signup_date")
    members.with_columns(left_on=never).write_csv(tmp_path / "members.csv")
    proposed = Proposed.of(tmp_path)
    assert "n/a" in proposed.settings.raw.null_values
    assert "NULL" in proposed.settings.raw.null_values
    assert proposed.kinds("sub_data")["price"] == "number"
    assert proposed.table("sub_data").declared["price"].nullable


def test_subscriptions_of_unknown_characters_are_kept(tmp_path: Path) -> None:
    music_shop(tmp_path, members=200)
    members = pl.read_csv(tmp_path / "members.csv")
    members.filter(pl.col("id") % 10 > 0).write_csv(tmp_path / "members.csv")
    proposed = Proposed.of(tmp_path)
    assert proposed.settings.raw.unknown_parent == "keep"
    comment = proposed.comment("unknown_parent")
    assert comment.endswith("of the subscriptions are of unknown characters")


def test_daily_rows_are_a_history_only_where_they_are_regular(tmp_path: Path) -> None:
    music_shop(tmp_path, members=60)
    days = pl.date_range(date(2024, 1, 1), date(2024, 2, 29), "1d", eager=True)
    rows = pl.DataFrame({"member_id": range(60)}).join(days.to_frame("on_day"), how="cross")
    rows = rows.with_columns(minutes=pl.int_range(pl.len()).mod(90))
    rows.write_csv(tmp_path / "play.csv")
    sparse = rows.filter((pl.int_range(pl.len()) ** 2).mod(11) < 3)
    sparse.write_parquet(tmp_path / "visits.parquet")
    proposed = Proposed.of(tmp_path)
    assert (proposed.table("play").kind, proposed.table("play").every) == ("history", "day")
    assert (proposed.table("visits").kind, proposed.table("visits").time) == ("events", "on_day")
