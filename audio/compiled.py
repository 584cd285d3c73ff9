"""librosa, loaded by one process at a time where its functions are compiled."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock


@cache
def librosa() -> Any:
    """The module librosa. The first time after an installation it compiles for half a minute.

    Everything that needs librosa takes it from here. Two processes that compile at once, a page
    and its worker say, mix their functions on the disk, and every later process that calls one of
    these ends in a segmentation fault (numba issue 10128): so one waits for the other.
    """
    with FileLock(_lock_file()):  # these are what is compiled when it is loaded
        import librosa.beat
        import librosa.core.audio
        import librosa.core.pitch
        import librosa.util.utils
    return librosa


def _lock_file() -> Path:
    user = os.getuid() if hasattr(os, "getuid") else ""  # where there are none, folders are apart
    return Path(tempfile.gettempdir()) / f"riffapp-librosa-{user}.lock"
