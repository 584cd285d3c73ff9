"""Pictures of ours by their address, which `st.image` would take for a file on the disk."""

from __future__ import annotations

import streamlit as st

from riffapp.ui.say import plain


def picture(url: str, alt: str) -> None:
    """A picture that the browser fetches; `alt` says it in words."""
    st.markdown(f"![{plain(' '.join(alt.split()))}]({url})")
