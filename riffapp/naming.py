"""What finished files are called: a pattern, and what stands for each word in braces.

    {number}-{words}_{bpm}bpm_{bars}bars_{seed}   ->   00042-house_drums_124bpm_2bars_7

A piece between hyphens and underscores falls away where nothing stands for any of its fields: a
picture has no tempo, and the same pattern gives 00042-a_cat_7. A slash begins a folder.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from pathlib import Path

DEFAULT = "{number}-{words}_{bpm}bpm_{bars}bars_{seed}"
FIELDS: Mapping[str, str] = {
    "number": "the work's number, five digits at least; it must be there, so that names differ",
    "words": "the prompt",
    "bpm": "beats a minute",
    "bars": "length in bars",
    "key": "key, such as A_minor",
    "seed": "seed of the take",
    "checkpoint": "name of the checkpoint",
    "kind": "loop, layers, speech, picture ...",
    "date": "day that it was made, such as 2026-11-27",
}
DIGITS = 5
MAX_CHARS = 100
# Of 255 that file systems allow, with room for an ending and for what is added to a taken name.
_MAX_BYTES = 230
_VALUE_BYTES, _WORDS_BYTES = 32, 90
_JOINTS = re.compile(r"([-_])")


def checked(pattern: str) -> str:
    """The pattern, if every name that it gives can be a file's.

    Raises ValueError, which says what to give.
    """
    if not pattern or len(pattern) > MAX_CHARS or not pattern.isprintable():
        raise ValueError(f"give 1 to {MAX_CHARS} letters")
    if "number" not in _fields(pattern):
        raise ValueError("it must hold {number}, so that names differ")
    for field in _fields(pattern):
        if field not in FIELDS:
            known = ", ".join(f"{{{name}}}" for name in FIELDS)
            raise ValueError(f"{{{field}}} is unknown: known are {known}")
    if "\\" in pattern or ":" in pattern:
        raise ValueError("leave \\ and : out")
    for part in pattern.split("/"):
        if not part.strip() or part.startswith((".", "~")):
            raise ValueError("give names below the output folder, none beginning with . or ~")
    if "number" not in _fields(pattern.rpartition("/")[2]):
        raise ValueError("{number} must stand in the file's name, after the last /")
    longest = filled(pattern, dict.fromkeys(FIELDS, "w" * _WORDS_BYTES) | {"number": "0" * 12})
    if max(len(part.encode()) for part in longest.parts) > _MAX_BYTES:
        raise ValueError("it gives names that are too long: leave something out")
    return pattern


def filled(pattern: str, values: Mapping[str, object]) -> Path:
    """The name that a checked pattern gives, relative and without an ending.

    `values` by field; None is the same as none at all. Whatever they hold, no folder comes out that
    the pattern does not name.
    """
    told = {name: _slug(name, value) for name, value in values.items() if value is not None}
    parts = (_part(part, told) for part in pattern.split("/"))
    return Path(*(part for part in parts if part))


def _fields(pattern: str) -> list[str]:
    """The names in braces. Raises ValueError for braces that hold more than a name."""
    try:
        pieces = list(string.Formatter().parse(pattern))
    except ValueError:
        raise ValueError("each { needs its }, with a name between them") from None
    for _, field, spec, conversion in pieces:
        if spec or conversion:
            raise ValueError(f"leave what follows {field} in its braces out")
    return [field for _, field, _, _ in pieces if field is not None]


def _part(part: str, told: Mapping[str, str]) -> str:
    """One folder's or file's name."""
    name = ""
    pieces = ["", *_JOINTS.split(part)]
    for joint, piece in zip(pieces[::2], pieces[1::2], strict=True):
        fields = _fields(piece)
        if fields and not any(told.get(field) for field in fields):
            continue
        name += (joint if name else "") + piece.format_map({f: told.get(f, "") for f in fields})
    return name.lstrip(".")


def _slug(name: str, value: object) -> str:
    """A value as part of a name."""
    if name == "number":
        return str(value).zfill(DIGITS)
    text = f"{value:g}" if isinstance(value, float) else str(value)
    plain = re.sub(r"[^\w.+#-]+", "_", text).replace("#", "sharp").strip("._-")
    limit = _WORDS_BYTES if name == "words" else _VALUE_BYTES
    return plain.encode()[:limit].decode(errors="ignore").rstrip("._-")
