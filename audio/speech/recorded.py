"""A recording as a voice: where its words are, found by comparing it to espeak saying the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio import files
from audio.compiled import librosa
from audio.errors import ParameterError
from audio.speech import syllables
from audio.speech.espeak import RATE, Espeak
from audio.speech.types import Phone, Speech, Voice, Word
from audio.types import Clip, Samples

NAME = "recorded"
LICENCE = "that of the recording"
MAX_S = 300.0
_HOP_S, _COARSE_HOP_S = 0.005, 0.08
_WINDOW_S, _BANDS, _RANGE_HZ, _RANGE_DB = 0.025, 40, (60.0, 8000.0), 60.0
_PART_S = 12.0  # of the reference, that is compared at the fine hop in one piece
_SILENCE_S = 0.2  # round the reference, for what the recording has before and after
_LEAST_PHONE_S = 0.005
_FASTEST = 4.0  # times the reference: faster is not the same text

FloatArray = NDArray[np.float64]


class Recorded:
    """The voice in a sound file, whose text the caller knows or does not.

    `language` is that of espeak which the text is compared in. Raises audio's errors for a file
    that cannot be read, ParameterError for an unknown language.
    """

    def __init__(
        self, path: Path, *, language: str = "en-us", espeak: Espeak | None = None
    ) -> None:
        self._clip = files.read(path)
        self._espeak = espeak or Espeak()
        self._reference = self._espeak.voice(language)
        self._voice = Voice(
            id=str(path),
            engine=NAME,
            name=path.stem,
            language=self._reference.language,
            licence=LICENCE,
        )

    def voices(self) -> Sequence[Voice]:
        """The one voice of the file."""
        return (self._voice,)

    def speak(self, text: str, voice: Voice) -> Speech:
        """The recording as it is, with the words of `text`; of a blank text, its syllables.

        Raises ParameterError as `aligned` and `syllables.heard` do.
        """
        if not text.strip():
            return syllables.heard(self._clip, voice)
        return aligned(self._clip, self._espeak.speak(text, self._reference), voice=voice)


def aligned(clip: Clip, reference: Speech, *, voice: Voice) -> Speech:
    """A recording of what a reference says, with the reference's words at the recording's times.

    Both are compared as mel spectrograms by dynamic time warping: the way of aeneas (Pettarin
    2017), whole at 80 ms, then part by part at 5 ms between the pauses of the reference. Of espeak
    in other voices and at 110 to 210 words a minute it found half the vowels within 1.7 ms and 95 %
    within 7 ms (400 vowels, English and German); people differ more. The clip comes back as it is,
    mixed to mono.
    Raises ParameterError for silence, for more than 300 s, and for a recording too short to be of
    the same text.
    """
    mono = replace(clip, samples=clip.samples.mean(0, keepdims=True, dtype=np.float32))
    _refuse(mono, reference)
    x = files.resample(mono, RATE).samples[0]
    pad = np.zeros(round(_SILENCE_S * RATE), np.float32)
    y = np.concatenate([pad, files.resample(reference.clip, RATE).samples[0], pad])
    times = np.array(sorted({t for p in reference.phones for t in (p.start_s, p.end_s)}))
    found = np.interp(times + _SILENCE_S, *_warp(y, x, _cuts(reference)))
    moved = dict(zip(times.tolist(), _spread(found, mono.duration_s).tolist(), strict=True))
    return Speech(
        text=reference.text,
        clip=mono,
        words=tuple(_moved(word, moved) for word in reference.words),
        voice=voice,
        timing="aligned",
    )


def _refuse(clip: Clip, reference: Speech) -> None:
    if clip.n == 0 or not np.isfinite(clip.samples).all() or not clip.samples.any():
        raise ParameterError("the recording is silent: give one in which the text is spoken")
    if clip.duration_s > MAX_S:
        raise ParameterError(
            f"a recording of {clip.duration_s:.0f} s: at most {MAX_S:g} s are compared to a text "
            "at a time, cut it first"
        )
    if clip.duration_s < reference.clip.duration_s / _FASTEST:
        raise ParameterError(
            f"a recording of {clip.duration_s:.2g} s for a text that takes about "
            f"{reference.clip.duration_s:.2g} s: give the text that is spoken in it"
        )


def _warp(
    reference: Samples, recording: Samples, cuts: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Times in the reference, rising, and where they are in the recording."""
    coarse = _path(reference, recording, _COARSE_HOP_S)
    ends = np.array([len(reference), len(recording)]) / RATE
    there = np.concatenate([[0.0], np.interp(cuts, *coarse), ends[1:]])
    here = np.concatenate([[0.0], cuts, ends[:1]])
    parts = []
    for (first, last), (start, end) in zip(pairwise(here), pairwise(there), strict=True):
        part = reference[round(first * RATE) : round(last * RATE)]
        other = recording[round(start * RATE) : round(end * RATE)]
        if len(other) < _HOP_S * RATE:  # nothing of it in the recording: it happens in no time
            parts.append((np.array([first, last]), np.array([start, end])))
            continue
        one, two = _path(part, other, _HOP_S)
        parts.append((first + one, start + two))
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _path(reference: Samples, recording: Samples, hop_s: float) -> tuple[FloatArray, FloatArray]:
    """The cheapest way through both: for each frame of the reference, the mean of its partners."""
    _, path = librosa().sequence.dtw(_features(reference, hop_s), _features(recording, hop_s))
    frames, partners = path[::-1].T
    counts = np.bincount(frames)
    hop = round(hop_s * RATE) / RATE
    there: FloatArray = np.bincount(frames, partners) / counts * hop
    return np.linspace(0, (len(counts) - 1) * hop, len(counts)), there


