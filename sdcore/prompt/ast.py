"""What a prompt says, as a tree; `str` prints a tree back as a prompt.

Prompt ── Part ...          joined by AND, each with its weight
    Text, Break, Lora       leaves
    Weighted                (a) [a] (a:1.5)
    Edit                    [a:b:when] [b:when] [a::when]
    Alternate               [a|b]
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple, TypeAlias

# What one pair of brackets does.
ROUND = 1.1
SQUARE = 1 / 1.1

# What a text must not look like where it stands: brackets, the words, and the start of a tag.
_OUTSIDE = re.compile(r"[\\()\[\]] | (?<!\w)(?:AND|BREAK)(?!\w) | <(?=(?:lora|lyco):)", re.VERBOSE)
# In a bracket, colons and bars part.
_INSIDE = re.compile(_OUTSIDE.pattern + r"| [:|]", re.VERBOSE)
# A tail that is a part's weight where there is AND.
_WEIGHT_TAIL = re.compile(r":(?=\s*[+-]?(?:[0-9]+\.?|[0-9]*\.[0-9]+)\s*\Z)")


class When(NamedTuple):
    """A moment of a run: after so many steps, or after this share of them."""

    value: float
    is_share: bool

    def __str__(self) -> str:
        return repr(self.value) if self.is_share else f"{self.value:.0f}"


class Point(NamedTuple):
    """A strength at a moment."""

    strength: float
    when: When

    def __str__(self) -> str:
        return f"{_number(self.strength)}@{self.when}"


# One for the whole run, or points with straight lines between them.
Strength: TypeAlias = float | tuple[Point, ...]


@dataclass(frozen=True)
class Text:
    """Literal text, without escapes."""

    value: str


@dataclass(frozen=True)
class Break:
    """The next words begin a chunk of their own."""


@dataclass(frozen=True)
class Lora:
    """A LoRA by name, with its strengths in the text encoder and in the UNet."""

    name: str
    te: Strength = 1.0
    unet: Strength = 1.0


@dataclass(frozen=True)
class Weighted:
    """A bracket: everything in it counts `factor` times as much."""

    parts: tuple[Node, ...]
    factor: float


@dataclass(frozen=True)
class Edit:
    """Words that give way to others in mid-run."""

    before: tuple[Node, ...]
    after: tuple[Node, ...]
    when: When


@dataclass(frozen=True)
class Alternate:
    """Words that take turns, step by step."""

    options: tuple[tuple[Node, ...], ...]


Node: TypeAlias = Text | Break | Lora | Weighted | Edit | Alternate


class Span(NamedTuple):
    """A run of text with one weight, all brackets around it multiplied."""

    text: str
    weight: float


class PromptWarning(NamedTuple):
    """What was not understood, and where it stands in the prompt (0 is the first character)."""

    position: int
    message: str


@dataclass(frozen=True)
class Part:
    """One of the prompts that AND joins."""

    nodes: tuple[Node, ...]
    weight: float = 1.0

    def __str__(self) -> str:
        body = _printed(self.nodes, is_inside=False)
        if self.nodes and isinstance(self.nodes[-1], Text):
            body = _WEIGHT_TAIL.sub(r"\:", body)
        return body if self.weight == 1.0 else f"{body} :{_number(self.weight)}"


@dataclass(frozen=True)
class Prompt:
    """A whole prompt; `parse(str(prompt)) == prompt` for every one that `parse` gives."""

    # At least one; several are joined by AND.
    parts: tuple[Part, ...]
    # What stayed text though it looks like more, in the order of the text.
    warnings: tuple[PromptWarning, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        return " AND ".join(map(str, self.parts))

    def spans(self) -> tuple[Span, ...]:
        """All words in runs of equal weight, in order, whatever their step; no tags."""
        return merged(span for part in self.parts for span in _spans(part.nodes, 1.0))


def merged(spans: Iterator[Span]) -> tuple[Span, ...]:
    """Neighbours of equal weight as one."""
    runs = groupby(spans, key=lambda span: span.weight)
    return tuple(Span("".join(s.text for s in run), weight) for weight, run in runs)


def _spans(nodes: tuple[Node, ...], weight: float) -> Iterator[Span]:
    for node in nodes:
        if isinstance(node, Text):
            yield Span(node.value, weight)
        elif isinstance(node, Break):
            yield Span(" ", weight)
        elif isinstance(node, Weighted):
            yield from _spans(node.parts, weight * node.factor)
        elif isinstance(node, Edit):
            yield from _spans(node.before + node.after, weight)
        elif isinstance(node, Alternate):
            for option in node.options:
                yield from _spans(option, weight)


def _printed(nodes: tuple[Node, ...], *, is_inside: bool = True) -> str:
    special = _INSIDE if is_inside else _OUTSIDE
    return "".join(
        special.sub(r"\\\g<0>", node.value) if isinstance(node, Text) else _syntax(node)
        for node in nodes
    )


def _syntax(node: Break | Lora | Weighted | Edit | Alternate) -> str:
    if isinstance(node, Break):
        return " BREAK "
    if isinstance(node, Lora):
        return _tag(node)
    if isinstance(node, Alternate):
        return f"[{'|'.join(map(_printed, node.options))}]"
    if isinstance(node, Edit):
        before = f"{_printed(node.before)}:" if node.before else ""
        return f"[{before}{_printed(node.after)}:{node.when}]"
    body = _printed(node.parts)
    if node.factor == SQUARE:
        return f"[{body}]"
    return f"({body})" if node.factor == ROUND else f"({body}:{_number(node.factor)})"


def _tag(lora: Lora) -> str:
    strengths = [lora.te] if lora.te == lora.unet else [lora.te, lora.unet]
    return f"<lora:{lora.name}:{':'.join(map(_strength, strengths))}>"


def _strength(strength: Strength) -> str:
    if isinstance(strength, tuple):
        return ",".join(map(str, strength))
    return _number(strength)


def _number(value: float) -> str:
    """Without an exponent, and read again as the same value."""
    return f"{Decimal(repr(value)):f}".removesuffix(".0")
