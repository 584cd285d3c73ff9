"""How the page is served: which script, behind which middleware, with which settings.

What never changes (no statistics, the look) stands in `.streamlit/config.toml` beside this file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.middleware import Middleware

MAIN = Path(__file__).with_name("main.py")
MIDDLEWARE: Sequence[Middleware] = ()


def options(*, host: str, port: int, browser: bool) -> dict[str, object]:
    """Streamlit's settings that a person chooses."""
    return {"server.address": host, "server.port": port, "server.headless": not browser}
