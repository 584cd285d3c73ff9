"""Wishes from a batch file: what each row changes in a pack's request, and on which line it stands.

    .csv .tsv         a header of LoopRequest's fields; an empty cell says nothing
    .json             a list of objects, or Riffusion's {"params": {..} or [..], "entries": [..]}:
                      each entry with each of the params
    .jsonl .ndjson    an object on each line
    .txt              a prompt on each line, or arguments as in `sdcore.prompt.lines`

Names may be in snake_case or camelCase, LoopRequest's own or Riffusion's (`NAMES`). An index.csv of
a pack is a batch file too.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from riffapp.errors import UsageError
from riffapp.studio.types import LoopRequest

MAX_BYTES = 64 * 2**20

# Riffusion's and A1111's names -> ours.
NAMES: Mapping[str, str] = {
    "negative_prompt": "negative",
    "num_inference_steps": "steps",
    "guidance": "cfg",
    "guidance_scale": "cfg",
    "cfg_scale": "cfg",
    "scheduler": "sampler",
    "sampler_name": "sampler",
    "batch": "takes",
    "repeats": "takes",
}
SCHEDULERS: Mapping[str, str] = {
    "DPMSolverMultistepScheduler": "DPM++ 2M",
    "PNDMScheduler": "PLMS",
    "DDIMScheduler": "DDIM",
    "LMSDiscreteScheduler": "LMS",
    "EulerDiscreteScheduler": "Euler",
    "EulerAncestralDiscreteScheduler": "Euler a",
}
# What an index says beside the request, a pack's or Riffusion's: no wish.
_FOUND = {"file", "picture", "duration_s", "sha256", "picture_sha256"}
_FOUND |= {"name", "image_path", "audio_path"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One wish of a file: the fields that it changes, and the file's name with the line."""

    where: str
    changes: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The wishes of a file in order, and what the user should know of it."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def read(path: Path) -> Batch:
    """The wishes in a batch file.

    Raises UsageError, with the line, for what cannot be read; nothing is checked yet that
    `plan_loop` checks.
    """
    readers: dict[str, Callable[[str, str], Batch]] = {
        ".csv": _read_csv,
        ".tsv": _read_csv,
        ".json": _read_json,
        ".jsonl": _read_json_lines,
        ".ndjson": _read_json_lines,
        ".txt": _read_lines,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"{path.name} is no batch file's name: known are {', '.join(readers)}")
    found = reader(_text(path), path.name)
    if not found.rows:
        raise UsageError(f"{path.name} holds no wish: give a prompt on each line or row")
    return found


def _text(path: Path) -> str:
    from audio import disk

    if not path.is_file():
        raise UsageError(f"no file {path}: check the name")
    if path.stat().st_size > MAX_BYTES:
        raise UsageError(f"{path.name} is larger than {MAX_BYTES >> 20} MiB: that is no batch file")
    try:
        return disk.read_whole(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path.name} is no text in UTF-8 ({error.reason}): save it so") from error


# ---- the kinds of files -----------------------------------------------------------------------


def _read_csv(text: str, name: str) -> Batch:
    delimiter = _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    rows, notes, begins = [], _Notes(), 1
    try:
        for cells in reader:
            where, begins = f"{name} line {begins}", reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = _header(cells, where)
                continue
            if len(cells) > len(header):
                raise UsageError(
                    f"{where}: {len(cells)} cells under {len(header)} names: quote what holds a "
                    f"'{delimiter}'"
                )
            said = {key: cell for key, cell in zip(header, cells, strict=False) if cell.strip()}
            rows.append(Row(where=where, changes=_changes(said, where, notes)))
    except csv.Error as error:
        raise UsageError(f"{name} line {begins}: {error}: check its quotes") from error
    return Batch(rows=tuple(rows), notes=notes.said)


def _delimiter(text: str) -> str:
    """A comma, or what some spreadsheets write instead of it."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    return next((mark for mark in ",;\t" if mark in header), ",")


def _header(cells: Sequence[str], where: str) -> list[str]:
    names = [_field(cell, where) for cell in cells]
    twice = next((n for i, n in enumerate(names) if n and n in names[:i]), None)
    if twice is not None:
        raise UsageError(f"{where}: the header names '{twice}' twice: keep one of them")
    return [cell.strip() for cell in cells]


def _read_json(text: str, name: str) -> Batch:
    text = _SPARE_COMMA.sub(lambda found: found[1] or "", text)
    whole = _parsed(text, name, line=1)
    entries: list[Any] = [whole]
    params: list[Any] = [{}]
    starts = [_skip(text, 0)]
    if isinstance(whole, list):
        entries, starts = whole, _elements(text, _skip(text, 0))
    elif isinstance(whole, dict) and "entries" in whole:
        if not isinstance(whole["entries"], list):
            raise UsageError(f"{name}: 'entries' is no list: put the wishes into [brackets]")
        entries, starts = whole["entries"], _elements(text, _entries(text))
        params = whole.get("params", {})
        params = params if isinstance(params, list) else [params]
    notes = _Notes()
    common = [_changes(one, f"{name}, params", notes) for one in params]
    rows = []
    for entry, start in zip(entries, starts, strict=True):
        where = f"{name} line {text.count(chr(10), 0, start) + 1}"
        own = _changes(entry, where, notes)
        rows += [Row(where=where, changes={**one, **own}) for one in common]
    return Batch(rows=tuple(rows), notes=notes.said)


def _read_json_lines(text: str, name: str) -> Batch:
    rows, notes = [], _Notes()
    # Only these end a line: JSON texts may hold others, such as U+2028.
    for number, line in enumerate(re.split("\r\n|\n|\r", text), 1):
        if line.strip():
            where = f"{name} line {number}"
            found = _changes(_parsed(line, name, line=number), where, notes)
            rows.append(Row(where=where, changes=found))
    return Batch(rows=tuple(rows), notes=notes.said)


def _read_lines(text: str, name: str) -> Batch:
    from sdcore.errors import PromptError
    from sdcore.prompt import lines

    rows, notes = [], _Notes()
    for number, line in enumerate(text.splitlines(), 1):
        try:
            found = lines.read("\n" * (number - 1) + line)
        except PromptError as error:
            raise UsageError(f"{name} {error}") from error
        where = f"{name} line {number}"
        rows += [Row(where=where, changes=_changes(one, where, notes)) for one in found]
    return Batch(rows=tuple(rows), notes=notes.said)


# ---- JSON with lines --------------------------------------------------------------------------

# A text, or a comma before a closing bracket, as in the example on Riffusion's own page.
_SPARE_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[\]}])')
_DECODER = json.JSONDecoder()


def _parsed(text: str, name: str, *, line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"{name} line {line + error.lineno - 1}"
        raise UsageError(f"{where} is no JSON ({error.msg}): mend it there") from error
    except RecursionError as error:
        raise UsageError(f"{name} line {line}: brackets within brackets without end") from error


def _entries(text: str) -> int:
    """Where the list under "entries" begins, in an object's text that is known to be right."""
    at, found = _skip(text, _skip(text, 0) + 1), 0
    while text[at] != "}":
        key, at = _DECODER.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
        found = at if key == "entries" else found
        at = _next(text, at)
    return found


