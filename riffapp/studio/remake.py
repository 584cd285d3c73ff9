"""Sound from sound: a recording re-imagined, a region done again, a loop played on.

All three draw on a canvas. What is not drawn stays: the picture bit by bit, the sound but for the
difference that is rendered and added.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from riffapp.errors import UsageError
from riffapp.studio.canvas import Canvas, widened
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.drawing import image_request
from riffapp.studio.plan import plan_loop, warnings
from riffapp.studio.text_to_audio import OnProgress, Progress, ignore, origin_of
from riffapp.studio.types import MAX_BARS, LoopRequest, Origin

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from audio import patch
    from audio.types import Clip, Spectrogram, Tempo
    from sdcore.types import Mask, Step

HIGHEST_HZ = 96000.0


@dataclass(frozen=True, kw_only=True)
class Region:
    """Bars [first, last) from 0 and a band; None is all the time, or all up to the top."""

    first_bar: float | None = None
    last_bar: float | None = None
    low_hz: float = 0.0
    high_hz: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Remade:
    """What came of a sound: its canvas with the new sound and picture, and the resolved request.

    `strength` is how far from the sound it was drawn, `seconds` the time that it took.
    """

    clip: Clip
    canvas: Canvas
    picture: Image.Image
    request: LoopRequest
    strength: float
    origin: Origin
    seconds: float
    warnings: tuple[str, ...] = ()

    @property
    def tempo(self) -> Tempo | None:
        """The tempo, where the sound is whole bars that could be repeated."""
        whole = self.clip.n == self.canvas.tempo.samples(self.clip.rate)
        return self.canvas.tempo if whole else None


def plan_remake(canvas: Canvas, request: LoopRequest, instrument: Instrument) -> LoopRequest:
    """The request at the canvas's own tempo and length, nothing left open."""
    told = replace(
        request,
        bpm=canvas.tempo.bpm,
        bars=canvas.bars,
        closed=canvas.closed,
        rate=canvas.params.rate,
        takes=1,
    )
    return plan_loop(told, instrument.sound)


def reimagine(
    instrument: Instrument,
    canvas: Canvas,
    request: LoopRequest,
    *,
    strength: float = 0.6,
    on_progress: OnProgress = ignore,
) -> Remade:
    """The whole sound anew under the request's words, as long as it was, in its own tempo.

    `strength` 0 gives it back as the codec hears it, 1 leaves its length and tempo alone. One noise
    goes over all of it, and windows agree where they meet.
    """
    start, planned = time.perf_counter(), plan_remake(canvas, request, instrument)
    picture = _drawn(instrument, canvas, planned, None, strength, on_progress)
    clip = _rendered(canvas, picture, planned.quality)
    return remade_of(instrument, canvas, planned, picture, clip, strength=strength, start=start)


def redo(
    instrument: Instrument,
    canvas: Canvas,
    request: LoopRequest,
    *,
    region: Region | None = None,
    mask: Image.Image | None = None,
    strength: float = 1.0,
    on_progress: OnProgress = ignore,
) -> Remade:
    """A region of the sound anew; `mask` is a picture of the canvas's size, or is brought to it.

    White is done again, black stays, greys are shares of both (Riffusion's masks).
    Raises UsageError for a region without any column or band, and a mask without any white.
    """
    start, planned = time.perf_counter(), plan_remake(canvas, request, instrument)
    white = mask_of(canvas, region or Region(), mask)
    picture = _drawn(instrument, canvas, planned, white, strength, on_progress)
    clip = canvas.clip
    if picture is not canvas.picture:
        clip = _patched(canvas, picture, white, planned.quality)
    return remade_of(instrument, canvas, planned, picture, clip, strength=strength, start=start)


def extend(
    instrument: Instrument,
    canvas: Canvas,
    request: LoopRequest,
    *,
    before: int = 0,
    after: int = 0,
    on_progress: OnProgress = ignore,
) -> Remade:
    """The sound played on for `after` bars, and led into by `before` bars."""
    if before < 0 or after < 0 or before + after == 0 or before + after + canvas.bars > MAX_BARS:
        raise UsageError(
            f"{before} bars before and {after} after {canvas.bars}: give 1 or more in all, up to "
            f"{MAX_BARS} together"
        )
    wider = widened(canvas, instrument.sound, before=before, after=after)
    total, known = wider.bars, Region(first_bar=before, last_bar=before + canvas.bars)
    white = _inverted(mask_of(wider, known, None))
    start, planned = time.perf_counter(), plan_remake(wider, request, instrument)
    assert total == planned.bars
    picture = _drawn(instrument, wider, planned, white, 1.0, on_progress)
    clip = _patched(wider, picture, white, planned.quality)
    return remade_of(instrument, wider, planned, picture, clip, strength=1.0, start=start)


