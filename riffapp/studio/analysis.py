"""What a sound is: tempo, beats, key, chords, melody, and where it loops.

Own files carry their truth: what stands in the file is not guessed, and each finding says whether
it was read or heard.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from riffapp.errors import UsageError
from riffapp.studio import files, prompts, record
from riffapp.studio.types import BEATS_PER_BAR

if TYPE_CHECKING:
    from audio.key import Chord
    from audio.loop_points import LoopPoint
    from audio.types import Clip, Note

READ, HEARD = "in the file", "heard"


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """What was found, and `origins`: for tempo and key, whether it was read or heard.

    `bpm_choices` is what else the tempo may be; `melody` and `loops` are empty unless asked for.
    """

    duration_s: float
    bpm: float
    bpm_choices: tuple[float, ...]
    downbeat_s: float
    key: str | None
    key_choices: tuple[str, ...]
    chords: tuple[Chord, ...]
    melody: tuple[Note, ...]
    loops: tuple[LoopPoint, ...]
    origins: dict[str, str]
    notes: tuple[str, ...] = ()


def analyse(path: Path, *, melody: bool = False, loop_bars: int | None = None) -> Analysis:
    """The analysis of a sound file, of which at most the first ten minutes are heard.

    Raises UsageError where there is no such file, audio's errors for silence and the like.
    """
    from audio import files as sounds
    from audio.tempo import MAX_S

    if not path.is_file():
        raise UsageError(f"no file {path}: check the name")
    found = record.read(files.read_texts(path))
    length_s = sounds.duration_s(path)
    clip = sounds.read_part(path, duration_s=MAX_S) if length_s > MAX_S else sounds.read(path)
    notes = (f"only the first {MAX_S / 60:g} min were heard",) if length_s > MAX_S else ()
    tempo = sounds.read_loop(path)
    bpm, choices, downbeat_s, tempo_from = _tempo(clip, None if tempo is None else tempo.bpm)
    key, key_choices, key_from = _key(clip, found)
    return Analysis(
        duration_s=length_s,
        bpm=bpm,
        bpm_choices=choices,
        downbeat_s=downbeat_s,
        key=key,
        key_choices=key_choices,
        chords=_chords(clip, bpm, downbeat_s),
        melody=_melody(clip) if melody else (),
        loops=() if loop_bars is None else _loops(clip, bpm, downbeat_s, loop_bars),
        origins={"tempo": tempo_from, "key": key_from},
        notes=notes,
    )


def _tempo(clip: Clip, told: float | None) -> tuple[float, tuple[float, ...], float, str]:
    from audio.tempo import estimate_tempo

    if told is not None:
        return told, (told,), 0.0, READ
    found = estimate_tempo(clip)
    return found.bpm, found.choices, found.downbeat_s, HEARD


def _key(clip: Clip, found: record.Record | None) -> tuple[str | None, tuple[str, ...], str]:
    from audio.errors import ParameterError
    from audio.key import estimate_key

    if found is not None:
        told = found.request.key or ""
        key = prompts.parse_key(told) if told else prompts.key_in(found.request.prompt)
        if key is not None:
            return key.name(), (key.name(),), READ
    try:
        estimate = estimate_key(clip)
    except ParameterError:
        return None, (), HEARD
    return estimate.name, estimate.ranked[:5], HEARD


def _chords(clip: Clip, bpm: float, downbeat_s: float) -> tuple[Chord, ...]:
    """Of each half bar."""
    from audio.errors import ParameterError
    from audio.key import chords

    half_s = BEATS_PER_BAR / 2 * 60 / bpm
    edges_s = np.arange(downbeat_s % half_s, clip.duration_s + 1e-6, half_s)
    try:
        return chords(clip, edges_s)
    except ParameterError:
        return ()


def _melody(clip: Clip) -> tuple[Note, ...]:
    from audio.melody import melody

    return melody(clip)


def _loops(clip: Clip, bpm: float, downbeat_s: float, bars: int) -> tuple[LoopPoint, ...]:
    from audio.loop_points import loop_points

    bar_s = BEATS_PER_BAR * 60 / bpm
    return loop_points(clip, np.arange(downbeat_s, clip.duration_s + 1e-3, bar_s), bars=bars)
