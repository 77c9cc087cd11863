"""The same storage on an object store: a server that speaks S3, on this machine."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from churnlib.errors import DataError, ModelError, StoreError
from churnlib.io import datasets, object_store, storage
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import Dataset
from churnlib.io.footer import read_metadata
from churnlib.versions.champion import champion, set_champion
from churnlib.versions.folder import list_versions, load_model, read_scored
from churnlib.versions.manifest import read_manifest
from churnlib.versions.model_state import ModelState
from churnlib.versions.promotion import Cause, delete_old_versions, promote, roll_back
from tests.churnlib.model.samples import features, save, usual
from tests.store_server import StoreServer

FRAME = pl.DataFrame({"x": [1, 2, 3], "y": ["a", None, "c"]})


def names(folder: str) -> list[str]:
    return [entry.name for entry in storage.list_files(folder)]


@pytest.fixture
def target(bucket: str) -> Dataset:
    return Dataset("table", "hawk", f"{bucket}/data/03_primary/hawk/table.parquet")


@pytest.fixture
def requests_since(store_server: StoreServer) -> Callable[[], list[str]]:
    """Returns the methods of the requests since it was last called."""
    seen = 0

    def since() -> list[str]:
        nonlocal seen
        requests = store_server.requests()
        new, seen = requests[seen:], len(requests)
        return [request.split(" ")[0] for request in new]

    return since


def test_table_in_object_store_is_as_on_this_machine(target: Dataset, tmp_path: Path) -> None:
    here = Dataset("table", "hawk", str(tmp_path / "table.parquet"))
    facts = {"as_of": '"2025-01-01"'}
    written = datasets.write_parquet(FRAME.lazy(), target, facts)
    local = datasets.write_parquet(FRAME.lazy(), here, facts)
    assert (written.fingerprint, written.rows) == (local.fingerprint, 3)
    assert datasets.ref(target, 3) == written
    assert datasets.read(written).equals(FRAME)
    assert read_metadata(written) == facts
    assert names(target.uri.partition("/data")[0]) == ["data/03_primary/hawk/table.parquet"]


@pytest.mark.parametrize("name", ["a b", "ä", "[1]*?", "%20", "a#b+c"])
def test_names_with_special_characters_are_taken_literally(name: str, bucket: str) -> None:
    written = datasets.write_parquet(
        FRAME.lazy(), Dataset("table", "hawk", f"{bucket}/{name}/table.parquet")
    )
    assert datasets.read(written).equals(FRAME)
    assert read_metadata(written) == {}
    assert names(bucket) == [f"{name}/table.parquet"]


def test_fingerprint_of_own_objects_is_of_their_content_without_a_read(
    target: Dataset, requests_since: Callable[[], list[str]]
) -> None:
    written = datasets.write_parquet(FRAME.lazy(), target)
    content = storage.read_bytes(target.uri)
    assert written.fingerprint == hashlib.sha256(content).hexdigest()
    requests_since()
    assert datasets.is_unchanged(written)
    assert requests_since() == ["HEAD"]
    datasets.write_parquet(FRAME.reverse().lazy(), target)
    assert not datasets.is_unchanged(written)
    storage.remove(target.uri)
    assert not datasets.is_unchanged(written)


def test_fingerprint_of_foreign_objects_is_of_their_etag(
    bucket: str, store_server: StoreServer, requests_since: Callable[[], list[str]]
) -> None:
    file = f"{bucket}/raw.csv"
    store_server.put(file, b"a,b\n1,2\n")
    requests_since()
    first = storage.fingerprint(file)
    assert requests_since() == ["HEAD"]
    assert len(first) == 64
    store_server.put(file, b"a,b\n1,3\n")
    other = storage.fingerprint(file)
    assert other != first
    assert storage.fingerprint(file) == other
    store_server.put(file, b"a,b\n1,2\n")
    assert storage.fingerprint(file) == first


def test_parts_of_a_folder_are_asked_for_once(
    bucket: str, store_server: StoreServer, requests_since: Callable[[], list[str]]
) -> None:
    parts = [f"{bucket}/parts/{number}" for number in range(3)]
    for part in parts:
        store_server.put(part, b"old")
    first = storage.fingerprint(f"{bucket}/parts")
    requests_since()
    assert storage.fingerprint(f"{bucket}/parts") == first
    assert requests_since() == ["HEAD", "GET"]
    store_server.put(parts[1], b"new")
    requests_since()
    assert storage.fingerprint(f"{bucket}/parts") != first
    assert requests_since() == ["HEAD", "GET", "HEAD"]


def test_fingerprint_of_folder_is_as_on_this_machine(bucket: str, tmp_path: Path) -> None:
    def make(folder: Path) -> None:
        (folder / "inner").mkdir(parents=True)
        (folder / "a").write_text("1")
        (folder / "inner" / "b").write_text("2")

    with storage.replacing(f"{bucket}/model") as there:
        make(there)
    make(here := tmp_path / "model")
    assert storage.fingerprint(f"{bucket}/model") == storage.fingerprint(str(here))
    with storage.local_copy(f"{bucket}/model") as copy:
        assert storage.fingerprint(str(copy)) == storage.fingerprint(str(here))
    assert not copy.exists()
    storage.write_text("3", f"{bucket}/model/inner/b")
    assert storage.fingerprint(f"{bucket}/model") != storage.fingerprint(str(here))


def test_failed_write_leaves_the_old_object(target: Dataset) -> None:
    before = datasets.write_parquet(FRAME.lazy(), target)
    with pytest.raises(pl.exceptions.PolarsError):
        datasets.write_parquet(FRAME.lazy().with_columns(pl.col("y").cast(pl.Int64)), target)
    assert datasets.is_unchanged(before)
    assert names(target.uri.partition("/data")[0]) == ["data/03_primary/hawk/table.parquet"]


@pytest.fixture
def third_upload_fails(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes the third upload fail."""

    def fail() -> None:
        upload, uploads = object_store._upload, iter(range(100))

        def failing(uri: str, path: Path) -> None:
            if next(uploads) == 2:
                raise StoreError(f"{uri}: the request to the store failed.")
            upload(uri, path)

        monkeypatch.setattr(object_store, "_upload", failing)

    return fail


