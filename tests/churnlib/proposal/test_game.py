"""Whole folders, as a telecom, a music shop or a game studio exports them."""

import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.proposal.game import propose
from churnlib.raw.tables import read_tables
from churnlib.settings.event_features import EventFeatures
from churnlib.settings.history_features import HistoryFeatures
from tests.churnlib.proposal.proposed import BASE, GAME, Proposed
from tests.churnlib.proposal.samples import music_shop, telecom, write

HOW_TO = Path(__file__).parents[3] / "docs" / "bring-your-own-game.md"
SAMPLES = Path(__file__).parents[3] / "data" / "01_raw"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Proposed:
    folder = tmp_path_factory.mktemp("shop")
    music_shop(folder)
    return Proposed.of(folder)


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory) -> Proposed:
    folder = tmp_path_factory.mktemp("phone")
    telecom(folder)
    return Proposed.of(folder)


def test_telecom_tables_are_found_by_their_ids(phone: Proposed) -> None:
    files = {placed.name: placed.file.name for placed in phone.proposal.tables}
    assert files == {
        "character_data": "customers.csv",
        "sub_data": "contracts.csv",
        "sub_miss": "failed_payments.csv",
        "usage": "usage.csv",
    }
    assert phone.settings.raw.id_type == "text"
    assert phone.table("sub_data").rename == {
        "Customer No": "char_id",
        "Contract": "sub_id",
        "Begin": "sub_start_date",
        "Term (Months)": "sub_months",
        "Monthly Fee": "price",
    }
    assert phone.table("sub_miss").rename == {
        "Contract": "sub_id",
        "First Month": "start_date",
        "Last Month": "end_date",
    }
    assert phone.missing == ""


def test_telecom_files_are_read_as_they_are_written(phone: Proposed) -> None:
    customers, misses = phone.table("character_data"), phone.table("sub_miss")
    assert (customers.separator, customers.decimal, customers.encoding) == (";", ",", "cp1252")
    assert customers.date_format == "%d.%m.%Y"
    assert (misses.separator, misses.decimal, misses.date_format) == (",", ".", None)
    tables = {name: table.collect() for name, table in read_tables(phone.settings).items()}
    assert {name: len(rows) for name, rows in tables.items()} == {
        placed.name: placed.file.rows for placed in phone.proposal.tables
    }
    assert tables["sub_data"]["price"].is_between(5, 55).all()


