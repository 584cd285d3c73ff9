"""The prompt matrix: every combination of the parts that bars set off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sdcore.errors import PromptError

# 2 ** 10 pictures.
MAX_PARTS = 10


@dataclass(frozen=True, kw_only=True)
class Label:
    """A part of the prompt beside a row or column, struck through where it is not in it."""

    text: str
    is_on: bool


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """The prompts of a matrix, row by row, and its labels."""

    prompts: tuple[str, ...]
    # One tuple of labels for each column and for each row of the sheet.
    columns: tuple[tuple[Label, ...], ...]
    rows: tuple[tuple[Label, ...], ...]


def matrix(text: str, *, at_start: bool = False, joint: Literal[", ", " "] = ", ") -> Matrix:
    """The 2**k prompts of 'constant|part 1|...|part k', in the field's order.

    Prompt n holds part i if bit i - 1 of n is set. The first half of the parts (the larger one)
    changes from column to column, the rest from row to row, so that prompt n stands in row
    n // len(columns).

    Args:
        at_start: whether the parts stand before the constant one.

    Raises:
        PromptError: more than MAX_PARTS parts.
    """
    constant, *parts = text.split("|")
    parts = [part.strip().strip(",").strip() for part in parts]
    if len(parts) > MAX_PARTS:
        raise PromptError(
            f"the prompt matrix has {len(parts)} parts, 2 ** {len(parts)} pictures: "
            f"give at most {MAX_PARTS}"
        )
    prompts = []
    for n in range(2 ** len(parts)):
        chosen = [part for i, part in enumerate(parts) if n >> i & 1]
        words = [*chosen, constant] if at_start else [constant, *chosen]
        prompts.append(joint.join(words))
    across = (len(parts) + 1) // 2
    return Matrix(
        prompts=tuple(prompts),
        columns=_labels(parts[:across]),
        rows=_labels(parts[across:]),
    )


def _labels(parts: list[str]) -> tuple[tuple[Label, ...], ...]:
    return tuple(
        tuple(Label(text=part, is_on=bool(n >> i & 1)) for i, part in enumerate(parts))
        for n in range(2 ** len(parts))
    )
