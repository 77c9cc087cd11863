"""Lines of CSV files with too few or too many fields."""

import csv
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from churnlib.raw import csv_lines
from churnlib.raw.csv_lines import find_unusual_lines, header, line_not_utf8, profile
from churnlib.raw.stray_quotes import stray_quotes_message
from tests.churnlib.raw.samples import check, currency, lines, refusal, sub, write, write_text
from tests.variants import examples

TABLE = "character_currency"
GOOD_LINE = "1,2021-01-01,0,0,1,2"


@pytest.mark.parametrize(
    ("line", "fields"),
    [("1,2021-02-01,0,0,1", 5), ("1,2021-02-01", 2), ("1", 1), (f"{GOOD_LINE},3", 7)],
)
def test_a_line_with_another_number_of_fields_is_a_fault(
    line: str, fields: int, tmp_path: Path
) -> None:
    third = "2,2021-01-01,,,,"
    source = write_text(tmp_path, TABLE, lines(TABLE, GOOD_LINE, line, third))
    assert refusal(source).splitlines()[:2] == [
        "hawk: character_currency.csv: 1 of 3 rows break a rule:",
        f"  every line must have as many fields as the header: 1 row (line 3: {fields})",
    ]


def test_a_ragged_line_is_found_even_if_the_missing_column_is_not_read(tmp_path: Path) -> None:
    text = "note," + lines(TABLE, f"x,{GOOD_LINE}", f"y,{GOOD_LINE},z", "1,2021-01-01,0,0,1,2")
    message = refusal(write_text(tmp_path, TABLE, text))
    assert "header: 2 rows (line 3: 8; line 4: 6)" in message
    assert "unique" not in message


def test_a_ragged_line_is_quarantined_as_it_is(tmp_path: Path) -> None:
    source = write_text(tmp_path, TABLE, lines(TABLE, "1,2021-01-01,7,8,9", GOOD_LINE))
    checked = check(source, on_bad_rows="quarantine", max_bad_share=0.5)
    assert checked.rows.height == 1
    (rejected,) = checked.rejected.to_dicts()
    assert [rejected[name] for name in currency()] == ["1", "2021-01-01", "7", "8", "9", None]
    assert rejected["source_row"] == 2


def test_quotes_line_ends_and_byte_order_marks_are_understood(tmp_path: Path) -> None:
    rows = ['"1","2021-01-01","0","0","",""', "1,2021-02-01,0,0,1,2"]
    text = "\ufeff" + lines(TABLE, *rows).replace("\n", "\r\n").rstrip()
    checked = check(write_text(tmp_path, TABLE, text))
    assert checked.rows["hard_balance"].to_list() == [None, 1.0]


def test_separators_and_line_ends_inside_quotes_are_valid(tmp_path: Path) -> None:
    rows = [f'"a, ""b""\nc",{GOOD_LINE}', "short,1,2021-02-01", "d,1,2021-03-01,0,0,1,2"]
    text = "note," + lines(TABLE, *rows)
    message = refusal(write_text(tmp_path, TABLE, text))
    assert "1 of 3 rows break a rule" in message
    assert "(line 4: 3)" in message


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_faulty_rows_are_named_by_the_line_that_an_editor_shows(end: str, tmp_path: Path) -> None:
    rows = [f'"a\n\nb",{GOOD_LINE}', "", '"c\nd",1,2021-02-05,0,0,1,2', "e,x,2021-03-01,0,0,1,2"]
    text = ("\nnote," + lines(TABLE, *rows)).replace("\n", end)
    source = write_text(tmp_path, TABLE, text)
    message = refusal(source)
    assert "(line 7: 2021-02-05)" in message
    assert "(line 9: x)" in message
    assert text.split(end)[8].startswith("e,x")
    checked = check(source, on_bad_rows="quarantine", max_bad_share=1)
    assert checked.rejected["source_row"].to_list() == [7, 9]
    assert checked.rejected["char_id"].to_list() == ["1", "x"]


def test_blank_lines_before_the_header_are_ignored(tmp_path: Path) -> None:
    source = write_text(tmp_path, TABLE, "\n\n" + lines(TABLE, GOOD_LINE))
    assert header(source.uri) == list(currency())
    assert check(source).rows.height == 1


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_blank_lines_are_not_rows(end: str, tmp_path: Path) -> None:
    rows = ["", GOOD_LINE, "", "  \t", "2,2021-01-01,,,,", ""]
    source = write_text(tmp_path, TABLE, lines(TABLE, *rows).replace("\n", end) + end)
    assert check(source).rows["char_id"].to_list() == [1, 2]


def test_lines_are_counted_with_the_blank_ones(tmp_path: Path) -> None:
    rows = ["", GOOD_LINE, "", "1,2021-02-01", ",,,,,", ""]
    message = refusal(write_text(tmp_path, TABLE, lines(TABLE, *rows)))
    assert "character_currency.csv: 2 of 3 rows break a rule:" in message
    assert "header: 1 row (line 5: 2)" in message
    assert "char_id must not be empty: 1 row (line 6)" in message


