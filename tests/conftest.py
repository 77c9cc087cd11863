"""A temporary home for Prefect, and one server for all tests that need one."""

import os
import shlex
import shutil
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Collection, Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from xdist.scheduler import LoadGroupScheduling

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# The time of an example depends on the load of the machine.
SLOW_IS_FINE = [HealthCheck.too_slow, HealthCheck.data_too_large]
# For `make test-all`.
settings.register_profile("thorough", deadline=None, suppress_health_check=SLOW_IS_FINE)
thorough = settings.get_profile("thorough")
settings.register_profile("quick", thorough, max_examples=15)
# For `make mutants`: examples of failures need not be shrunk.
settings.register_profile("mutants", thorough, phases=[Phase.explicit, Phase.generate])
settings.load_profile("quick")

# Prefect reads these when it is imported, which the test modules do.
HOME = Path(tempfile.mkdtemp(prefix="churn-tests-"))
os.environ |= {
    "PREFECT_HOME": str(HOME),
    "PREFECT_PROFILES_PATH": str(HOME / "profiles.toml"),
    "PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(HOME / "results"),
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    # Small models are fitted faster on one thread than on two.
    "OMP_NUM_THREADS": "1",
}
for name in list(os.environ):
    if name.endswith(("API_URL", "CONNECTION_URL")) or name.startswith("AWS_"):
        del os.environ[name]

from flows.engine.server import LocalServer  # noqa: E402
from tests.store_server import StoreServer  # noqa: E402

SERVER = LocalServer()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Finds the files with quick tests that need the server; slow ones use both processes."""
    quick = [item for item in items if item.get_closest_marker("slow") is None]
    need_server = {item.path for item in quick if "prefect_server" in _fixtures(item)}
    for item in quick:
        if item.path in need_server:
            item.add_marker(pytest.mark.xdist_group("server"))


def _fixtures(item: pytest.Item) -> Collection[str]:
    return item.fixturenames if isinstance(item, pytest.Function) else ()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadGroupScheduling:
    """Keeps the tests of a file on one process, and quick tests with the server on the same."""
    scheduler = LoadGroupScheduling(config, log)
    group_of = scheduler._split_scope
    scheduler._split_scope = lambda nodeid: group_of(nodeid).partition("::")[0]
    return scheduler


def pytest_unconfigure() -> None:
    """Stops the server and removes Prefect's home."""
    SERVER.stop()
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _suggested_commands_are_understood() -> Iterator[None]:
    """Parses every command line that a message of a test suggests, as `churn` would."""
    from churnlib.io import commands
    from flows.cli.app import app

    def join(words: Iterable[str]) -> str:
        churn, *line = words
        assert churn == "churn"
        app.parse_args(line, exit_on_error=False, print_error=False)
        return shlex.join([churn, *line])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands, "shlex", SimpleNamespace(join=join))
        yield


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


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """A browser for the tests of one module; its event loop would stop the flows of others."""
    from tests.chromium import chromium

    with chromium() as started:
        yield started


def kept_database(config: pytest.Config) -> Path:
    """Where the layout of Prefect's database is kept between sessions: it takes long to make."""
    return Path(config.cache.mkdir("prefect")) / f"{version('prefect')}.db"
