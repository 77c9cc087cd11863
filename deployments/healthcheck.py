"""Checks the health of a container: `python healthcheck.py`, exit status 0 or 1.

A worker and a server are asked over HTTP; any other process is healthy while it runs. Only the
standard library is imported, because this runs every half minute.
"""

import http.client
import os
import sys
from itertools import pairwise
from pathlib import Path

SECONDS = 5
"""Timeout of the request."""


def health_page(command: list[str], environ: dict[str, str]) -> tuple[int, str] | None:
    """Finds the port and path of a process's health check.

    Args:
        command: The process's command line.
        environ: Its environment, which may set another port.

    Returns:
        None if the process has no health check.
    """
    pages = {
        "worker": (environ.get("PREFECT_WORKER_WEBSERVER_PORT", "8080"), "/health"),
        "server": (environ.get("PREFECT_SERVER_API_PORT", "4200"), "/api/health"),
    }
    for name, (port, path) in pages.items():
        if any(pair == (name, "start") for pair in pairwise(command)):
            return int(port), path
    return None


def answers(port: int, path: str) -> bool:
    """Returns whether a page on this machine answers with status 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main() -> int:
    """Checks the container's first process, according to its command line."""
    command = Path("/proc/1/cmdline").read_text(encoding="utf-8").split("\0")
    page = health_page(command, dict(os.environ))
    return 0 if page is None or answers(*page) else 1


if __name__ == "__main__":
    sys.exit(main())
