"""Raw tables whose files have other names, separators, marks and encodings than usual."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.io.datasets import Dataset
from churnlib.raw.opening import undeclared_columns
from churnlib.raw.read_clean import UncleanError
from churnlib.schemas.spec import TableSpec
from tests.churnlib.raw.declared import LOGIN, LOGINS, read_by, read_by_both, reading, write_logins
from tests.churnlib.raw.samples import READERS

HEADER = ",".join(LOGINS.columns)
PLAIN = f"{HEADER}\n1,2024-05-06 07:08:09,2024-05-01,12.5,pc,true\n"


def refused(source: Dataset, spec: TableSpec) -> str:
    with pytest.raises(DataError) as caught:
        read_by(source, spec, "careful")
    return str(caught.value)


def test_a_plain_file_of_declared_columns_is_read_by_both_readers(tmp_path: Path) -> None:
    assert read_by_both(write_logins(tmp_path, PLAIN), LOGINS).to_dicts() == [LOGIN]


@pytest.mark.parametrize("separator", [";", "\t", "|", " "])
def test_values_between_other_separators(separator: str, tmp_path: Path) -> None:
    text = PLAIN.replace(" ", "T").replace(",", separator)
    spec = reading(separator=separator)
    assert read_by_both(write_logins(tmp_path, text), spec).to_dicts() == [LOGIN]
    quoted = text + text.splitlines()[1].replace("pc", f'"p{separator}""c"').replace("1", "2", 1)
    rows = read_by(write_logins(tmp_path, quoted), spec, "careful")
    assert rows["platform"].to_list() == ["pc", f'p{separator}"c']


def test_lines_with_other_separators_are_named_where_fields_are_missing(tmp_path: Path) -> None:
    text = PLAIN.replace(",", ";") + "\n\n2;x\n" + '3;2024-05-06;;1;"a;b";;;\n'
    message = refused(write_logins(tmp_path, text), reading(separator=";"))
    assert (
        "every line must have as many fields as the header: 2 rows (line 5: 2; line 6: 8)"
        in message
    )


def test_stray_quotes_are_found_between_other_separators(tmp_path: Path) -> None:
    text = PLAIN.replace(",", ";") + '2;2024-05-06;;1;p"c;\n'
    message = refused(write_logins(tmp_path, text), reading(separator=";"))
    assert "because of stray quotes: line 3, column platform" in message


def test_stray_quotes_name_the_column_of_the_file(tmp_path: Path) -> None:
    text = PLAIN.replace("platform", "os") + '2,2024-05-06,,1,p"c,\n'
    message = refused(write_logins(tmp_path, text), reading(rename={"os": "platform"}))
    assert "because of stray quotes: line 3, column os (platform)" in message


@pytest.mark.parametrize(("mark", "shown"), [(";", '";"'), ("\t", r'"\t"'), ("|", '"|"')])
def test_another_separator_names_the_setting(mark: str, shown: str, tmp_path: Path) -> None:
    for reader in READERS:
        with pytest.raises(DataError) as caught:
            read_by(write_logins(tmp_path, PLAIN.replace(",", mark)), LOGINS, reader)
        assert f"Set tables.logins.separator = {shown}." in str(caught.value)
    message = refused(write_logins(tmp_path, PLAIN), reading(separator=";"))
    assert 'Set tables.logins.separator = ",".' in message


@pytest.mark.parametrize(
    ("text", "value"), [("12,5", 12.5), ("-0,25", -0.25), ("7", 7.0), ("1e3", 1000.0), ("", None)]
)
def test_numbers_with_decimal_commas(text: str, value: float | None, tmp_path: Path) -> None:
    lines = PLAIN.replace(",", ";").replace("12.5", text)
    rows = read_by_both(write_logins(tmp_path, lines), reading(separator=";", decimal=","))
    assert rows["minutes"].to_list() == [value]


def test_a_point_where_the_decimal_mark_is_a_comma_is_refused(tmp_path: Path) -> None:
    for text in ("1.234", "1.234,5"):
        source = write_logins(tmp_path, PLAIN.replace(",", ";").replace("12.5", text))
        spec = reading(separator=";", decimal=",")
        with pytest.raises(UncleanError):
            read_by(source, spec, "clean")
        message = refused(source, spec)
        assert f"minutes must be a number: 1 row (line 2: {text})" in message
        assert f"'{text}' in minutes has a point, but tables.logins.decimal is a comma." in message


def test_a_decimal_comma_names_the_setting(tmp_path: Path) -> None:
    message = refused(write_logins(tmp_path, PLAIN.replace("12.5", '"12,5"')), LOGINS)
    assert 'If the file has decimal commas, set tables.logins.decimal = ",".' in message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252"])
def test_other_encodings(encoding: str, tmp_path: Path) -> None:
    source = write_logins(tmp_path, PLAIN.replace("pc", "für"), encoding=encoding)
    assert read_by_both(source, reading(encoding=encoding))["platform"].to_list() == ["für"]
    with pytest.raises(DataError, match=r"tables\.logins\.encoding"):
        read_by(source, LOGINS, "careful")
    assert undeclared_columns(source, reading(encoding=encoding)) == []


def test_text_of_another_encoding_than_stated_is_named_by_line(tmp_path: Path) -> None:
    source = write_logins(tmp_path, PLAIN + PLAIN.replace("pc", "für"), encoding="cp1252")
    content = Path(source.uri).read_bytes().replace(b"\xfc", b"\x81")
    Path(source.uri).write_bytes(content)
    for reader in READERS:
        with pytest.raises(DataError) as caught:
            read_by(source, reading(encoding="cp1252"), reader)
        assert str(caught.value).startswith(
            "hawk: logins.csv cannot be read: line 4 is not cp1252 text."
        )


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_columns_are_renamed(form: str, tmp_path: Path) -> None:
    spec = reading(rename={"player": "char_id", "day": "minutes", "minutes": "day"})
    text = PLAIN.replace("char_id", "player").replace("day,minutes", "minutes,day")
    source = write_logins(tmp_path, text.replace("\n", ",x\n").replace(",x", ",extra", 1))
    if form == "parquet":
        frame = pl.read_csv(source.uri, try_parse_dates=True)
        frame.write_parquet(tmp_path / "logins.parquet")
        source = Dataset("logins", "hawk", str(tmp_path / "logins.parquet"))
    assert read_by_both(source, spec).to_dicts() == [LOGIN]
    assert undeclared_columns(source, spec) == ["extra"]


def test_faults_name_the_column_of_the_file(tmp_path: Path) -> None:
    spec = reading(rename={"mins": "minutes"})
    text = PLAIN.replace("minutes", "mins").replace("12.5", "long")
    message = refused(write_logins(tmp_path, text), spec)
    assert "minutes must be a number: 1 row (line 2: long); minutes is mins in the file" in message


def test_a_column_that_is_not_there_to_be_renamed_is_refused(tmp_path: Path) -> None:
    for reader in READERS:
        with pytest.raises(DataError) as caught:
            spec = reading(rename={"player": "char_id"})
            read_by(write_logins(tmp_path, PLAIN.replace("char_id", "play_er")), spec, reader)
        assert str(caught.value) == (
            "hawk: logins.csv lacks the column player (char_id by tables.logins.rename). If its "
            'column \'play_er\' is meant, set tables.logins.rename = { "play_er" = "char_id" }.'
        )


def test_two_columns_that_become_one_are_refused(tmp_path: Path) -> None:
    text = PLAIN.replace("char_id", "player").replace("minutes", "char_id")
    for reader in READERS:
        with pytest.raises(DataError) as caught:
            read_by(write_logins(tmp_path, text), reading(rename={"player": "char_id"}), reader)
        assert "has two columns that become char_id: player and char_id." in str(caught.value)


FILLED: dict[str, Any] = {
    "at": "2020-01-01T12:00:00",
    "day": "2020-01-01",
    "minutes": 0.0,
    "platform": "unknown",
    "paid": False,
}


@pytest.mark.parametrize("null", ["", "NULL", "nan"])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_null_is_filled_in_columns_of_all_kinds(form: str, null: str, tmp_path: Path) -> None:
    text = f"{HEADER}\n1,2024-05-06 07:08:09,2024-05-01,12.5,pc,true\n2{f',{null}' * 5}\n"
    source = write_logins(tmp_path, text)
    if form == "parquet":
        frame = pl.read_csv(source.uri, infer_schema=False).cast({"char_id": pl.Int64})
        frame.write_parquet(tmp_path / "logins.parquet")
        source = Dataset("logins", "hawk", str(tmp_path / "logins.parquet"))
    rows = read_by(source, reading(fill=FILLED), "careful").to_dicts()
    assert rows[0] == LOGIN
    shown = {
        name: json.loads(json.dumps(value, default=lambda v: v.isoformat()))
        for name, value in rows[1].items()
    }
    assert shown == {"char_id": 2, **FILLED}
    if form == "csv" and null == "":
        assert read_by_both(source, reading(fill=FILLED)).to_dicts() == rows


def test_a_value_that_cannot_be_read_is_not_filled(tmp_path: Path) -> None:
    message = refused(write_logins(tmp_path, PLAIN.replace("12.5", "x")), reading(fill=FILLED))
    assert "minutes must be a number: 1 row (line 2: x)" in message


def test_null_of_a_partition_is_filled(tmp_path: Path) -> None:
    folder = tmp_path / "logins" / "platform=__HIVE_DEFAULT_PARTITION__"
    folder.mkdir(parents=True)
    lines = [line.split(",") for line in PLAIN.splitlines()]
    (folder / "a.csv").write_text("\n".join(",".join(line[:4] + line[5:]) for line in lines))
    rows = read_by_both(Dataset("logins", "hawk", str(folder.parent)), reading(fill=FILLED))
    assert rows.to_dicts() == [LOGIN | {"platform": "unknown"}]
