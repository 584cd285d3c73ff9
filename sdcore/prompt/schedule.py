"""A prompt as a run reads it: which words stand at which step."""

from __future__ import annotations

from dataclasses import dataclass

from sdcore.prompt.ast import Prompt, Span


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Words that stand until a step (exclusive), counted from 0."""

    until: int
    # BREAK parts the blocks; there is at least one.
    blocks: tuple[tuple[Span, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Scheduled:
    """One part of a prompt that AND joins, with its weight, over all steps."""

    weight: float
    segments: tuple[Segment, ...]


def schedule(prompt: Prompt, *, steps: int) -> tuple[Scheduled, ...]:
    """The parts of a prompt over a run of `steps` steps; the last segment's `until` is `steps`."""
    return (Scheduled(weight=1.0, segments=(Segment(until=steps, blocks=(prompt.spans(),)),)),)
