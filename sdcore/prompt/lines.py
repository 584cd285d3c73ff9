"""Prompts from a file or a text box: a line is a request's changes.

A line is a prompt, or, where it holds '--', arguments by the reference's names:

    --prompt "a house" --negative_prompt noise --steps 12 --seed 7 --width 512

Words of --prompt and --negative_prompt need no quotes: they go on to the next '--'.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from sdcore.errors import PromptError

_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


def _real(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError
    return value


def _truth(text: str) -> bool:
    if text.casefold() not in _TRUE + _FALSE:
        raise ValueError
    return text.casefold() in _TRUE


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _tiling(text: str) -> str:
    return "xy" if _truth(text) else "none"


# Argument -> (field of the request, how its value is read, what that is called). A point leads
# into a part; checkpoint, styles, repeats and faces are the caller's to serve.
ARGUMENTS: Mapping[str, tuple[str, Callable[[str], Any], str]] = {
    "prompt": ("prompt", str, "text"),
    "negative_prompt": ("negative", str, "text"),
    "seed": ("seed", int, "a whole number"),
    "steps": ("steps", int, "a whole number"),
    "width": ("width", int, "a whole number"),
    "height": ("height", int, "a whole number"),
    "cfg_scale": ("cfg", _real, "a number"),
    "sampler_name": ("sampler", str, "text"),
    "batch_size": ("batch", int, "a whole number"),
    "n_iter": ("repeats", int, "a whole number"),
    "tiling": ("tiling", _tiling, "true or false"),
    "restore_faces": ("faces", _truth, "true or false"),
    "styles": ("styles", _names, "names with commas"),
    "sd_model": ("checkpoint", str, "text"),
    "subseed": ("variation.seed", int, "a whole number"),
    "subseed_strength": ("variation.strength", _real, "a number"),
    "seed_resize_from_w": ("variation.resize_from.width", int, "a whole number"),
    "seed_resize_from_h": ("variation.resize_from.height", int, "a whole number"),
}
# Those whose words need no quotes.
_WORDY = ("prompt", "negative_prompt")


def read(text: str) -> list[dict[str, Any]]:
    """The changes that each line makes, as values by the names of the request's fields.

    Empty lines are skipped.

    Raises:
        PromptError: an argument that is unknown, lacks its value or cannot be read; says in which
        line.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            found.append(_line(line.strip(), number) if "--" in line else {"prompt": line.strip()})
    return found


def _line(line: str, number: int) -> dict[str, Any]:
    try:
        words = shlex.split(line)
    except ValueError:
        raise PromptError(f"line {number} opens a quote and does not close it: close it") from None
    changes: dict[str, Any] = {}
    at = 0
    while at < len(words):
        name, at = _name(words[at], number), at + 1
        start = at
        while at < len(words) and (at == start or name in _WORDY):
            if words[at].startswith("--"):
                break
            at += 1
        if at == start:
            raise PromptError(f"line {number}: --{name} has no value: write one behind it")
        key, value = _value(name, " ".join(words[start:at]), number)
        changes[key] = value
    return changes


def _name(word: str, number: int) -> str:
    name = word.removeprefix("--")
    if word.startswith("--") and name in ARGUMENTS:
        return name
    if not word.startswith("--"):
        raise PromptError(
            f"line {number}: '{word[:60]}' stands behind no argument: write --prompt before it, "
            "or quotes around a value of several words"
        )
    near = difflib.get_close_matches(name, ARGUMENTS, n=1, cutoff=0.5)
    hint = f"nearest --{near[0]}; " if near else ""
    known = ", ".join(f"--{known}" for known in sorted(ARGUMENTS))
    raise PromptError(f"line {number}: unknown argument --{name[:60]}: {hint}known: {known}")


def _value(name: str, text: str, number: int) -> tuple[str, Any]:
    key, convert, kind = ARGUMENTS[name]
    try:
        return key, convert(text)
    except ValueError:
        raise PromptError(f"line {number}: --{name} is '{text[:60]}': give {kind}") from None
