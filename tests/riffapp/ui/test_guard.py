"""Who may speak to the page: the right ones pass, every forged request is refused before it."""

from __future__ import annotations

import asyncio
import http.client
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket

from riffapp.ui import guard, login
from riffapp.ui.guard import Guard, is_loopback, refused, visitor_of

ROOT = Path(__file__).resolve().parents[3]
HERE, PORT = "127.0.0.1:8501", 8501
US = f"http://{HERE}"
LAN, NEIGHBOUR = "192.168.1.5", "192.168.1.9"
WORD = "correct horse"
TOKEN = "0123456789abcdef" * 2


class Page:
    """A small page behind a guard; it remembers whether it was reached."""

    def __init__(self, **how: Any) -> None:
        self.reached = 0
        every = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE"]
        self.app = Starlette(
            middleware=[Middleware(Guard, **how)],
            routes=[
                WebSocketRoute("/_stcore/stream", self._talk),
                Route("/upload", self._take, methods=["PUT"]),
                Route("/fresh", self._fresh),
                Route("/{path:path}", self._show, methods=every),
            ],
        )

    def client(
        self, base: str = US, *, sender: str = "127.0.0.1", server: str | None = None
    ) -> TestClient:
        """A browser at `base`; the connection comes to `server`, if that is another address."""
        host = urlsplit(base).hostname
        here = server or ("127.0.0.1" if host == "localhost" else host)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            scope["server"] = (here, PORT)
            await self.app(scope, receive, send)

        return TestClient(app, base_url=base, client=(sender, 50_000), follow_redirects=False)

    async def _show(self, request: Request) -> Response:
        self.reached += 1
        return HTMLResponse("<p>the page</p>")

    async def _fresh(self, request: Request) -> Response:
        self.reached += 1
        return Response(status_code=304)

    async def _take(self, request: Request) -> Response:
        self.reached += 1
        size = 0
        async for part in request.stream():
            size += len(part)
        return PlainTextResponse(str(size))

    async def _talk(self, websocket: WebSocket) -> None:
        self.reached += 1
        await websocket.accept()
        await websocket.send_text("hello")
        await websocket.close()


def said(client: TestClient, headers: Any) -> str:
    """What a websocket says, or the refusal."""
    address = str(client.base_url.join("/_stcore/stream")).replace("http", "ws", 1)
    try:
        with client.websocket_connect(address, headers=headers) as talk:
            return str(talk.receive_text())
    except WebSocketDenialResponse as denied:
        return f"{denied.status_code} {denied.text}"


# ---- forged requests ---------------------------------------------------------------------------

EVIL_HOSTS = (
    "evil.example",
    "evil.example:8501",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil.example#127.0.0.1",
    "evil.example/127.0.0.1",
    "evil.example@127.0.0.1",
    "127.0.0.1@evil.example",
    "127.0.0.1:8501@evil.example",
    "localhost.",
    "localhost:",
    "localhost:port",
    "localhost:123456",
    "localhost, evil.example",
    "localhost evil.example",
    "0.0.0.0",
    "[::]:8501",
    "[::1].evil.example",
    "[::1",
    "::1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "192.168.1.5:8501",
    "169.254.169.254",
    "studio.example",
    "<script>alert(1)</script>",
    "",
)
EVIL_ORIGINS = (
    "null",
    "",
    "http://evil.example",
    "https://127.0.0.1:8501",
    "http://127.0.0.1",
    "http://127.0.0.1:80",
    "http://127.0.0.1:3000",
    "http://localhost:8501",
    "http://[::1]:8501",
    "http://127.0.0.1:8501.evil.example",
    "http://127.0.0.1:8501/",
    "http://127.0.0.1:8501@evil.example",
    "http://evil.example/http://127.0.0.1:8501",
    "http://127.0.0.1:8501, http://evil.example",
    "http://user@127.0.0.1:8501",
    "ws://127.0.0.1:8501",
    "file://",
    "chrome-extension://abcdefgh",
    "127.0.0.1:8501",
)
SITES = (
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "audio"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "script"},
    {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
)
TWO_HOSTS = [("host", HERE), ("host", "evil.example")]
TWO_ORIGINS = [("origin", US), ("origin", "http://evil.example")]
FORM = {"content-type": "text/plain"}