def _elements(text: str, at: int) -> list[int]:
    """Where the elements of the list at `at` begin; none where no list is there."""
    found: list[int] = []
    if text[at] != "[":
        return found
    at = _skip(text, at + 1)
    while text[at] != "]":
        found.append(at)
        at = _next(text, at)
    return found


def _next(text: str, at: int) -> int:
    """Behind the value at `at` and its comma."""
    at = _skip(text, _DECODER.raw_decode(text, at)[1])
    return _skip(text, at + 1) if text[at] == "," else at


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


# ---- names and values -------------------------------------------------------------------------


class _Notes:
    """What is passed over, said once."""

    def __init__(self) -> None:
        self._said: dict[str, None] = {}

    def add(self, note: str) -> None:
        self._said[note] = None

    @property
    def said(self) -> tuple[str, ...]:
        return tuple(self._said)


def _changes(entry: Any, where: str, notes: _Notes) -> dict[str, Any]:
    """The request's fields that one object or row says."""
    if not isinstance(entry, dict):
        raise UsageError(f"{where}: {str(entry)[:40]!r} is no object with names and values")
    found: dict[str, Any] = {}
    for key, value in entry.items():
        name = _field(key, where)
        if name == "width":
            notes.add("the width in pixels is passed over: a loop is as long as its bars")
        elif name == "checkpoint" and str(value).startswith("riffusion/"):
            notes.add(f"'{value}' is passed over: --checkpoint says which model plays")
        elif name and name in found:
            raise UsageError(f"{where}: '{name}' is said twice: keep one of them")
        elif name:
            read = _value(name, value, where)
            found |= {} if read is _UNSAID else {name: read}
    return found


def _field(name: str, where: str) -> str:
    """Our name of a field; '' where it is passed over."""
    from sdcore.errors import UnknownName

    if _ours(name) in _FOUND:
        return ""
    try:
        return "width" if _ours(name) == "width" else field(name)
    except UnknownName as error:
        raise UsageError(f"{where}: {error}") from error


def field(name: str) -> str:
    """The field of LoopRequest that a name means: 'bpm', 'negativePrompt', 'CFG scale'.

    Raises sdcore's UnknownName, with the nearest one.
    """
    from sdcore.errors import lookup

    return lookup({known: known for known in FIELDS}, _ours(name), "field")


def _ours(name: str) -> str:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip()).lower()
    snake = re.sub(r"[ _-]+", "_", snake)
    return NAMES.get(snake, snake)


def _value(name: str, value: Any, where: str) -> Any:
    """A field's value; _UNSAID where null stands for nothing."""
    kind = FIELDS[name]
    if value is None:
        return None if kind.endswith("| None") else _UNSAID
    read, words = _KINDS[kind.removesuffix(" | None")]
    try:
        found = read(value)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{where}: {name} is {str(value)[:40]!r}: give {words}") from None
    return SCHEDULERS.get(found, found) if name == "sampler" else found


def _as_text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError
    return str(value).strip()


def _as_whole(value: Any) -> int:
    number = _as_real(value)
    if number != int(number):
        raise ValueError
    return int(number)


def _as_real(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError
    return float(value)


def _as_truth(value: Any) -> bool:
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if str(value).strip().lower() not in known:
        raise ValueError
    return known[str(value).strip().lower()]


_UNSAID = object()
_KINDS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "str": (_as_text, "text"),
    "int": (_as_whole, "a whole number"),
    "float": (_as_real, "a number"),
    "bool": (_as_truth, "true or false"),
}


def _plain_fields() -> Iterator[tuple[str, str]]:
    for f in fields(LoopRequest):
        if str(f.type).removesuffix(" | None") in _KINDS:  # annotations are text: postponed
            yield f.name, str(f.type)


FIELDS = dict(_plain_fields())