def test_failed_write_texts_leaves_all_old_texts(
    bucket: str, third_upload_fails: Callable[[], None]
) -> None:
    places = [f"{bucket}/report.{suffix}" for suffix in ("json", "txt", "html")]
    storage.write_texts(dict.fromkeys(places, "old"))
    third_upload_fails()
    with pytest.raises(StoreError):
        storage.write_texts(dict.fromkeys(places, "new"))
    assert {storage.read_bytes(place) for place in places} == {b"old"}
    assert len(names(bucket)) == 3


def test_folder_is_uploaded_whole_or_not_at_all(
    bucket: str, third_upload_fails: Callable[[], None], requests_since: Callable[[], list[str]]
) -> None:
    def write() -> None:
        with storage.replacing(f"{bucket}/model", last="b") as folder:
            folder.mkdir()
            for name in "abcd":
                (folder / name).write_text(name)

    third_upload_fails()
    with pytest.raises(StoreError):
        write()
    assert names(bucket) == []
    write()
    assert names(bucket) == ["model/a", "model/b", "model/c", "model/d"]


def test_last_file_of_a_folder_is_uploaded_last(bucket: str, store_server: StoreServer) -> None:
    with storage.replacing(f"{bucket}/model", last="b") as folder:
        folder.mkdir()
        for name in "abc":
            (folder / name).write_text(name)
    put = [line[-1] for line in store_server.requests() if line.startswith("PUT")]
    assert put[-3:] == ["a", "c", "b"]


def test_large_file_is_read_in_chunks(bucket: str) -> None:
    content = b"0123456789abcde\n" * 1_000_000  # Large enough for a multipart upload.
    with storage.replacing(f"{bucket}/large") as file:
        file.write_bytes(content)
    assert storage.fingerprint(f"{bucket}/large") == hashlib.sha256(content).hexdigest()
    with storage.open_bytes(f"{bucket}/large") as source:
        assert source.readline() == content[:16]
        assert source.read(1_000_000) == content[16:1_000_016]
        assert source.read() == content[1_000_016:]


