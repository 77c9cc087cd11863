"""Runs on hostile names, with secrets all around, harm nobody who looks and give nothing away."""

import sqlite3
from base64 import b64encode
from itertools import cycle
from pathlib import Path
from urllib.parse import quote

import polars as pl
import pytest

from tests.base import raw_tables
from tests.flows.models import GAME
from tests.flows.studio import FAST, ROOT, Studio, new_studio, python
from tests.hostile import NAMES, RAW

pytestmark = pytest.mark.slow  # Five commands, each with a server of its own.

SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/planted-aws",
    "AWS_SESSION_TOKEN": "FwoGZXIvYXdzEA/planted-session",
    "AZURE_STORAGE_ACCOUNT_KEY": "planted+azure/key==",
    "CHURN_SIGNING_KEY": "planted-signing-key-0123456789abcdef0123456789",
    "PREFECT_SERVER_API_AUTH_STRING": "churn:planted-server-password",
    "STUDIO_DATABASE": "postgresql://planted-user:planted-password@db:5432/x",
    "GITLAB_TOKEN": "glpat-planted-token",
}
IN_FILE = "planted-in-a-dotenv-file"
URI = "s3://planted-key:planted-uri-secret@bucket/data"


def forms(secret: str) -> list[bytes]:
    """A secret as it is, and as it could be written."""
    plain = secret.encode()
    return [plain, b64encode(plain).rstrip(b"="), quote(secret, safe="").encode()]


KINDS = cycle(NAMES.values())


def hostile(rows: pl.DataFrame, table: str) -> pl.DataFrame:
    """Replaces every category by hostile names, and ids by text with one in front."""
    for column in raw_tables()[table].columns:
        if column in raw_tables()[table].of_kind("category"):
            values = rows[column].unique().sort().to_list()
            names = [f"{next(KINDS)}{place}" for place, _ in enumerate(values)]
            rows = rows.with_columns(pl.col(column).replace_strict(values, names))
        elif column in raw_tables().ids:
            rows = rows.with_columns("=\x1b[2J<b>\u202e|" + pl.col(column))
    return rows


@pytest.fixture(scope="module")
def runs(
    pristine: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Studio, Path, list[str]]:
    """A data folder, a Prefect home, and what the commands printed."""
    folder = tmp_path_factory.mktemp("runs")
    studio, home, cwd = new_studio(folder / "data", pristine), folder / "home", folder / "cwd"
    for table in raw_tables():
        studio.write_raw(GAME, table, hostile(studio.raw(GAME, table), table))
    cwd.mkdir()
    (cwd / ".env").write_text(f"STUDIO_SECRET={IN_FILE}\n")
    environment = {
        **SECRETS,
        "PREFECT_HOME": str(home),
        # A server of its own, whatever server other tests use.
        "PREFECT_API_URL": "",
        "PREFECT_API_AUTH_STRING": "",
        "PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(home / "storage"),
        "PYTHONPATH": str(ROOT),
        "CHURN_GAMES_DIR": str(ROOT / "games"),
    }
    settings = {
        **FAST[GAME],
        "raw.id_type": "text",
        "evaluation.segments": '["gender", "race", "class", "sub_type"]',
    }
    options = [f"--set={path}={value}" for path, value in settings.items()]
    printed = []
    for flow, place in (
        ("train", studio.data), ("score", studio.data), ("batch-predict", studio.data),
        ("batch-predict", URI),
    ):  # fmt: skip
        command = ["-m", "flows", flow, "--game", GAME, "--data-dir", str(place), *options]
        done = python(*command, *["--from-raw"] * (flow != "batch-predict"), cwd=cwd, **environment)
        printed.append(done.stdout + done.stderr)
        assert done.returncode == (2 if place == URI else 0), printed[-1]
    return studio, home, printed


def test_no_secret_is_written_anywhere(runs: tuple[Studio, Path, list[str]]) -> None:
    studio, home, printed = runs
    contents = {
        str(f): f.read_bytes() for f in (*studio.data.rglob("*"), *home.rglob("*")) if f.is_file()
    }
    contents |= {f"output {n}": text.encode() for n, text in enumerate(printed)}
    assert any(name.endswith("prefect.db") for name in contents)
    for secret in (*SECRETS.values(), IN_FILE, "planted-uri-secret", "planted-password"):
        for form in forms(secret):
            assert [name for name, content in contents.items() if form in content] == []


def test_logs_reports_and_pages_show_no_raw_names(runs: tuple[Studio, Path, list[str]]) -> None:
    studio, home, printed = runs
    texts = {
        str(file): file.read_text(encoding="utf-8")
        for suffix in ("txt", "html", "json")
        for file in studio.data.glob(f"0[2-8]_*/**/*.{suffix}")
    }
    texts |= {f"output {number}": text for number, text in enumerate(printed)}
    assert len(texts) > 8
    with sqlite3.connect(home / "prefect.db") as database:
        for table, column in (
            ("log", "message"),
            ("artifact", "data"),
            ("flow_run_state", "message"),
        ):
            rows = database.execute(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL")
            texts[table] = "\n".join(str(text) for (text,) in rows)
    for name, text in texts.items():
        found = RAW.search(text)
        assert not found, (name, text[max(found.start() - 60, 0) : found.end() + 20])
    pages = [text for name, text in texts.items() if name.endswith(".html")]
    assert not [page for page in pages if "<script>alert" in page]
    assert any("&lt;script&gt;alert(1)" in page for page in pages)
    assert "Glyph" not in "".join(printed)
