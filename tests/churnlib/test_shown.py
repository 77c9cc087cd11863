"""Text from elsewhere does no harm where people look at it."""

import ast
from pathlib import Path

import pytest

from churnlib.errors import ChurnlibError, reason
from churnlib.shown import code, has_credentials, lines, markdown, masked, one_line
from churnlib.synthesis import PROCESSES, generate
from tests.hostile import NAMES, RAW

ROOT = Path(__file__).resolve().parents[2]
TEXT = "\n".join(NAMES.values())


def test_control_characters_are_escaped_and_all_others_kept() -> None:
    assert RAW.search(TEXT)
    assert not RAW.search(one_line(TEXT))
    assert "\n" not in one_line(TEXT)
    assert lines(TEXT).count("\n") == TEXT.count("\n")
    kept = "Zoë, エルフ, قزم, 👩‍🚀, a-b_c (1.5 %) 'x' \"y\""
    assert one_line(kept) == lines(kept) == kept


def test_half_characters_can_be_printed() -> None:
    one_line("a\ud800b").encode()


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("html", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("link", r"\[x\](javascript:alert(1))"),
        ("table", r"a \| b"),
        ("math", r"\$\\frac{1}{x\_2}\$"),
        ("fence", r"\`\`\`\`"),
    ],
)
def test_markup_is_shown_as_it_is_written(name: str, written: str) -> None:
    assert markdown(NAMES[name]) == written


def test_code_cannot_end_before_its_text() -> None:
    assert code("a ``` b") == "```` a ``` b ````"


def test_messages_of_errors_are_safe_and_keep_their_lines() -> None:
    error = ChurnlibError(f"two lines:\n  {NAMES['terminal']} at https://me:secret@host/x")
    assert str(error) == ("two lines:\n  \\x1b[2J\\x1b]0;owned\\x07elf at https://***@host/x")
    assert reason(ValueError("no answer from s3://key:secret@bucket/x")) == (
        "no answer from s3://***@bucket/x"
    )


@pytest.mark.parametrize(
    "uri",
    [
        "s3://AKIA123:wJal/rX+Ut@bucket/data",
        "postgresql+asyncpg://churn:p@ss@db:5432/prefect",
        "https://token@host/api",
        "tcp://user:@scheduler:8786",
    ],
)
def test_passwords_of_uris_are_masked(uri: str) -> None:
    assert has_credentials(uri)
    shown = masked(f"cannot open {uri}, see above")
    assert shown.startswith(f"cannot open {uri.partition('://')[0]}://***@")
    for secret in ("AKIA123", "wJal", "churn:", "p@ss", "token", "user"):
        assert secret not in shown


@pytest.mark.parametrize("name", ["sig", "X-Amz-Signature", "X-Amz-Security-Token", "token"])
def test_signatures_in_queries_are_masked(name: str) -> None:
    shown = masked(f"GET https://host/x?sv=1&{name}=abc%2Fdef&y=2: 403")
    assert shown == f"GET https://host/x?sv=1&{name}=***&y=2: 403"


@pytest.mark.parametrize("uri", ["s3://bucket/a@b/c:d", "http://127.0.0.1:4200/api", "/mnt/a@b"])
def test_other_places_are_shown_whole(uri: str) -> None:
    assert not has_credentials(uri)
    assert masked(uri) == uri


WRITERS = {"write_csv", "sink_csv", "to_csv", "writer", "DictWriter", "write_excel"}


def test_only_sample_data_and_delivered_batches_are_written_as_csv() -> None:
    """No cell that others wrote gets into a file that a spreadsheet opens.

    But for ids of delivered batches, which programs read: docs/databases.md says so.
    """
    found = {
        file.relative_to(ROOT).as_posix()
        for folder in ("churnlib", "flows", "deployments", "notebooks")
        for file in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in WRITERS
    }
    assert found == {"churnlib/synthesis/writing.py", "churnlib/io/csv_delivery.py"}


@pytest.mark.parametrize("game", PROCESSES)
def test_no_cell_of_the_sample_data_is_a_formula(game: str, tmp_path: Path) -> None:
    generate(PROCESSES[game], 300, 1, tmp_path)
    for file in tmp_path.glob("*.csv"):
        cells = {cell for line in file.read_text().splitlines() for cell in line.split(",")}
        numbers = {cell for cell in cells if cell.lstrip("-").replace(".", "").isdecimal()}
        assert not [cell for cell in cells - numbers if cell.startswith(("=", "+", "-", "@", "\t"))]
