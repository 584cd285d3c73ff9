"""A prompt as a run reads it: which words, and which LoRAs, stand at which step.

Ours: [a:b:12] is a for exactly 12 steps, [a:b:0.3] for 30 % of them, rounded down; [a|b] is a, b,
a ... step by step, whatever the sampler evaluates in between. In a hires pass moments count on from
the first one: 1.5 is half of the hires steps, 30 after 20 steps is 10 hires steps, and what ended
in the first pass has ended.

compat="a1111" counts evaluations of the network instead: N = steps * evaluations of them make a
pass, an integer counts them too, and the reference's counter lags by one, so that a moment comes
after s + 1 evaluations and [a|b] runs a, a, b, a, b ... There BREAK in a bracket that weighs is
a word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Literal

from sdcore.prompt.ast import (
    Alternate,
    Edit,
    Lora,
    Node,
    Part,
    Prompt,
    Span,
    Strength,
    Text,
    Weighted,
    When,
    merged,
)

# 0.29 of 100 steps are 29, though 0.29 * 100 is a little less.
_ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class ActiveLora:
    """A LoRA and its strengths for a while."""

    name: str
    te: float
    unet: float


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Words that stand until a step (exclusive), counted from 0; an evaluation for a1111."""

    until: int
    # BREAK parts the blocks; there is at least one.
    blocks: tuple[tuple[Span, ...], ...]
    # In the order of their tags; brackets do not weigh them. None of strength 0.
    loras: tuple[ActiveLora, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Scheduled:
    """One part of a prompt that AND joins, with its weight, over all steps."""

    weight: float
    segments: tuple[Segment, ...]


def schedule(
    prompt: Prompt,
    *,
    steps: int,
    first_pass: int | None = None,
    evaluations: int = 1,
    compat: Literal["ours", "a1111"] = "ours",
) -> tuple[Scheduled, ...]:
    """The parts of a prompt over a run; the last segment's `until` is the run's length.

    Args:
        steps: of this pass, at least 1; the run's length, for a1111 times `evaluations`.
        first_pass: the steps of the pass before, in a hires pass.
        evaluations: of the network in one step, 2 for second-order samplers (in both passes);
            of meaning for a1111 only.
    """
    clock = _clock(steps, first_pass, evaluations if compat == "a1111" else 1, compat)
    return tuple(
        Scheduled(weight=part.weight, segments=_segments(part, clock)) for part in prompt.parts
    )


@dataclass(frozen=True, kw_only=True)
class _Clock:
    """How moments fall on the counts of a run."""

    # The run's length.
    total: int
    # Count of the pass's own steps at which a moment falls; below 1 it is over from the start.
    count: Callable[[When], float]
    # By how much the count of the run lags behind that of the prompt.
    lag: int

    def tick(self, index: int) -> int:
        """The prompt's count at a count of the run."""
        return max(index - self.lag, 0)


def _clock(steps: int, first_pass: int | None, evaluations: int, compat: str) -> _Clock:
    total = steps * evaluations
    done = (first_pass or 0) * evaluations
    rounding = _ROUNDING if compat == "ours" else 0.0

    def count(when: When) -> float:
        if when.is_share:
            share = when.value if first_pass is None else when.value - 1
            return share * total + rounding
        return when.value - done

    return _Clock(total=total, count=count, lag=1 if compat == "a1111" else 0)


def _segments(part: Part, clock: _Clock) -> tuple[Segment, ...]:
    edits, turns = _changes(part.nodes, clock)
    starts = {0} | {s + clock.lag for s in edits}
    if turns:
        starts = set(range(clock.total))
    bounds = [*sorted(start for start in starts if start < clock.total), clock.total]
    found = [_Moment(part.nodes, clock, start).segment(end) for start, end in pairwise(bounds)]
    # Of equal neighbours the last one says until when.
    runs = groupby(found, key=lambda segment: (segment.blocks, segment.loras))
    return tuple(list(run)[-1] for _, run in runs)


def _changes(nodes: Sequence[Node], clock: _Clock) -> tuple[set[int], bool]:
    """The counts at which edits fall, and whether anything changes at each count."""
    edits: set[int] = set()
    turns = False
    todo = list(nodes)
    while todo:
        node = todo.pop()
        if isinstance(node, Weighted):
            todo += node.parts
        elif isinstance(node, Edit):
            edits.add(max(0, int(min(clock.count(node.when), clock.total))))
            todo += node.before + node.after
        elif isinstance(node, Alternate):
            turns = True
            todo += [inner for option in node.options for inner in option]
        elif isinstance(node, Lora):
            turns = turns or isinstance(node.te, tuple) or isinstance(node.unet, tuple)
    return {count for count in edits if count > 0}, turns


class _Moment:
    """What a part says at one count of the run."""

    def __init__(self, nodes: Sequence[Node], clock: _Clock, index: int) -> None:
        self.clock = clock
        self.tick = clock.tick(index)
        self.blocks: list[list[Span]] = [[]]
        self.loras: list[ActiveLora] = []
        self._read(nodes, 1.0)

    def segment(self, until: int) -> Segment:
        blocks = tuple(merged(iter(block)) for block in self.blocks)
        return Segment(until=until, blocks=blocks, loras=tuple(self.loras))

    def _read(self, nodes: Sequence[Node], weight: float) -> None:
        for node in nodes:
            if isinstance(node, Text):
                self.blocks[-1].append(Span(node.value, weight))
            elif isinstance(node, Weighted):
                self._read(node.parts, weight * node.factor)
            elif isinstance(node, Edit):
                is_over = self.tick >= int(min(self.clock.count(node.when), self.clock.total))
                self._read(node.after if is_over else node.before, weight)
            elif isinstance(node, Alternate):
                self._read(node.options[self.tick % len(node.options)], weight)
            elif isinstance(node, Lora):
                self._lora(node)
            else:
                self._break(weight)

    def _break(self, weight: float) -> None:
        if self.clock.lag and weight != 1.0:
            # The reference's mark for BREAK is a weight of -1, which the bracket multiplies.
            self.blocks[-1].append(Span("BREAK", -weight))
        else:
            self.blocks.append([])

    def _lora(self, lora: Lora) -> None:
        te, unet = (self._strength(strength) for strength in (lora.te, lora.unet))
        if te != 0.0 or unet != 0.0:
            self.loras.append(ActiveLora(name=lora.name, te=te, unet=unet))

    def _strength(self, strength: Strength) -> float:
        """Straight lines between the points, level outside of them."""
        if not isinstance(strength, tuple):
            return strength
        points = sorted((self.clock.count(p.when), i, p.strength) for i, p in enumerate(strength))
        before = [point for point in points if point[0] <= self.tick + _ROUNDING]
        after = points[len(before) :]
        if not before or not after:
            return (before or after)[-1 if before else 0][2]
        (start, _, low), (end, _, high) = before[-1], after[0]
        return low + (high - low) * (self.tick - start) / (end - start)