FORGED: list[tuple[str, Any, int]] = [
    *(("GET", {"host": host}, 403) for host in EVIL_HOSTS),
    *(("GET", {"host": host, "origin": f"http://{host}"}, 403) for host in EVIL_HOSTS[:3]),
    *(("GET", {"origin": origin}, 403) for origin in EVIL_ORIGINS),
    *(("POST", {"origin": origin, **FORM}, 403) for origin in EVIL_ORIGINS),
    *(("GET", site, 403) for site in SITES),
    ("OPTIONS", {"origin": "http://evil.example", "access-control-request-method": "PUT"}, 403),
    ("GET", TWO_HOSTS, 403),
    ("GET", TWO_ORIGINS, 403),
    ("GET", {"host": "evil.example", "x-forwarded-host": HERE, "forwarded": f"host={HERE}"}, 403),
    ("POST", FORM, 403),
    ("PUT", {}, 403),
    ("DELETE", {}, 403),
    ("POST", {"referer": f"{US}/"}, 403),
    ("PATCH", {"origin": US}, 405),
    ("TRACE", {"origin": US}, 405),
    ("PROPFIND", {}, 405),
    ("get", {}, 405),
]
FORGED_SOCKETS: list[Any] = [
    {},
    {"cookie": f"{guard.VISITOR}={TOKEN}"},
    *({"origin": origin} for origin in EVIL_ORIGINS),
    *({"host": host, "origin": US} for host in EVIL_HOSTS),
    *({"host": host, "origin": f"http://{host}"} for host in EVIL_HOSTS[:5]),
    {"origin": US, "sec-fetch-site": "cross-site", "sec-fetch-mode": "websocket"},
]


def forged(client: TestClient, method: str, headers: Any) -> Response:
    path = "/_stcore/upload_file/a/b?x=<script>"
    request = client.build_request("GET", path, headers=headers)
    request.method = method  # httpx would make it capitals
    return client.send(request)  # type: ignore[no-any-return]


@pytest.mark.parametrize(("method", "headers", "status"), FORGED)
def test_a_forged_request_never_reaches_the_page(method: str, headers: Any, status: int) -> None:
    page = Page()
    got: Any = forged(page.client(), method, headers)
    assert (got.status_code, page.reached) == (status, 0)
    assert got.text in (guard.NOT_THIS_HOST, guard.NOT_OUR_PAGE, guard.NOT_THIS_WAY)
    assert got.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("headers", FORGED_SOCKETS)
def test_a_forged_websocket_never_reaches_the_page(headers: Any) -> None:
    page = Page()
    assert said(page.client(), headers) in (
        f"403 {guard.NOT_THIS_HOST}",
        f"403 {guard.NOT_OUR_PAGE}",
    )
    assert page.reached == 0


def test_a_request_without_a_host_is_refused() -> None:
    async def ask() -> list[Any]:
        scope = {"type": "http", "method": "GET", "path": "/", "scheme": "http", "headers": []}
        scope |= {"server": ("127.0.0.1", PORT), "client": ("127.0.0.1", 1), "query_string": b""}
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        await Page().app(scope, receive_nothing, send)
        return sent

    assert asyncio.run(ask())[0]["status"] == 403


@pytest.mark.parametrize(
    "headers", [[("host", HERE), ("origin", "null")], [*TWO_HOSTS, ("origin", US)], TWO_ORIGINS]
)
def test_a_server_that_cannot_deny_a_websocket_in_words_closes_it(headers: Any) -> None:
    async def knock() -> list[Any]:
        raw = [(name.encode(), value.encode()) for name, value in headers]
        scope = {"type": "websocket", "path": "/", "scheme": "ws", "headers": raw}
        scope |= {"server": ("127.0.0.1", PORT), "client": ("127.0.0.1", 1)}
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        await Page().app(scope, receive_nothing, send)
        return sent

    assert asyncio.run(knock()) == [{"type": "websocket.close", "code": 1008}]


async def receive_nothing() -> Any:
    return {"type": "http.disconnect"}


# ---- right ones --------------------------------------------------------------------------------

LINK = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


