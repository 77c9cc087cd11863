"""The files of task results, against who may write to their folder."""

import asyncio
import base64
import json
import lzma
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect._internal.result_records import ResultRecord
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound
from prefect.results import ResultStore
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, get_current_settings, temporary_settings

from churnlib.io.datasets import Dataset, DatasetRef, ref
from churnlib.io.storage import write_text
from churnlib.settings import SIGNING_KEY_VARIABLE
from churnlib.versions.signature import SHORTEST_KEY
from flows.engine.result_files import FIELDS, VARIABLE, ResultFiles
from flows.engine.results import SERIALIZER, encode
from flows.engine.run_logger import told_once
from flows.task import task

pytestmark = pytest.mark.usefixtures("prefect_server")

RUNS: list[str] = []


@task
def write(target: Dataset) -> DatasetRef:
    """Writes a text."""
    RUNS.append("write")
    write_text("written", target.uri)
    return ref(target)


class Command:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (self.command,)


@pytest.fixture
def target(tmp_path: Path) -> Dataset:
    RUNS.clear()
    return Dataset("text", "hawk", str(tmp_path / "data" / "text.txt"))


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """The file that planted code creates."""
    return tmp_path / "mark"


@pytest.fixture
def kept(target: Dataset) -> Path:
    """The file of the result of a first call."""
    state: State[Any] = write(target, return_state=True)
    data: Any = state.data
    return Path(get_current_settings().results.local_storage_path, data.metadata.storage_key)


def pickled(mark: Path) -> str:
    return base64.encodebytes(pickle.dumps(Command(f"touch {mark}"))).decode()


def compressed(mark: Path) -> str:
    return base64.encodebytes(lzma.compress(pickled(mark).encode())).decode()


def record(serializer: dict[str, Any] | None, result: str, **metadata: Any) -> dict[str, Any]:
    """A record as Prefect writes it; without a serializer, it takes that of pickles."""
    named = {} if serializer is None else {"serializer": serializer}
    return {"metadata": {**named, **metadata}, "result": result}


PLANTED: dict[str, Callable[[Path], dict[str, Any]]] = {
    "pickle": lambda mark: record({"type": "pickle"}, pickled(mark)),
    "pickle by another library": lambda mark: record(
        {"type": "pickle", "picklelib": "pickle"}, pickled(mark)
    ),
    "no serializer": lambda mark: record(None, pickled(mark)),
    "compressed/pickle": lambda mark: record({"type": "compressed/pickle"}, compressed(mark)),
    "compressed": lambda mark: record(
        {"type": "compressed", "serializer": {"type": "pickle"}}, compressed(mark)
    ),
    "a key elsewhere": lambda mark: record(
        {"type": "pickle"}, pickled(mark), storage_key=f"{mark}.txt"
    ),
    "the layout of earlier versions": lambda mark: {
        "serializer": {"type": "pickle"},
        "data": pickled(mark),
    },
}
"""Records that create a file when Prefect reads them."""


@pytest.mark.parametrize("name", PLANTED)
def test_planted_record_is_not_executed(
    name: str, kept: Path, target: Dataset, mark: Path, caplog: pytest.LogCaptureFixture
) -> None:
    planted = json.dumps(PLANTED[name](mark))
    ResultRecord.deserialize(planted.encode())
    assert mark.exists()  # Prefect by itself runs it.
    mark.unlink()
    kept.write_text(planted)
    written = write(target)
    assert not mark.exists()
    assert RUNS == ["write", "write"]
    assert ref(target) == written
    warnings = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert [w for w in warnings if str(kept) in w] == [
        f"{kept} is ignored, because it is not the result of a task of this project: it should "
        f"have the fields {', '.join(sorted(FIELDS))}"
    ]


def ours(**changed: Any) -> dict[str, Any]:
    """A file as the project writes it; NAME stands for its own."""
    return {"format": SERIALIZER, "name": NAME, "expiration": None, "kept": "{}", **changed}


