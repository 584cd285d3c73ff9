"""How the page is served: which script, behind which guard, with which settings and routes.

What never changes (no statistics, the look) stands in `.streamlit/config.toml` beside this file.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp import settings
from riffapp.database import Database
from riffapp.jobs.keeper import Keeper
from riffapp.ui import serving

if TYPE_CHECKING:
    import streamlit as st

MAIN = Path(__file__).with_name("main.py")


@asynccontextmanager
async def working(_: st.App) -> AsyncIterator[dict[str, Any] | None]:
    """While the server stands there is a worker behind it."""
    keeper = Keeper()
    keeper.start()
    try:
        yield None
    finally:
        keeper.stop()


def parts() -> dict[str, Any]:
    """What makes an `st.App` of the page: worker, routes, guard."""
    found = settings.load()
    return {
        "lifespan": working,
        "routes": serving.routes(Database(found.home)),
        "middleware": guards(found),
    }


def guards(found: settings.Settings) -> Sequence[Any]:
    """What every request passes first."""
    from starlette.middleware import Middleware

    from riffapp.ui.guard import Guard

    return (Middleware(Guard, hosts=found.hosts, password=found.password),)


def options(*, host: str, port: int, browser: bool) -> dict[str, object]:
    """Streamlit's settings that a person chooses."""
    return {"server.address": host, "server.port": port, "server.headless": not browser}