@pytest.mark.parametrize("host", [HERE, "localhost:8501", "LocalHost", "[::1]:8501", "127.0.0.1"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE"])
def test_this_machines_own_browser_passes(host: str, method: str) -> None:
    page = Page()
    headers = {"host": host, "origin": f"http://{host.lower()}", "sec-fetch-site": "same-origin"}
    assert page.client().request(method, "/", headers=headers).status_code == 200
    assert page.reached == 1


@pytest.mark.parametrize("headers", [{}, LINK, {"sec-fetch-site": "none"}])
def test_reading_needs_no_origin_and_a_link_from_elsewhere_may_be_followed(headers: Any) -> None:
    assert Page().client().get("/", headers=headers).text == "<p>the page</p>"


@pytest.mark.parametrize("host", [HERE, "localhost:8501", "[::1]:8501"])
def test_a_websocket_of_our_page_passes(host: str) -> None:
    assert said(Page().client(), {"host": host, "origin": f"http://{host}"}) == "hello"


def test_behind_tls_the_origin_is_https() -> None:
    client = Page().client("https://localhost")
    assert client.post("/", headers={"origin": "https://localhost"}).status_code == 200
    assert client.post("/", headers={"origin": "http://localhost"}).status_code == 403
    assert said(client, {"origin": "http://localhost"}) == f"403 {guard.NOT_OUR_PAGE}"
    assert said(client, {"origin": "https://localhost"}) == "hello"


@pytest.mark.parametrize(
    ("address", "is_it"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:192.168.1.5", False),
        ("192.168.1.5", False),
        ("0.0.0.0", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("localhost", False),
        ("127.1", False),
        ("/run/page.sock", False),
        ("", False),
    ],
)
def test_this_machine_to_itself_is_known_by_number(address: str, is_it: bool) -> None:
    assert is_loopback(address) == is_it


# ---- from elsewhere ----------------------------------------------------------------------------

ABROAD = [
    # What the browser asks for, whence, and to which address the connection came.
    (f"http://{LAN}:8501", NEIGHBOUR, None),
    (f"http://{LAN}:8501", LAN, None),
    (US, NEIGHBOUR, LAN),
    ("http://localhost:8501", "172.17.0.1", "172.17.0.2"),
    ("http://[fe80::5]:8501", "fe80::9", None),
    (US, "203.0.113.7", None),  # a proxy on this machine speaks for somebody
    ("http://studio.example", "127.0.0.1", "127.0.0.1"),  # one that keeps silent
    (US, "127.0.0.1", "/run/page.sock"),
    ("http://evil.example", NEIGHBOUR, LAN),
]


@pytest.mark.parametrize(("base", "sender", "server"), ABROAD)
@pytest.mark.parametrize("password", [None, ""])
def test_without_a_password_nobody_comes_in_from_elsewhere(
    base: str, sender: str, server: str | None, password: str | None
) -> None:
    page = Page(hosts=["studio.example"], password=password)
    client = page.client(base, sender=sender, server=server)
    for path in ("/", "/_stcore/health", "/static/js/index.js", "/riffapp/files/1/0"):
        got = client.get(path)
        assert got.status_code == 503
        assert "No password is set: put one of at least 8 characters" in got.text
        assert "RIFFAPP_PASSWORD_FILE" in got.text and "<form" not in got.text
    assert client.post("/", data={"password": ""}, headers={"origin": base}).status_code == 503
    assert said(client, {"origin": base}).startswith("503 ")
    assert page.reached == 0


def test_without_a_password_this_machine_still_comes_in() -> None:
    assert Page(hosts=["studio.example"]).client().get("/").status_code == 200


def test_a_short_password_is_none_for_anybody() -> None:
    got = Page(password="1234567").client().get("/")
    assert got.status_code == 503
    assert "The password has 7 characters: set one of at least 8" in got.text


@pytest.mark.parametrize(("base", "sender", "server"), ABROAD[:-1])
def test_with_a_password_everybody_is_asked_for_it(
    base: str, sender: str, server: str | None
) -> None:
    page = Page(hosts=["studio.example"], password=WORD)
    client = page.client(base, sender=sender, server=server)
    for path in ("/", "/static/js/index.js", "/_stcore/host-config", "/riffapp/files/1/0"):
        got = client.get(path)
        assert got.status_code == 401
        assert '<input id="password"' in got.text and got.headers["cache-control"] == "no-store"
    for method in ("POST", "PUT", "DELETE"):
        assert client.request(method, "/", headers={"origin": base}).status_code == 401
    assert said(client, {"origin": base}) == f"403 {guard.LOCKED}"
    assert page.reached == 0
    assert client.post("/", data={"password": WORD}, headers={"origin": base}).status_code == 303
    assert client.get("/").text == "<p>the page</p>"
    assert said(client, {"origin": base, "cookie": as_sent(client)}) == "hello"


def test_with_a_password_this_machine_is_asked_too_but_for_its_health() -> None:
    page = Page(password=WORD)
    assert page.client().get("/").status_code == 401
    assert page.client().get("/_stcore/health").status_code == 200
    assert page.client().post("/_stcore/health", headers={"origin": US}).status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "192.168.1.6:8501", "router.local"])
def test_with_a_password_a_host_of_another_name_is_still_refused(host: str) -> None:
    client = Page(hosts=["studio.example"], password=WORD).client(f"http://{LAN}:8501")
    assert client.get("/", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("given", ["studio.example", "[fd00::5]", "fd00::5", "10.0.0.2"])
def test_names_that_a_person_configured_are_known_whatever_the_port(given: str) -> None:
    client = Page(hosts=[given], password=WORD).client(sender=NEIGHBOUR, server=LAN)
    host = f"[{given}]" if given == "fd00::5" else given
    assert client.get("/", headers={"host": f"{host}:8443"}).status_code == 401


def as_sent(client: TestClient) -> str:
    return "; ".join(f"{name}={value}" for name, value in client.cookies.items())


# ---- the password ------------------------------------------------------------------------------


def give(client: TestClient, password: str, path: str = "/", **how: Any) -> Any:
    return client.post(path, data={"password": password}, headers={"origin": US}, **how)


@pytest.mark.parametrize(
    "password",
    ["", " ", "correct", "correct horse ", "Correct horse", "correct\0horse", "x" * 9999],
)
def test_a_wrong_password_opens_nothing(password: str) -> None:
    page = Page(password=WORD)
    client = page.client()
    got = give(client, password)
    assert got.status_code == 401 and "That is not the password: try again." in got.text
    assert "set-cookie" not in got.headers and page.reached == 0


@pytest.mark.parametrize(
    "body", [b"", b"password=%ff%fe", b"\xff\xfe", b"password", b"&" * 4000, b"a=1&" * 1000]
)
def test_a_form_that_is_none_is_a_wrong_password(body: bytes) -> None:
    headers = {"origin": US, "content-type": "application/x-www-form-urlencoded"}
    assert Page(password=WORD).client().post("/", content=body, headers=headers).status_code == 401


@pytest.mark.parametrize("password", [WORD, "pässwörd ☃", "12345678", "a&b=c+d%20e"])
def test_the_right_password_opens_the_page_for_thirty_days(password: str) -> None:
    client = Page(password=password).client()
    got = give(client, password)
    cookie = got.headers["set-cookie"]
    assert got.status_code == 303 and client.get("/").status_code == 200
    for part in ("HttpOnly", "SameSite=lax", "Path=/", f"Max-Age={30 * 24 * 3600}"):
        assert part in cookie
    assert "Secure" not in cookie


def test_behind_tls_the_session_goes_over_tls_only() -> None:
    client = Page(password=WORD).client("https://localhost")
    got = client.post("/", data={"password": WORD}, headers={"origin": "https://localhost"})
    assert "Secure" in got.headers["set-cookie"]


@pytest.mark.parametrize(
    ("path", "way"),
    [
        ("/", "/"),
        ("/speech?bars=4&prompt=house%20drums%22%3E", "/speech?bars=4&prompt=house%20drums%22%3E"),
        ("//evil.example/x", "/evil.example/x"),
        ("/%2F/evil.example", "/evil.example"),
        ("/%5Cevil.example", "/%5Cevil.example"),
        ("/a%3Fb%23c", "/a%3Fb%23c"),
        ("/%0d%0aset-cookie:x=1", "/%0D%0Aset-cookie%3Ax%3D1"),
    ],
)
def test_who_has_said_it_goes_on_to_where_they_knocked_and_nowhere_else(
    path: str, way: str
) -> None:
    got = give(Page(password=WORD).client(), WORD, US + path)
    assert got.headers["location"] == way and "x" not in got.cookies


def test_a_session_is_a_time_that_only_this_server_can_sign() -> None:
    now = [1e9]
    door = login.Login(WORD, clock=lambda: now[0])
    until = str(10**9 + login.SESSION_S)
    good = f"{until}.{door._mark(until)}"
    assert door.knows({login.SESSION: good})
    for bad in (
        "",
        ".",
        until,
        f"{until}.",
        f"{until}.{'0' * 64}",
        f"{int(until) + 1}.{good.partition('.')[2]}",
        f"+{good}",
        f" {good}",
        f"{good}0",
        f"{'9' * 5000}.{good.partition('.')[2]}",
        f"\u0663.{good.partition('.')[2]}",
        f"{until}.é",
    ):
        assert not door.knows({login.SESSION: bad}), bad
    assert not login.Login(WORD, clock=lambda: now[0]).knows({login.SESSION: good})  # a restart
    now[0] += login.SESSION_S
    assert not door.knows({login.SESSION: good})


def test_after_five_wrong_ones_each_doubles_the_wait_up_to_a_quarter_of_an_hour() -> None:
    now = [0.0]
    tries = login.Tries(clock=lambda: now[0])
    waits = []
    for _ in range(18):
        tries.wrong("a")
        waits.append(tries.wait_s("a"))
        now[0] += waits[-1]
    assert waits[:7] == [0, 0, 0, 0, 1, 2, 4] and waits[-1] == login.MOST_WAIT_S
    assert tries.wait_s("b") == 0
    now[0] += 3600
    tries.wrong("a")
    assert tries.wait_s("a") == 0  # forgotten


def test_the_right_password_ends_the_waiting() -> None:
    tries = login.Tries(clock=lambda: 0.0)
    for _ in range(9):
        tries.wrong("a")
    tries.right("a")
    assert tries.wait_s("a") == 0 and len(tries) == 0


def test_memory_for_wrong_passwords_is_bounded() -> None:
    tries = login.Tries(clock=lambda: 0.0)
    for i in range(5000):
        tries.wrong(str(i))
    assert len(tries) <= 1024


def test_who_guesses_is_told_to_wait_and_even_the_right_one_does_not_help() -> None:
    client = Page(password=WORD).client()
    for _ in range(login.FREE_TRIES):
        assert give(client, "wrong").status_code == 401
    got = give(client, WORD)
    assert got.status_code == 429 and int(got.headers["retry-after"]) >= 1
    assert "Too many wrong passwords came from here: try again in 1 s." in got.text


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("10.0.0.1", "10.0.0.2", False),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
    ],
)
def test_a_household_of_ipv6_is_one_sender(one: str, other: str, same: bool) -> None:
    assert (login._network(one) == login._network(other)) == same


