"""The reason why a store refuses a request is named, also where its answer has no body."""

from collections.abc import Callable

import pytest

from churnlib.errors import StoreError
from churnlib.io import object_store
from tests.store_server import RefusingStore

URI = "s3://studio/data/x.parquet"
NOW = "<RequestTime>20260101T000000Z</RequestTime><ServerTime>2026-01-01T02:00:00Z</ServerTime>"
REASONS = {
    "RequestTimeTooSkewed": (
        403,
        "the store refuses requests because the clock of this machine is wrong: it is "
        "20260101T000000Z here and 2026-01-01T02:00:00Z there. Set the clock",
    ),
    "ExpiredToken": (400, "the session token in the variables AWS_* has expired. Sign in again."),
    "InvalidAccessKeyId": (403, "the store does not know the access key or token in the variables"),
    "SignatureDoesNotMatch": (403, "the secret in the variables AWS_* does not belong to"),
    "AccessDenied": (403, "access was denied. The credentials in the variables AWS_* must allow"),
}


def head() -> object:
    return object_store.find_file(URI)


def read() -> object:
    return object_store.read_bytes(URI)


def version() -> object:
    return object_store.version_of(URI)


def put() -> object:
    return object_store.put_if(URI, b"x", "overwrite")


def remove() -> None:
    object_store.remove(URI)


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[[RefusingStore], None]:
    def set_variables(store: RefusingStore) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", store.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a-key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "its-secret")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    return set_variables


@pytest.mark.parametrize("request_", [head, read, version, put, remove])
@pytest.mark.parametrize("code", REASONS)
def test_reason_of_a_refused_request_is_named(
    code: str, request_: Callable[[], object], connect: Callable[[RefusingStore], None]
) -> None:
    status, message = REASONS[code]
    with RefusingStore(status, code, NOW) as store:
        connect(store)
        with pytest.raises(StoreError) as caught:
            request_()
    assert str(caught.value).startswith(f"{URI}: {message}")
    assert "its-secret" not in str(caught.value)


def test_refusal_of_metadata_alone_is_denied_access(
    connect: Callable[[RefusingStore], None],
) -> None:
    with RefusingStore(403, "ExpiredToken", lists=True) as store:
        connect(store)
        with pytest.raises(StoreError, match=r"access was denied\. The credentials"):
            head()
    assert store.methods == ["HEAD", "GET"]
