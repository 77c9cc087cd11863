"""Object stores that are missing, do not answer or deny access."""

import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.errors import ChurnlibError, DataError, StoreError
from churnlib.io import datasets, object_store_client, storage
from churnlib.io.datasets import Dataset
from tests.store_server import StoreServer


def unreachable(uri: str) -> str:
    """The error message at the start of a run."""
    with pytest.raises(StoreError) as caught:
        storage.check_reachable(uri)
    return str(caught.value)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def test_reachable_store_raises_nothing(bucket: str, tmp_path: Path) -> None:
    storage.check_reachable(f"{bucket}/data")
    storage.check_reachable(bucket)
    storage.check_reachable(str(tmp_path / "new"))


def test_missing_bucket_is_named(bucket: str, store_server: StoreServer) -> None:
    message = (
        f"s3://nobody-s/x: there is no bucket 'nobody-s' at {store_server.url}. Create it, or "
    )
    assert unreachable("s3://nobody-s/x").startswith(message)
    with pytest.raises(StoreError, match="there is no bucket 'nobody-s'"):
        storage.write_text("x", "s3://nobody-s/x")
    with (
        pytest.raises(StoreError, match="there is no bucket 'nobody-s'"),
        storage.exclusive_lock("s3://nobody-s/x"),
    ):
        pass


@pytest.fixture
def no_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store_client, "MAX_RETRIES", 0)
    object_store_client._open.cache_clear()


def test_store_that_does_not_answer_is_named(
    bucket: str, no_retries: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    message = f"{bucket}/x: {url} does not answer. Check the network and the variables AWS_*."
    assert unreachable(f"{bucket}/x") == message
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost")
    assert "AWS_ENDPOINT_URL is localhost, which is not a URL" in unreachable(bucket)


def test_dataset_that_vanishes_during_a_read_is_named(
    bucket: str, no_retries: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Dataset("table", "hawk", f"{bucket}/data/table.parquet")
    written = datasets.write_parquet(pl.LazyFrame({"x": [1, 2, 3]}), target)
    frame = datasets.scan(written)
    storage.remove(target.uri)
    with (
        pytest.raises(ChurnlibError, match=f"hawk: table.*{target.uri}"),
        datasets.attribute_read_errors(written),
    ):
        frame.collect()


def test_missing_credentials_are_named(
    bucket: str, no_retries: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", f"http://127.0.0.1:{closed_port()}")
    assert unreachable(bucket).startswith(
        f"{bucket}: no credentials were found. Set AWS_ACCESS_KEY_ID "
    )


@pytest.fixture
def denying_store(monkeypatch: pytest.MonkeyPatch, bucket: str) -> Iterator[None]:
    """A store that denies access."""

    class Refuse(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(403)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Refuse)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    yield
    server.shutdown()
    server.server_close()


def test_denied_access_is_named(denying_store: None) -> None:
    message = "s3://bucket/x: access was denied. The credentials in the variables AWS_* must allow "
    assert unreachable("s3://bucket/x").startswith(message)


def test_missing_client_is_named_with_its_installation(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("obstore", "obstore.store", "obstore.exceptions"):
        monkeypatch.setitem(sys.modules, module, None)
    message = f"{bucket}/x: the client for object stores is not installed. Install it: pip install "
    assert unreachable(f"{bucket}/x") == f"{message}'churnlib[s3]'"


def test_full_disk_is_named_with_the_variable_to_change(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(DataError, match=r"cannot be prepared .*No space left.* TMPDIR"):
        storage.write_text("x", f"{bucket}/x")
