"""Every setting of a loop, inside its files: written, and read back into a request.

Two texts go into each PNG and sound file:

    parameters   the text that picture tools have always written: prompt, negative prompt, and one
                 line "Steps: 16, Sampler: DPM++ 2M, ..." that people and other programs read
    riffapp      one JSON document with "kind": "loop", "version", "request" and "origin"

Reading is kind: a key of a later version is passed over, a missing one takes its default, and
where the JSON was lost on the way the `parameters` text still makes a request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from riffapp.errors import UsageError
from riffapp.studio.types import (
    METER,
    Journey,
    LoopRequest,
    LoopResult,
    Mark,
    Origin,
    Timeline,
    Variant,
)

if TYPE_CHECKING:
    from riffapp.studio.remake import Remade
    from sdcore.types import ImageRequest

PARAMETERS, DOCUMENT = "parameters", "riffapp"
VERSION = 1
MAX_CHARS = 65536


@dataclass(frozen=True, kw_only=True)
class Record:
    """What a file says of itself: the request that makes it again, and what made it."""

    request: LoopRequest
    origin: Origin | None = None
    # Of what was made from another sound: its sha256, and how far it was drawn from it.
    source: Mapping[str, Any] | None = None


def texts(result: LoopResult) -> dict[str, str]:
    """The two texts that go into a loop's files."""
    text = document("loop", request=asdict(result.request), origin=asdict(result.origin))
    return {PARAMETERS: parameters(result), DOCUMENT: text}


def remade_texts(remade: Remade) -> dict[str, str]:
    """The text that goes into the files of what was made from another sound."""
    source = {
        "sha256": remade.canvas.sha256,
        "lead": remade.canvas.lead,
        "strength": remade.strength,
    }
    text = document(
        "remake", request=asdict(remade.request), origin=asdict(remade.origin), source=source
    )
    return {DOCUMENT: text}


def document(kind: str, **parts: dict[str, Any]) -> str:
    """The JSON text of a file of ours; `kind` says what it is."""
    return json.dumps({"kind": kind, "version": VERSION, **parts}, sort_keys=True)


def parameters(result: LoopResult) -> str:
    """The human-readable text: the picture core's, with what makes a picture a loop behind it."""
    from sdcore import infotext
    from sdcore.types import ImageResult

    request, origin = result.request, result.origin
    extra = {
        "BPM": f"{request.bpm!r}".removesuffix(".0"),
        "Bars": str(request.bars),
        "Meter": request.meter,
        "Key": request.key or "",
        "Quality": request.quality,
        "Detail": "on" if request.detail else "",
        "Rate": str(request.rate),
        "Bit depth": request.bit_depth,
        "Device": origin.device,
        "Threads": str(origin.threads),
        "Version": f"riffapp {origin.riffapp}",
    }
    drawn = ImageResult(
        images=(result.picture,),
        request=_as_image(request, *result.picture.size),
        seeds=(request.seed,),
        model=request.checkpoint,
        sha256=origin.sha256,
    )
    return infotext.write(drawn, extra={name: text for name, text in extra.items() if text})


def _as_image(request: LoopRequest, width: int, height: int) -> ImageRequest:
    """The resolved request in the picture core's terms, with the person's own words."""
    from sdcore.types import ImageRequest

    assert request.steps is not None and request.cfg is not None  # results are resolved
    assert request.sampler is not None and request.schedule is not None
    return ImageRequest(
        prompt=request.prompt,
        negative=request.negative,
        seed=request.seed,
        width=width,
        height=height,
        steps=request.steps,
        cfg=request.cfg,
        sampler=request.sampler,
        schedule=request.schedule,
        tiling="x",
    )


def read(tags: Mapping[str, str]) -> Record | None:
    """The record in a file's texts; None where they hold no loop of ours.

    Raises UsageError for a record that is damaged or longer than 64 KiB.
    """
    if DOCUMENT in tags:
        return _from_document(_bounded(tags[DOCUMENT]))
    if PARAMETERS in tags:
        return _from_parameters(_bounded(tags[PARAMETERS]))
    return None


def _bounded(text: str) -> str:
    if len(text) > MAX_CHARS:
        raise UsageError(f"the file's settings have {len(text)} characters: at most {MAX_CHARS}")
    return text


def _from_document(text: str) -> Record | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the file's settings are damaged ({error})") from error
    if not isinstance(found, dict) or found.get("kind") not in ("loop", "remake"):
        return None
    request = _read(LoopRequest, found.get("request"))
    origin = found.get("origin")
    source = found.get("source")
    return Record(
        request=request,
        origin=None if origin is None else _read(Origin, origin),
        source=source if isinstance(source, dict) else None,
    )


def _read(cls: type[Any], plain: Any) -> Any:
    """A frozen dataclass from plain data: unknown keys passed over, missing ones by default."""
    if not isinstance(plain, dict):
        raise UsageError(f"the file's settings are damaged: no {cls.__name__}")
    values = {f.name: _checked(f, plain[f.name]) for f in fields(cls) if f.name in plain}
    lacking = [f.name for f in fields(cls) if f.name not in values and f.default is MISSING]
    if lacking:
        raise UsageError(f"the file's settings are damaged: '{lacking[0]}' is missing")
    return cls(**values)


# Annotations are text here (postponed); this is all that the two records hold.
_KINDS: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "str": (str,),
    "int": (int,),
    "float": (float, int),
    "str | None": (str, type(None)),
    "int | None": (int, type(None)),
    "float | None": (float, int, type(None)),
}


_PARTS: dict[str, type[Any]] = {
    "Timeline | None": Timeline,
    "Journey | None": Journey,
    "Variant | None": Variant,
}


def _checked(f: Field[Any], value: Any) -> Any:
    kind = str(f.type)
    if kind in _PARTS:
        return None if value is None else _read(_PARTS[kind], value)
    if kind == "tuple[Mark, ...]" and isinstance(value, list):
        return tuple(_read(Mark, mark) for mark in value)
    is_number = isinstance(value, bool) and kind != "bool"
    if is_number or not isinstance(value, _KINDS.get(kind, ())):
        raise UsageError(f"the file's settings are damaged: '{f.name}' is {value!r}")
    return value


def _from_parameters(text: str) -> Record | None:
    """A request from the human-readable text alone; None where it is another program's."""
    from sdcore import infotext

    found = infotext.read(text)
    image, extra = found.request, found.extra
    if "BPM" not in extra or "Bars" not in extra:
        return None
    try:
        request = LoopRequest(
            prompt=image.prompt,
            negative=image.negative,
            bpm=float(extra["BPM"]),
            bars=int(extra["Bars"]),
            meter=extra.get("Meter", METER),
            key=extra.get("Key"),
            seed=image.seed,
            steps=image.steps,
            cfg=image.cfg,
            sampler=image.sampler,
            schedule=image.schedule,
            quality=extra.get("Quality", "fast"),
            detail=extra.get("Detail") == "on",
            rate=int(extra.get("Rate", "44100")),
            bit_depth=extra.get("Bit depth", "16"),
            checkpoint=found.model or "loops",
        )
    except ValueError as error:
        raise UsageError(f"the file's settings are damaged ({error})") from error
    return Record(request=request)
