"""Who may speak to the page: a middleware before every route, Streamlit's own and ours.

It asks each request and each websocket in turn:

1. Does it come from beyond this machine, while no password is set? The connection itself says so,
   not the settings, so this holds however the address to listen on was chosen.
2. Does its Host name this server? A name that an attacker points at 127.0.0.1 does not
   (DNS rebinding).
3. Was it sent by a page of this server? What changes anything, and each websocket, must carry an
   Origin that is exactly this server (cross-site request forgery); no Origin is as bad as a wrong.
4. Does its sender know the password, where one is set? (`login`)
5. Is its body within bounds, counted as it comes?

Answers leave with headers that forbid other hosts, frames and guessed types. Nothing that a
request says is ever written into an answer.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Collection, Mapping
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse

from riffapp.ui.login import Login, notice, weakness

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

VISITOR = "riffapp_visitor"
MAX_BODY = 52 << 20  # Streamlit's 50 MB for a file, and the form around it
READING = ("GET", "HEAD", "OPTIONS")
CHANGING = ("POST", "PUT", "DELETE")
HEALTH = "/_stcore/health"  # says "ok" and nothing else: for whoever watches the machine
_TEN_YEARS_S = 10 * 365 * 24 * 3600
_TOKEN = re.compile("[0-9a-f]{32}")
_HOST = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)

NOT_THIS_HOST = (
    "This server does not go by the name that was asked for: open it as localhost, or start it "
    "with that name in RIFFAPP_HOSTS."
)
NOT_OUR_PAGE = (
    "This was not asked for by a page of this server: open the page itself, or send an Origin "
    "that is exactly its address."
)
NOT_THIS_WAY = "Only GET, HEAD, OPTIONS, POST, PUT and DELETE are understood here."
TOO_LARGE = f"At most {MAX_BODY >> 20} MB are taken at once: give a smaller file."
LOCKED = "A password is set here: open the page and give it first."


class Guard:
    """The middleware, for `st.App(middleware=[Middleware(Guard, ...)])`.

    `hosts` are names beyond this machine's own (with or without a port, which is not compared)
    under which a person wants to reach it. With `password` everybody has to give it; without one
    nobody from elsewhere gets in.
    """

    def __init__(
        self, app: ASGIApp, *, hosts: Collection[str] = (), password: str | None = None
    ) -> None:
        self._app = app
        self._hosts = frozenset(filter(None, (_name(_bracketed(host)) for host in hosts)))
        self._lacks = weakness(password)
        self._login = Login(password) if password else None
        self._scripts = _scripts_of_the_frame()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        send = _dressed(send, self._policy(scope))
        refusal = self._refusal(scope) or await self._locked(scope, receive)
        if refusal is not None:
            await _answer(refusal, scope, receive, send)
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send)
        else:
            await self._counted(scope, receive, _greeting(scope, send))

    def _refusal(self, scope: Scope) -> Response | None:
        """What is wrong with a request, whoever sent it."""
        headers = Headers(scope=scope)
        name = _name(_only(headers, "host"))
        if self._lacks is not None and (self._login is not None or self._is_foreign(scope, name)):
            return notice(self._lacks, status=503)
        if not self._is_ours(scope, name):
            return PlainTextResponse(NOT_THIS_HOST, 403)
        if scope["type"] == "http" and scope["method"] not in (*READING, *CHANGING):
            return PlainTextResponse(NOT_THIS_WAY, 405, {"allow": ", ".join(READING + CHANGING)})
        if not _is_of_our_page(scope, headers):
            return PlainTextResponse(NOT_OUR_PAGE, 403)
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length[:16]) > MAX_BODY:
            return PlainTextResponse(TOO_LARGE, 413)
        return None

    def _is_foreign(self, scope: Scope, name: str | None) -> bool:
        """Whether a request may come from beyond this machine: through an address that is not the
        machine's own, or through a proxy in front, which gives itself away by the sender that it
        speaks for (uvicorn puts that into the scope), or by a name that others know.
        """
        ends = (scope.get("server"), scope.get("client"))
        return name in self._hosts or not all(end and is_loopback(end[0]) for end in ends)

    def _is_ours(self, scope: Scope, name: str | None) -> bool:
        if name is None:
            return False
        if name == "localhost" or is_loopback(name.strip("[]")) or name in self._hosts:
            return True
        # A number cannot be pointed elsewhere: the one that the connection has come to is ours.
        here = scope.get("server")
        return self._login is not None and here is not None and name == _name(_bracketed(here[0]))

    async def _locked(self, scope: Scope, receive: Receive) -> Response | None:
        """What whoever has not said the password gets instead; None for all others."""
        if self._login is None or self._login.knows(HTTPConnection(scope).cookies):
            return None
        if scope["type"] == "websocket":
            return PlainTextResponse(LOCKED, 403)
        if scope["path"] == HEALTH and scope["method"] in READING:
            return None
        return await self._login.answer(Request(scope, receive))

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The request on to the page, its body counted: a declared length may be a lie."""
        taken, begun = 0, False

        async def counting() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MAX_BODY:
                raise _TooLarge
            return message

        async def watching(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, counting, watching)
        except _TooLarge:
            if begun:
                raise
            await PlainTextResponse(TOO_LARGE, 413)(scope, receive, send)

    def _policy(self, scope: Scope) -> str:
        """The Content-Security-Policy: nothing from or to other hosts.

        Streamlit's frame has one small script inline, components bring theirs as blobs, and styles
        are written while the page stands. Not every browser counts a websocket as `'self'`.
        """
        host = _only(Headers(scope=scope), "host")
        sockets = f" ws://{host} wss://{host}" if self._is_ours(scope, _name(host)) else ""
        return "; ".join(
            (
                "default-src 'self'",
                f"script-src 'self' blob:{self._scripts}",
                "worker-src 'self' blob:",
                "style-src 'self' 'unsafe-inline'",
                "img-src 'self' data: blob:",
                "media-src 'self' data: blob:",
                "font-src 'self' data:",
                f"connect-src 'self' data: blob:{sockets}",
                "object-src 'none'",
                "base-uri 'none'",
                "form-action 'self'",
                "frame-ancestors 'none'",
            )
        )


