"""Records of models that exist but cannot be read: nothing is decided, and nothing overwritten."""

import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from churnlib.errors import (
    ModelError,
    UnreadableDataError,
    UnreadableError,
    UnreadableModelError,
)
from churnlib.io import object_store_client, storage
from churnlib.io.catalog import Catalog
from churnlib.versions.champion import champion, find_champion
from churnlib.versions.folder import list_versions, load_model
from churnlib.versions.listing import describe_versions
from churnlib.versions.manifest import MANIFEST, read_manifest
from churnlib.versions.model_state import ModelState
from churnlib.versions.promotion import delete_old_versions, promote_manually, roll_back
from churnlib.versions.transactions import finish_interrupted
from tests.churnlib.versions.samples import add, hours, make_champion
from tests.variants import slow_but

Spoil = Callable[[Path, pytest.MonkeyPatch], None]


def fails(error: OSError) -> Spoil:
    """Makes the reads of a file fail."""

    def spoil(file: Path, patched: pytest.MonkeyPatch) -> None:
        read = Path.read_bytes

        def refuse(path: Path) -> bytes:
            if path == file:
                raise error
            return read(path)

        patched.setattr(Path, "read_bytes", refuse)

    return spoil


def becomes_a_folder(file: Path, _: pytest.MonkeyPatch) -> None:
    file.unlink()
    file.mkdir()


def becomes_a_dead_link(file: Path, _: pytest.MonkeyPatch) -> None:
    file.unlink()
    file.symlink_to("/not/mounted")


