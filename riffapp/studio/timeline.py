"""A timeline as a person writes it: `0 | calm piano; 4 | add drums; 8 | drum and bass`, in bars."""

from __future__ import annotations

import re

from riffapp.errors import UsageError
from riffapp.studio.types import Mark, Timeline

_ADD = re.compile(r"(?:add\s+|\+\s*)(.+)", re.IGNORECASE)


def parse_timeline(text: str, *, blend_beats: float = 4.0) -> tuple[str, Timeline]:
    """The words at the beginning, and what follows them.

    One mark a line, or parted by semicolons: a bar (0 first; 4.5 is the middle of a bar), `|`,
    words. Words that begin with `add` or `+` come on top of those before.
    Raises UsageError for a line that is none, a first bar that is not 0, bars that do not rise.
    """
    lines = [line for line in re.split(r"[;\n]", text) if line.strip()]
    marks: list[Mark] = []
    for line in lines:
        bar, _, words = line.partition("|")
        mark = Mark(bar=_bar(bar, line), prompt=_whole(words.strip(), marks, line))
        if marks and mark.bar <= marks[-1].bar:
            raise UsageError(
                f"the timeline's bar {mark.bar:g} stands after bar {marks[-1].bar:g}: "
                "give rising bars"
            )
        marks.append(mark)
    if not marks or marks[0].bar != 0:
        raise UsageError(f"the timeline '{text[:40]}' does not begin at bar 0: write '0 | words'")
    return marks[0].prompt, Timeline(marks=tuple(marks[1:]), blend_beats=blend_beats)


def _bar(text: str, line: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(
            f"'{line.strip()[:60]}' is no line of a timeline: write 'bar | words', such as "
            "'4 | add drums'"
        ) from error


def _whole(words: str, before: list[Mark], line: str) -> str:
    if not words:
        raise UsageError(f"'{line.strip()[:60]}' says no words: write 'bar | words'")
    added = _ADD.fullmatch(words)
    if added is None or not before:
        return words
    return f"{before[-1].prompt}, {added.group(1)}"
