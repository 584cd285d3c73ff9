"""Names in tables, and numbers in ranges, refused in one sentence."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import TypeVar

from audio.errors import ParameterError

T = TypeVar("T")


def lookup(table: Mapping[str, T], name: str, kind: str) -> T:
    """The entry called `name`. Raises ParameterError, naming the nearest and all that are known."""
    if name in table:
        return table[name]
    near = difflib.get_close_matches(name, list(table), n=1, cutoff=0.0)
    raise ParameterError(
        f"unknown {kind} {name!r}: nearest {near[0]!r}; known: {', '.join(table)}"
        if near
        else f"unknown {kind} {name!r}: known: {', '.join(table)}"
    )


def within(name: str, value: float, low: float, high: float) -> None:
    """Raises ParameterError unless `value` is a number from `low` to `high`."""
    if not (math.isfinite(value) and low <= value <= high):
        raise ParameterError(f"{name} {value:g}: give {low:g} to {high:g}")