def test_documented_proposal_is_current(phone: Proposed) -> None:
    (shown,) = re.findall(r"```toml\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)
    text = phone.text.replace(str(phone.proposal.folder), "/srv/exports/telecom")
    assert [*_settings(shown)] == [*_settings(text.replace(f"game {GAME}", "game telecom"))]


def _settings(text: str) -> Iterator[str]:
    """The lines of a file but for those that are comments, whose breaks depend on the folder."""
    return (line for line in text.splitlines() if not re.match(r"#(?! *\d)", line))


def test_telecom_columns_have_kinds_that_cannot_leak(phone: Proposed) -> None:
    assert phone.kinds("character_data") == {
        "creation_date": "date",
        "Gender": "category",
        "Region": "category",
        "birth_date": "date",
        "Newsletter": "flag",
        "household_size": "undated",
        "loyalty_since": "milestone",
    }
    assert phone.comment("household_size") == "as of the extract; a number if it never changes"
    assert phone.comment("Street") == "900 different texts"
    assert '# "Churn Reason" is not used: may tell who churned' in phone.text
    assert phone.kinds("usage") == {"Minutes": "number", "Gigabytes": "number", "Roaming": "flag"}
    features = phone.settings.features.tables["usage"]
    assert isinstance(features, HistoryFeatures)
    assert features.latest == ("Minutes", "Gigabytes", "Roaming")
    assert phone.table("usage").every == "month"
    assert phone.table("character_currency").absent
    assert phone.settings.evaluation.segments == ("Tariff", "Gender", "Region")


def test_music_shop_has_events_instead_of_a_history(shop: Proposed) -> None:
    purchases = shop.table("purchases")
    assert (purchases.kind, purchases.time) == ("events", "bought_at")
    assert shop.kinds("purchases") == {
        "amount": "number",
        "format": "category",
        "title": "category",
    }
    assert shop.comment("invoice") == "seems to be the id of the event"
    features = shop.settings.features.tables["purchases"]
    assert isinstance(features, EventFeatures)
    assert features.windows == ("30d", "6mo")
    assert features.count and features.days_since_last
    assert set(features.by["format"]) == {
        "cd",
        "mp3",
        "vinyl",
    }
    assert features.distinct == ("title",)
    assert [(a.columns, a.functions) for a in features.aggregations] == [(("amount",), ("sum",))]
    assert {name: len(t.collect()) for name, t in read_tables(shop.settings).items()} == {
        placed.name: placed.file.rows for placed in shop.proposal.tables
    }


def test_windows_have_enough_churners_in_training_and_scoring(shop: Proposed) -> None:
    chosen = shop.proposal.fitting.chosen
    assert chosen is not None
    assert chosen.rarer >= BASE.champion.min_outcomes
    assert shop.settings.horizon_months == chosen.horizon_months
    train, score = shop.settings.windows.train, shop.settings.windows.score
    assert isinstance(train.end, int) and isinstance(score.start, int)
    assert train.end + chosen.horizon_months <= score.start
    assert f"{chosen.churned[1]:,} {sum((chosen.churned[1], chosen.stayed[1])):>6,}  <- these" in (
        shop.text
    )


@pytest.mark.parametrize("game", ["game1", "game2"])
@pytest.mark.slow
def test_sample_game_has_nothing_of_its_own(game: str) -> None:
    proposed = Proposed.of(SAMPLES / game, in_raw_folder=True)
    assert proposed.tree.keys() == {"description"}
    assert proposed.missing == ""
    assert not proposed.proposal.unplaced


def test_sample_game_with_other_names_has_the_same_kinds(tmp_path: Path) -> None:
    names = {
        "character_data": ("heroes", {"char_id": "hero", "territory": "realm"}),
        "character_currency": ("purse", {"char_id": "hero_no", "date": "of_month"}),
        "sub_data": ("abos", {"sub_id": "abo", "char_id": "hero", "sub_start_date": "signed"}),
        "sub_miss": ("lapses", {"sub_id": "abo", "start_date": "first", "end_date": "last"}),
    }
    for table, (file, rename) in names.items():
        rows = pl.read_csv(SAMPLES / "game1" / f"{table}.csv", infer_schema=False)
        rows.rename(rename).write_csv(tmp_path / f"{file}.csv")
    proposed = Proposed.of(tmp_path)
    kinds = {n: c.kind for n, c in BASE.tables["character_data"].declared.items()}
    assert proposed.kinds("character_data") == {
        **{name: kind for name, kind in kinds.items() if name != "territory"},
        "realm": "category",
    }
    assert proposed.kinds("sub_data") == {
        n: c.kind for n, c in BASE.tables["sub_data"].declared.items()
    }
    for table, (file, rename) in names.items():
        own = file if table == "character_currency" else table
        theirs = {v: k for k, v in rename.items() if v != "realm"}
        assert proposed.table(own).rename == theirs
        assert proposed.table(own).path == str(tmp_path / f"{file}.csv")
    assert proposed.settings.windows == BASE.windows


def test_folder_without_tables_is_refused_with_the_reason_of_each_file(tmp_path: Path) -> None:
    (tmp_path / "notes.docx").write_bytes(b"PK\x03\x04")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "rates.csv").write_text("country,rate\nDE,1\nFR,2\n")
    (tmp_path / "days.csv").write_text("day,rate\n2024-01-31,1.5\n")
    (tmp_path / "x.parquet").write_text("a,b")
    (tmp_path / "data.csv").write_text("1,2024-01-31\n2,2024-01-31\n")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError) as raised:
        propose(GAME, tmp_path, BASE)
    assert str(raised.value).splitlines() == [
        f"no file in {tmp_path} is a table of a game.",
        "  days.csv has no column that shares its values with the id of a character",
        "  rates.csv has no column that shares its values with the id of a character",
        "  empty.csv is empty",
        "  folder has no CSV or Parquet files",
        "  notes.docx is no CSV or Parquet file",
        "  x.parquet is not of the format that its name says",
        "  data.csv has no header: add a first line with the names of the columns",
    ]


def test_file_that_is_no_table_is_named_with_the_reason(tmp_path: Path) -> None:
    music_shop(tmp_path, members=200)
    write(tmp_path / "countries.csv", "code|name", [["DE", "Germany"], ["FR", "France"]])
    write(tmp_path / "rates.csv", "year|rate", [[2023, 1.5], [2024, 1.75]])
    proposed = Proposed.of(tmp_path)
    assert proposed.proposal.unplaced.keys() == {"countries.csv", "rates.csv"}
    assert "# - rates.csv has no column that shares its values with id" in proposed.text
