"""Where the names in a request are found: checkpoints, LoRAs, upscalers, restorers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Never

from sdcore.errors import UnknownName
from sdcore.models.checkpoint import Checkpoint


def _nothing(kind: str) -> Callable[[str], Never]:
    def refuse(name: str) -> Never:
        raise UnknownName(f"unknown {kind} '{name}': no folder of models was given")

    return refuse


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """One function per kind of file, each from a name to what is loaded from it.

    Each raises UnknownName for a name that it has no file of.
    """

    checkpoint: Callable[[str], Checkpoint] = _nothing("checkpoint")
    lora: Callable[[str], Any] = _nothing("LoRA")
    upscaler: Callable[[str], Any] = _nothing("upscaler")
    restorer: Callable[[str], Any] = _nothing("face restorer")


# A request that names no file needs no more.
NOTHING = Shelf()
