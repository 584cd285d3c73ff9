"""The text that a picture carries: its request, in the form of the field's 'parameters'.

    prompt
    Negative prompt: ...                     only where there is one
    Steps: 20, Sampler: Euler, ..., Key: "a value, with a comma"

Keys, order and quotes are A1111's; what it has no key for is said with keys of ours. Where a prompt
could not be told from what follows it (it has a line "Negative prompt:", say), it is written once
more, as the value of "Prompt" or "Negative"; readers that do not know these keys lose nothing.

No picture is in the text: a request that began from one is read without, and `with_pictures` gives
it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from PIL.Image import Image

from sdcore.errors import RequestError
from sdcore.infotext import older
from sdcore.infotext.keys import (
    FIRST,
    LAST,
    OPTION,
    OPTIONS,
    PARTS,
    REAL,
    heard,
    said,
)
from sdcore.infotext.line import KEY, joined, number, parted
from sdcore.types import (
    Alternative,
    Faces,
    Guidance,
    Hires,
    ImageRequest,
    ImageResult,
    Mask,
    Refiner,
    Soft,
    Start,
    Variation,
)

__all__ = ["HASH_DIGITS", "Infotext", "number", "read", "text", "with_pictures", "write"]

# As the field writes it; 10 hex digits of the sha256.
HASH_DIGITS = 10
STRENGTH, HIRES_STRENGTH = "Denoising strength", "Hires denoising strength"
_SOFT, _UNSHOWN = "Soft inpainting enabled", "Conditional mask weight"
# Those of a request; nobody else may give them.
_OURS = frozenset(
    [row.key for rows in PARTS.values() for row in rows]
    + [*OPTIONS.values(), *older.KEYS, STRENGTH, HIRES_STRENGTH, _SOFT, _UNSHOWN]
    + ["Model", "Model hash", "Prompt", "Negative", "Negative prompt"]
)
_KNOWN = _OURS | {*FIRST, *LAST}


@dataclass(frozen=True, kw_only=True)
class Infotext:
    """What a picture's text says."""

    # Of this one image: batch 1, its own seed. Values that the text lacks have their defaults;
    # pictures, and the parts that are nothing without one, are absent.
    request: ImageRequest
    # The fields of a Start and a Mask, all but their pictures; None where the text has none.
    start: Mapping[str, Any] | None = None
    mask: Mapping[str, Any] | None = None
    model: str = ""
    model_hash: str = ""
    # All other keys, as they stand.
    extra: Mapping[str, str] = field(default_factory=dict)
    # Sentences on what the program that wrote the text meant otherwise.
    notes: tuple[str, ...] = ()


def write(result: ImageResult, *, image: int = 0, extra: Mapping[str, str] | None = None) -> str:
    """The text of one of the result's images; see `text`."""
    model = {"Model hash": result.sha256[:HASH_DIGITS], "Model": result.model}
    told = {key: value for key, value in model.items() if value}
    return _text(result.request.single(image), told, extra or {})


def text(request: ImageRequest, *, extra: Mapping[str, str] | None = None) -> str:
    """The text of a resolved request for one image; `extra` keys stand where the reference has
    them, else behind the request's, in their order.

    Raises:
        RequestError: an extra key that is one of ours, or that could not be read again.
    """
    return _text(request, {}, extra or {})


def read(text: str) -> Infotext:
    """What the text says, in time linear in its length; any text is read.

    A last line of fewer than three "Key: value" is taken as prompt. A value that cannot be meant
    (Steps: many) keeps its default.
    """
    prompt, negative, values = parted(text, _KNOWN)
    notes = older.notes(values, prompt + negative)
    values = older.modern(values)
    start, mask = _start(values), _mask(values)
    request = ImageRequest(
        prompt=values.pop("Prompt", prompt),
        negative=values.pop("Negative", negative),
        hires=_hires(values),
        guidance=Guidance(**heard(Guidance, values) or {}),
        variation=_part(Variation, values),
        refiner=_part(Refiner, values) if "Refiner" in values else None,
        faces=_part(Faces, values),
        sampler_options=_options(values),
        **heard(ImageRequest, values) or {},
    )
    return Infotext(
        request=request,
        start=start,
        mask=mask,
        model=values.pop("Model", ""),
        model_hash=values.pop("Model hash", ""),
        extra=values,
        notes=notes,
    )


def with_pictures(
    found: Infotext,
    *,
    start: Image | None = None,
    mask: Image | None = None,
    first: Image | None = None,
) -> ImageRequest:
    """The request with the pictures that its text could not hold.

    `start` and `mask` make a Start and a Mask, with the text's numbers where it has them; `first`
    is the first pass's picture for hires. A part whose picture is not given stays absent.

    Raises:
        RequestError: a `first` for a request without hires.
    """
    request = found.request
    if start is not None:
        request = replace(request, start=Start(image=start, **found.start or {}))
    if mask is not None:
        request = replace(request, mask=Mask(image=mask, **found.mask or {}))
    if first is None:
        return request
    if request.hires is None:
        raise RequestError("a first pass's picture for a request without hires: leave it out")
    return replace(request, hires=replace(request.hires, first=first))


