"""What lies on the disk, and how much room it takes."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

import streamlit as st

from riffapp.jobs.wire import INPUTS
from riffapp.settings import Settings
from riffapp.ui.figures import size

_FRESH_S = 60.0  # folders are not walked at every click


def in_words(found: Settings, *, works: int, bytes: int, owner: str) -> str:
    """One line: works, given files, models, and what is free where new works go."""
    pieces = "1 work" if works == 1 else f"{works} works"
    told = [f"{pieces} of {owner}: {size(bytes)}"]
    for name, folders in (("given files", (found.home / INPUTS,)), ("models", found.roots)):
        told.append(f"{name}: {size(sum(map(_taken, map(str, folders))))}")
    return " · ".join([*told, f"free: {size(free(found.outputs))}"])


def free(folder: Path) -> int:
    """Bytes that are free where a folder is, or would be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


@st.cache_data(ttl=_FRESH_S, show_spinner=False)
def _taken(folder: str) -> int:
    """Bytes of all files below a folder; links are not followed."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            with suppress(OSError):  # gone since its name was read
                total += 0 if path.is_symlink() else path.stat().st_size
    return total
