"""A server that speaks S3, in a process of its own."""

import subprocess
import sys
from collections.abc import Mapping
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
