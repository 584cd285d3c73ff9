"""How the page is served: which script, behind which middleware, with which settings.

What never changes (no statistics, the look) stands in `.streamlit/config.toml` beside this file.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp import settings
from riffapp.errors import UsageError
from riffapp.ui.work import worker

if TYPE_CHECKING:
    from collections.abc import Sequence

    import streamlit as st
    from starlette.middleware import Middleware

MAIN = Path(__file__).with_name("main.py")
MIDDLEWARE: Sequence[Middleware] = ()


@asynccontextmanager
async def warm(_: st.App) -> AsyncIterator[dict[str, Any] | None]:
    """While the server starts, the checkpoint is loaded: the first loop need not wait for it."""
    try:
        found = settings.load()
    except UsageError:
        yield None  # the page says it
        return
    worker().warm(found.checkpoint, found)
    yield None


def options(*, host: str, port: int, browser: bool) -> dict[str, object]:
    """Streamlit's settings that a person chooses."""
    return {"server.address": host, "server.port": port, "server.headless": not browser}
