"""The program of a Prefect server on this machine, for one run or permanent.

As a script, it serves one run and ends with the process that started it. Its arguments are the
descriptor of a listening socket, and Prefect's home. Nothing of the project is imported here.
"""

import asyncio
import atexit
import gc
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any

STOP_SECONDS = 15
"""Time limit for the server to write what it has received."""
NAMES = ("127.0.0.1", "localhost")
"""The names by which this machine calls itself."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def origins(port: int) -> tuple[str, ...]:
    """The origins of the server's own pages."""
    return tuple(f"http://{name}:{port}" for name in NAMES)


class LocalOnly:
    """Answers only requests to this machine by name, and of no page but the server's own.

    A browser sends requests of any page to this machine, with the page's origin. If the name of a
    page's host is made to lead here, its origin is the server's own, but `Host` has the name.
    """

    def __init__(self, app: App, port: int) -> None:
        """Guards an ASGI application that listens on a port of 127.0.0.1."""
        self._app = app
        self._allowed = {
            b"origin": {origin.encode() for origin in origins(port)},
            b"host": {origin.removeprefix("http://").encode() for origin in origins(port)},
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it."""
        if scope["type"] == "lifespan" or (why := self._refusal(scope["headers"])) is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": why})
        else:
            headers = [(b"content-type", b"text/plain")]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": f"{why}\n".encode()})

    def _refusal(self, headers: Iterable[tuple[bytes, bytes]]) -> str | None:
        """Why a request is refused; None if it is not."""
        found = [(name.lower(), value.lower()) for name, value in headers]
        if len([name for name, _ in found if name == b"host"]) != 1:
            return "refused: not one host"
        for name, value in found:
            if name in self._allowed and value not in self._allowed[name]:
                return f"refused: {name.decode()} is not this server"
        return None


def serve(listener: socket.socket, home: Path) -> None:
    """Runs a server until it is interrupted.

    Args:
        listener: A socket that listens on 127.0.0.1.
        home: Prefect's home.
    """
    import uvicorn
    from filelock import FileLock

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            # Two concurrent first runs must not create the same database.
            with FileLock(home / "local-server.lock", fallback_to_soft=False):
                await super().startup(sockets)
            if os.environ.get("PREFECT__SERVER_EPHEMERAL"):
                self.removal = asyncio.create_task(_remove_old_runs())

    def app() -> LocalOnly:
        from prefect.server.api.server import create_app

        return LocalOnly(create_app(), listener.getsockname()[1])

    config = uvicorn.Config(
        app,
        factory=True,
        lifespan="on",
        log_level="warning",
        timeout_graceful_shutdown=5,
    )
    Server(config).run(sockets=[listener])


async def _remove_old_runs() -> None:
    """Removes old runs from the database, as the services of a permanent server do."""
    from prefect.server.database import provide_database_interface
    from prefect.server.services.db_vacuum import vacuum_old_flow_runs
    from prefect.settings import get_current_settings

    if "flow_runs" in get_current_settings().server.services.db_vacuum.enabled_vacuum_types:
        await vacuum_old_flow_runs(db=provide_database_interface())


def _end_with_parent() -> None:
    # The parent never writes to the pipe: end of file means that it has exited. Reading through
    # sys.stdin would hold its lock when the interpreter exits.
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    # As in `flows.cli.session`: garbage collection skips imported modules, also at exit.
    gc.set_threshold(20_000)
    atexit.register(gc.freeze)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    serve(socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2]))
