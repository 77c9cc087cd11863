"""The permanent Prefect server of a person or a machine, with its page."""

import os
import socket
import sys
from contextlib import suppress

from churnlib.errors import ServerError, reason
from flows.engine.prefect_home import check_database, check_home, prefect_home
from flows.engine.server import QUIET, RETENTION
from flows.engine.server_access import AUTH, PROFILE, URL, profiles_file, write_profile
from flows.engine.server_program import serve

LEASES = "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE"
LEASES_ON_DISK = "prefect.server.concurrency.lease_storage.filesystem"
"""In Prefect's home: a run whose lease is gone after a restart of the server is crashed."""


def run_server(port: int) -> None:
    """Runs a server on 127.0.0.1 until it is interrupted.

    Programs use it with the profile `churn`, which has its address and password.

    Args:
        port: The port.

    Raises:
        ServerError: The port is in use, or Prefect's home, database or profiles cannot be used.
    """
    check_home()
    check_database()
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise ServerError(
            f"port {port} of 127.0.0.1 cannot be used: {reason(error)}. Stop the server that runs "
            "there, or choose another with --port."
        ) from None
    with listener:
        settings = write_profile(port)
        page = settings[URL].removesuffix("/api")
        # Prefect reads these when it is imported, by `serve`.
        for name, value in {**QUIET, **RETENTION}.items():
            os.environ.setdefault(name, value)
        os.environ.update({**settings, "PREFECT_UI_API_URL": settings[URL]})
        os.environ.setdefault(LEASES, LEASES_ON_DISK)
        os.environ["PREFECT_SERVER_API_PORT"] = str(port)
        print(f"page      {page}")
        print(f"password  {_shown(settings[AUTH])}")
        print(f"commands  export PREFECT_PROFILE={PROFILE}", flush=True)
        with suppress(KeyboardInterrupt):  # It has stopped by then.
            serve(listener, prefect_home())


def _shown(password: str) -> str:
    """The password on a terminal; elsewhere, such as in a log, where it is kept."""
    return password if sys.stdout.isatty() else f"{AUTH} of [profiles.{PROFILE}], {profiles_file()}"
