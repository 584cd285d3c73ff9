"""Sound files in and out: WAV, FLAC, OGG Vorbis and MP3, with tempo, loop points and texts.

The same clip and settings give the same bytes in every format: dither is seeded, Ogg pages carry
a fixed serial number, no field holds a time. A file appears whole or not at all.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

from audio import comments, disk, riff, texts
from audio.errors import FileError, ParameterError
from audio.types import Clip, Samples, Tempo

SUBTYPES = ("pcm16", "pcm24", "float")
DITHER_SEED = 0
_BLOCK = 1 << 14  # frames; libsndfile's Vorbis encoder overflows its stack on long writes
_REACH = 2048  # samples, at the lower rate: past both ends of soxr's longest filter


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What stands in a file beside its sound; `root` is a MIDI note."""

    n: int
    rate: int
    tempo: Tempo | None
    root: int | None
    texts: Mapping[str, str]

    @property
    def all_texts(self) -> dict[str, str]:
        """The texts with the tempo among them."""
        own = {} if self.tempo is None else {texts.TEMPO: texts.of_tempo(self.tempo)}
        return {**self.texts, **own}


@dataclass(frozen=True, kw_only=True)
class Format:
    """How one kind of file is encoded, and how its marks go into the encoded bytes."""

    name: str
    subtypes: Mapping[str, str]  # ours -> libsndfile's
    mark: Callable[[bytes, Marks], bytes]
    settings: Mapping[str, Any]


def read(path: Path) -> Clip:
    """The sound in a file, float32; integer formats end up in [-1, 1], floats as they stand.

    Raises FileError for what is no sound, is empty or cut short, MachineError where the machine
    refuses to read it.
    """
    with _opened(path) as file:
        _refuse_cut(file)
        file.seek(0)
        with sf.SoundFile(file) as sound:  # by what it holds: a name would be believed
            samples = _decoded(sound)
            declared, rate, subtype = sound.frames, int(sound.samplerate), sound.subtype
        if not len(samples):
            raise FileError("holds no sound: give a file with some")
        if len(samples) < declared and "MPEG" not in subtype:
            raise FileError(f"is cut short: {len(samples)} of {declared} samples are there")
        if not np.isfinite(samples).all():
            raise FileError("holds samples that are no numbers: export it again")
    return Clip(samples=np.ascontiguousarray(samples.T), rate=rate)


def duration_s(path: Path) -> float:
    """How long the sound in a file says it is, nothing of it being decoded. Raises as `read`."""
    with _opened(path) as file:
        file.seek(0)
        with sf.SoundFile(file) as sound:
            return float(sound.frames / sound.samplerate)


def read_part(path: Path, *, start_s: float = 0.0, duration_s: float) -> Clip:
    """A stretch of the sound in a file; nothing else of it is decoded. Raises as `read` does."""
    with _opened(path) as file:
        file.seek(0)
        with sf.SoundFile(file) as sound:
            rate = int(sound.samplerate)
            sound.seek(min(round(start_s * rate), sound.frames))
            samples = sound.read(round(duration_s * rate), dtype="float32", always_2d=True)
        if not len(samples):
            raise FileError(f"holds no sound from {start_s:g} s on: begin earlier")
        if not np.isfinite(samples).all():
            raise FileError("holds samples that are no numbers: export it again")
    return Clip(samples=np.ascontiguousarray(samples.T), rate=rate)


def read_blocks(path: Path, *, n: int = 1 << 16) -> Iterator[Samples]:
    """The sound in a file, `n` samples of (channels, n) at a time. Raises as `read` does."""
    with _opened(path) as file:
        _refuse_cut(file)
        file.seek(0)
        with sf.SoundFile(file) as sound:
            while len(block := sound.read(n, dtype="float32", always_2d=True)):
                if not np.isfinite(block).all():
                    raise FileError("holds samples that are no numbers: export it again")
                yield np.ascontiguousarray(block.T)


def read_tags(path: Path) -> dict[str, str]:
    """The texts in a file by name; {} where it holds none. Raises as `read` does."""
    with _opened(path) as file:
        if _is_riff(file):
            return riff.texts_in(riff.read_chunks(file))
        found = _comments(file)
    found.pop(texts.TEMPO, None)
    return found