@pytest.mark.parametrize(
    ("host", "password", "said"),
    [
        ("127.0.0.1", None, None),
        ("localhost", "", None),
        ("::1", None, None),
        ("127.0.0.1", WORD, None),
        ("0.0.0.0", WORD, None),
        ("0.0.0.0", None, "at 0.0.0.0 others could come in: no password is set: .* at least 8"),
        ("::", "", "at :: others could come in"),
        ("192.168.1.5", None, "at 192.168.1.5 others could come in"),
        ("", None, "at every address others could come in"),
        ("studio.example", None, "at studio.example others could come in"),
        ("0.0.0.0", "1234567", "the password has 7 characters"),
        ("127.0.0.1", "1234567", "the password has 7 characters"),
    ],
)
def test_where_nobody_may_be_served_is_said_at_the_start(
    host: str, password: str | None, said: str | None
) -> None:
    found = refused(host, password)
    assert (found is None) if said is None else re.match(said, str(found))


# ---- bodies ------------------------------------------------------------------------------------


def chunks(n: int) -> Iterator[bytes]:
    for _ in range(n):
        yield b"x" * (1 << 20)


def test_a_body_within_bounds_arrives_whole() -> None:
    got = Page().client().put("/upload", content=chunks(50), headers={"origin": US})
    assert got.text == str(50 << 20)


