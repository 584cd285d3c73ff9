"""Works of many sounds: what the facts of one say, so that a page can list them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

ROWS = "rows"


def facts_of(
    told: Sequence[tuple[str, Mapping[str, Any]]], *, first: int, pictures: bool
) -> Mapping[str, Any]:
    """What all sounds have in common, and under ROWS a title, the numbers of its files and what is
    otherwise for each.

    Args:
        told: title and facts of each sound.
        first: number of the first sound among the work's files; the others follow.
        pictures: whether each sound's picture comes right behind it.
    """
    common = dict(told[0][1]) if told else {}
    rows = []
    for number, (title, facts) in enumerate(told):
        at = first + number * (2 if pictures else 1)
        row = {"title": title, "sound": at} | ({"picture": at + 1} if pictures else {})
        rows.append(row | {name: fact for name, fact in facts.items() if common.get(name) != fact})
    return common | {ROWS: rows}
