"""What a prompt says: texts, and brackets that weigh them. `str` prints a tree back as a prompt."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple, TypeAlias

# What one pair of brackets does.
ROUND = 1.1
SQUARE = 1 / 1.1

_SPECIAL = re.compile(r"[\\()\[\]]")
# A tail that would be read as a weight if a bracket closed right after it.
_WEIGHT_TAIL = re.compile(r":\s*[+-]?[\d.]+\s*$")


@dataclass(frozen=True)
class Text:
    """Literal text, without escapes."""

    value: str

    def __str__(self) -> str:
        return _SPECIAL.sub(r"\\\g<0>", self.value)


@dataclass(frozen=True)
class Weighted:
    """A bracket: everything in it counts `factor` times as much."""

    parts: tuple[Node, ...]
    factor: float

    def __str__(self) -> str:
        body = "".join(map(str, self.parts))
        if self.factor == SQUARE:
            return f"[{body}]"
        last = self.parts[-1] if self.parts else None
        looks_weighted = isinstance(last, Text) and _WEIGHT_TAIL.search(last.value) is not None
        if self.factor == ROUND and not looks_weighted:
            return f"({body})"
        return f"({body}:{Decimal(repr(self.factor)):f})"


Node: TypeAlias = Text | Weighted


class Span(NamedTuple):
    """A run of text with one weight, all brackets around it multiplied."""

    text: str
    weight: float


@dataclass(frozen=True)
class Prompt:
    """A whole prompt; `parse(str(prompt)) == prompt` for every one that `parse` gives."""

    parts: tuple[Node, ...]

    def __str__(self) -> str:
        return "".join(map(str, self.parts))

    def spans(self) -> tuple[Span, ...]:
        """The text in runs of equal weight, in order; () for an empty prompt."""
        runs = groupby(_spans(self.parts, 1.0), key=lambda span: span.weight)
        return tuple(Span("".join(s.text for s in run), weight) for weight, run in runs)


def _spans(parts: tuple[Node, ...], weight: float) -> Iterator[Span]:
    for part in parts:
        if isinstance(part, Text):
            yield Span(part.value, weight)
        else:
            yield from _spans(part.parts, weight * part.factor)
