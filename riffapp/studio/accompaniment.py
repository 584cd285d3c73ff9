"""The music under a voice: a loop that can be repeated, and what a voice has to fit of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from riffapp.errors import UsageError
from riffapp.studio import prompts
from riffapp.studio.analysis import analyse
from riffapp.studio.arrange import recording
from riffapp.studio.types import BEATS_PER_BAR, BPM_RANGE

if TYPE_CHECKING:
    from audio.align.music import Music
    from audio.key import Chord
    from audio.types import Clip, Loop, Note

TOLD = "as told"
_JOINT_S = 0.03  # over which the end of a cut recording passes into its beginning


@dataclass(frozen=True, kw_only=True, eq=False)
class Accompaniment:
    """A bed's loop and its music; `origins` say how tempo and key are known."""

    loop: Loop
    music: Music
    origins: Mapping[str, str]
    notes: tuple[str, ...] = ()

    @property
    def key(self) -> str | None:
        """'A minor'."""
        from audio.key import NAMES

        if self.music.tonic is None:
            return None
        return f"{NAMES[self.music.tonic]} {self.music.mode}"


def open_accompaniment(
    path: Path, *, bpm: float | None = None, key: str | None = None, lead: bool = False
) -> Accompaniment:
    """The bed in a sound file: loops as their files say, recordings by ear and cut on their bars.

    `bpm` and `key` win over what is read or heard; the lead's notes are listened for where asked.
    Raises UsageError for a tempo out of range and a recording without a whole bar, audio's errors
    for silence.
    """
    from audio.align.music import Music
    from audio.types import Loop

    low, high = BPM_RANGE
    if bpm is not None and not low <= bpm <= high:
        raise UsageError(f"bpm {bpm:g} is outside {low:g} to {high:g}: give one within")
    made = recording(path)
    found = analyse(path, melody=lead)
    origins = dict(found.origins)
    if bpm is not None:
        origins["tempo"] = TOLD
    if key is not None:
        origins["key"] = TOLD
    start_s, tempo = 0.0, made.tempo
    if tempo is not None and bpm in (None, tempo.bpm):
        loop = Loop(clip=made.clip, tempo=tempo)
    else:
        start_s = found.downbeat_s
        loop = _cut(path, made.clip, bpm or round(found.bpm, 3), start_s)
    named = key or found.key
    own = None if named is None else prompts.parse_key(named)
    length_s = loop.tempo.duration_s
    music = Music(
        bpm=loop.tempo.bpm,
        meter=loop.tempo.meter,
        tonic=None if own is None else own.tonic,
        mode="major" if own is None else own.mode,
        chords=_chords(found.chords, start_s, length_s),
        lead=_lead(found.melody, start_s, length_s),
        beats=float(loop.tempo.beats),
    )
    return Accompaniment(loop=loop, music=music, origins=origins, notes=found.notes)


def _cut(path: Path, clip: Clip, bpm: float, start_s: float) -> Loop:
    """The whole bars from a bar's first beat on, the end passing into what is before that beat."""
    from audio.types import Loop, Tempo

    bar_s = BEATS_PER_BAR * 60 / bpm
    bars = int((clip.duration_s - start_s) / bar_s + 1e-6)
    if bars < 1:
        raise UsageError(
            f"{path} holds no whole bar at {bpm:g} bpm ({clip.duration_s:.2f} s, bar 1 at "
            f"{start_s:.2f} s): give a bed of at least a bar"
        )
    tempo = Tempo(bpm=bpm, beats=bars * BEATS_PER_BAR)
    first, n = round(start_s * clip.rate), tempo.samples(clip.rate)
    samples = clip.samples[:, first : first + n]
    samples = np.pad(samples, ((0, 0), (0, n - samples.shape[1])))
    fade = min(round(_JOINT_S * clip.rate), n // 4)
    before = clip.samples[:, max(0, first - fade) : first]
    before = np.pad(before, ((0, 0), (fade - before.shape[1], 0)))
    turn = np.linspace(0, np.pi / 2, fade, dtype=np.float32)  # equal power: they are strangers
    samples[:, n - fade :] = samples[:, n - fade :] * np.cos(turn) + before * np.sin(turn)
    return Loop(clip=replace(clip, samples=samples), tempo=tempo)


def _chords(found: Sequence[Chord], start_s: float, length_s: float) -> tuple[Chord, ...]:
    """Within the loop, in its own time."""
    moved = (
        replace(c, start_s=max(0.0, c.start_s - start_s), end_s=min(length_s, c.end_s - start_s))
        for c in found
    )
    return tuple(chord for chord in moved if chord.start_s < chord.end_s)


def _lead(found: Sequence[Note], start_s: float, length_s: float) -> tuple[Note, ...]:
    moved = (replace(note, start_s=note.start_s - start_s) for note in found)
    return tuple(note for note in moved if 0 <= note.start_s < length_s)
