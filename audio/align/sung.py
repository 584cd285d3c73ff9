"""Speech as song: syllables on notes, consonants as long as they are, vowels sustained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from audio.align.intonation import Contour, nearest_in_scale, to_hz, to_midi
from audio.align.melodies import Sung, made, shared_out
from audio.align.music import FloatArray, Grid, Music, Tone
from audio.align.pieces import CONSONANT, RATIOS, SILENCE, VOWEL, Give, pieces, segments
from audio.align.plan import LATE, Misfit, Plan, Sentence, anchored
from audio.align.settings import Settings
from audio.align.syllables import Syllable
from audio.align.time_map import LEAST_S, TimeMap
from audio.errors import ParameterError

KEPT_S = 0.03  # of a vowel's beginning, and what is before it
REST_S = 0.06  # a shorter rest is sung through
_FIRM = {
    VOWEL: Give(give=1.0, low=0.5, high=RATIOS[1]),
    CONSONANT: Give(give=0.0, low=1.0, high=1.0),
    SILENCE: Give(give=0.5, low=0.3, high=1.0),
}
_SOFT = {**_FIRM, CONSONANT: Give(give=0.5, low=0.6, high=1.0)}  # where a note has no room
_PITCH_STEP_S = 0.005
_VIBRATO_AFTER_S, _VIBRATO_RISE_S = 0.2, 0.2
_MIDDLE = 57.0  # MIDI, of a voice that has no pitch
_OCTAVE = 12


def planned(
    sentence: Sentence, music: Music, start_beat: float, *, strength: float, settings: Settings
) -> Plan:
    """Each syllable's vowel on its note, as long as the note lasts, at its pitch.

    A vowel for which the consonants before it leave no room comes late: a misfit.
    With melody 'snap' times stay and each syllable's mean pitch goes to the scale.
    Raises ParameterError where a lead is to be sung and the music has none.
    """
    if settings.tones is None and settings.melody == "snap":
        return _snapped(sentence, music, start_beat, strength=strength)
    spoken, words = sentence.syllables, sentence.speech.words
    sung = shared_out(spoken, _tones(sentence, music, start_beat, settings), music.grid)
    full, late = _mapped(sentence, sung, music.grid)
    first = spoken[0].anchor_s - float(full.source_s[0])
    start_s = music.grid.seconds(sung[0].tones[0].start_beat)
    time_map = full.towards(start_s - first, strength)
    wanted = tuple(
        (spoken[own.syllable].word, spoken[own.syllable].anchor_s, _start_s(own, music.grid))
        for own in sung
    )
    misfits = tuple(
        Misfit(word=spoken[k].word, text=words[spoken[k].word].text, reason=LATE) for k in late
    )
    melody = _pitched(spoken, sung, full, time_map, music.grid, settings)
    return Plan(
        time_map=time_map,
        pitch=_mixed(sentence.contour, melody, strength),
        anchors=anchored(time_map, wanted),
        misfits=misfits,
    )


def _snapped(sentence: Sentence, music: Music, start_beat: float, *, strength: float) -> Plan:
    spoken, contour = sentence.syllables, sentence.contour
    parts = segments(sentence.speech)
    begins, ends = parts[0].start_s, parts[-1].end_s
    asked = music.grid.seconds(start_beat)
    shift = asked - spoken[0].anchor_s
    time_map = TimeMap.of([begins, ends], [begins + shift, ends + shift])
    spans, shifts = [], []
    for syllable in spoken:
        mean = contour.mean(syllable.vowel_s, syllable.vowel_end_s)
        if mean is not None:
            spans.append((syllable.start_s, syllable.end_s))
            shifts.append(strength * (nearest_in_scale(mean, music.scale) - mean))
    return Plan(
        time_map=time_map,
        pitch=contour.moved(spans, shifts) if spans and strength > 0 else None,
        anchors=anchored(time_map, ((spoken[0].word, spoken[0].anchor_s, asked),)),
    )


def _tones(
    sentence: Sentence, music: Music, start_beat: float, settings: Settings
) -> tuple[Tone, ...]:
    """What is sung, in beats of the music, in the octave of the voice or the one asked for."""
    heard = sentence.contour.middle
    middle = _MIDDLE if heard is None else heard
    if settings.tones is not None:
        found = tuple(replace(t, start_beat=t.start_beat + start_beat) for t in settings.tones)
    elif settings.melody == "lead":
        found = music.sung(start_beat)
        if not found:
            raise ParameterError(
                f"the music has no lead from beat {start_beat:g} on: give a melody, or let one be "
                "made"
            )
    else:
        found = made(sentence.syllables, music, start_beat, middle=middle, seed=settings.seed)
    octaves = settings.octaves
    if octaves is None:
        typical = float(np.median([tone.pitch for tone in found]))
        octaves = round((middle - typical) / _OCTAVE)
    return tuple(replace(tone, pitch=tone.pitch + _OCTAVE * octaves) for tone in found)


def _mapped(sentence: Sentence, sung: Sequence[Sung], grid: Grid) -> tuple[TimeMap, list[int]]:
    """The map that brings anchors onto notes, and the syllables that come late."""
    parts, spoken = segments(sentence.speech), sentence.syllables
    anchors = [s.anchor_s for s in spoken]
    cuts = [*anchors, *(s.start_s for s in spoken), *(s.end_s for s in spoken)]
    kept = [
        (a, min(a + KEPT_S, a + (s.vowel_end_s - a) / 3))
        for a, s in zip(anchors, spoken, strict=True)
    ]
    firm, soft = (pieces(parts, gives, kept=kept, edges_s=cuts) for gives in (_FIRM, _SOFT))
    begins, ends = parts[0].start_s, parts[-1].end_s
    at = _start_s(sung[0], grid)
    knots, late = [(begins, at - (anchors[0] - begins))], []
    for k, own in enumerate(sung):
        is_last = k + 1 == len(sung)
        to_s = ends if is_last else anchors[k + 1]
        region = firm.between(anchors[k], to_s)
        end_s = _end_s(own, grid)
        wanted = max(end_s, at + region.shortest_s) if is_last else _start_s(sung[k + 1], grid)
        if region.shortest_s > wanted - at:
            region = soft.between(anchors[k], to_s)
        if region.shortest_s > wanted - at + LEAST_S and not is_last:
            late.append(k + 1)
        wanted = max(wanted, at + region.shortest_s)
        door = None if is_last else _door(spoken[k], spoken[k + 1])
        voiced_s = wanted - at
        if door is not None and wanted - end_s >= REST_S:
            behind_s = region.between(door, to_s).shortest_s
            voiced_s = min(voiced_s, max(end_s + behind_s - at, region.shortest_s))
        knots += region.knots(at, wanted, voiced_s=voiced_s, door_s=door)
        at = wanted
    return TimeMap.of(*zip(*knots, strict=True)), late


def _door(one: Syllable, other: Syllable) -> float | None:
    """Where a rest may be between two syllables: at the end of a word."""
    return one.end_s if one.word != other.word else None


def _start_s(own: Sung, grid: Grid) -> float:
    return grid.seconds(own.tones[0].start_beat)


def _end_s(own: Sung, grid: Grid) -> float:
    return grid.seconds(own.tones[-1].start_beat + own.tones[-1].beats)


def _pitched(
    spoken: Sequence[Syllable],
    sung: Sequence[Sung],
    full: TimeMap,
    time_map: TimeMap,
    grid: Grid,
    settings: Settings,
) -> Contour:
    """The melody as it is sung, by times of the source: notes, glides between them, vibrato.

    `full` is the map at full strength, on which notes have their times; they go with the sounds.
    """
    starts, pitches = [], []
    for own in sung:
        for k, tone in enumerate(own.tones):
            at = grid.seconds(tone.start_beat)
            source = spoken[own.syllable].anchor_s if k == 0 else float(full.source(at))
            starts.append(float(time_map.after(source)))
            pitches.append(tone.pitch)
    t = np.arange(time_map.target_s[0], time_map.target_s[-1], _PITCH_STEP_S)
    midi = _glided(t, np.array(starts), np.array(pitches), settings.glide_s)
    midi += _vibrato(t, np.array(starts), settings) / 100
    return Contour(times_s=time_map.source(t), hz=to_hz(midi))


def _glided(t: FloatArray, starts_s: FloatArray, pitches: FloatArray, glide_s: float) -> FloatArray:
    """Pitch at times: from one note to the next in the last `glide_s` before it."""
    glides = np.minimum(glide_s, np.diff(starts_s) / 2)
    knots, values = [starts_s[0]], [pitches[0]]
    for start, glide, before, pitch in zip(
        starts_s[1:], glides, pitches[:-1], pitches[1:], strict=True
    ):
        knots += [start - glide, start]
        values += [before, pitch]
    found: FloatArray = np.interp(t, knots, values)
    return found


def _vibrato(t: FloatArray, starts_s: FloatArray, settings: Settings) -> FloatArray:
    """Cents at times: a note that lasts begins to swing after 0.2 s, fully after 0.4 s."""
    since = t - starts_s[np.maximum(np.searchsorted(starts_s, t, "right") - 1, 0)]
    swing = np.maximum(since - _VIBRATO_AFTER_S, 0.0)
    depth = settings.vibrato_cents * np.minimum(swing / _VIBRATO_RISE_S, 1.0)
    found: FloatArray = depth * np.sin(2 * np.pi * settings.vibrato_hz * swing)
    return found


def _mixed(contour: Contour, melody: Contour, strength: float) -> Contour | None:
    """The melody at a strength, what is left being the intonation as spoken."""
    if strength == 0:
        return None
    if not len(contour.hz):
        return melody
    spoken = contour.at(melody.times_s)
    return replace(melody, hz=to_hz((1 - strength) * spoken + strength * to_midi(melody.hz)))