def _text(request: ImageRequest, model: dict[str, str], extra: Mapping[str, str]) -> str:
    for key in extra:
        _check_key(key)
    values = _values(request) | model | dict(extra)
    if older.version(extra.get("Version", "")) is not None:
        values["Compat"] = request.compat
    values = dict(sorted(values.items(), key=lambda pair: _rank(pair[0])))
    back = read(joined(request.prompt, request.negative, values)).request
    if back.prompt != request.prompt:
        values["Prompt"] = request.prompt
    if back.negative != request.negative:
        values["Negative"] = request.negative
    return joined(request.prompt, request.negative, values)


def _rank(key: str) -> int:
    if key in FIRST:
        return FIRST.index(key)
    return len(FIRST) + (LAST.index(key) + 1 if key in LAST else 0)


def _values(request: ImageRequest) -> dict[str, str]:
    """The pairs that say all of a request but its prompts and pictures."""
    values = said(request) | said(request.guidance)
    for part in (request.variation, request.faces, request.refiner):
        values |= {} if part is None else said(part)
    for name, value in request.sampler_options.items():
        values[OPTIONS.get(name, OPTION + name)] = number(value)
    if request.hires is not None:
        values |= _hires_values(request.hires, alone=request.start is None)
    if request.start is not None:
        values |= {STRENGTH: number(request.start.strength)} | said(request.start)
        if request.start.alternative is not None:
            values |= said(request.start.alternative)
    if request.mask is not None:
        values |= _mask_values(request.mask)
    return values


def _hires_values(hires: Hires, *, alone: bool) -> dict[str, str]:
    """`alone`: no start, whose strength would stand under the same key."""
    values = {STRENGTH if alone else HIRES_STRENGTH: number(hires.strength)}
    if not (hires.width or hires.height):
        values["Hires upscale"] = number(hires.scale)
    return values | said(hires)


def _mask_values(mask: Mask) -> dict[str, str]:
    values = said(mask)
    if mask.conditioning_strength != 1.0:
        values[_UNSHOWN] = number(mask.conditioning_strength)
    if mask.soft is not None:
        values |= {_SOFT: "True"} | said(mask.soft)
    return values


def _part(kind: type[Any], values: dict[str, str]) -> Any:
    found = heard(kind, values)
    return None if found is None else kind(**found)


def _start(values: dict[str, str]) -> dict[str, Any] | None:
    """A strength is a start's, unless it is that of hires."""
    found, alternative = heard(Start, values), _part(Alternative, values)
    has_hires = any(row.key in values for row in PARTS[Hires])
    if STRENGTH not in values or has_hires and HIRES_STRENGTH not in values:
        return found
    strength = _real(values.pop(STRENGTH), Start.strength)
    return {"strength": strength, "alternative": alternative} | (found or {})


def _mask(values: dict[str, str]) -> dict[str, Any] | None:
    soft = heard(Soft, values)
    if values.pop(_SOFT, "False") == "True":
        soft = soft or {}
    found = heard(Mask, values)
    if found is None and soft is None:
        return None
    found = found or {}
    if _UNSHOWN in values:
        found["conditioning_strength"] = _real(values.pop(_UNSHOWN), Mask.conditioning_strength)
    return found | {"soft": None if soft is None else Soft(**soft)}


def _hires(values: dict[str, str]) -> Hires | None:
    found = heard(Hires, values)
    told = next((key for key in (HIRES_STRENGTH, STRENGTH) if key in values), None)
    if found is None:
        return None
    strength = Hires.strength if told is None else _real(values.pop(told), Hires.strength)
    return Hires(strength=strength, **found)


def _options(values: dict[str, str]) -> dict[str, float]:
    found = {}
    names = {key: name for name, key in OPTIONS.items()}
    names |= {key: key.removeprefix(OPTION) for key in values if key.startswith(OPTION)}
    for key, name in names.items():
        if key in values:
            try:
                found[name] = REAL.read(values.pop(key))
            except ValueError:
                continue
    return found


def _real(text: str, default: float) -> float:
    try:
        return float(REAL.read(text))
    except ValueError:
        return default


def _check_key(key: str) -> None:
    if not KEY.fullmatch(key) or key in _OURS or key.startswith(OPTION):
        raise RequestError(
            f"the key '{key}' cannot go into a picture's text: give letters, digits, spaces, - and "
            "/ only, and none that says something of the request"
        )
