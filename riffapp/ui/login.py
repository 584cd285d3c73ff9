"""The door where a password is set: one page that asks for it, and who has said it.

Whoever is not known gets that page wherever they knock, and after the right word the page that
they knocked at. What they say is compared in constant time; a session is a time signed with a key
that lives as long as this process, so that a restart ends them all.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from html import escape
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote

from starlette.responses import HTMLResponse, RedirectResponse

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

SESSION = "riffapp_session"
SESSION_S = 30 * 24 * 3600
LEAST = 8  # characters of a password
FREE_TRIES = 5
MOST_WAIT_S = 900.0
_FORGOTTEN_S = 3600.0
_MOST_ADDRESSES = 1024
_MOST_FORM_BYTES = 4096
_FORM = "application/x-www-form-urlencoded"


def weakness(password: str | None) -> str | None:
    """What a password lacks to keep strangers out, in a sentence; None where it will do."""
    if not password:
        return (
            f"no password is set: put one of at least {LEAST} characters into RIFFAPP_PASSWORD, "
            "or name a file that holds it in RIFFAPP_PASSWORD_FILE, and start riffapp again"
        )
    if len(password) < LEAST:
        return (
            f"the password has {len(password)} characters: set one of at least {LEAST}, "
            "and start riffapp again"
        )
    return None


class Login:
    """Knows the password, and tells who has given it."""

    def __init__(self, password: str, *, clock: Callable[[], float] = time.time) -> None:
        self._password, self._clock = password, clock
        self._key = secrets.token_bytes(32)
        self._tries = Tries(clock=clock)

    def knows(self, cookies: Mapping[str, str]) -> bool:
        """Whether these cookies were given out for the password, and not too long ago."""
        until, _, mark = cookies.get(SESSION, "").partition(".")
        if not (until.isascii() and until.isdecimal() and len(until) < 16):
            return False
        return hmac.compare_digest(mark.encode(), self._mark(until).encode()) and (
            int(until) > self._clock()
        )

    async def answer(self, request: Request) -> Response:
        """The page that asks for the password; the way on to whoever has sent it."""
        if request.method != "POST" or not request.headers.get("content-type", "").startswith(
            _FORM
        ):
            return notice(asks=True, status=401)
        address = "" if request.client is None else _network(request.client.host)
        wait_s = self._tries.wait_s(address)
        if wait_s > 0:
            again = f"Too many wrong passwords came from here: try again in {ceil(wait_s)} s."
            return notice(again, asks=True, status=429, headers={"retry-after": str(ceil(wait_s))})
        if not self._is_right(await _said(request)):
            self._tries.wrong(address)
            return notice("That is not the password: try again.", asks=True, status=401)
        self._tries.right(address)
        return self._welcome(request)

    def _is_right(self, said: str) -> bool:
        digests = (
            hmac.digest(self._key, word.encode(), "sha256") for word in (said, self._password)
        )
        return hmac.compare_digest(*digests)

    def _welcome(self, request: Request) -> Response:
        # One slash: two would lead to another host.
        way = "/" + quote(request.scope["path"].lstrip("/"))
        asked = request.scope["query_string"].decode("latin-1")
        welcome = RedirectResponse(
            f"{way}?{asked}" if asked else way, 303, {"cache-control": "no-store"}
        )
        until = str(int(self._clock()) + SESSION_S)
        welcome.set_cookie(
            SESSION,
            f"{until}.{self._mark(until)}",
            max_age=SESSION_S,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return welcome

    def _mark(self, until: str) -> str:
        return hmac.new(self._key, f"session {until}".encode(), "sha256").hexdigest()


class Tries:
    """Wrong passwords by address: after the first few each one doubles the wait, to 15 minutes.

    An hour without one and all is forgotten; of too many addresses those that were quiet longest.
    """

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()  # how many, wait until

    def wait_s(self, address: str) -> float:
        """How long nothing is heard from an address."""
        return max(0.0, self._wrong.get(address, (0, 0.0))[1] - self._clock())

    def wrong(self, address: str) -> None:
        count, until = self._wrong.pop(address, (0, 0.0))
        now = self._clock()
        count = count + 1 if now < until + _FORGOTTEN_S else 1
        wait_s = min(2.0 ** min(count - FREE_TRIES, 32), MOST_WAIT_S) if count >= FREE_TRIES else 0
        self._wrong[address] = count, now + wait_s
        if len(self._wrong) > _MOST_ADDRESSES:
            self._wrong.popitem(last=False)

    def right(self, address: str) -> None:
        self._wrong.pop(address, None)

    def __len__(self) -> int:
        return len(self._wrong)


def notice(
    sentence: str = "",
    *,
    status: int,
    asks: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A page with one sentence; where it `asks`, with a field for the password.

    Its form goes to the address at which it stands, whatever that is.
    """
    said = sentence[:1].upper() + sentence[1:] + ("" if sentence.endswith(".") else ".")
    said = f'<p role="alert">{escape(said)}</p>' if sentence else ""
    page = _PAGE.replace("SENTENCE", said).replace("FORM", _ASKING if asks else "")
    return HTMLResponse(page, status, {"cache-control": "no-store", **(headers or {})})


async def _said(request: Request) -> str:
    """The password in a form; nothing where the form is longer than one can be."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_FORM_BYTES:
            return ""
    try:
        fields = parse_qs(body.decode("utf-8"), errors="strict", max_num_fields=8)
    except ValueError:
        return ""
    return fields.get("password", [""])[0]


def _network(address: str) -> str:
    """What counts as one sender: an address, of IPv6 the half that a household has."""
    try:
        found = ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return str(ip_network((int(found) >> 64 << 64, 64)))
    return str(found)


_ASKING = """
<form method="post">
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required
 autofocus>
<button>Open</button>
</form>"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>riffapp</title>
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; display: grid; place-items: center;
  min-height: 90vh; margin: 1rem; }
main { width: min(26rem, 100%); }
form { display: grid; gap: .5rem; }
input, button { font: inherit; padding: .6rem .8rem; border-radius: .6rem; border: 1px solid gray; }
button { background: #b23c17; border-color: #b23c17; color: white; cursor: pointer; }
</style>
</head>
<body>
<main>
<h1>riffapp</h1>
SENTENCE FORM
</main>
</body>
</html>
"""
