"""What bytes are, by what they hold: the name that came with them is not asked."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Set
from dataclasses import dataclass
from typing import Literal

from riffapp.errors import UsageError

Kind = Literal["sound", "picture", "text", "table"]

ALLOWED: dict[Kind, str] = {
    "sound": "a sound (WAV, FLAC, OGG or MP3)",
    "picture": "a picture (PNG, JPEG or WebP)",
    "text": "a text in UTF-8",
    "table": "a table (CSV, JSON or JSON lines, in UTF-8)",
}
MAX_BYTES: dict[Kind, int] = {
    "sound": 50 << 20,
    "picture": 50 << 20,
    "text": 2 << 20,
    "table": 2 << 20,
}
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")


@dataclass(frozen=True, kw_only=True)
class Form:
    """A kind of file, and the suffix under which it is kept."""

    kind: Kind
    suffix: str

    @property
    def needs_decoding(self) -> bool:
        """Whether it is more than text, which is read right here."""
        return self.kind in ("sound", "picture")


def form_of(data: bytes, kinds: Set[str]) -> Form:
    """What the bytes are, of the `kinds` that are wanted.

    Raises UsageError, as a sentence without its subject, for what is none of these.
    """
    wanted = " or ".join(words for kind, words in ALLOWED.items() if kind in kinds)
    if not data:
        raise UsageError(f"is empty: give {wanted}")
    form = _binary(data) or _written(data, kinds)
    if form is None:
        raise UsageError(f"is not {wanted}, whatever its name says: give one")
    if form.kind not in kinds:
        raise UsageError(f"is {ALLOWED[form.kind].partition(' (')[0]}: {wanted} is wanted here")
    _refuse_size(data, form.kind)
    return form


def _refuse_size(data: bytes, kind: Kind) -> None:
    if len(data) > MAX_BYTES[kind]:
        raise UsageError(
            f"is larger than {MAX_BYTES[kind] >> 20} MB, the most that is taken of a {kind}: "
            "give a smaller one"
        )


def _binary(data: bytes) -> Form | None:
    """By the signatures that the formats begin with."""
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return Form(kind="sound", suffix=".wav")
    if data[:4] == b"fLaC":
        return Form(kind="sound", suffix=".flac")
    if data[:4] == b"OggS":
        return Form(kind="sound", suffix=".ogg")
    if data[:3] == b"ID3" or _is_mpeg(data):
        return Form(kind="sound", suffix=".mp3")
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return Form(kind="picture", suffix=".png")
    if data[:3] == b"\xff\xd8\xff":
        return Form(kind="picture", suffix=".jpg")
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return Form(kind="picture", suffix=".webp")
    return None


def _is_mpeg(data: bytes) -> bool:
    """Whether a frame of MPEG layer III begins here (ISO 11172-3, 2.4.1.3)."""
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE0 != 0xE0:
        return False
    version, layer = data[1] >> 3 & 3, data[1] >> 1 & 3
    bitrate, rate = data[2] >> 4, data[2] >> 2 & 3
    return version != 1 and layer == 1 and bitrate != 15 and rate != 3


def _written(data: bytes, kinds: Set[str]) -> Form | None:
    """Text, if it is some; a table where one is wanted and it reads as one."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    if _CONTROLS.search(text):
        return None
    if "table" in kinds:
        _refuse_size(data, "table")  # before it is parsed
        only = "text" not in kinds
        for suffix, reads in ((".json", _is_json), (".jsonl", _is_json_lines)):
            if reads(text):
                return Form(kind="table", suffix=suffix)
        if only or _has_columns(text):
            return Form(kind="table", suffix=".csv")
    return Form(kind="text", suffix=".txt")


def _is_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[") and _parses(text)


def _is_json_lines(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip()]
    return bool(lines) and all(line.lstrip()[0] == "{" and _parses(line) for line in lines)


def _parses(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _has_columns(text: str) -> bool:
    """Whether a text that may be a table is one: two rows or more, all of the same many cells."""
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error:
        return False
    return len(rows) > 1 and len(rows[0]) > 1 and all(len(row) == len(rows[0]) for row in rows)
