"""A loop's wish in the picture core's terms: size, circle, windows, and words along the time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from riffapp.studio import prompts
from riffapp.studio.checkpoints import Sound
from riffapp.studio.types import BEATS_PER_BAR, LoopRequest

if TYPE_CHECKING:
    from audio.types import Tempo
    from sdcore.types import ImageRequest, Scene, Variation, Window


def tempo_of(request: LoopRequest) -> Tempo:
    """The exact musical length that a request asks for."""
    from audio.types import Tempo

    return Tempo(bpm=request.bpm, beats=request.bars * BEATS_PER_BAR)


def image_request(planned: LoopRequest, sound: Sound) -> ImageRequest:
    """The picture to draw: as wide as the bars, one image for each take."""
    from sdcore.types import ImageRequest

    assert planned.steps is not None and planned.cfg is not None  # plan_loop filled them in
    assert planned.sampler is not None and planned.schedule is not None
    width = sound.columns(tempo_of(planned))
    return ImageRequest(
        prompt=_composed(planned.prompt, planned, sound),
        negative=planned.negative,
        seed=planned.seed,
        batch=planned.takes,
        width=width,
        height=sound.params.n_mels,
        steps=planned.steps,
        cfg=planned.cfg,
        sampler=planned.sampler,
        schedule=planned.schedule,
        # A model of loops draws circles, also where windows over them make a piece with ends.
        tiling="x" if planned.closed or sound.draws_circles else "none",
        window=window(width, sound, closed=planned.closed),
        scenes=_scenes(planned, sound, width),
        variation=_variation(planned),
    )


def window(width: int, sound: Sound, *, closed: bool = True) -> Window | None:
    """How a width that was not trained is drawn.

    Wider: windows as wide as the widest of the training, half overlapping, round the circle or from
    end to end. Narrower: in one piece on a narrower circle. None stands for one piece.
    """
    from sdcore.types import Window

    if width <= sound.widest:
        return None
    return Window(width=sound.widest, stride=sound.widest // 2, closed=closed)


def _composed(words: str, planned: LoopRequest, sound: Sound) -> str:
    return prompts.compose(sound.template, words, key=planned.key, bpm=planned.bpm)


def _variation(planned: LoopRequest) -> Variation | None:
    from sdcore.types import Variation

    if planned.variant is None:
        return None
    return Variation(seed=planned.variant.seed, strength=planned.variant.distance)


def _scenes(planned: LoopRequest, sound: Sound, width: int) -> tuple[Scene, ...]:
    if planned.timeline is not None:
        return _timeline(planned, sound, width)
    if planned.journey is not None:
        return _journey(planned, sound, width)
    return ()


def _timeline(planned: LoopRequest, sound: Sound, width: int) -> tuple[Scene, ...]:
    """A scene for each mark; a closed piece comes back to its beginning at its end."""
    from sdcore.types import Scene

    assert planned.timeline is not None
    turns = [(mark.bar, mark.prompt) for mark in planned.timeline.marks]
    if planned.closed:
        turns.append((float(planned.bars), planned.prompt))
    found, before = [], 0.0
    for bar, words in turns:
        begin = max(before, bar - planned.timeline.blend_beats / BEATS_PER_BAR)
        span = (round(begin / planned.bars * width), round(bar / planned.bars * width))
        found.append(Scene(prompt=_composed(words, planned, sound), span=span))
        before = bar
    return tuple(found)


def _journey(planned: LoopRequest, sound: Sound, width: int) -> tuple[Scene, ...]:
    """There, or there and back where the piece is closed.

    Words pass into one another from window to window, the first being at the start alone and the
    last at the end; what fits into one window is mixed along it.
    """
    from sdcore.types import Scene

    assert planned.journey is not None
    goal = planned.journey
    there = Scene(
        prompt=_composed(goal.prompt, planned, sound),
        negative=goal.negative,
        seed=goal.seed,
        cfg=goal.cfg,
        share=1.0 if goal.share is None else goal.share,
        morphs=goal.share is not None or width > sound.widest,
    )
    if goal.share is not None:
        return (there,)
    lead = min(width, sound.widest) // 2 if there.morphs else 0
    if not planned.closed:
        return (replace(there, span=(lead, width - lead)),)
    home = replace(
        there,
        prompt=_composed(planned.prompt, planned, sound),
        negative=planned.negative,
        seed=None if goal.seed is None else planned.seed,
        cfg=planned.cfg,
    )
    half = width // 2
    return (replace(there, span=(0, half)), replace(home, span=(half, width)))
