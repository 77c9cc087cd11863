"""What the log of a failed run holds, on the console and on the server."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging.handlers import set_api_log_sink

from churnlib.errors import DataError
from flows.engine import log
from flows.task import task

pytestmark = pytest.mark.usefixtures("prefect_server")

FAULT = "game1: sub_data.csv: the column price is missing. Add it."


@task
def read(fault: str) -> None:
    """Raises a user's fault, or another one."""
    raise DataError(FAULT) if fault == "user" else ValueError("other")


@flow
def base(fault: str) -> None:
    """Has the task."""
    read(fault)


@flow
def composite(fault: str) -> None:
    """Has the flow."""
    base(fault)


@flow
def check() -> None:
    """Raises a user's fault itself."""
    raise DataError(FAULT)


@pytest.fixture
def sent() -> Iterator[list[dict[str, Any]]]:
    """What goes to the server."""
    records: list[dict[str, Any]] = []
    set_api_log_sink(records.append)
    yield records
    set_api_log_sink(None)


def records(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """What goes to the console as an error."""
    return [r for r in caplog.records if r.name in log.RUN_LOGGERS and r.levelno >= logging.ERROR]


@pytest.mark.parametrize("run", [lambda: composite("user"), check], ids=["in a task", "in a flow"])
def test_log_users_mistake_is_logged_once_without_a_traceback(
    run: Any, caplog: pytest.LogCaptureFixture, sent: list[dict[str, Any]]
) -> None:
    with pytest.raises(DataError) as raised:
        run()
    logged = records(caplog)
    assert [record.getMessage() for record in logged] == [FAULT]
    assert logged[0].exc_info is None
    assert [line["message"] for line in sent if "price" in line["message"]] == [FAULT]
    assert not any("Traceback" in line["message"] for line in sent)
    assert log.was_logged(raised.value)


def test_log_users_mistake_is_in_the_states_of_all_runs() -> None:
    state: State[Any] = composite("user", return_state=True)
    assert FAULT in str(state.message)


def test_log_other_error_keeps_its_traceback(
    caplog: pytest.LogCaptureFixture, sent: list[dict[str, Any]]
) -> None:
    with pytest.raises(ValueError, match="other") as raised:
        composite("program")
    assert all(record.exc_info for record in records(caplog))
    assert [record.name for record in records(caplog)] == [
        "prefect.task_runs",
        "prefect.flow_runs",
        "prefect.flow_runs",
    ]
    assert any('raise DataError(FAULT) if fault == "user"' in line["message"] for line in sent)
    assert log.was_logged(raised.value)


def test_log_install_twice_filters_once() -> None:
    log.install()
    filters = logging.getLogger("prefect.task_runs").filters
    assert sum(isinstance(known, log.RunFilter) for known in filters) == 1