def test_a_body_that_says_it_is_too_large_is_not_even_read() -> None:
    page = Page()
    headers = {"origin": US, "content-length": str(guard.MAX_BODY + 1)}
    got = page.client().put("/upload", content=b"", headers=headers)
    assert (got.status_code, got.text) == (413, guard.TOO_LARGE) and page.reached == 0


@pytest.mark.parametrize("claims", [None, "10", "0" * 40 + "1"])
def test_a_body_that_lies_about_its_length_is_refused_as_it_passes_the_bound(
    claims: str | None,
) -> None:
    headers = {"origin": US} | ({} if claims is None else {"content-length": claims})
    got = Page().client().put("/upload", content=chunks(60), headers=headers)
    assert (got.status_code, got.text) == (413, guard.TOO_LARGE)


def test_the_form_of_a_password_is_read_to_its_own_bound_only() -> None:
    headers = {"origin": US, "content-type": "application/x-www-form-urlencoded"}
    client = Page(password=WORD).client()
    body = b"password=correct+horse&more=" + b"x" * 5000
    assert client.post("/", content=body, headers=headers).status_code == 401


# ---- visitors ----------------------------------------------------------------------------------


def test_a_browser_gets_a_name_with_its_first_page_and_keeps_it() -> None:
    client = Page().client()
    cookie = client.get("/").headers["set-cookie"]
    token = str(client.cookies[guard.VISITOR])
    assert visitor_of(client.cookies) == token and len(token) == 32
    for part in ("HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=315360000"):
        assert part in cookie
    assert "Secure" not in cookie
    assert "set-cookie" not in client.get("/").headers
    assert Page().client().get("/").cookies[guard.VISITOR] != token


