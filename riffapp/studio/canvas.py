"""A sound laid on a checkpoint's grid, so that it can be drawn on: whole bars, beats on columns."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from riffapp.errors import UsageError
from riffapp.studio import files, record
from riffapp.studio.checkpoints import Sound
from riffapp.studio.types import (
    BEATS_PER_BAR,
    BPM_RANGE,
    MAX_BARS,
    MAX_DURATION_S,
    RATES,
    LoopRequest,
)

if TYPE_CHECKING:
    from PIL import Image

    from audio.types import Clip, Samples, SpectrogramParams, Tempo

MIN_DURATION_S = 0.25
SEED_BAR_S = 2.56  # half of Riffusion's 512 columns
SILENT = 1e-4  # a peak below it is -80 dB


@dataclass(frozen=True, kw_only=True, eq=False)
class Canvas:
    """A sound and its picture, `lead` samples of silence before it in whole bars of its tempo.

    `clip` is the sound as it was, at `params.rate`; `picture` shows the whole bars. `closed` says
    that the end meets the beginning. `request` is the one that its file says.
    """

    clip: Clip
    picture: Image.Image
    params: SpectrogramParams
    tempo: Tempo
    lead: int
    closed: bool
    sha256: str
    request: LoopRequest | None = None
    notes: tuple[str, ...] = ()

    @property
    def bars(self) -> int:
        return self.tempo.beats // BEATS_PER_BAR

    @property
    def padded(self) -> Clip:
        """The clip in its whole bars, silence around it."""
        after = self.tempo.samples(self.clip.rate) - self.lead - self.clip.n
        return replace(self.clip, samples=np.pad(self.clip.samples, ((0, 0), (self.lead, after))))

    def cut(self, samples: Samples) -> Samples:
        """What stands in the clip's place of samples (channels, whole bars)."""
        return samples[:, self.lead : self.lead + self.clip.n]


def open_canvas(
    path: Path, sound: Sound, *, bpm: float | None = None, first_beat_s: float | None = None
) -> Canvas:
    """The sound or spectrogram picture in a file, on the grid of a checkpoint.

    Own files say their tempo and are taken as they are; of other recordings tempo and first beat
    (of a bar) are heard, unless they are given.
    Raises UsageError for what is silent, too short or too long, or of a tempo out of range.
    """
    if files.is_picture(path):
        return _of_picture(path, sound)
    clip = _read(path)
    found = record.read(files.read_texts(path))
    tempo = _own_tempo(path, clip)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if tempo is not None and bpm in (None, tempo.bpm) and first_beat_s is None:
        closed = found is None or found.request.closed
        canvas = _laid(clip, sound, tempo, lead=0, closed=closed, sha256=digest)
        beside = _picture_beside(path, canvas)
        request = None if found is None else found.request
        return replace(canvas, picture=beside or canvas.picture, request=request)
    bpm, first_beat_s, notes = _heard(clip, bpm, first_beat_s)
    tempo, lead = _whole_bars(clip, bpm, first_beat_s)
    canvas = _laid(clip, sound, tempo, lead=lead, closed=False, sha256=digest)
    return replace(canvas, notes=notes)


def widened(canvas: Canvas, sound: Sound, *, before: int, after: int) -> Canvas:
    """The canvas with empty bars before and after what is there."""
    from PIL import Image

    tempo = replace(canvas.tempo, beats=canvas.tempo.beats + BEATS_PER_BAR * (before + after))
    rate, lead = canvas.clip.rate, 0
    if before:
        lead = replace(tempo, beats=BEATS_PER_BAR * before).samples(rate)
    rest = tempo.samples(rate) - lead - canvas.padded.n
    samples = np.pad(canvas.padded.samples, ((0, 0), (lead, rest)))
    clip = replace(canvas.clip, samples=samples)
    wider = replace(canvas, clip=clip, tempo=tempo, lead=0)
    if not sound.draws_circles:  # columns that are counted by time do not fall on bars
        return replace(wider, picture=_picture(wider, sound))
    per_bar = canvas.picture.width // canvas.bars
    picture = Image.new("RGB", (sound.columns(tempo), canvas.picture.height), (255, 255, 255))
    picture.paste(canvas.picture, (per_bar * before, 0))
    return replace(wider, picture=picture)


def _read(path: Path) -> Clip:
    from audio import files as sounds

    if not path.is_file():
        raise UsageError(f"no file {path}: check the name")
    duration_s = sounds.duration_s(path)
    if duration_s > MAX_DURATION_S:
        raise UsageError(
            f"{path} lasts {duration_s / 60:.0f} min: at most {MAX_DURATION_S / 60:g} min can be "
            "worked on at once, cut it first"
        )
    clip = sounds.read(path)
    if clip.duration_s < MIN_DURATION_S:
        raise UsageError(
            f"{path} lasts {clip.duration_s * 1000:.0f} ms: give a sound of at least "
            f"{MIN_DURATION_S * 1000:.0f} ms"
        )
    if float(np.abs(clip.samples).max()) < SILENT:
        raise UsageError(f"{path} is silent: give a sound that can be heard")
    return clip if clip.rate in RATES else sounds.resample(clip, RATES[0])


def _own_tempo(path: Path, clip: Clip) -> Tempo | None:
    """The tempo that the file says, if it makes whole bars of what is in it."""
    from audio import files as sounds

    tempo = sounds.read_loop(path)
    if tempo is None or tempo.beats % BEATS_PER_BAR or tempo.samples(clip.rate) != clip.n:
        return None
    return tempo


