"""Whether who looks at the page sits at this machine: only they see where things lie."""

from __future__ import annotations

from urllib.parse import urlsplit

import streamlit as st

from riffapp.ui.guard import is_loopback


def is_here() -> bool:
    """Whether the browser runs on this machine, as far as the connection and its Host say."""
    given = st.context.headers.get("Host") or ""
    try:
        host = urlsplit(f"//{given}").hostname or ""
    except ValueError:
        return False
    return st.context.ip_address is None and (host == "localhost" or is_loopback(host))