def mask_of(canvas: Canvas, region: Region, mask: Image.Image | None) -> Image.Image:
    """What of the canvas's picture is done again, 'L': within the region, by the mask."""
    from PIL import Image

    from audio import mel

    width, height = canvas.picture.size
    first, last = (region.first_bar or 0.0), region.last_bar
    last = float(canvas.bars) if last is None else last
    if not 0 <= first < last <= canvas.bars:
        raise UsageError(
            f"bars {first:g} to {last:g} of {canvas.bars}: give a stretch within them, such as "
            "1-2 for the first bar"
        )
    top_hz = HIGHEST_HZ if region.high_hz is None else region.high_hz
    low, high = mel.bands_between(canvas.params, region.low_hz, top_hz)
    left, right = (round(bar / canvas.bars * width) for bar in (first, last))
    if low >= high or left >= right:
        raise UsageError(
            f"{region.low_hz:g} to {top_hz:g} Hz is no band of the picture's "
            f"{canvas.params.min_hz:g} to {canvas.params.max_hz:g} Hz: give a wider one"
        )
    white = np.zeros((height, width), np.uint8)
    white[height - high : height - low, left:right] = 255
    if mask is not None:
        grey = np.asarray(mask.convert("L").resize((width, height)), np.uint16)
        white = (white * grey // 255).astype(np.uint8)
    if not white.any():
        raise UsageError("the mask is black within the region: white is what is done again")
    return Image.fromarray(white)


def mask_at(path: Path) -> Image.Image:
    """The mask picture in a file. Raises UsageError for what is none."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            return opened.convert("L")
    except (OSError, UnidentifiedImageError, ValueError, Image.DecompressionBombError) as error:
        raise UsageError(f"mask {path} is no picture that can be read: give a PNG") from error


def _inverted(mask: Image.Image) -> Image.Image:
    from PIL import ImageOps

    return ImageOps.invert(mask)


def _drawn(
    instrument: Instrument,
    canvas: Canvas,
    planned: LoopRequest,
    white: Image.Image | None,
    strength: float,
    on_progress: OnProgress,
) -> Image.Image:
    """The picture drawn anew, where it is white; at strength 0 the one that was there."""
    from sdcore.generate import generate
    from sdcore.types import Start

    if not 0 <= strength <= 1:
        raise UsageError(f"strength {strength:g} is outside 0 to 1: give one within")
    if strength == 0:
        return canvas.picture
    mask = None if white is None else mask_for(white, instrument.checkpoint.factor)
    wanted = replace(
        image_request(planned, instrument.sound),
        start=Start(image=canvas.picture, strength=strength),
        mask=mask,
    )
    return generate(instrument.checkpoint, wanted, on_step=_told(on_progress)).images[0]


def mask_for(white: Image.Image, factor: int) -> Mask:
    """A mask that shows just what is white, and draws every block of latents that it touches."""
    from PIL import Image

    from sdcore.types import Mask

    values = np.asarray(white)
    rows, columns = values.shape[0] // factor, values.shape[1] // factor
    blocks = values.reshape(rows, factor, columns, factor).max((1, 3))
    touched = np.kron(blocks, np.ones((factor, factor), np.uint8))
    is_grey = bool(((values > 0) & (values < 255)).any())
    return Mask(
        image=white,
        latent=Image.fromarray(touched),
        graded=is_grey,
        blur=(0, 0),
        content="original",
    )


def _told(on_progress: OnProgress) -> Callable[[Step], None]:
    def on_step(step: Step) -> None:
        on_progress(Progress(done=step.index + 1, total=step.steps))

    return on_step


def _rendered(canvas: Canvas, picture: Image.Image, quality: str) -> Clip:
    """The sound of a picture of the whole bars, as long as the canvas's own."""
    from audio import codec

    clip = codec.synthesise(_shown(canvas, picture), quality=quality)
    return replace(clip, samples=canvas.cut(clip.samples))


def _shown(canvas: Canvas, picture: Image.Image) -> Spectrogram:
    from audio import codec

    return codec.from_image(picture, canvas.params, tempo=canvas.tempo, circular=canvas.closed)


def _patched(canvas: Canvas, picture: Image.Image, white: Image.Image, quality: str) -> Clip:
    """The canvas's sound, but for what its picture shows otherwise where it is white."""
    from audio import patch

    before, after = _shown(canvas, canvas.picture), _shown(canvas, picture)
    padded = canvas.padded
    middle = replace(padded, samples=padded.samples.mean(0, keepdims=True, dtype=np.float32))
    clip = middle
    for region in _regions(np.asarray(white) > 0):
        clip = patch.patched(clip, before, after, region, quality=quality)
    added = padded.samples + (clip.samples - middle.samples)
    return replace(padded, samples=canvas.cut(added))


def _regions(touched: NDArray[np.bool_]) -> list[patch.Region]:
    """A box round each run of columns that is touched (rows from the top, columns)."""
    from audio import patch

    height, columns = touched.shape[0], touched.any(0).astype(np.int8)
    turns = np.flatnonzero(np.diff(columns, prepend=0, append=0))
    found = []
    for first, last in zip(turns[::2].tolist(), turns[1::2].tolist(), strict=True):
        rows = np.flatnonzero(touched[:, first:last].any(1))
        low, high = height - 1 - int(rows[-1]), height - int(rows[0])
        found.append(patch.Region(first=first, last=last, low_band=low, high_band=high))
    return found


def remade_of(
    instrument: Instrument,
    canvas: Canvas,
    planned: LoopRequest,
    picture: Image.Image,
    clip: Clip,
    *,
    strength: float,
    start: float,
) -> Remade:
    notes = [*canvas.notes, *warnings(planned, instrument.sound)]
    if clip.channels < canvas.clip.channels:
        notes.append("the checkpoint hears one channel: the result is mono")
    return Remade(
        clip=clip,
        canvas=canvas,
        picture=picture,
        request=planned,
        strength=strength,
        origin=origin_of(instrument),
        seconds=time.perf_counter() - start,
        warnings=tuple(notes),
    )
