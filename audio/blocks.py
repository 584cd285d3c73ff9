"""The sound of a spectrogram of any length, block by block: memory does not grow with it.

Blocks overlap. Each holds, in its first frames, the sound that its neighbour before has found
there, and finds its phases round that; the last block of a circle holds the first one's beginning
as well. So the sound goes on where blocks meet as it does inside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from audio.codec import invert
from audio.errors import ParameterError
from audio.phase import QUALITIES, Held
from audio.stft import StftParams, layout
from audio.types import Samples, Spectrogram, SpectrogramParams, Tempo

BLOCK = 512  # frames; four bars of the embedded model
OVERLAP = 32  # frames that a block shares with either neighbour

# (first, last) frame -> mel magnitudes (channels, n_mels, last - first).
Part = Callable[[int, int], Samples]


@dataclass(frozen=True, kw_only=True)
class Long:
    """A spectrogram that is asked for in parts; `frames` in all, over the samples of `tempo`."""

    part: Part
    params: SpectrogramParams
    tempo: Tempo
    frames: int
    circular: bool


def synthesise_blocks(long: Long, *, quality: str = "fast", seed: int = 0) -> Iterator[Samples]:
    """Samples (channels, some), one after another, `tempo.samples(rate)` in all.

    What fits into two blocks is found at once. Where the sound would leave full scale it is turned
    down over the length of a block, as nobody knows yet what is to come.
    """
    if quality not in QUALITIES:
        raise ParameterError(f"unknown quality {quality!r}: known are {', '.join(QUALITIES)}")
    found = _whole(long, quality, seed) if long.frames <= 2 * BLOCK else _runs(long, quality, seed)
    return _bounded(found)


def _whole(long: Long, quality: str, seed: int) -> Iterator[Samples]:
    shown = Spectrogram(
        magnitudes=long.part(0, long.frames),
        params=long.params,
        tempo=long.tempo,
        circular=long.circular,
    )
    with torch.inference_mode():
        yield invert(shown, QUALITIES[quality], seed=seed).numpy()


def _runs(long: Long, quality: str, seed: int) -> Iterator[Samples]:
    """Each block's own samples, from where the one before has been left."""
    p = layout(long.params, tempo=long.tempo, frames=long.frames, circular=long.circular)
    blocks = [_Block.of(p, k) for k in range(long.frames // BLOCK)]
    rung = QUALITIES[quality]
    beginning: Tensor | None = None  # of a circle: round its seam
    left: Tensor | None = None  # by the block before: from this block's first sample on
    for k, (block, following) in enumerate(zip(blocks, [*blocks[1:], None], strict=True)):
        held = _held(block, left, beginning if following is None else None, p.window)
        shown = _shown(long, block)
        with torch.inference_mode():
            x = invert(shown, rung, seed=seed + k, part=block.layout(p), held=held)
        if k == 0 and p.circular:
            beginning = x[:, : 2 * block.own].clone()
        first = 0 if k == 0 else -p.window
        last = block.next - block.own if following is None else block.next - block.own - p.window
        yield x[:, block.own + first : block.own + last].numpy()
        if following is not None:
            left = x[:, following.start - block.start :].clone()


@dataclass(frozen=True, kw_only=True)
class _Block:
    """Frames [first, last) of a sound, `own` of them its own; samples count from its `start`.

    `own` is where its own frames begin, `next` where the next one's do, both from `start`.
    """

    first: int
    last: int
    start: int
    own: int
    next: int
    n: int

    @staticmethod
    def of(p: StftParams, k: int) -> _Block:
        """Block k of a layout; the last one takes what is left."""
        own = k * BLOCK
        following = p.frames if k + 1 == p.frames // BLOCK else own + BLOCK
        first, last = own - OVERLAP, following + OVERLAP
        if not p.circular:
            first, last = max(0, first), min(p.frames, last)
        start = _sample(p, first)
        return _Block(
            first=first,
            last=last,
            start=start,
            own=_sample(p, own) - start,
            next=_sample(p, following) - start,
            n=_sample(p, last) - start,
        )

    def layout(self, p: StftParams) -> StftParams:
        """The block's frames, evenly over its samples: within half a sample of their places."""
        frames = self.last - self.first
        return StftParams(
            n_samples=self.n,
            frames=frames,
            window=p.window,
            n_fft=p.n_fft,
            circular=False,
            hop=Fraction(self.n, frames),
        )


def _sample(p: StftParams, frame: int) -> int:
    """The sample of a frame's middle, also before the first and after the last one."""
    if frame == p.frames and not p.circular:
        return p.n_samples
    turns, within = divmod(frame, p.frames)
    return p.centre(within) + turns * p.n_samples


def _shown(long: Long, block: _Block) -> Spectrogram:
    parts, frame = [], block.first
    while frame < block.last:
        within = frame % long.frames
        last = min(long.frames, within + block.last - frame)
        parts.append(long.part(within, last))
        frame += last - within
    return Spectrogram(magnitudes=np.concatenate(parts, -1), params=long.params, tempo=long.tempo)


def _held(block: _Block, left: Tensor | None, beginning: Tensor | None, window: int) -> Held | None:
    """What of a block is known, fading out where its own sound begins, in where a circle ends."""
    known = left if left is not None else beginning
    if known is None:
        return None
    samples, weight = torch.zeros(known.shape[0], block.n), torch.zeros(block.n)
    ramp = torch.linspace(0, 1, window)
    if left is not None:
        n = min(left.shape[1], block.own)
        samples[:, :n] = left[:, :n]
        weight[: block.own - window] = 1.0
        weight[block.own - window : block.own] = ramp.flip(0)
    if beginning is not None:
        half = beginning.shape[1] // 2
        n = min(half, block.n - block.next)
        samples[:, block.next - half : block.next + n] = beginning[:, : half + n]
        weight[block.next - 2 * window : block.next - window] = ramp
        weight[block.next - window :] = 1.0
    return Held(samples=samples, weight=weight)


def _bounded(blocks: Iterator[Samples]) -> Iterator[Samples]:
    """The blocks within full scale; the gain moves on lines that no block's peak breaks."""
    before, now = 1.0, next(blocks)
    while True:
        following = next(blocks, None)
        gain, after = _gain(now), 1.0 if following is None else _gain(following)
        ends = min(before, gain), min(gain, after)
        if ends == (1.0, 1.0):
            yield now
        else:
            yield now * np.linspace(*ends, now.shape[1], dtype=np.float32)
        if following is None:
            return
        before, now = gain, following


def _gain(block: Samples) -> float:
    return 1.0 / max(1.0, float(np.abs(block).max(initial=0.0)))
