"""A sound file written as its sound is made: memory does not grow with its length."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile as sf

from audio import disk, riff, texts
from audio.errors import ParameterError
from audio.files import DITHER_SEED, Format, Marks, format_of, quantised, wav_chunks
from audio.types import Samples, Tempo

_BLOCK = 1 << 14  # samples; libsndfile's Vorbis encoder overflows its stack on long writes


def write_blocks(
    path: Path,
    blocks: Iterable[Samples],
    *,
    rate: int,
    channels: int,
    subtype: str = "pcm16",
    tempo: Tempo | None = None,
    root: int | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Write samples (channels, some) as they come; else as `audio.files.write` does.

    The file takes its name when it is whole: whatever is raised on the way leaves what was there.
    A WAV file's marks are put behind its sound; of other formats the compressed bytes are read
    back once to be marked.
    Raises ParameterError where the blocks are not as many samples as the tempo has.
    """
    told = texts.checked(tags)
    fmt = format_of(path, subtype)
    with disk.replacing(path) as file:
        n = _encode(file, blocks, fmt, fmt.subtypes[subtype], rate, channels)
        if tempo is not None and tempo.samples(rate) != n:
            raise ParameterError(
                f"{n} samples are no {tempo.beats} beats at {tempo.bpm:g} bpm: "
                f"that has {tempo.samples(rate)} at {rate} Hz"
            )
        _mark(file, fmt, Marks(n=n, rate=rate, tempo=tempo, root=root, texts=told))


def _encode(
    file: BinaryIO, blocks: Iterable[Samples], fmt: Format, inner: str, rate: int, channels: int
) -> int:
    try:
        return _written(file, blocks, fmt, inner, rate, channels)
    except (sf.LibsndfileError, AssertionError) as error:
        # Its callbacks swallow what the system said, a full disk say: asked again, it says so.
        file.seek(0, 2)
        file.write(b"\0" * _BLOCK)
        file.flush()
        raise ParameterError(
            f"{channels} channels at {rate} Hz: {fmt.name} cannot hold that, take .wav or resample"
        ) from error


def _written(
    file: BinaryIO, blocks: Iterable[Samples], fmt: Format, inner: str, rate: int, channels: int
) -> int:
    random, n = np.random.default_rng(DITHER_SEED), 0
    with sf.SoundFile(file, "w", rate, channels, inner, format=fmt.name, **fmt.settings) as sound:
        for block in blocks:
            for first in range(0, block.shape[1], _BLOCK):
                piece = block[:, first : first + _BLOCK]
                if not np.isfinite(piece).all():
                    raise ParameterError("the sound holds samples that are no numbers")
                sound.write(quantised(piece, inner, random).T)
            n += block.shape[1]
    if n == 0:
        raise ParameterError("a sound without samples makes no file: give some")
    return n


def _mark(file: BinaryIO, fmt: Format, marks: Marks) -> None:
    if fmt.name == "WAV":
        riff.append_chunks(file, wav_chunks(marks))
        return
    file.seek(0)
    marked = fmt.mark(file.read(), marks)
    file.seek(0)
    file.truncate()
    file.write(marked)