def read_loop(path: Path) -> Tempo | None:
    """The tempo that a loop's file says; None where it says none. Raises as `read` does."""
    with _opened(path) as file:
        if _is_riff(file):
            return riff.tempo_in(riff.read_chunks(file))
        found = _comments(file).get(texts.TEMPO)
    try:
        return None if found is None else texts.to_tempo(found)
    except ParameterError:
        return None


def write(
    path: Path,
    clip: Clip,
    *,
    subtype: str = "pcm16",
    tempo: Tempo | None = None,
    root: int | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Write a clip; the name's suffix chooses the format.

    With `tempo` it is a loop: loop points, beats, tempo and `root` (a MIDI note) go along. `tags`
    are texts by name, as `read_tags` gives them back. MP3 and OGG have one subtype of their own,
    and are encoded at a high variable rate whatever `subtype` says.
    Raises ParameterError for what the format cannot hold, MachineError for a full disk.
    """
    marks = Marks(n=clip.n, rate=clip.rate, tempo=tempo, root=root, texts=texts.checked(tags))
    fmt = format_of(path, subtype)
    _refuse(clip, marks)
    disk.write_whole(path, fmt.mark(_encoded(clip, fmt, fmt.subtypes[subtype]), marks))


def resample(clip: Clip, rate: int, *, circular: bool = False) -> Clip:
    """The clip at another rate, round(n * rate / clip.rate) samples long.

    With `circular` the end meets the start, so that a loop keeps its seam.
    """
    if rate < 1:
        raise ParameterError(f"rate {rate}: give a whole number of Hz above 0")
    if rate == clip.rate:
        return clip
    n = round(clip.n * rate / clip.rate)
    x, skip = clip.samples.T, 0
    if circular:  # with margins that are a whole number of samples at both rates
        unit = clip.rate // gcd(rate, clip.rate)
        reach = _REACH * max(1, clip.rate // rate)
        margin = -(-reach // unit) * unit
        x, skip = np.pad(x, ((margin, margin), (0, 0)), mode="wrap"), margin * rate // clip.rate
    y: Samples = soxr.resample(np.ascontiguousarray(x), clip.rate, rate, quality="VHQ")
    y = y[skip : skip + n]
    y = np.pad(y, ((0, n - len(y)), (0, 0)))  # soxr rounds its length down
    return Clip(samples=np.ascontiguousarray(y.T), rate=rate)


def _encoded(clip: Clip, fmt: Format, inner: str) -> bytes:
    """The sound alone as a file's bytes, of libsndfile's subtype `inner`."""
    samples = quantised(clip.samples, inner, np.random.default_rng(DITHER_SEED)).T
    out = io.BytesIO()
    try:
        with sf.SoundFile(
            out, "w", clip.rate, clip.channels, inner, format=fmt.name, **fmt.settings
        ) as file:
            for i in range(0, len(samples), _BLOCK):
                file.write(samples[i : i + _BLOCK])
    except sf.LibsndfileError as error:
        raise ParameterError(
            f"{clip.channels} channels at {clip.rate} Hz: {fmt.name} cannot hold that "
            f"({error.error_string.strip('. ')}), take .wav or resample"
        ) from error
    return out.getvalue()


def quantised(samples: Samples, inner: str, random: np.random.Generator) -> NDArray[Any]:
    """What libsndfile writes without rounding: int16, int32 with 24 bits in use, or floats.

    16 bits are dithered with triangular noise of two steps (Lipshitz, Wannamaker and Vanderkooy
    1992). Samples that already lie on a step stay there, so digital silence stays silent and a
    copy of a 16-bit file is that file.
    """
    if inner == "PCM_16":
        scaled = samples * np.float32(2**15)
        noise = random.random(scaled.shape, np.float32) - random.random(scaled.shape, np.float32)
        noise[scaled == np.rint(scaled)] = 0.0
        return np.clip(np.rint(scaled + noise), -(2**15), 2**15 - 1).astype(np.int16)
    if inner == "PCM_24":
        steps = np.rint(samples.astype(np.float64) * 2**23)
        return np.left_shift(np.clip(steps, -(2**23), 2**23 - 1).astype(np.int32), 8)
    return samples


def _refuse(clip: Clip, marks: Marks) -> None:
    if not clip.samples.size:
        raise ParameterError("a clip without samples makes no file: give some sound")
    if not np.isfinite(clip.samples).all():
        raise ParameterError("the clip holds samples that are no numbers: there is no such sound")
    if marks.root is not None and not riff.ROOTS[0] <= marks.root <= riff.ROOTS[1]:
        raise ParameterError(f"root note {marks.root}: MIDI notes go from 0 to 127")
    if marks.tempo is not None and marks.tempo.samples(clip.rate) != clip.n:
        raise ParameterError(
            f"a clip of {clip.n} samples is no loop of {marks.tempo.beats} beats at "
            f"{marks.tempo.bpm:g} bpm: that has {marks.tempo.samples(clip.rate)} at {clip.rate} Hz"
        )


def format_of(path: Path, subtype: str) -> Format:
    """How a file of this name is encoded. Raises ParameterError for what it cannot hold."""
    if path.suffix.lower() not in FORMATS:
        raise ParameterError(
            f"{path.name} is no sound file's name: known suffixes are {', '.join(FORMATS)}"
        )
    if subtype not in SUBTYPES:
        raise ParameterError(f"unknown subtype '{subtype}': known are {', '.join(SUBTYPES)}")
    fmt = FORMATS[path.suffix.lower()]
    if subtype not in fmt.subtypes:
        raise ParameterError(f"{fmt.name} holds no '{subtype}': take {' or '.join(fmt.subtypes)}")
    return fmt


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The file for reading; whatever goes wrong with it is one sentence that names it."""
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise FileError("is empty: give a sound file")
            yield file
    except FileError as error:
        raise FileError(f"{path} {error}") from error
    except OSError as error:
        raise disk.refusal(error, path, "read") from error
    except sf.LibsndfileError as error:
        said = error.error_string.strip(". ")
        raise FileError(
            f"{path} is no sound that can be read ({said}): give WAV, FLAC, OGG or MP3"
        ) from error


def _decoded(sound: sf.SoundFile) -> Samples:
    """All samples (n, channels), block by block: a damaged header may promise terabytes."""
    blocks = [np.zeros((0, sound.channels), np.float32)]
    while len(block := sound.read(_BLOCK, dtype="float32", always_2d=True)):
        blocks.append(block)
    return np.concatenate(blocks)


def _is_riff(file: BinaryIO) -> bool:
    file.seek(0)
    return file.read(4) == b"RIFF"


def _refuse_cut(file: BinaryIO) -> None:
    if _is_riff(file):
        for _ in riff.scan(file):
            pass
    else:
        comments.refuse_cut(file)


def _comments(file: BinaryIO) -> dict[str, str]:
    found = comments.read(file)
    if found is None:
        file.seek(0)
        sf.info(file)  # of another kind, or no sound at all: then it says so
        return {}
    return found


def wav_chunks(marks: Marks) -> list[riff.Chunk]:
    """What stands behind a WAV file's sound."""
    loop = []
    if marks.tempo is not None:
        loop = [riff.smpl(marks.n, marks.rate, marks.root), riff.acid(marks.tempo, marks.root)]
    return [*loop, *riff.of_texts(marks.all_texts)]


def _mark_wav(data: bytes, marks: Marks) -> bytes:
    return riff.with_chunks(data, wav_chunks(marks))


def _mark_flac(data: bytes, marks: Marks) -> bytes:
    return comments.to_flac(data, marks.all_texts, marks.tempo)


def _mark_ogg(data: bytes, marks: Marks) -> bytes:
    return comments.to_ogg(data, marks.all_texts, marks.tempo)


def _mark_mp3(data: bytes, marks: Marks) -> bytes:
    return comments.to_mp3(data, marks.all_texts, marks.tempo)


_PCM = {"pcm16": "PCM_16", "pcm24": "PCM_24"}
FORMATS = {
    ".wav": Format(name="WAV", subtypes={**_PCM, "float": "FLOAT"}, mark=_mark_wav, settings={}),
    ".flac": Format(name="FLAC", subtypes=_PCM, mark=_mark_flac, settings={}),
    ".ogg": Format(
        name="OGG",
        subtypes=dict.fromkeys(SUBTYPES, "VORBIS"),
        mark=_mark_ogg,
        settings={"compression_level": 0.3},  # Vorbis quality 7
    ),
    ".mp3": Format(
        name="MP3",
        subtypes=dict.fromkeys(SUBTYPES, "MPEG_LAYER_III"),
        mark=_mark_mp3,
        settings={"bitrate_mode": "VARIABLE", "compression_level": 0.0},  # V0
    ),
}