NAME = "<name>"


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(record({"type": "json"}, '"text"')),
        json.dumps(record({"type": "compressed/json"}, "")),
        json.dumps(record({"type": SERIALIZER}, '{"refresh": null, "result": "text"}')),
        json.dumps(record({"type": SERIALIZER}, "{}", storage_key="/etc/passwd")),
        json.dumps(ours(format="pickle")),
        json.dumps(ours(kept={"result": "text"})),
        json.dumps(ours(expiration=1)),
        json.dumps(ours(name="write-0")),
        json.dumps(ours(serializer={"type": "pickle"})),
        "[]",
        "[" * 100_000,
        "",
        "half a rec",
    ],
)
def test_file_of_another_kind_counts_as_missing_and_is_replaced(
    content: str, kept: Path, target: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    before = kept.read_bytes()
    kept.write_text(content.replace(NAME, kept.name))
    write(target)
    assert RUNS == ["write", "write"]
    assert kept.read_bytes() == before
    assert sum(str(kept) in r.getMessage() for r in caplog.records) == 1
    write(target)
    assert RUNS == ["write", "write"]


def test_result_that_points_to_another_folder_is_not_used(
    kept: Path, target: Dataset, tmp_path: Path
) -> None:
    other = Dataset("text", "hawk", str(tmp_path / "other" / "text.txt"))
    write_text("another text", other.uri)
    result = json.dumps({"refresh": None, "result": encode(ref(other))})
    kept.write_text(json.dumps(ours(name=kept.name, kept=result)))
    assert write(target).uri == target.uri
    assert RUNS == ["write", "write"]


def test_result_that_is_not_signed_is_not_used_where_there_is_a_key(
    kept: Path, target: Dataset, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(SIGNING_KEY_VARIABLE, "k" * SHORTEST_KEY)
    write(target)
    assert RUNS == ["write", "write"]
    assert f"{kept} is ignored" in caplog.text
    assert "it is not signed; others like it are ignored, too" in caplog.text
    write(target)
    assert RUNS == ["write", "write"]
    signed = json.loads(kept.read_text())
    kept.write_text(json.dumps({**signed, "kept": signed["kept"] + " "}))
    write(target)
    assert RUNS == ["write", "write", "write"]


def test_results_from_before_a_key_give_one_warning_a_run(
    kept: Path, target: Dataset, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    second = Dataset("text", "hawk", f"{target.uri}.2")
    write(second)
    monkeypatch.setenv(SIGNING_KEY_VARIABLE, "k" * SHORTEST_KEY)
    with told_once():
        write(target)
        write(second)
    assert RUNS == ["write"] * 4
    (warned,) = (r.getMessage() for r in caplog.records if "it is not signed" in r.getMessage())
    assert warned.startswith(str(kept))


def test_kept_result_names_no_serializer_of_prefect(kept: Path) -> None:
    content = json.loads(kept.read_text())
    assert set(content) == FIELDS
    assert content["format"] == SERIALIZER


def test_result_is_not_read_by_the_id_in_the_state_of_a_run(
    kept: Path, target: Dataset, mark: Path
) -> None:
    state: State[Any] = write(target, return_state=True)
    data: Any = state.data
    kept.write_text(json.dumps(PLANTED["pickle"](mark)))
    store = ResultStore(result_storage=ResultFiles(), serializer=data.metadata.serializer)
    with pytest.raises(Exception, match="is ignored, because it is not the result"):
        store.read(data.metadata.storage_key)
    with pytest.raises(ObjectNotFound):
        asyncio.run(ResultStore._from_metadata(data.metadata))
    assert not mark.exists()


def test_result_that_cannot_be_kept_is_one_warning_a_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    RUNS.clear()
    (tmp_path / "file").touch()
    targets = [Dataset("text", "hawk", str(tmp_path / "data" / f"{n}.txt")) for n in range(3)]
    with (
        temporary_settings({PREFECT_LOCAL_STORAGE_PATH: tmp_path / "file" / "results"}),
        caplog.at_level("WARNING"),
        told_once(),
    ):
        for target in targets:
            assert write(target) == ref(target)
    assert len(RUNS) == 3
    (warning,) = [record for record in caplog.records if record.levelname != "INFO"]
    assert warning.getMessage().startswith("results of tasks are not kept, so that tasks run again")
    assert warning.exc_info is None
    assert VARIABLE in warning.getMessage()


def test_use_of_a_result_renews_its_age(kept: Path, target: Dataset) -> None:
    os.utime(kept, (1e9, 1e9))
    write(target)
    assert RUNS == ["write"]
    assert kept.stat().st_mtime > 1.5e9