def test_a_name_that_this_server_cannot_have_given_is_replaced() -> None:
    for bad in (
        "",
        "0" * 31,
        "0" * 33,
        "0" * 31 + "G",
        "../../../../../../../../../etc/pas",
        "é" * 32,
    ):
        assert visitor_of({guard.VISITOR: bad}) is None
        got = Page().client().get("/", headers={"cookie": f"{guard.VISITOR}={bad}".encode()})
        assert guard.VISITOR in got.cookies
    assert visitor_of({}) is None and visitor_of({guard.VISITOR: TOKEN}) == TOKEN


def test_only_pages_name_a_browser() -> None:
    client = Page().client()
    assert "set-cookie" not in client.put("/upload", headers={"origin": US}).headers
    assert "set-cookie" not in client.head("/").headers
    assert "set-cookie" not in client.get("/fresh").headers  # what a page asks for
    assert "set-cookie" in client.get("/fresh", headers={"accept": "text/html"}).headers
    assert "set-cookie" not in Page(password=WORD).client().get("/").headers


def test_behind_tls_the_name_goes_over_tls_only() -> None:
    assert "Secure" in Page().client("https://localhost").get("/").headers["set-cookie"]


# ---- answers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ask",
    [
        lambda: Page().client().get("/"),
        lambda: Page().client().get("/", headers={"host": "evil.example"}),
        lambda: Page(password=WORD).client().get("/"),
        lambda: Page().client(sender=NEIGHBOUR).get("/"),
        lambda: Page().client().put("/upload", content=chunks(53), headers={"origin": US}),
    ],
)
def test_every_answer_forbids_other_hosts_frames_and_guesses(ask: Any) -> None:
    headers = ask().headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'self'" and policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in policy["script-src"] and "http" not in policy["script-src"]
    allowed = {"'self'", "data:", "blob:", f"ws://{HERE}", f"wss://{HERE}"}
    assert set(policy["connect-src"].split()) <= allowed


def test_nothing_that_a_request_says_comes_back() -> None:
    mark = "<script>alert(1)</script>"
    asks: list[Any] = [
        Page().client().get("/", headers={"host": mark, "origin": mark, "cookie": mark}),
        Page(password=WORD).client().get(f"/{mark}?{mark}", headers={"referer": mark}),
        give(Page(password=WORD).client(), mark, f"/{mark}"),
        Page().client(sender=NEIGHBOUR).get(f"/{mark}", headers={"host": mark}),
    ]
    for got in asks:
        assert got.status_code >= 400
        assert "alert(" not in got.text and "alert(" not in str(got.headers)


