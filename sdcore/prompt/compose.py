"""From what is typed to what is read: styles, then wildcards, then the matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sdcore.prompt import styles as style_table
from sdcore.prompt import wildcards
from sdcore.prompt.matrix import Matrix, matrix


@dataclass(frozen=True, kw_only=True)
class Composed:
    """What a picture's text records: the template with its wildcards, and what came of it."""

    # With styles merged in, wildcards and bars as they stand.
    template: str
    negative_template: str
    # (prompt, negative prompt) of each picture; one without a matrix.
    results: tuple[tuple[str, str], ...]
    # Where there is one.
    matrix: Matrix | None = None


def composed(
    prompt: str,
    negative: str = "",
    *,
    seed: int,
    names: Sequence[str] = (),
    styles: Mapping[str, style_table.Style] | None = None,
    lines: wildcards.Lines | None = None,
    over: Literal["none", "prompt", "negative"] = "none",
    at_start: bool = False,
    joint: Literal[", ", " "] = ", ",
) -> Composed:
    """The prompts of all pictures; equal arguments give equal words.

    Args:
        seed: of the wildcards; both prompts draw from it anew.
        names: of styles, in the order in which they are merged.
        lines: wildcards' lines by name, as `wildcards.read` gives them.
        over: which of the two texts a matrix is made of; `at_start` and `joint` are the matrix's.

    Raises:
        UnknownName: a style. PromptError: a wildcard, or too large a matrix.
    """
    template, negative_template = style_table.applied(prompt, negative, names, styles or {})
    drawn, drawn_negative = (
        wildcards.drawn(text, lines or {}, seed=seed) for text in (template, negative_template)
    )
    found = None
    results: tuple[tuple[str, str], ...] = ((drawn, drawn_negative),)
    if over == "prompt":
        found = matrix(drawn, at_start=at_start, joint=joint)
        results = tuple((one, drawn_negative) for one in found.prompts)
    elif over == "negative":
        found = matrix(drawn_negative, at_start=at_start, joint=joint)
        results = tuple((drawn, one) for one in found.prompts)
    return Composed(
        template=template, negative_template=negative_template, results=results, matrix=found
    )