def _of_picture(path: Path, sound: Sound) -> Canvas:
    from audio import codec, pictures
    from audio.types import RIFFUSION

    picture = pictures.read(path)
    params = picture.params or RIFFUSION
    if _grid(params) != _grid(sound.params):
        raise UsageError(f"{path} was drawn on another grid than this checkpoint's: give its sound")
    tempo = picture.tempo or _tempo_of_seed(picture.image.width, params)
    closed = picture.circular or picture.tempo is None
    spectrogram = codec.from_image(picture.image, params, tempo=tempo, circular=closed)
    found = record.read(picture.texts)
    return Canvas(
        clip=codec.synthesise(spectrogram),
        picture=picture.image,
        params=spectrogram.params,
        tempo=tempo,
        lead=0,
        closed=closed,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        request=None if found is None else found.request,
    )


def _grid(params: SpectrogramParams) -> SpectrogramParams:
    """What must be alike; rate and level are a file's own."""
    return replace(params, rate=RATES[0], curve=type(params.curve)())


def _tempo_of_seed(width: int, params: SpectrogramParams) -> Tempo:
    """Riffusion's seed pictures are whole measures: two bars of 4/4 for every 512 columns."""
    from audio.types import Tempo, TimeFrames

    if not isinstance(params.frames, TimeFrames):
        raise UsageError("the picture says no tempo: play it first, and give the sound with --bpm")
    seconds = width * params.frames.hop_ms / 1000
    bars = max(1, round(seconds / SEED_BAR_S))
    return Tempo(bpm=round(bars * BEATS_PER_BAR * 60 / seconds, 6), beats=bars * BEATS_PER_BAR)


def _picture_beside(path: Path, canvas: Canvas) -> Image.Image | None:
    """The picture that the sound was made from, where it lies beside it."""
    from audio import pictures
    from audio.errors import AudioError

    beside = path.with_suffix(files.PICTURE_SUFFIX)
    try:
        if not beside.is_file() or files.read_texts(beside) != files.read_texts(path):
            return None
        picture = pictures.read(beside)
    except AudioError:
        return None
    fits = picture.image.size == canvas.picture.size and picture.params is not None
    if not fits or picture.params is None or _grid(picture.params) != _grid(canvas.params):
        return None
    return picture.image


def _heard(
    clip: Clip, bpm: float | None, first_beat_s: float | None
) -> tuple[float, float, tuple[str, ...]]:
    """Tempo and first beat of a bar, by ear where they are not given; and what was heard."""
    low, high = BPM_RANGE
    if bpm is not None and not (math.isfinite(bpm) and low <= bpm <= high):
        raise UsageError(f"bpm {bpm:g} is outside {low:g} to {high:g}: give one within")
    if first_beat_s is not None and not 0 <= first_beat_s <= clip.duration_s:
        raise UsageError(
            f"a first beat at {first_beat_s:g} s in a sound of {clip.duration_s:.2f} s: "
            "give one within it"
        )
    if bpm is not None:
        return bpm, first_beat_s or 0.0, ()
    from audio import tempo

    found = tempo.estimate_tempo(clip)
    heard = min(max(found.bpm, low), high)
    first = found.downbeat_s if first_beat_s is None else first_beat_s
    return heard, first, (f"heard {heard:.2f} bpm, bar 1 at {first:.3f} s: give --bpm if it errs",)


def _whole_bars(clip: Clip, bpm: float, first_beat_s: float) -> tuple[Tempo, int]:
    """The bars that hold the clip, and the silence before it that brings its beats onto them."""
    from audio.types import Tempo

    bpm = round(bpm, 3)
    bar = BEATS_PER_BAR * 60 * clip.rate / bpm
    lead = round((-first_beat_s * clip.rate) % bar)
    if bar - lead < 0.01 * clip.rate:  # a hair before its bar: no bar of silence for that
        lead = 0
    bars = math.ceil((lead + clip.n) / bar - 1e-9)
    tempo = Tempo(bpm=bpm, beats=bars * BEATS_PER_BAR)
    if tempo.samples(clip.rate) < lead + clip.n:
        tempo = replace(tempo, beats=tempo.beats + BEATS_PER_BAR)
    if tempo.beats > MAX_BARS * BEATS_PER_BAR:
        raise UsageError(f"{bars} bars: a piece has at most {MAX_BARS}, cut the sound first")
    return tempo, lead


def _laid(
    clip: Clip, sound: Sound, tempo: Tempo, *, lead: int, closed: bool, sha256: str
) -> Canvas:
    from PIL import Image

    from audio import codec

    params = replace(sound.params, rate=clip.rate)
    canvas = Canvas(
        clip=clip,
        picture=Image.new("RGB", (1, 1)),
        params=params,
        tempo=tempo,
        lead=lead,
        closed=closed,
        sha256=sha256,
    )
    shown = codec.analyse(
        canvas.padded, params, tempo=tempo, circular=closed, frames=sound.columns(tempo)
    )
    return replace(canvas, picture=codec.to_image(shown), params=shown.params)


def _picture(canvas: Canvas, sound: Sound) -> Image.Image:
    from audio import codec

    shown = codec.analyse(
        canvas.padded,
        canvas.params,
        tempo=canvas.tempo,
        circular=canvas.closed,
        frames=sound.columns(canvas.tempo),
    )
    return codec.to_image(shown)
