"""Pictures and sounds of ours by their address, which Streamlit would take for a file's path."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

import streamlit as st


def picture(url: str, alt: str, *, width: int | Literal["content", "stretch"] = "stretch") -> None:
    """A picture that the browser fetches; `alt` says it in words."""
    st.image(_whole(url), alt=alt, width=width)


def sound(url: str, alt: str) -> None:
    """A sound that the browser fetches."""
    st.audio(_whole(url), alt=alt)


def _whole(url: str) -> str:
    """A path on this server as the browser that looks at the page calls it."""
    here = urlsplit(st.context.url or "http://localhost")
    return f"{here.scheme}://{here.netloc}{url}"
