"""A sentence fitted to music: talked, rapped or sung, and how well that came out."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from audio.align import measure, rhythmic, sung, talk
from audio.align.intonation import Contour, asked_range, contour, pitch_at, to_hz
from audio.align.music import MAX_BEAT, Music
from audio.align.plan import Misfit, Plan, Sentence, placed
from audio.align.psola import resynthesised
from audio.align.settings import STARTS, Settings
from audio.align.syllables import syllables
from audio.align.time_map import TimeMap
from audio.errors import ParameterError
from audio.names import lookup, within
from audio.speech.types import Speech
from audio.types import Clip

NEAR_MS = 10.0  # what nobody hears
_STEP_S = 0.005  # between the moments of which the stretch is told
_PITCH_STEP_S = 0.02  # between those at which pitch is heard


class Planner(Protocol):
    """A way to fit a sentence: what is to become of it when it starts at a place in the music."""

    def __call__(
        self,
        sentence: Sentence,
        music: Music,
        start_beat: float,
        *,
        strength: float,
        settings: Settings,
    ) -> Plan: ...


MODES: dict[str, Planner] = {
    "talk": talk.planned,
    "rhythmic": rhythmic.planned,
    "sung": sung.planned,
}


@dataclass(frozen=True, kw_only=True)
class Onsets:
    """How far from where they were asked to be anchors are heard, in milliseconds; `near` is how
    many of them are within NEAR_MS."""

    count: int
    near: int
    mean_ms: float
    p95_ms: float
    worst_ms: float


@dataclass(frozen=True, kw_only=True)
class Pitch:
    """How far from what was asked for the pitch is heard: the median in cents, over frames that
    are voiced in speech and heard, and of all those frames the share within 50 cents."""

    median_cents: float
    near: float


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was achieved, heard in the sound itself; `pitch` is None where it was left alone
    or none is heard.

    `stretch` is the least, the median and the most ratio by which sounds became longer, pauses
    left out; `misfits` are the words that could not be where they were wanted.
    """

    mode: str
    strength: float
    onsets: Onsets
    pitch: Pitch | None
    stretch: tuple[float, float, float]
    misfits: tuple[Misfit, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Fitted:
    """A fitted sentence: `speech` is its sound, with words at their new times within it.

    The sound's first sample lies `start_s` seconds into the music: a whole number of samples, and
    before the music's start where that is below 0. `end_beat` is where the sound ends, in beats.
    Its pitch lies within `hz_range`.
    """

    speech: Speech
    start_s: float
    end_beat: float
    plan: Plan
    report: Report
    hz_range: tuple[float, float]

    @property
    def end_s(self) -> float:
        return self.start_s + self.speech.clip.duration_s


def fit(
    speech: Speech,
    music: Music,
    *,
    mode: str = "talk",
    strength: float = 1.0,
    start_beat: float = 0.0,
    free_from_s: float = 0.0,
    settings: Settings | None = None,
) -> Fitted:
    """The sentence placed in the music and fitted to it by a mode of MODES.

    Its first anchor falls on the first beat or bar at or after `start_beat` that leaves room for
    what is said before it: no sound begins earlier than `free_from_s` seconds into the music.
    `strength` 0 only places it, 1 fits it as far as the settings allow.
    Raises ParameterError for unknown names, numbers out of range, speech without words.
    """
    planner = lookup(MODES, mode, "mode")
    within("strength", strength, 0, 1)
    if not (math.isfinite(start_beat) and abs(start_beat) <= MAX_BEAT):
        raise ParameterError(f"a start at beat {start_beat:g}: give a place in beats, 0 is bar 1")
    if not free_from_s < math.inf:
        raise ParameterError(f"a voice free from {free_from_s:g} s: give seconds of the music")
    settings = settings or Settings()
    sentence = Sentence(
        speech=speech,
        syllables=syllables(speech, offset_s=settings.anchor_offset_s),
        contour=contour(speech.clip),
    )
    unit = STARTS[settings.starts_on] or music.meter
    beat = music.grid.from_on(start_beat, unit)
    while True:  # later starts leave more room: a lead's notes may begin anywhere after one
        plan = planner(sentence, music, beat, strength=strength, settings=settings)
        early = (free_from_s - plan.start_s) / music.grid.beat_s
        if early <= 1e-6:
            break
        beat = music.grid.from_on(beat + max(early, 1e-3), unit)
    return _carried_out(sentence, music, plan, mode=mode, strength=strength)


def _carried_out(
    sentence: Sentence, music: Music, plan: Plan, *, mode: str, strength: float
) -> Fitted:
    speech, intonation = sentence.speech, sentence.contour
    rate = speech.clip.rate
    start_s = round(plan.start_s * rate) / rate
    local = plan.time_map.shifted(-plan.start_s)
    spoken_hz = (intonation.floor_hz, intonation.ceiling_hz)
    clip = resynthesised(speech.clip, local, plan.pitch, hz_range=spoken_hz)
    report = Report(
        mode=mode,
        strength=strength,
        onsets=_onsets(speech.clip, clip, plan),
        pitch=_pitch(clip, plan, local, intonation),
        stretch=_stretch(speech, plan),
        misfits=plan.misfits,
    )
    return Fitted(
        speech=replace(speech, clip=clip, words=placed(speech, local)),
        start_s=start_s,
        end_beat=music.grid.beat(start_s + clip.duration_s),
        plan=plan,
        report=report,
        hz_range=spoken_hz if plan.pitch is None else asked_range(plan.pitch),
    )


def _onsets(source: Clip, moved: Clip, plan: Plan) -> Onsets:
    planned_s = np.array([anchor.planned_s for anchor in plan.anchors])
    sources_s = np.array([anchor.source_s for anchor in plan.anchors])
    late_s = measure.onsets_found(source, sources_s, moved, planned_s - plan.start_s)
    asked_s = np.array([anchor.asked_s for anchor in plan.anchors])
    away_ms = 1000 * np.abs(planned_s + late_s - asked_s)
    return Onsets(
        count=len(away_ms),
        near=int((away_ms <= NEAR_MS).sum()),
        mean_ms=float(away_ms.mean()),
        p95_ms=float(np.percentile(away_ms, 95)),
        worst_ms=float(away_ms.max()),
    )


def _pitch(moved: Clip, plan: Plan, local: TimeMap, intonation: Contour) -> Pitch | None:
    if plan.pitch is None:
        return None
    times_s = measure.voiced_times(local, intonation, _PITCH_STEP_S)
    asked_hz = to_hz(plan.pitch.at(local.source(times_s)))
    found_hz = pitch_at(moved, times_s, asked_range(plan.pitch), step_s=_PITCH_STEP_S)
    cents = np.abs(measure.cents_off(found_hz, asked_hz))
    heard = cents[np.isfinite(cents)]
    if not len(heard):
        return None
    return Pitch(median_cents=float(np.median(heard)), near=measure.near(cents))


def _stretch(speech: Speech, plan: Plan) -> tuple[float, float, float]:
    """The least, the median and the most ratio of the map within words."""
    times = [np.arange(word.start_s, word.end_s, _STEP_S) for word in speech.words]
    ratios = plan.time_map.ratio(np.concatenate(times))
    return float(ratios.min()), float(np.median(ratios)), float(ratios.max())
