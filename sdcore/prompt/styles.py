"""Styles: prompts under a name that are merged into others, in the field's styles.csv."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sdcore.errors import RequestError, lookup

# Where the prompt goes in a style's text; a style without it follows the prompt.
PLACE = "{prompt}"
_COLUMNS = ("name", "prompt", "negative_prompt")


@dataclass(frozen=True, kw_only=True)
class Style:
    """A style's two texts."""

    name: str
    prompt: str = ""
    negative: str = ""


def read(path: Path) -> dict[str, Style]:
    """The styles of a csv file (name, prompt, negative_prompt), by name; the last of a name counts.

    Raises:
        RequestError: a file without these columns, or that is no UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, restval=""))
    except (UnicodeDecodeError, csv.Error) as error:
        raise RequestError(f"'{path.name}' is no csv file in UTF-8 ({error}): save it so") from None
    if rows and not {"name", "prompt"} <= rows[0].keys():
        raise RequestError(
            f"'{path.name}' has the columns {', '.join(map(str, rows[0]))}: "
            f"give it {', '.join(_COLUMNS)}"
        )
    styles = (
        Style(
            name=row["name"],
            prompt=row["prompt"],
            # A column that the oldest files call so.
            negative=row.get("negative_prompt") or row.get("negative_text") or "",
        )
        for row in rows
        if row["name"]
    )
    return {style.name: style for style in styles}


def write(path: Path, styles: Iterable[Style]) -> None:
    """The file that `read` gives back; it takes its name only when it is whole."""
    beside = path.with_name(f".{path.name}.part")
    with beside.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow(_COLUMNS)
        table.writerows((style.name, style.prompt, style.negative) for style in styles)
    os.replace(beside, path)


def applied(
    prompt: str, negative: str, names: Sequence[str], styles: Mapping[str, Style]
) -> tuple[str, str]:
    """Prompt and negative prompt with the styles merged in, one after the other.

    Raises:
        UnknownName: a style that the table does not hold.
    """
    for name in names:
        style = lookup(styles, name, "style")
        prompt, negative = _merged(style.prompt, prompt), _merged(style.negative, negative)
    return prompt, negative


def extracted(
    prompt: str, negative: str, styles: Mapping[str, Style]
) -> tuple[str, str, tuple[str, ...]]:
    """What `applied` was given: prompts without styles, and the styles' names in their order.

    A style is found only if both of its texts are there; of several that fit, the longest one.
    """
    found: list[str] = []
    left = [style for style in styles.values() if style.prompt or style.negative]
    left.sort(key=lambda style: -len(style.prompt + style.negative))
    while True:
        for style in left:
            inner = _without(style.prompt, prompt), _without(style.negative, negative)
            if inner[0] is not None and inner[1] is not None and inner != (prompt, negative):
                prompt, negative = inner[0], inner[1]
                found.insert(0, style.name)
                left.remove(style)
                break
        else:
            return prompt, negative, tuple(found)


def _merged(style: str, prompt: str) -> str:
    if PLACE in style:
        return style.replace(PLACE, prompt)
    parts = (prompt.strip(), style.strip())
    return ", ".join(part for part in parts if part)


def _without(style: str, text: str) -> str | None:
    """The prompt that `_merged` made the text from; None where it cannot have."""
    if PLACE not in style:
        style, text = style.strip(), text.strip()
        if not style or text == style:
            return text if not style else ""
        return text.removesuffix(f", {style}") if text.endswith(f", {style}") else None
    before, _, rest = style.partition(PLACE)
    after = rest.rpartition(PLACE)[2] if PLACE in rest else rest
    inner = text[len(before) : len(text) - len(after)]
    copies = style.count(PLACE)
    if copies > 1:
        # As long as all copies need: the text tells it.
        length, odd = divmod(len(text) - len(style) + copies * len(PLACE), copies)
        if odd or length < 0:
            return None
        inner = text[len(before) : len(before) + length]
    return inner if style.replace(PLACE, inner) == text else None
