"""The text that a picture carries: its request, in the form of the field's 'parameters'.

    prompt
    Negative prompt: ...                     only where there is one
    Steps: 20, Sampler: Euler, ..., Key: "a value, with a comma"

Values with a comma, a colon, a quote or a line break are JSON strings. Where a prompt could not be
told from what follows it (it has a line "Negative prompt:", say), it is written once more, as the
value of "Prompt" or "Negative"; readers that do not know these keys lose nothing that they had.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sdcore.errors import RequestError
from sdcore.types import ImageRequest, ImageResult, Tiling, Window

NEGATIVE = "Negative prompt:"
# As the field writes it; 10 hex digits of the sha256.
HASH_DIGITS = 10
_OURS = (
    "Steps",
    "Sampler",
    "Schedule type",
    "CFG scale",
    "Seed",
    "Size",
    "Model hash",
    "Model",
    "Tiling",
    "Window",
    "Prompt",
    "Negative",
)
_KEY = re.compile(r"(?P<key>[^,:]*):[ ]*")
_JSON = json.JSONDecoder()
_TILING_OUT: dict[str, str] = {"x": "x", "y": "y", "xy": "True"}
_TILING_IN: dict[str, Tiling] = {"x": "x", "y": "y", "True": "xy", "False": "none"}


@dataclass(frozen=True, kw_only=True)
class Infotext:
    """What a picture's text says."""

    # Of this one image: batch 1, its own seed. Values that the text lacks have their defaults.
    request: ImageRequest
    model: str = ""
    model_hash: str = ""
    # All other keys, as they stand.
    extra: Mapping[str, str] = field(default_factory=dict)


def write(result: ImageResult, *, image: int = 0, extra: Mapping[str, str] | None = None) -> str:
    """The text of one of the result's images; `extra` keys come last, in their order.

    Raises:
        RequestError: an extra key that is one of ours, or that could not be read again.
    """
    request = result.request
    values = {
        "Steps": str(request.steps),
        "Sampler": request.sampler,
        "Schedule type": request.schedule,
        "CFG scale": _number(request.cfg),
        "Seed": str(result.seeds[image]),
        "Size": f"{request.width}x{request.height}",
        "Model hash": result.sha256[:HASH_DIGITS],
        "Model": result.model,
        "Tiling": _TILING_OUT.get(request.tiling, ""),
    }
    if request.window is not None:
        values["Window"] = f"{request.window.width}x{request.window.stride}"
    for key in extra or {}:
        _check_key(key)
    values = {key: value for key, value in values.items() if value} | dict(extra or {})
    plain = _lines(request, values)
    back = read(plain).request
    if back.prompt != request.prompt:
        values["Prompt"] = request.prompt
    if back.negative != request.negative:
        values["Negative"] = request.negative
    return _lines(request, values)


def read(text: str) -> Infotext:
    """What the text says, in time linear in its length.

    A last line of fewer than three "Key: value" is taken as prompt. A value that cannot be meant
    (Steps: many) keeps its default.
    """
    head, _, last = text.rpartition("\n")
    values = _values(last)
    if len(values) < 3:
        head, values = text, {}
    prompt, negative = _prompts(head)
    default = ImageRequest(prompt="")
    width, height = _pair(values.pop("Size", ""), (default.width, default.height))
    window = _pair(values.pop("Window", ""), (0, 0))
    request = ImageRequest(
        prompt=values.pop("Prompt", prompt),
        negative=values.pop("Negative", negative),
        seed=_whole(values.pop("Seed", ""), default.seed),
        width=width,
        height=height,
        steps=_whole(values.pop("Steps", ""), default.steps),
        cfg=_real(values.pop("CFG scale", ""), default.cfg),
        sampler=values.pop("Sampler", default.sampler),
        schedule=values.pop("Schedule type", default.schedule),
        tiling=_TILING_IN.get(values.pop("Tiling", ""), default.tiling),
        window=Window(width=window[0], stride=window[1]) if all(window) else None,
    )
    model, model_hash = values.pop("Model", ""), values.pop("Model hash", "")
    return Infotext(request=request, model=model, model_hash=model_hash, extra=values)


def _lines(request: ImageRequest, values: Mapping[str, str]) -> str:
    negative = [f"{NEGATIVE} {request.negative}"] if request.negative else []
    pairs = ", ".join(f"{key}: {_quoted(value)}" for key, value in values.items())
    return "\n".join([request.prompt, *negative, pairs])


def _prompts(head: str) -> tuple[str, str]:
    """(prompt, negative) of the lines above the values."""
    if head.startswith(NEGATIVE):
        head = "\n" + head
    prompt, found, negative = head.partition(f"\n{NEGATIVE}")
    return prompt, negative.removeprefix(" ") if found else ""


def _values(line: str) -> dict[str, str]:
    """The pairs of a line; a part without a colon is passed by."""
    values: dict[str, str] = {}
    at = 0
    while at < len(line):
        key = _KEY.match(line, at)
        if key is None:
            _, at = _until_comma(line, at)
            continue
        value, at = _value(line, key.end())
        values.setdefault(key["key"].strip(), value)
    return values


def _value(line: str, at: int) -> tuple[str, int]:
    """The value that begins at `at`, and where the next pair begins."""
    if line.startswith('"', at):
        try:
            value, end = _JSON.raw_decode(line, at)
        except ValueError:  # a stray quote
            return _until_comma(line, at)
        return str(value), _until_comma(line, end)[1]
    return _until_comma(line, at)


def _until_comma(line: str, at: int) -> tuple[str, int]:
    """What stands before the next comma, and where it goes on after that."""
    end = line.find(",", at)
    end = len(line) if end < 0 else end
    return line[at:end].strip(), end + 1


def _quoted(value: str) -> str:
    """The value as JSON where it could be misread, else as it stands."""
    plain = value and value == value.strip() and not re.search(r'[,:"\n\r\\]', value)
    return value if plain else json.dumps(value, ensure_ascii=False)


def _check_key(key: str) -> None:
    if not re.fullmatch(r"\w[\w \-/]*\w", key) or key in _OURS:
        raise RequestError(
            f"the key '{key}' cannot go into a picture's text: give letters, digits, spaces, - and "
            f"/ only, and none of {', '.join(_OURS)}"
        )


def _number(value: float) -> str:
    return repr(float(value)).removesuffix(".0")


def _whole(text: str, default: int) -> int:
    try:
        return int(text)
    except ValueError:
        return default


def _real(text: str, default: float) -> float:
    try:
        return float(text)
    except ValueError:
        return default


def _pair(text: str, default: tuple[int, int]) -> tuple[int, int]:
    """The numbers of "512x768"."""
    first, _, second = text.partition("x")
    try:
        return int(first), int(second)
    except ValueError:
        return default
