"""A sound or spectrogram picture that a visitor gives."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from riffapp.errors import UsageError

KINDS = ["wav", "flac", "ogg", "mp3", "png"]

Given = Callable[[], tuple[Path, tempfile.TemporaryDirectory[str]]]


def source() -> Given:
    """The upload box; what it returns puts the file into a folder that the caller clears.

    Raises UsageError, when asked, where nothing was given.
    """
    given = st.file_uploader("Sound, or a spectrogram PNG", KINDS, key="tool-source")

    def path() -> tuple[Path, tempfile.TemporaryDirectory[str]]:
        if given is None:
            raise UsageError("no sound is given: choose a file first")
        folder = tempfile.TemporaryDirectory()
        place = Path(folder.name) / f"sound{Path(given.name).suffix.lower()}"
        place.write_bytes(given.getvalue())
        return place, folder

    return path
