"""Locks in an object store."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import pytest

from churnlib.errors import StoreError
from churnlib.io import locks, object_store, storage


def names(folder: str) -> list[str]:
    return [entry.name for entry in storage.list_files(folder)]


@pytest.fixture
def fast_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "POLL_OBJECT", (0.01, 0.01))


def test_lock_of_an_object_makes_the_next_wait(bucket: str, fast_polling: None) -> None:
    seen: list[str] = []

    def come() -> None:
        with storage.exclusive_lock(f"{bucket}/x"):
            seen.append("second")

    with storage.exclusive_lock(f"{bucket}/x"):
        thread = threading.Thread(target=come)
        thread.start()
        thread.join(0.3)
        seen.append("first")
    thread.join()
    assert seen == ["first", "second"]
    assert names(bucket) == []


def test_abandoned_lock_is_taken_over_and_its_old_holder_notified(
    bucket: str, fast_polling: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "ABANDONED_AFTER", 0.1)
    monkeypatch.setattr(locks._ObjectLock, "_renew", lambda _: None)
    other = copy_context()
    with (
        pytest.raises(StoreError, match="/x: another run took over the lock"),
        storage.exclusive_lock(f"{bucket}/x"),
    ):
        first = storage.read_bytes(f"{bucket}/.x.lock")
        slow = storage.exclusive_lock(f"{bucket}/x")
        other.run(slow.__enter__)
        assert storage.read_bytes(f"{bucket}/.x.lock") != first
        with pytest.raises(StoreError, match="/x: another run took over the lock"):
            storage.write_text("of the old holder", f"{bucket}/y")
    assert names(bucket) == [".x.lock"]
    other.run(slow.__exit__, None, None, None)
    assert names(bucket) == []


def test_slow_holder_keeps_the_lock(
    bucket: str, fast_polling: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "ABANDONED_AFTER", 0.4)
    place = f"{bucket}/x"
    storage.write_text("0", place)

    def count_up(seconds: float) -> None:
        with storage.exclusive_lock(place):
            number = int(storage.read_bytes(place))
            time.sleep(seconds)
            storage.write_text(str(number + 1), place)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(count_up, [1.5, 0.0, 1.5]))
    assert storage.read_bytes(place) == b"3"
    assert names(bucket) == ["x"]


def test_holder_keeps_the_lock_where_a_renewal_s_answer_is_lost(
    bucket: str, fast_polling: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "ABANDONED_AFTER", 0.4)
    put = object_store.put_if
    lost: list[Any] = []

    def losing(uri: str, content: bytes, mode: Any) -> Any:
        version = put(uri, content, mode)
        if mode == "create" or lost:
            return version
        lost.append(version)
        return None

    monkeypatch.setattr(object_store, "put_if", losing)
    with storage.exclusive_lock(f"{bucket}/x"):
        time.sleep(0.7)
        renewed = storage.read_bytes(f"{bucket}/.x.lock")
    assert lost
    assert not renewed.endswith(b" 1")
    assert names(bucket) == []


def test_wait_for_an_object_ends(
    bucket: str, fast_polling: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "GIVE_UP_AFTER", 0.1)
    held = r"/\.x\.lock has been held by another run"
    with (
        storage.exclusive_lock(f"{bucket}/x"),
        pytest.raises(StoreError, match=held),
        storage.exclusive_lock(f"{bucket}/x"),
    ):
        pass
    assert names(bucket) == []


def test_lock_is_taken_over_only_once(bucket: str) -> None:
    beside = f"{bucket}/.x.lock"
    assert object_store.put_if(beside, b"dead", "create")
    there = object_store.version_of(beside)
    assert there
    assert not object_store.put_if(beside, b"third", "create")
    assert object_store.put_if(beside, b"second", there)
    assert not object_store.put_if(beside, b"third", there)
    assert storage.read_bytes(beside) == b"second"
    storage.remove(beside)
    assert not object_store.put_if(beside, b"third", there)