def _features(x: Samples, hop_s: float) -> FloatArray:
    """Levels in mel bands and their slopes (2 * bands, frames), free of a constant colouring."""
    powers = librosa().feature.melspectrogram(
        y=x,
        sr=RATE,
        n_fft=1024,
        win_length=round(_WINDOW_S * RATE),
        hop_length=round(hop_s * RATE),
        n_mels=_BANDS,
        fmin=_RANGE_HZ[0],
        fmax=_RANGE_HZ[1],
    )
    levels = librosa().power_to_db(powers, ref=np.max, top_db=_RANGE_DB)
    levels = levels - levels.mean(1, keepdims=True)
    slopes = np.gradient(levels, axis=1) if levels.shape[1] > 1 else np.zeros_like(levels)
    parts: list[Any] = [part / (part.std() + 1e-9) for part in (levels, slopes)]
    found: FloatArray = np.concatenate(parts).astype(np.float64)
    return found


def _cuts(reference: Speech) -> FloatArray:
    """Times in the padded reference that part it: in its longest pauses, about 12 s apart."""
    gaps = [(before.end_s, after.start_s) for before, after in pairwise(reference.words)]
    found: list[float] = []
    last = 0.0
    end = reference.clip.duration_s
    while end - last > 1.5 * _PART_S:
        within = [gap for gap in gaps if last + _PART_S / 2 <= gap[0] <= last + 1.5 * _PART_S]
        if not within:
            break
        start, stop = max(within, key=lambda gap: gap[1] - gap[0])
        last = (start + stop) / 2
        found.append(last + _SILENCE_S)
    return np.array(found)


def _spread(times: FloatArray, end_s: float) -> FloatArray:
    """Times that rise by 5 ms at least, within the clip; by less where there is no room."""
    least = min(_LEAST_PHONE_S, end_s / (len(times) + 1))
    steps = least * np.arange(len(times))
    rising = np.maximum.accumulate(times - steps) + steps
    latest: FloatArray = np.minimum(rising, end_s - steps[::-1])
    return latest


def _moved(word: Word, moved: dict[float, float]) -> Word:
    phones: tuple[Phone, ...] = tuple(
        replace(phone, start_s=moved[phone.start_s], end_s=moved[phone.end_s])
        for phone in word.phones
    )
    return replace(word, start_s=phones[0].start_s, end_s=phones[-1].end_s, phones=phones)
