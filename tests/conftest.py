"""A temporary home for Prefect, and one server for all tests that need one."""

import os
import shutil
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

# The time of an example depends on the load of the machine.
SLOW_IS_FINE = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("steady", deadline=None, suppress_health_check=SLOW_IS_FINE)
settings.load_profile("steady")
# For `make mutants`: examples of failures need not be shrunk.
settings.register_profile("mutants", phases=[Phase.explicit, Phase.generate])

# Prefect reads these when it is imported, which the test modules do.
HOME = Path(tempfile.mkdtemp(prefix="churn-tests-"))
os.environ |= {
    "PREFECT_HOME": str(HOME),
    "PREFECT_PROFILES_PATH": str(HOME / "profiles.toml"),
    "PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(HOME / "results"),
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    # Idle threads of a fit would spin on the cores that the server needs.
    "GOMP_SPINCOUNT": "1000",
}
for name in list(os.environ):
    if name.endswith(("API_URL", "CONNECTION_URL")) or name.startswith("AWS_"):
        del os.environ[name]

from flows.engine.server import LocalServer  # noqa: E402
from tests.store_server import StoreServer  # noqa: E402

SERVER = LocalServer()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps on one process all tests that need the server, and the tests of each other file."""
    for item in items:
        needs_server = "prefect_server" in getattr(item, "fixturenames", ())
        group = "server" if needs_server else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_unconfigure() -> None:
    """Stops the server and removes Prefect's home."""
    SERVER.stop()
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def prefect_server(request: pytest.FixtureRequest) -> Path:
    """One server for the whole session; returns an empty database in its final layout."""
    kept = kept_database(request.config)
    if kept.exists():
        shutil.copy(kept, HOME / "prefect.db")
    SERVER.start()
    SERVER.wait()
    from flows.engine import cache

    # Results are not kept of code that changes during the run: no matter to a test.
    cache.STARTED = time.time_ns() + 10**15
    if not kept.exists():
        beside = kept.with_suffix(f".{os.getpid()}")
        with sqlite3.connect(HOME / "prefect.db") as source, sqlite3.connect(beside) as copy:
            source.backup(copy)
        beside.replace(kept)
    return kept


@pytest.fixture(scope="session")
def store_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    """One object store for the whole session."""
    with StoreServer(tmp_path_factory.mktemp("store") / "log") as server:
        yield server


@pytest.fixture
def bucket(store_server: StoreServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket for one test, which finds no other store."""
    for name, value in store_server.environment().items():
        monkeypatch.setenv(name, value)
    return store_server.make_bucket(f"bucket-{uuid.uuid4().hex[:12]}")


def kept_database(config: pytest.Config) -> Path:
    """Where the layout of Prefect's database is kept between sessions: it takes long to make."""
    return Path(config.cache.mkdir("prefect")) / f"{version('prefect')}.db"
