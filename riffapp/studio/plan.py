"""What a loop may be asked for: all refusals. After `plan_loop` nobody validates."""

from __future__ import annotations

import math
import secrets
from dataclasses import replace

from riffapp.errors import UsageError
from riffapp.studio import prompts
from riffapp.studio.checkpoints import Sound
from riffapp.studio.types import (
    BEATS_PER_BAR,
    BIT_DEPTHS,
    BPM_RANGE,
    MAX_BARS,
    MAX_BLEND_BEATS,
    MAX_CFG,
    MAX_DURATION_S,
    MAX_PROMPT_CHARS,
    MAX_SEED,
    MAX_STEPS,
    MAX_TAKES,
    METER,
    RATES,
    Journey,
    LoopRequest,
    Timeline,
    Variant,
)


def plan_loop(request: LoopRequest, sound: Sound) -> LoopRequest:
    """The request with nothing left open: seed drawn, key spelled, defaults filled in.

    Raises UsageError, one sentence for each thing that cannot be.
    """
    _refuse_words(request)
    _refuse_time(request, sound)
    _refuse_names(request)
    if request.detail:
        _refuse_detail(sound)
    steps = sound.steps if request.steps is None else request.steps
    cfg = sound.cfg if request.cfg is None else request.cfg
    _within("steps", steps, 1, MAX_STEPS)
    _within("cfg", cfg, 0, MAX_CFG)
    _within("takes", request.takes, 1, MAX_TAKES)
    _within("seed", request.seed, -1, MAX_SEED)
    _refuse_parts(request)
    vocabulary = prompts.vocabulary_of(sound.words)
    return replace(
        request,
        prompt=" ".join(request.prompt.split()),
        negative=" ".join(request.negative.split()),
        bpm=float(request.bpm),
        key=None if request.key is None else prompts.parse_key(request.key).name(vocabulary),
        seed=_drawn() if request.seed == -1 else request.seed,
        steps=steps,
        cfg=float(cfg),
        sampler=sound.sampler if request.sampler is None else request.sampler,
        schedule=sound.schedule if request.schedule is None else request.schedule,
        journey=_planned_journey(request.journey),
        variant=_planned_variant(request.variant),
    )


def _planned_journey(journey: Journey | None) -> Journey | None:
    if journey is None or journey.seed != -1:
        return journey
    return replace(journey, seed=_drawn())


def _planned_variant(variant: Variant | None) -> Variant | None:
    if variant is None or variant.seed != -1:
        return variant
    return replace(variant, seed=_drawn())


def _drawn() -> int:
    return secrets.randbelow(MAX_SEED - MAX_TAKES)


def _refuse_words(request: LoopRequest) -> None:
    if not request.prompt.strip():
        raise UsageError("the prompt is empty: say what to play, such as 'house drums, saw bass'")
    for name, text in _texts(request):
        if not text.strip() and name not in ("negative prompt", "journey's negative prompt"):
            raise UsageError(f"the {name} is empty: say what to play there")
        if len(text) > MAX_PROMPT_CHARS:
            raise UsageError(
                f"the {name} has {len(text)} characters: at most {MAX_PROMPT_CHARS} are read"
            )
        if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
            raise UsageError(f"the {name} holds characters that are no text: type it anew")


def _texts(request: LoopRequest) -> list[tuple[str, str]]:
    """Every text of the request, and what it is."""
    found = [("prompt", request.prompt), ("negative prompt", request.negative)]
    if request.timeline is not None:
        found += [(f"prompt from bar {m.bar:g} on", m.prompt) for m in request.timeline.marks]
    if request.journey is not None:
        found.append(("journey's prompt", request.journey.prompt))
        found.append(("journey's negative prompt", request.journey.negative or ""))
    return found


