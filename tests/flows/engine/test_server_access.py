"""Who may use the servers of this machine: by name, by origin and by password."""

import asyncio
import base64
import json
import os
import stat
import tomllib
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from churnlib.errors import ServerError
from flows.engine.prefect_home import check_answers
from flows.engine.server_access import AUTH, CORS, PROFILE, SERVER_AUTH, URL, write_profile
from flows.engine.server_program import NAMES, LocalOnly, origins
from tests.chromium import CHROMIUM
from tests.flows.engine.answers import answering

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PORT = 4321
OWN = [f"{name}:{PORT}" for name in NAMES]
OTHER_HOSTS = ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:80", "0.0.0.0", ""]
OTHER_ORIGINS = [
    "http://evil.example",
    "https://127.0.0.1:4321",
    "http://127.0.0.1:80",
    "http://127.0.0.1:4321.evil.example",
    "null",
    "",
    "file://",
]

Headers = list[tuple[bytes, bytes]]
Message = MutableMapping[str, Any]


def answer(kind: str, *headers: tuple[str, str]) -> list[Message]:
    """What a guarded application that says "passed" answers."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": f"{kind}.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def app(scope: Message, receive: Any, send: Callable[[Message], Any]) -> None:
        await send({"type": "passed"})

    encoded: Headers = [(name.encode(), value.encode()) for name, value in headers]
    scope = {"type": kind, "headers": encoded}
    asyncio.run(LocalOnly(app, PORT)(scope, receive, send))
    return sent


PASSED: list[Message] = [{"type": "passed"}]


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("host", [*OWN, OWN[1].upper()])
def test_request_to_this_machine_passes(kind: str, host: str) -> None:
    assert answer(kind, ("host", host)) == PASSED
    for origin in origins(PORT):
        assert answer(kind, ("host", host), ("origin", origin)) == PASSED


@pytest.mark.parametrize("host", OTHER_HOSTS)
def test_request_to_another_host_is_refused(host: str) -> None:
    start, body = answer("http", ("host", host))
    assert (start["status"], body["body"]) == (403, b"refused: host is not this server\n")
    (close,) = answer("websocket", ("host", host))
    assert (close["type"], close["code"]) == ("websocket.close", 1008)


@pytest.mark.parametrize("origin", OTHER_ORIGINS)
def test_request_of_another_page_is_refused(origin: str) -> None:
    own = ("Host", OWN[0])
    start, body = answer("http", own, ("Origin", origin))
    assert (start["status"], body["body"]) == (403, b"refused: origin is not this server\n")
    (close,) = answer("websocket", own, ("Origin", origin))
    assert close["type"] == "websocket.close"
    assert answer("http", own, ("Origin", origins(PORT)[0]), ("Origin", origin))[0]["status"] == 403


def test_request_without_a_host_or_with_two_is_refused() -> None:
    for headers in ([], [("host", OWN[0]), ("host", OWN[1])]):
        assert answer("http", *headers)[0]["status"] == 403


# The profile


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "home" / "profiles.toml"
    monkeypatch.setenv("PREFECT_PROFILES_PATH", str(file))
    monkeypatch.delenv(SERVER_AUTH, raising=False)
    return file


def test_profile_has_the_address_and_a_password_that_others_cannot_read(profiles: Path) -> None:
    settings = write_profile(4200)
    assert tomllib.loads(profiles.read_text()) == {"profiles": {PROFILE: settings}}
    assert settings[URL] == "http://127.0.0.1:4200/api"
    assert settings[CORS] == "http://127.0.0.1:4200,http://localhost:4200"
    user, _, password = settings[AUTH].partition(":")
    assert settings[SERVER_AUTH] == settings[AUTH]
    assert user == PROFILE
    assert len(password) > 40
    assert stat.S_IMODE(profiles.stat().st_mode) == 0o600


def test_profile_keeps_its_password_and_the_other_profiles(profiles: Path) -> None:
    first = write_profile(4200)
    others = 'active = "office"\n\n[profiles.office]\nPREFECT_API_URL = "https://office/api"\n'
    profiles.write_text(f"{others}\n{profiles.read_text()}\n[profiles.last]\n")
    profiles.chmod(0o644)
    second = write_profile(4300)
    assert second == {
        **first,
        URL: "http://127.0.0.1:4300/api",
        CORS: "http://127.0.0.1:4300,http://localhost:4300",
    }
    read = tomllib.loads(profiles.read_text())
    assert read["profiles"].pop(PROFILE) == second
    assert read == tomllib.loads(f"{others}[profiles.last]\n")
    assert stat.S_IMODE(profiles.stat().st_mode) == 0o600
    assert profiles.read_text().count(PROFILE + "]") == 1


def test_profile_takes_the_password_of_the_environment(
    profiles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SERVER_AUTH, 'me:"quoted"')
    assert write_profile(4200)[AUTH] == 'me:"quoted"'
    assert tomllib.loads(profiles.read_text())["profiles"][PROFILE][AUTH] == 'me:"quoted"'


def test_damaged_profiles_are_refused_and_kept(profiles: Path) -> None:
    profiles.parent.mkdir()
    profiles.write_text("no toml")
    with pytest.raises(ServerError, match=r"profiles\.toml cannot be read or written"):
        write_profile(4200)
    assert profiles.read_text() == "no toml"


def test_missing_password_is_told_before_anything_starts() -> None:
    with answering(b"", 401) as url, pytest.raises(ServerError, match="PREFECT_PROFILE=churn"):
        check_answers(url, "")


# A real server


@pytest.fixture
def server(prefect_server: object) -> str:
    """The address of the server of this process, as `host:port`."""
    return os.environ[URL].removeprefix("http://").removesuffix("/api")


def status(server: str, method: str = "GET", path: str = "/api/version", **headers: str) -> int:
    connection = HTTPConnection(server, timeout=60)
    connection.putrequest(method, path, skip_host=True)
    for name, value in {"Host": server, **headers}.items():
        connection.putheader(name, value)
    connection.endheaders()
    try:
        return connection.getresponse().status
    finally:
        connection.close()


def basic(password: str) -> str:
    return f"Basic {base64.b64encode(password.encode()).decode()}"


def test_server_answers_its_own_run_only(server: str) -> None:
    own = basic(os.environ[AUTH])
    assert status(server, Authorization=own) == 200
    assert status(server) == status(server, Authorization=basic("churn:guess")) == 401
    assert status(server, path="/api/health") == 200  # It says no more than that it is there.
    for path in ("/api/version", "/api/health", "/", "/docs"):
        assert status(server, path=path, Authorization=own, Host="evil.example") == 403
        assert status(server, path=path, Authorization=own, Origin="http://evil.example") == 403
    assert status(server, "OPTIONS", Origin="http://evil.example") == 403


def test_server_allows_no_other_origin(server: str) -> None:
    headers = {"Authorization": basic(os.environ[AUTH]), "Origin": f"http://{server}"}
    answered = httpx.get(f"http://{server}/api/version", headers=headers)
    assert answered.status_code == 200
    assert answered.headers["access-control-allow-origin"] == f"http://{server}"


@pytest.mark.parametrize("path", ["events/in", "events/out", "logs/out"])
def test_server_asks_for_the_password_of_streams(server: str, path: str) -> None:
    url = f"ws://{server}/api/{path}"
    with pytest.raises(InvalidStatus, match="403"):
        connect(url, origin="http://evil.example").close()  # type: ignore[arg-type]
    for password, expected in (("churn:guess", "auth_failure"), (os.environ[AUTH], "auth_success")):
        with connect(url, subprotocols=["prefect"]) as stream:  # type: ignore[list-item]
            stream.send(json.dumps({"type": "auth", "token": password}))
            try:
                said = json.loads(stream.recv(30))["type"]
            except ConnectionClosed:
                said = "auth_failure"
            assert said == expected


# A page of another origin in a browser


@contextmanager
def foreign_page() -> Iterator[str]:
    """A page on another port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!DOCTYPE html><title>A page</title>")

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as pages:
        thread = Thread(target=pages.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{pages.server_port}/"
        pages.shutdown()


ATTACK = """async ([url, auth]) => {
  const tried = async (path, options) => {
    try {
      const answer = await fetch(url + path, options);
      return answer.type == 'opaque' ? 'opaque' : String(answer.status);
    } catch (error) { return 'refused'; }
  };
  const body = JSON.stringify({name: 'planted'});
  const json = {'Content-Type': 'application/json', ...(auth ? {Authorization: auth} : {})};
  const stream = () => new Promise(resolve => {
    const socket = new WebSocket(url.replace('http', 'ws') + '/events/in', ['prefect']);
    socket.onopen = () => resolve('open');
    socket.onerror = () => resolve('refused');
  });
  return [
    await tried('/version', {headers: auth ? {Authorization: auth} : {}}),
    await tried('/flows/', {method: 'POST', headers: json, body}),
    await tried('/flows/', {method: 'POST', mode: 'no-cors', body}),
    await stream(),
  ];
}"""


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_page_of_another_origin_cannot_drive_the_server(server: str, browser: "Browser") -> None:
    url, own = f"http://{server}/api", basic(os.environ[AUTH])
    with foreign_page() as address, browser.new_context() as context:
        page = context.new_page()
        page.goto(address)
        for auth in ("", own):  # Even a page that knew the password.
            assert page.evaluate(ATTACK, [url, auth]) == ["refused", "refused", "opaque", "refused"]
        headers = {"Authorization": own}
        flows = httpx.post(f"{url}/flows/filter", headers=headers, json={}).json()
        assert "planted" not in {flow["name"] for flow in flows}
        page.goto(f"http://{server}/api/health")
        read, written, _, stream = page.evaluate(ATTACK, [url, own])
    assert (read, written, stream) == ("200", "201", "open")
