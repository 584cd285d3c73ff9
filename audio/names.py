"""Names in tables, and numbers in ranges, refused in one sentence."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import TypeVar

from audio.errors import ParameterError

T = TypeVar("T")


def lookup(table: Mapping[str, T], name: str, kind: str) -> T:
    """The entry called `name`. Raises ParameterError, naming the nearest and all that are known."""
    if name in table:
        return table[name]
    raise ParameterError(
        f"unknown {kind} {name!r}: nearest {nearest(name, table)!r}; known: {', '.join(table)}"
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is spelt most like one; some must be known."""
    return max(known, key=lambda other: difflib.SequenceMatcher(a=name, b=other).ratio())


def within(name: str, value: float, low: float, high: float) -> None:
    """Raises ParameterError unless `value` is a number from `low` to `high`."""
    if not (math.isfinite(value) and low <= value <= high):
        raise ParameterError(f"{name} {value:g}: give {low:g} to {high:g}")
