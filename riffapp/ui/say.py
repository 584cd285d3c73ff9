"""Sentences on the page: what a user typed is shown as typed, never read as markup."""

from __future__ import annotations

import re

import streamlit as st

_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~$:&-])")


def plain(text: str) -> str:
    """`text` for a place that reads Markdown, so that it looks as it was typed."""
    return _MARKUP.sub(r"\\\1", text)


def sentence(text: str) -> str:
    """`text` with a capital and a full stop, as Markdown."""
    text = text.strip()
    end = "" if text.endswith((".", "!", "?")) else "."
    return plain(text[:1].upper() + text[1:] + end)


def error(text: str) -> None:
    """What went wrong and what to do."""
    st.error(sentence(text), icon=":material/error:")


def warning(text: str) -> None:
    """What a person should know; nothing stops."""
    st.warning(sentence(text), icon=":material/info:")