def _refuse_parts(request: LoopRequest) -> None:
    timeline, journey, variant = request.timeline, request.journey, request.variant
    if timeline is not None and journey is not None:
        raise UsageError("a timeline and a journey: give one of them")
    if timeline is not None:
        _refuse_timeline(timeline, request.bars)
    if journey is not None:
        _within("the journey's seed", -1 if journey.seed is None else journey.seed, -1, MAX_SEED)
        _within("the journey's cfg", 0 if journey.cfg is None else journey.cfg, 0, MAX_CFG)
        _within("the journey's share", 0 if journey.share is None else journey.share, 0, 1)
    if variant is not None:
        _within("the variant's seed", variant.seed, -1, MAX_SEED)
        _within("the variant's distance", variant.distance, 0, 1)


def _refuse_timeline(timeline: Timeline, bars: int) -> None:
    _within("a blend in beats", timeline.blend_beats, 0, MAX_BLEND_BEATS)
    before = 0.0
    for mark in timeline.marks:
        if not (math.isfinite(mark.bar) and before < mark.bar < bars):
            raise UsageError(
                f"the timeline's bar {mark.bar:g} stands after bar {before:g} in a piece of {bars} "
                "bars: give rising bars within the piece"
            )
        before = mark.bar


def _refuse_time(request: LoopRequest, sound: Sound) -> None:
    low, high = BPM_RANGE
    if not (math.isfinite(request.bpm) and low <= request.bpm <= high):
        raise UsageError(f"bpm {request.bpm:g} is outside {low:g} to {high:g}: give one within")
    if not 1 <= request.bars <= MAX_BARS:
        raise UsageError(f"bars {request.bars}: a piece has 1 to {MAX_BARS} bars")
    duration_s = request.bars * BEATS_PER_BAR * 60 / request.bpm
    if duration_s > MAX_DURATION_S:
        raise UsageError(
            f"{request.bars} bars at {request.bpm:g} bpm are {duration_s:.0f} s: "
            f"a piece has at most {MAX_DURATION_S:g} s, take fewer bars"
        )
    if request.meter != METER or sound.meter != METER:
        raise UsageError(
            f"meter '{request.meter}': loops are made in {METER} only, which is what the model "
            f"was taught; use {METER}"
        )


def _refuse_names(request: LoopRequest) -> None:
    from audio.phase import QUALITIES
    from sdcore.errors import lookup
    from sdcore.samplers import SAMPLERS
    from sdcore.schedules import SCHEDULES

    if request.sampler is not None:
        lookup(SAMPLERS, request.sampler, "sampler")
    if request.schedule is not None:
        lookup(SCHEDULES, request.schedule, "schedule")
    _among("quality", request.quality, tuple(QUALITIES))
    _among("rate", request.rate, RATES)
    _among("bit depth", request.bit_depth, BIT_DEPTHS)


def _refuse_detail(sound: Sound) -> None:
    from audio import detail

    detail.finer(sound.params)


def _among(name: str, value: object, known: tuple[object, ...]) -> None:
    if value not in known:
        raise UsageError(f"unknown {name} '{value}': known are {', '.join(map(str, known))}")


def _within(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise UsageError(
            f"{name} {value:.15g} is outside {low:.15g} to {high:.15g}: give one within"
        )


def warnings(planned: LoopRequest, sound: Sound) -> tuple[str, ...]:
    """What a person should know before listening; nothing here stops the work."""
    said = [
        str(word)
        for _, text in _texts(planned)
        for word in prompts.unknown_words(text, sound.words)
    ]
    bpm, key = prompts.bpm_in(planned.prompt), prompts.key_in(planned.prompt)
    if bpm is not None and bpm != planned.bpm:
        said.append(f"the prompt says {bpm:g} bpm, the loop is made at {planned.bpm:g} bpm")
    if key is not None and planned.key is not None and prompts.parse_key(planned.key) != key:
        said.append(f"the prompt says {key.name()}, the loop is made in {planned.key}, as asked")
    if sound.bars and planned.bars not in sound.bars:
        trained = ", ".join(map(str, sound.bars))
        said.append(f"{planned.bars} bars are beyond the training ({trained}): they may wander")
    return tuple(dict.fromkeys(said))