def test_the_scripts_of_streamlits_own_page_are_allowed_by_their_digests() -> None:
    found = guard._scripts_of_the_frame()
    assert re.fullmatch(r"( 'sha256-[A-Za-z0-9+/]{43}=')+", found)


# ---- the real server ---------------------------------------------------------------------------

APP = """
import streamlit as st
from starlette.middleware import Middleware
from riffapp.ui.guard import Guard
app = st.App("main.py", middleware=[Middleware(Guard)])
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """`streamlit run app.py` at every address of this machine; its port comes out."""
    folder = tmp_path_factory.mktemp("app")
    (folder / "main.py").write_text("import streamlit as st\nst.write('hello')\n")
    (folder / "app.py").write_text(APP)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    command += ["--server.address", "0.0.0.0", "--server.headless", "true"]
    command += ["--browser.gatherUsageStats", "false", "--server.fileWatcherType", "none"]
    path = {"PYTHONPATH": str(ROOT), "HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=path, stdout=log, stderr=log)
        try:
            end = time.monotonic() + 120
            while True:
                assert process.poll() is None and time.monotonic() < end, (
                    folder / "log"
                ).read_text()
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield port
        finally:
            process.terminate()
            process.wait(timeout=60)


def real(
    port: int, path: str, *, at: str = "127.0.0.1", method: str = "GET", **headers: str
) -> Any:
    connection = http.client.HTTPConnection(at, port, timeout=30)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    found = answer.status, answer.read().decode("utf-8", "replace"), answer.headers
    connection.close()
    return found


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "streamlit",
}
EVERY = ("/", "/_stcore/health", "/_stcore/host-config", "/static/js/no.js", "/media/a.png", "/x")


def test_streamlits_own_server_refuses_the_forged_on_every_route(served: int) -> None:
    us = f"http://127.0.0.1:{served}"
    for path in EVERY:
        assert real(served, path, Host="evil.example")[:2] == (403, guard.NOT_THIS_HOST)
        assert real(served, path, Origin="null")[:2] == (403, guard.NOT_OUR_PAGE)
        assert real(served, path, method="POST")[:2] == (403, guard.NOT_OUR_PAGE)
    stream = "/_stcore/stream"
    for headers in ({}, {"Origin": "null"}, {"Origin": us, "Host": "evil.example"}):
        assert real(served, stream, **UPGRADE, **headers)[0] == 403
    assert (
        real(served, stream, **UPGRADE, Origin="http://evil.example", Host="evil.example")[0] == 403
    )
    large = str(guard.MAX_BODY + 1)
    put = {"method": "PUT", "Origin": us, "Content-Length": large}
    assert real(served, "/_stcore/upload_file/a/b", **put)[:2] == (413, guard.TOO_LARGE)


def test_streamlits_own_server_serves_this_machine(served: int) -> None:
    status, text, headers = real(served, "/")
    assert status == 200 and '<div id="root">' in text
    assert visitor_of({guard.VISITOR: headers["set-cookie"].partition("=")[2][:32]})
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert real(served, "/_stcore/health")[:2] == (200, "ok")
    us = f"http://127.0.0.1:{served}"
    assert real(served, "/_stcore/stream", **UPGRADE, Origin=us)[0] == 101


def test_streamlits_own_server_hears_for_whom_a_proxy_on_this_machine_speaks(served: int) -> None:
    assert real(served, "/", **{"X-Forwarded-For": "203.0.113.7"})[0] == 503
    headers = {"X-Forwarded-Proto": "https", "Origin": f"http://127.0.0.1:{served}"}
    assert real(served, "/", method="POST", **headers)[:2] == (403, guard.NOT_OUR_PAGE)


def test_streamlits_own_server_keeps_other_machines_out_until_a_password_is_set(
    served: int,
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing, and says which address would
            at = str(probe.getsockname()[0])
        except OSError:
            at = "127.0.0.1"
    if is_loopback(at):
        pytest.skip("this machine has no address but its own")
    for path in EVERY:
        status, text, _ = real(served, path, at=at)
        assert status == 503 and "RIFFAPP_PASSWORD" in text
    assert (
        real(served, "/_stcore/stream", at=at, **UPGRADE, Origin=f"http://{at}:{served}")[0] == 503
    )
