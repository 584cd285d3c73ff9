"""The notes of a melody, from one voice or the loudest one of a mix."""

from __future__ import annotations

import numpy as np

from audio.compiled import librosa
from audio.onsets import RATE
from audio.tempo import heard
from audio.types import Clip, Note

LOWEST_HZ, HIGHEST_HZ = 80.0, 1600.0
MIN_NOTE_S = 0.06
_HOP = 512
_WINDOW = 4096


def melody(clip: Clip) -> tuple[Note, ...]:
    """The notes that the leading voice plays, in order; none where no pitch is heard.

    Fundamental frequency by pYIN (Mauch and Dixon 2014), librosa's, after drums are taken out by
    median filtering (Fitzgerald 2010); runs of one semitone are a note.
    Raises ParameterError as `audio.tempo.heard` does.
    """
    y = librosa().effects.harmonic(heard(clip), margin=2.0)
    hz, voiced, sure = librosa().pyin(
        y,
        fmin=LOWEST_HZ,
        fmax=HIGHEST_HZ,
        sr=RATE,
        frame_length=_WINDOW,
        hop_length=_HOP,
        resolution=0.25,
    )
    pitches = np.where(voiced & (sure > 0.1), np.rint(69 + 12 * np.log2(hz / 440)), 0).astype(int)
    pitches = np.nan_to_num(pitches).astype(int)
    turns = np.flatnonzero(np.diff(pitches)) + 1
    edges = [0, *turns.tolist(), len(pitches)]
    step_s = _HOP / RATE
    loud = librosa().feature.rms(y=y, frame_length=_WINDOW, hop_length=_HOP)[0]
    loudest = float(loud.max()) or 1.0
    found = []
    for first, last in zip(edges[:-1], edges[1:], strict=True):
        if pitches[first] > 0 and (last - first) * step_s >= MIN_NOTE_S:
            share = float(loud[first:last].max()) / loudest
            found.append(
                Note(
                    start_s=first * step_s,
                    duration_s=(last - first) * step_s,
                    pitch=int(pitches[first]),
                    velocity=int(np.clip(round(127 * share**0.5), 1, 127)),
                )
            )
    return tuple(found)
