"""The program of a local Prefect server, which ends with the process that started it.

Its arguments are the descriptor of a listening socket, and Prefect's home.
"""

import atexit
import gc
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

STOP_SECONDS = 15
"""Time limit for the server to write what it has received."""


def _serve(listener: socket.socket, home: Path) -> None:
    import uvicorn
    from filelock import FileLock

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            # Two concurrent first runs must not create the same database.
            with FileLock(home / "local-server.lock", fallback_to_soft=False):
                await super().startup(sockets)

    config = uvicorn.Config(
        "prefect.server.api.server:create_app",
        factory=True,
        lifespan="on",
        log_level="warning",
        timeout_graceful_shutdown=5,
    )
    Server(config).run(sockets=[listener])


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
    _serve(socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2]))
