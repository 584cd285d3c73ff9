"""Pictures to sound and back: spectrogram images of ours, of Riffusion, of anybody."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from riffapp.errors import UsageError
from riffapp.studio import checkpoints
from riffapp.studio.types import BPM_RANGE, RATES

if TYPE_CHECKING:
    from PIL import Image

    from audio.pictures import Picture
    from audio.types import Clip, Spectrogram, SpectrogramParams, Tempo

# A file may be this much longer or shorter than the beats that it is said to hold: encoders pad,
# editors cut. A 32nd note at 240 bpm is 31 ms.
MAX_ODD_S = 0.02


@dataclass(frozen=True, kw_only=True)
class Played:
    """A picture's sound; `tempo` where it is musical, `notes` on what had to be assumed."""

    clip: Clip
    tempo: Tempo | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A sound's picture, with the spectrogram that it shows."""

    image: Image.Image
    spectrogram: Spectrogram


def image_to_audio(
    picture: Picture, *, bpm: float | None = None, quality: str = "fast", rate: int | None = None
) -> Played:
    """The sound that a picture shows; a loop is played at `bpm` where that is given.

    Pictures without parameters are taken for Riffusion's. Raises as `heard_as` does, audio's
    errors for a size that the parameters do not allow.
    """
    from audio import codec
    from audio.types import BeatFrames

    params, tempo = heard_as(picture, bpm=bpm, rate=rate)
    circular = isinstance(params.frames, BeatFrames) or picture.circular
    spectrogram = codec.from_image(picture.image, params, tempo=tempo, circular=circular)
    notes = () if picture.params else ("no parameters in the picture: taken for Riffusion's",)
    clip = codec.synthesise(spectrogram, quality=quality)
    return Played(clip=clip, tempo=tempo, notes=notes)


def heard_as(
    picture: Picture, *, bpm: float | None = None, rate: int | None = None
) -> tuple[SpectrogramParams, Tempo | None]:
    """How a picture is played: its params, at a rate, and its tempo where it is musical.

    Raises UsageError for a tempo or rate out of range and for a tempo asked of a picture that has
    none.
    """
    from audio.types import RIFFUSION, BeatFrames

    refuse_bpm(bpm)
    if rate is not None and rate not in RATES:
        raise UsageError(f"unknown rate '{rate}': known are {', '.join(map(str, RATES))}")
    params, tempo = picture.params or RIFFUSION, picture.tempo
    if tempo is None and isinstance(params.frames, BeatFrames) and bpm is not None:
        tempo = _tempo_of_width(picture.image.width, params.frames.per_beat, bpm)
    if bpm is not None and tempo is None:
        raise UsageError("this picture is counted by time and says no tempo: leave bpm out")
    if tempo is not None and bpm is not None:
        tempo = replace(tempo, bpm=bpm)
    return (params if rate is None else replace(params, rate=rate)), tempo


def refined(picture: Picture) -> Picture:
    """The picture with twice the bands and frames, painted in as `audio.detail` has learned it.

    Raises as `refined_as` does.
    """
    from audio import detail
    from audio.pictures import Picture

    params, tempo = refined_as(picture)
    image = detail.refined(picture.image, tempo, circular=picture.circular)
    return Picture(image=image, params=params, tempo=tempo, circular=picture.circular)


def refined_as(picture: Picture) -> tuple[SpectrogramParams, Tempo]:
    """The finer picture's params, and its tempo.

    Raises UsageError for a picture that does not say how it sounds, audio's ParameterError for
    another grid than that of the embedded loops.
    """
    from audio import detail

    if picture.params is None or picture.tempo is None:
        raise UsageError(
            "this picture does not say its tempo and how it sounds: detail is painted into "
            "pictures of loops that riffapp has made"
        )
    return detail.finer(picture.params), picture.tempo


def audio_to_image(
    path: Path, *, bpm: float | None = None, stereo: bool = False, checkpoint: str = "loops"
) -> Drawn:
    """The picture of a sound file.

    A loop (the file says its tempo, or `bpm` does) is drawn on the checkpoint's beat grid as a
    circle, any other sound on Riffusion's time grid. Raises as `tempo_of` does.
    """
    from audio import codec, files
    from audio.types import RIFFUSION

    tempo = tempo_of(path, bpm=bpm)
    clip = files.read(path)
    params = RIFFUSION if tempo is None else checkpoints.read_sound(checkpoint).params
    params = replace(params, stereo=stereo)
    clip = files.resample(clip, params.rate, circular=tempo is not None)
    if tempo is not None:
        clip = _fitted(clip, tempo)
    spectrogram = codec.analyse(clip, params, tempo=tempo, circular=tempo is not None)
    return Drawn(image=codec.to_image(spectrogram), spectrogram=spectrogram)


def tempo_of(path: Path, *, bpm: float | None = None) -> Tempo | None:
    """The tempo that a sound file says, or that `bpm` makes of its length.

    Raises UsageError where `bpm` does not make whole beats of it.
    """
    from audio import files

    refuse_bpm(bpm)
    tempo = files.read_loop(path)
    if bpm is not None and (tempo is None or tempo.bpm != bpm):
        return _tempo_of_length(files.duration_s(path), bpm)
    return tempo


def facts(made: Played | Drawn) -> dict[str, Any]:
    """What a person wants to hear of it."""
    if isinstance(made, Drawn):
        tempo = made.spectrogram.tempo
        said: dict[str, Any] = {"size": f"{made.image.width} x {made.image.height}"}
    else:
        tempo = made.tempo
        said = {"duration_s": round(made.clip.duration_s, 3), "rate": made.clip.rate}
    if tempo is not None:
        said |= {"bpm": tempo.bpm, "bars": tempo.bars}
    return said


def refuse_bpm(bpm: float | None) -> None:
    """Raises UsageError for a tempo out of range."""
    low, high = BPM_RANGE
    if bpm is not None and not low <= bpm <= high:
        raise UsageError(f"bpm {bpm:g} is outside {low:g} to {high:g}: give one within")


def _tempo_of_width(width: int, per_beat: int, bpm: float) -> Tempo:
    from audio.types import Tempo

    if width % per_beat:
        raise UsageError(f"a picture {width} px wide holds no whole beats of {per_beat} px")
    return Tempo(bpm=bpm, beats=width // per_beat)


def _tempo_of_length(duration_s: float, bpm: float) -> Tempo:
    from audio.types import Tempo

    beats = round(duration_s * bpm / 60)
    if beats < 1 or abs(beats * 60 / bpm - duration_s) > MAX_ODD_S:
        raise UsageError(
            f"{duration_s:.3f} s at {bpm:g} bpm are {duration_s * bpm / 60:.2f} beats, which is no "
            "whole number: give the loop's own tempo, or leave bpm out"
        )
    return Tempo(bpm=bpm, beats=beats)


def _fitted(clip: Clip, tempo: Tempo) -> Clip:
    """The clip cut, or filled with silence, to its beats: a few samples, never more."""
    n = tempo.samples(clip.rate)
    if abs(clip.n - n) > MAX_ODD_S * clip.rate:
        raise UsageError(
            f"the file says {tempo.beats} beats at {tempo.bpm:g} bpm but is {clip.duration_s:.3f} s"
            " long: give the loop's own tempo as bpm"
        )
    samples = np.pad(clip.samples[:, :n], ((0, 0), (0, max(0, n - clip.n))))
    return replace(clip, samples=samples)
