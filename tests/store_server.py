"""Servers that speak S3: one in a process of its own, and one that refuses every request."""

import subprocess
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import Request, urlopen

from obstore.store import S3Store

SERVE = """
import sys, threading
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""
"""Serves until its input ends, also if the parent process was killed."""


EMPTY_LIST = b"<ListBucketResult><Name>b</Name><KeyCount>0</KeyCount></ListBucketResult>"


class RefusingStore:
    """A store that refuses every request with a code, for the duration of a block.

    As in S3, the answer to a request for metadata has no body, so it does not name the code.
    """

    def __init__(self, status: int, code: str, details: str = "", *, lists: bool = False) -> None:
        error = f"<Error><Code>{code}</Code><Message>No.</Message>{details}</Error>".encode()
        self.methods: list[str] = []
        store = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                store.methods.append(self.command)
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                is_list = lists and self.command == "GET" and "list-type" in self.path
                body = EMPTY_LIST if is_list else error
                self.send_response(200 if is_list else status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> "RefusingStore":
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class StoreServer:
    """An empty object store on this machine, for the duration of a block."""

    def __init__(self, log: Path) -> None:
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-c", SERVE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
            )
        self._log = log

    def __enter__(self) -> "StoreServer":
        assert self._process.stdout is not None
        lines = iter(self._process.stdout.readline, "")
        port = next((line for line in lines if line.strip().isdecimal()), None)
        assert port is not None, self._log.read_text()
        self.url = f"http://127.0.0.1:{int(port)}"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def make_bucket(self, name: str) -> str:
        """Makes a bucket; returns its URI."""
        with urlopen(Request(f"{self.url}/{name}", method="PUT"), timeout=20):
            return f"s3://{name}"

    def put(self, uri: str, content: bytes, **metadata: str) -> None:
        """Puts an object as another program would."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        store = S3Store(
            bucket,
            endpoint=self.url,
            access_key_id="others",
            secret_access_key="others",
            client_options={"allow_http": True},
        )
        store.put(key, content, attributes=metadata)

    def environment(self) -> Mapping[str, str]:
        """The variables by which this store, and none elsewhere, is found."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests",
            "AWS_REGION": "eu-central-1",
            "NO_PROXY": "127.0.0.1",
        }

    def requests(self) -> list[str]:
        """The requests so far, as the server's log has them."""
        lines = self._log.read_text().splitlines()
        return [line.split('"')[1].removesuffix(" HTTP/1.1") for line in lines if '"' in line]
