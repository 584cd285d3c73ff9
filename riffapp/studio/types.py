"""What a loop is asked for with, and what comes back: plain, frozen, picklable."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

    from audio.types import Loop, SpectrogramParams

BPM_RANGE = (40.0, 240.0)
BARS = (1, 2, 4, 8)
METER = "4/4"
BEATS_PER_BAR = 4
MAX_TAKES = 64
MAX_STEPS = 150
MAX_CFG = 30.0
MAX_SEED = 2**32 - 1
MAX_PROMPT_CHARS = 2000
RATES = (44100, 48000)
BIT_DEPTHS = ("16", "24", "float")


@dataclass(frozen=True, kw_only=True)
class LoopRequest:
    """One wish: words, tempo and length; `None` leaves a choice to the checkpoint.

    bpm is exact, 40 to 240; bars are bars of 4/4. Seed -1 draws one; take i has seed + i.
    `rate` (Hz) and `bit_depth` are those of the sound file: a loop is asked for whole.
    """

    prompt: str
    negative: str = ""
    bpm: float = 120.0
    bars: int = 2
    meter: str = METER
    key: str | None = None
    seed: int = -1
    takes: int = 1
    steps: int | None = None
    cfg: float | None = None
    sampler: str | None = None
    schedule: str | None = None
    quality: str = "fast"
    rate: int = 44100
    bit_depth: str = "16"
    checkpoint: str = "loops"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What made a loop, beside its request: enough to tell why another machine may differ.

    `sha256` is that of the checkpoint's weights; `torch` and `riffapp` are versions.
    """

    sha256: str
    device: str
    threads: int
    torch: str
    riffapp: str


@dataclass(frozen=True, kw_only=True)
class LoopResult:
    """One take: the loop, its picture, and the request that makes exactly this take again.

    `request` is resolved: its own seed, takes=1, nothing left open.
    `seconds` is the time this take took, from words to samples, with the model loaded.
    """

    loop: Loop
    picture: Image.Image
    params: SpectrogramParams
    request: LoopRequest
    origin: Origin
    seconds: float
    warnings: tuple[str, ...] = field(default=())

    @property
    def rtf(self) -> float:
        """Seconds of work for one second of sound."""
        return self.seconds / self.loop.clip.duration_s
