"""Speech as it is spoken, its phrases begun on beats, its melody leaning towards the key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audio.align.intonation import Contour, nearest_in_scale
from audio.align.music import Music
from audio.align.pieces import SILENCE, segments
from audio.align.plan import Plan, Sentence, anchored
from audio.align.settings import Settings
from audio.align.syllables import Syllable
from audio.align.time_map import TimeMap

BREATH_S = 0.12  # a silence that parts phrases
SHORTEST_BREATH = 0.6  # of its length, where the next beat comes soon
PICKUP_S = 0.6  # within which a phrase's first stressed syllable takes the beat
MAX_SHIFT = 2.5  # semitones, that the voice as a whole is moved towards the key


def planned(
    sentence: Sentence, music: Music, start_beat: float, *, strength: float, settings: Settings
) -> Plan:
    """The sentence as spoken, its first stressed syllable on `start_beat`, and the first of each
    phrase after a breath on a beat; the breath gives way."""
    grid, parts = music.grid, segments(sentence.speech)
    breaths = [p for p in parts if p.kind == SILENCE and p.end_s - p.start_s >= BREATH_S]
    begins, ends = parts[0].start_s, parts[-1].end_s
    phrases = _phrases(sentence.syllables, [part.end_s for part in breaths])
    lead = _leader(phrases[0])
    shift = grid.seconds(start_beat) - lead.anchor_s
    knots, targets = [begins], [begins + shift]
    wanted = [(lead.word, lead.anchor_s, grid.seconds(start_beat))]
    for phrase in phrases[1:]:
        lead = _leader(phrase)
        breath = next(part for part in reversed(breaths) if part.end_s <= phrase[0].start_s)
        length = breath.end_s - breath.start_s
        earliest = lead.anchor_s + shift - (1 - SHORTEST_BREATH) * length
        asked = grid.seconds(grid.from_on(grid.beat(earliest), 1.0))
        knots += [breath.start_s, breath.end_s]
        targets += [breath.start_s + shift, breath.end_s + asked - lead.anchor_s]
        shift = asked - lead.anchor_s
        wanted.append((lead.word, lead.anchor_s, asked))
    full = TimeMap.of([*knots, ends], [*targets, ends + shift])
    time_map = full.towards(float(full.target_s[0]), strength)
    return Plan(
        time_map=time_map,
        pitch=leaning(sentence, music, pull=settings.pull, strength=strength),
        anchors=anchored(time_map, tuple(wanted)),
    )


def leaning(sentence: Sentence, music: Music, *, pull: float, strength: float) -> Contour | None:
    """The intonation moved as a whole so that its middle is a note of the tonic's triad, then each
    syllable by `pull` of the way to the scale; None where nothing changes."""
    contour = sentence.contour
    middle = contour.middle
    if middle is None or music.tonic is None or strength == 0:
        return None
    third = 4 if music.mode == "major" else 3
    triad = [(music.tonic + step) % 12 for step in (0, third, 7)]
    shift = float(np.clip(nearest_in_scale(middle, triad) - middle, -MAX_SHIFT, MAX_SHIFT))
    spans, shifts = [], []
    for syllable in sentence.syllables:
        mean = contour.mean(syllable.vowel_s, syllable.vowel_end_s)
        if mean is not None:
            here = mean + shift
            there = nearest_in_scale(here, music.scale)
            spans.append((syllable.start_s, syllable.end_s))
            shifts.append(strength * (shift + pull * (there - here)))
    return contour.moved(spans, shifts) if spans else None


def _phrases(spoken: Sequence[Syllable], breaths_end_s: Sequence[float]) -> list[list[Syllable]]:
    """Syllables parted where a breath ends."""
    numbers = np.searchsorted(breaths_end_s, [s.start_s + 1e-6 for s in spoken])
    return [
        [s for s, own in zip(spoken, numbers, strict=True) if own == number]
        for number in sorted(set(numbers.tolist()))
    ]


def _leader(phrase: Sequence[Syllable]) -> Syllable:
    """The syllable that takes the beat: the first stressed one if it comes soon, else the first."""
    soon = [s for s in phrase if s.anchor_s - phrase[0].anchor_s <= PICKUP_S]
    return next((s for s in soon if s.stress == 2), phrase[0])