def test_files_are_found_listed_and_removed(bucket: str) -> None:
    folder = f"{bucket}/data"
    for name in ("b.txt", "a/c.txt"):
        storage.write_text("x", f"{folder}/{name}")
    assert names(folder) == ["a/c.txt", "b.txt"]
    assert storage.list_files(folder)[0].uri == f"{folder}/a/c.txt"
    assert storage.exists(bucket)
    assert storage.exists(f"{folder}/b.txt")
    assert not storage.is_folder(f"{folder}/b.txt")
    assert storage.exists(f"{folder}/a")
    assert storage.is_folder(f"{folder}/a")
    assert not storage.exists(f"{folder}/b")  # A prefix of a name is not a folder.
    written = storage.written_at(f"{folder}/b.txt")
    assert written == storage.list_files(folder)[1].written
    storage.remove(f"{folder}/b.txt")
    storage.remove(f"{folder}/b.txt")
    assert storage.written_at(f"{folder}/b.txt") is None
    assert names(folder) == ["a/c.txt"]


def test_missing_or_damaged_object_is_named(target: Dataset, store_server: StoreServer) -> None:
    for opened in (datasets.scan, datasets.read, read_metadata):
        with pytest.raises(DataError, match=f"hawk: table is missing: there is no {target.uri}"):
            opened(target)
    with pytest.raises(DataError, match="cannot be read"):
        datasets.ref(target)
    for read in (storage.read_bytes, storage.open_bytes):
        with pytest.raises(FileNotFoundError):
            read(target.uri)
    with pytest.raises(FileNotFoundError), storage.local_copy(target.uri):
        pass
    store_server.put(target.uri, b"nonsense")
    with pytest.raises(DataError, match=f"hawk: table: {target.uri} cannot be read as Parquet"):
        datasets.scan(target)
    storage.remove(target.uri)
    store_server.put(f"{target.uri}/inside", b"x")
    with pytest.raises(DataError, match=f"hawk: table: {target.uri} is a folder, not a file"):
        datasets.scan(target)


def test_raw_table_is_found_in_either_format(bucket: str, store_server: StoreServer) -> None:
    catalog = Catalog(f"{bucket}/data", "hawk")
    folder = f"{bucket}/data/01_raw/hawk"
    with pytest.raises(DataError, match=f"^hawk: the raw table sub_miss is missing.* {folder}"):
        catalog.raw("sub_miss")
    store_server.put(f"{folder}/sub_miss.csv", b"x")
    assert catalog.raw("sub_miss").uri == f"{folder}/sub_miss.csv"
    store_server.put(f"{folder}/sub_miss.parquet", b"x")
    with pytest.raises(DataError, match=r"sub_miss\.parquet and sub_miss\.csv in"):
        catalog.raw("sub_miss")


def test_model_versions_are_promoted_and_retired(bucket: str) -> None:
    catalog = Catalog(f"{bucket}/data", "hawk")
    first, second, third = (save(catalog.model(name), usual()) for name in ("v1", "v2", "v3"))
    moment = datetime(2025, 1, 1, tzinfo=UTC)
    for model in (first, third):
        version = model.uri.rpartition("/")[2]
        state = ModelState.read(catalog)
        promote(state, version, Cause("for the test"), by="training", when=moment)
    assert champion(catalog) == third
    assert delete_old_versions(catalog, 1) == ("v2",)
    assert list_versions(catalog) == ("v3", "v1")
    assert names(second.uri) == []
    assert roll_back(catalog, when=moment, allow_joblib=False).version == "v1"
    assert champion(catalog) == first


def test_model_is_loaded_and_verified(bucket: str, store_server: StoreServer) -> None:
    catalog = Catalog(f"{bucket}/data", "hawk")
    with pytest.raises(ModelError, match=f"hawk: there is no model yet .*--data-dir {bucket}/data"):
        champion(catalog)
    kept = save(catalog.model("v1"), usual())
    set_champion(catalog, "v1")
    assert champion(catalog) == kept
    load_model(kept).schema.apply(features())
    assert len(read_scored(kept, read_manifest(kept)))
    # A digest in the store's metadata is not trusted.
    file = f"{kept.uri}/model.skops"
    digest = hashlib.sha256(storage.read_bytes(file)).hexdigest()
    store_server.put(file, b"other", sha256=digest)
    assert storage.fingerprint(file) == digest
    with pytest.raises(
        ModelError, match=r"hawk: model v1: model\.skops is missing or has been changed"
    ):
        load_model(kept)
