"""Settings from the environment: the only place that reads it.

| variable             | means                                                            |
|----------------------|------------------------------------------------------------------|
| RIFFAPP_CHECKPOINT   | checkpoint that makes loops (name, folder or hub id)              |
| RIFFAPP_DEVICE       | cpu, cuda, mps or auto                                            |
| RIFFAPP_THREADS      | CPU threads for the networks and the sound                        |
| RIFFAPP_MODELS_DIR   | folders of models, as A1111's or ComfyUI's, parted as in PATH     |
| NO_COLOR             | no colour and no progress bar                                     |

A flag on the command line goes before the environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from riffapp.errors import UsageError

DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the environment says, checked once."""

    checkpoint: str = "loops"
    device: str = "auto"
    threads: int | None = None
    plain: bool = False
    models_dirs: tuple[Path, ...] = ()


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from `environment` (this process's own when absent).

    Raises UsageError for a device that is not known or threads that are no whole number above 0.
    """
    env = os.environ if environment is None else environment
    device = env.get("RIFFAPP_DEVICE") or "auto"
    if device.split(":")[0] not in DEVICES:
        raise UsageError(f"RIFFAPP_DEVICE is '{device}': known are {', '.join(DEVICES)}")
    return Settings(
        checkpoint=env.get("RIFFAPP_CHECKPOINT") or "loops",
        device=device,
        threads=_threads(env.get("RIFFAPP_THREADS")),
        plain=bool(env.get("NO_COLOR")),
        models_dirs=tuple(
            Path(one) for one in env.get("RIFFAPP_MODELS_DIR", "").split(os.pathsep) if one
        ),
    )


def _threads(text: str | None) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"RIFFAPP_THREADS is '{text}': give a whole number from 1 up")
    return int(text)