UNREADABLE: dict[str, tuple[Spoil, str]] = {
    "denied": (fails(PermissionError(13, "Permission denied")), "Permission denied"),
    "faulty disk": (fails(OSError(5, "Input/output error")), "Input/output error"),
    "folder": (becomes_a_folder, "Is a directory"),
    "dead link": (becomes_a_dead_link, "a symbolic link whose target does not exist"),
}
DAMAGED = {"empty": b"", "truncated": b'{"version": "v', "no text": b"\xff\xfe"}
READERS: dict[str, Callable[[Catalog], object]] = {
    "champion": champion,
    "find_champion": find_champion,
    "state": ModelState.read,
    "models": describe_versions,
    "retirement": lambda catalog: delete_old_versions(catalog, 1),
}
REPAIRS: dict[str, Callable[[Catalog], object]] = {
    "promotion": lambda catalog: promote_manually(
        catalog, "v3", when=hours(5), force=True, allow_joblib=False
    ),
    "roll back": lambda catalog: roll_back(catalog, when=hours(5), allow_joblib=False),
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Three versions, two of which have been champion."""
    catalog = Catalog(str(tmp_path_factory.mktemp("kept")), "hawk")
    add(catalog, "v1", "v2", "v3")
    make_champion(catalog, "v1")
    make_champion(catalog, "v2", at=1)
    return catalog


@pytest.fixture
def models(kept: Catalog, tmp_path: Path) -> Catalog:
    """A copy of these versions."""
    shutil.copytree(kept.data_dir, tmp_path / "data")
    return Catalog(str(tmp_path / "data"), "hawk")


def contents(catalog: Catalog) -> dict[str, bytes]:
    """All files in the data folder that can be read."""
    files = (path for path in Path(catalog.data_dir).rglob("*") if path.is_file())
    contents = {}
    for path in files:
        with path.open("rb") as file:
            contents[str(path)] = file.read()
    return contents


def refusals(catalog: Catalog, works: Mapping[str, Callable[[Catalog], object]]) -> set[str]:
    """The messages of some works, which must all be refused and change nothing."""
    before, messages = contents(catalog), set()
    for work in works.values():
        with pytest.raises(UnreadableError) as caught:
            work(catalog)
        messages.add(str(caught.value))
    assert contents(catalog) == before
    return messages


@pytest.mark.parametrize("how", UNREADABLE)
@pytest.mark.parametrize("name", slow_but("champion", of=["champion", "registry"]))
def test_unreadable_record_of_models_stops_whatever_depends_on_it(
    name: str, how: str, models: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil, why = UNREADABLE[how]
    file = Path(getattr(models, name)().uri)
    spoil(file, monkeypatch)
    messages = refusals(models, {**READERS, **REPAIRS})
    expected = f"hawk: {file}: cannot be read ({why})."
    (longest,) = messages - {expected}  # Without more where it stops the list of versions.
    assert longest.startswith(f"{expected} ")
    assert longest.endswith(
        "nothing was changed. Make it a file that can be read, or restore it from a copy."
    )


@pytest.mark.parametrize("how", DAMAGED)
def test_damaged_pointer_stops_all_but_manual_promotions(how: str, models: Catalog) -> None:
    Path(models.champion().uri).write_bytes(DAMAGED[how])
    (message,) = refusals(models, READERS)
    assert message.startswith(f"hawk: champion.json is damaged ({models.champion().uri}). ")


@pytest.mark.parametrize("how", DAMAGED)
def test_damaged_registry_stops_whatever_depends_on_it(how: str, models: Catalog) -> None:
    Path(models.registry().uri).write_bytes(DAMAGED[how])
    (message,) = refusals(models, {**READERS, **REPAIRS})
    assert message.startswith(f"hawk: {models.registry().uri} is damaged: ")


def test_models_on_a_disk_that_is_not_mounted_are_not_missing(models: Catalog) -> None:
    folder = Path(models.models().uri)
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to("/not/mounted", target_is_directory=True)
    for work in (*READERS.values(), *REPAIRS.values(), list_versions):
        with pytest.raises(UnreadableError, match="symbolic link whose target does not exist"):
            work(models)


@pytest.mark.parametrize("how", UNREADABLE)
@pytest.mark.parametrize("name", [MANIFEST, "model.skops"])
def test_unreadable_champion_is_neither_missing_nor_damaged(
    name: str, how: str, models: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = models.model("v2")
    file = Path(model.uri, name)
    UNREADABLE[how][0](file, monkeypatch)
    works: dict[str, Callable[[Catalog], object]] = {"load": lambda _: load_model(model)}
    if name == MANIFEST:
        works |= {
            "find": find_champion,
            "champion": champion,
            "read": lambda _: read_manifest(model),
        }
    (message,) = refusals(models, works)
    assert message.startswith(
        f"hawk: {file}: cannot be read ({UNREADABLE[how][1]}). Whether model v2 can be used"
    )


def test_champion_without_its_files_is_missing(models: Catalog) -> None:
    shutil.rmtree(models.model("v2").uri)
    assert find_champion(models) is None
    with pytest.raises(ModelError, match="names the version 'v2', which cannot be read"):
        champion(models)


@pytest.fixture
def failing_store(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, bucket: str
) -> Iterator[str]:
    """A store that answers every request with a status."""

    class Fail(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(request.param)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_PUT = do_DELETE = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Fail)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(object_store_client, "MAX_RETRIES", 0)
    object_store_client._open.cache_clear()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    yield bucket
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("failing_store", [403, 500, 503], indirect=True)
def test_store_that_denies_or_fails_has_a_champion_for_all_that_is_known(
    failing_store: str,
) -> None:
    catalog = Catalog(f"{failing_store}/data", "hawk")
    for reader in ("champion", "find_champion", "state", "models"):
        with pytest.raises(UnreadableModelError) as caught:
            READERS[reader](catalog)
        assert str(caught.value).startswith(f"hawk: {catalog.champion().uri}: ")
    for work in (*REPAIRS.values(), READERS["retirement"], finish_interrupted):
        with pytest.raises(UnreadableError, match=failing_store):
            work(catalog)


@pytest.mark.parametrize("how", ["denied", "faulty disk", "folder", "dead link"])
def test_only_what_is_missing_is_read_as_missing(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x"
    assert storage.read_if_exists(str(file)) is None
    file.write_bytes(b"y")
    assert storage.read_if_exists(str(file)) == b"y"
    UNREADABLE[how][0](file, monkeypatch)
    with pytest.raises(UnreadableDataError, match=f"{file}: cannot be read"):
        storage.read_if_exists(str(file))
