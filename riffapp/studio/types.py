"""What a loop is asked for with, and what comes back: plain, frozen, picklable."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

    from audio.types import Loop, Samples, SpectrogramParams, Tempo

BPM_RANGE = (40.0, 240.0)
BARS = (1, 2, 4, 8)  # what a page offers; any whole number up to MAX_BARS can be asked for
MAX_BARS = 1200
MAX_DURATION_S = 1200.0
MAX_BLEND_BEATS = 64.0
# Longer loops are drawn through windows, and rendered straight into their file.
LONG_BARS = 16
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
class Mark:
    """Words that hold from a bar on (0 is the beginning); their blend ends there."""

    bar: float
    prompt: str


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """What follows the request's own words, and over how many beats each comes in."""

    marks: tuple[Mark, ...]
    blend_beats: float = 4.0


@dataclass(frozen=True, kw_only=True)
class Journey:
    """Another request to go to: on the way all along the piece, or `share` of the way everywhere.

    `None` is as in the request that it begins from; -1 draws a seed.
    """

    prompt: str
    negative: str | None = None
    seed: int | None = None
    cfg: float | None = None
    share: float | None = None


@dataclass(frozen=True, kw_only=True)
class Variant:
    """Another take of the same seed: distance 0 is the same, 1 as far as another seed is."""

    seed: int = -1
    distance: float = 0.3


@dataclass(frozen=True, kw_only=True)
class LoopRequest:
    """One wish: words, tempo and length; `None` leaves a choice to the checkpoint.

    bpm is exact, 40 to 240; bars are bars of 4/4. Seed -1 draws one; take i has seed + i, or, of a
    variant, the variant's seed + i. `closed` joins the end to the beginning.
    `detail` paints twice the bands and frames into the picture before it sounds.
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
    detail: bool = False
    rate: int = 44100
    bit_depth: str = "16"
    checkpoint: str = "loops"
    closed: bool = True
    timeline: Timeline | None = None
    journey: Journey | None = None
    variant: Variant | None = None


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
    """One take: its picture, its sound, and the request that makes exactly this take again.

    `request` is resolved: its own seed, takes=1, nothing left open.
    `drawing_s` is the time that the picture took, with the model loaded.
    """

    picture: Image.Image
    params: SpectrogramParams
    request: LoopRequest
    origin: Origin
    drawing_s: float
    warnings: tuple[str, ...] = field(default=())
    _rendering_s: list[float] = field(default_factory=list, repr=False, compare=False)

    @property
    def tempo(self) -> Tempo:
        """The exact musical length."""
        from audio.types import Tempo

        return Tempo(bpm=self.request.bpm, beats=self.request.bars * BEATS_PER_BAR)

    def blocks(self) -> Iterator[Samples]:
        """The sound (channels, some) bit by bit, made as it is asked for."""
        from riffapp.studio.text_to_audio import sounding

        start, request = time.perf_counter(), self.request
        yield from sounding(
            self.picture, self.params, self.tempo, quality=request.quality, closed=request.closed
        )
        self._rendering_s.append(time.perf_counter() - start)

    @cached_property
    def loop(self) -> Loop:
        """The whole sound, made at the first call: a long piece is better taken in blocks."""
        from riffapp.studio.text_to_audio import render

        start, request = time.perf_counter(), self.request
        loop = render(
            self.picture, self.params, self.tempo, quality=request.quality, closed=request.closed
        )
        self._rendering_s.append(time.perf_counter() - start)
        return loop

    @property
    def seconds(self) -> float:
        """The time that this take took so far, from words to samples, with the model loaded."""
        return self.drawing_s + sum(self._rendering_s[:1])

    @property
    def rtf(self) -> float:
        """Seconds of work for one second of sound."""
        return self.seconds / self.tempo.duration_s