class _TooLarge(Exception):
    """More has come than is taken."""


def visitor_of(cookies: Mapping[str, str]) -> str | None:
    """The browser that sent these cookies, as 32 hexadecimal digits; None where it has no name
    yet, or one that this server cannot have given."""
    token = cookies.get(VISITOR, "")
    return token if _TOKEN.fullmatch(token) else None


def is_loopback(address: str) -> bool:
    """Whether an IP address is this machine to itself; what is no address is not."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped.is_loopback  # a socket for both families names IPv4 so
    return found.is_loopback


def refused(host: str, password: str | None) -> str | None:
    """Why nobody may be served at `host`, in a sentence; None where that is safe."""
    lacks = weakness(password)
    if lacks is None or (not password and (host == "localhost" or is_loopback(host))):
        return None
    return lacks if password else f"at {host or 'every address'} others could come in: {lacks}"


def _name(host: str | None) -> str | None:
    """A Host header without its port, as it is compared; None for what is none."""
    found = _HOST.fullmatch(host.lower()) if host is not None else None
    return found[1] if found else None


def _bracketed(host: str) -> str:
    """A name or an address as a Host header writes it: numbers of IPv6 in brackets."""
    return f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host


def _only(headers: Headers, name: str) -> str | None:
    """A header that stands there once; of two, one is there to deceive."""
    found = headers.getlist(name)
    return found[0] if len(found) == 1 else None


def _is_of_our_page(scope: Scope, headers: Headers) -> bool:
    reads = scope["type"] == "http" and scope["method"] in READING
    if "origin" in headers:
        scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
        ours = f"{scheme}://{_only(headers, 'host')}".lower()
        if (_only(headers, "origin") or "").lower() != ours:
            return False
    elif not reads:
        return False
    # Where a browser says that another site is behind it, only a person who follows a link may be.
    if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        where = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")
        return where == ("navigate", "document")
    return True


async def _answer(refusal: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get(
        "extensions", {}
    ):
        await send({"type": "websocket.close", "code": 1008})
        return
    await refusal(scope, receive, send)


def _dressed(send: Send, policy: str) -> Send:
    """Sends answers with the headers that all have in common."""
    common = {
        "content-security-policy": policy,
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
    }

    async def dressed(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            headers = MutableHeaders(scope=message)
            for name, value in common.items():
                headers[name] = value
        await send(message)

    return dressed


def _greeting(scope: Scope, send: Send) -> Send:
    """Sends pages with a name for the browser that has none yet.

    `SameSite=Lax`: who follows a link from elsewhere comes with the name that they have. It opens
    nothing to other sites, as no reading changes anything and the rest must carry our Origin.
    """
    connection = HTTPConnection(scope)
    if scope["method"] != "GET" or visitor_of(connection.cookies) is not None:
        return send
    secure = "; Secure" if scope["scheme"] == "https" else ""
    wants_page = "text/html" in connection.headers.get("accept", "")

    async def greeting(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            is_page = headers.get("content-type", "").startswith("text/html")
            if is_page or (message["status"] == 304 and wants_page):
                headers.append(
                    "set-cookie",
                    f"{VISITOR}={secrets.token_hex(16)}; Max-Age={_TEN_YEARS_S}; Path=/; "
                    f"HttpOnly; SameSite=Lax{secure}",
                )
        await send(message)

    return greeting


def _scripts_of_the_frame() -> str:
    """The inline scripts of Streamlit's page, as the sources of a policy."""
    import streamlit

    page = Path(streamlit.__file__).with_name("static") / "index.html"
    scripts = _INLINE.findall(page.read_text("utf-8")) if page.is_file() else []
    digests = (base64.b64encode(sha256(one.encode()).digest()).decode() for one in scripts)
    return "".join(f" 'sha256-{digest}'" for digest in digests)