field = st.text(st.sampled_from('ab ,"\n'), max_size=3)


@examples(60)
@given(
    rows=st.lists(st.lists(field, min_size=1, max_size=4), max_size=6),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
@example(rows=[["", ",\n", "", ""]], quoting=csv.QUOTE_MINIMAL)  # Each of its lines looks even.
def test_lines_are_found_as_they_were_written(
    rows: list[list[str]], quoting: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "ragged.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        # The module's types want one of its own literals.
        writer = csv.writer(file, quoting=quoting)  # type: ignore[arg-type]
        writer.writerows([["a", "b", "c"], *rows])
    starts = [1]
    for row in [["a"], *rows][:-1]:
        starts.append(starts[-1] + 1 + sum(field.count("\n") for field in row))
    blank = [n for n, row in enumerate(rows, start=2) if not row[0].strip() and len(row) == 1]
    layout = find_unusual_lines(str(path))
    assert layout.blank == tuple(blank)
    assert layout.ragged == {
        starts[n - 1]: len(row)
        for n, row in enumerate(rows, start=2)
        if len(row) != 3 and n not in blank
    }
    assert layout.starts is not None or starts == list(range(1, len(rows) + 2))
    assert layout.starts is None or layout.starts.to_list() == starts


STRAY = [
    (['1,"x,5', "2,y,6", '3,z",7'], "line 2, column b, which joins the lines up to line 4"),
    (['1,"x,5', '2,y",6'], "line 2, column b, which joins the lines up to line 3"),
    (["1,x,5", '2,y"z,6', "3,z,7"], "line 3, column b"),
    (["1,x,5", '2,"y"z,6', "3,z,7"], "line 3, column b"),
    (["1,x,5", '2,y,"6', "3,z,7"], "line 3, column c, which joins the lines up to the end of"),
    (['"1,x,5', "2,y,6"], "line 2, column a, which joins the lines up to the end of the file"),
    (['1,p"q,5', "2,y,6", '3,r"s,7'], "line 2, column b; line 4, column b"),
]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(("rows", "place"), STRAY, ids=str)
def test_stray_quotes_are_named_by_lines_and_column(
    rows: list[str], place: str, end: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes((end.join(["a,b,c", *rows]) + end).encode())
    message = stray_quotes_message("hawk: x.csv", find_unusual_lines(str(path)).strays)
    assert message.startswith("hawk: x.csv cannot be read, because of stray quotes: " + place)


@pytest.mark.parametrize("column", ["sub_type", "sub_size", "price", "note"])
@pytest.mark.parametrize("on_bad_rows", ["fail", "quarantine"])
def test_stray_quotes_that_join_rows_are_refused_in_any_column(
    column: str, on_bad_rows: str, tmp_path: Path
) -> None:
    rows = [{**sub(n), "note": "x"} for n in range(101, 107)]
    source = write(tmp_path, "sub_data", rows)
    cells = [line.split(",") for line in Path(source.uri).read_text().splitlines()]
    place = cells[0].index(column)
    cells[2][place] = f'"{cells[2][place]}'
    cells[4][place] = f'{cells[4][place]}"'
    write_text(tmp_path, "sub_data", "\n".join(map(",".join, cells)) + "\n")
    message = refusal(source, on_bad_rows=on_bad_rows, max_bad_share=1.0)
    expected = f"line 3, column {column}, which joins the lines up to line 5. Remove them"
    assert f"hawk: sub_data.csv cannot be read, because of stray quotes: {expected}" in message


def test_quotes_within_a_line_that_end_where_they_begin_are_text(tmp_path: Path) -> None:
    row = '1,f,5" x 3",mage,west,2021-01-05,,1,2'
    checked = check(write_text(tmp_path, "character_data", lines("character_data", row))).rows
    assert checked["race"].to_list() == ['5" x 3"']


def test_the_first_line_that_is_not_utf8_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes("a\nä\n".encode() + b"\xff\n\xff\n")
    assert line_not_utf8(str(path)) == 3
    path.write_bytes("a\nä\n".encode())
    assert line_not_utf8(str(path)) is None


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize(
    ("text", "is_lone"),
    [
        ("a,b\r\n1,2\r\n", False),
        ("a,b\n1,2\n", False),
        ("a,b\n1,\r2\n", True),
        ("a,b\r1,2\r\n", True),
        ("a,b\r\n1,2\r", True),
        ("a,b\r\r\n1,2\r\n", True),
    ],
)
def test_carriage_returns_that_end_no_line_are_found_whatever_is_read_at_once(
    text: str, is_lone: bool, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_lines, "AT_A_TIME", size)
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode())
    assert profile(str(path)).has_lone_cr == is_lone


def test_an_empty_file_has_no_header(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"")
    assert header(str(path)) == []
