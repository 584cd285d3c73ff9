"""LoRA tags, read.

    <lora:name>                  strength 1
    <lora:name:0.8>              0.8 in the text encoder and in the UNet
    <lora:name:0.8:0.5>          0.8 in the text encoder, 0.5 in the UNet
    <lora:name:te=0.8:unet=0.5>  the same
    <lora:name:0.2@0,1@0.5>      0.2 at the start, rising to 1 at half of the steps

After the @ stands a moment as in prompt editing: a number with a point or an exponent is a share
of the steps, one without counts steps. Between points lie straight lines, before the first point
its strength holds, after the last one the last one's; two points at one moment are a jump. (This
is the form of the field's extension loractl; plain numbers are the reference's.)
"""

from __future__ import annotations

import re
from math import isfinite

from sdcore.prompt.ast import Lora, Point, Strength, When

_UNSIGNED = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_WHEN = re.compile(rf"\s*({_UNSIGNED})\s*")
_NUMBER = re.compile(rf"\s*([+-]?{_UNSIGNED})\s*")
# What a tag may say, in the order in which it may leave the names out.
_PLACES = ("te", "unet", "dyn")


def tag(body: str) -> tuple[Lora | None, str]:
    """The LoRA of what stands between `<lora:` and `>`, and what is wrong or left out, or ''."""
    name, *arguments = body.split(":")
    named = {
        key.strip(): value
        for key, equals, value in (argument.partition("=") for argument in arguments)
        if equals
    }
    placed = [argument for argument in arguments if "=" not in argument]
    values = dict(zip(_PLACES, placed, strict=False)) | named
    te = strength(values.get("te", "1"))
    unet = te if "unet" not in values else strength(values["unet"])
    if not name.strip() or te is None or unet is None:
        return None, "is no LoRA: write <lora:name:1>, <lora:name:1:0.5> or <lora:name:0.2@0,1@0.5>"
    ignored = [key for key in values if key not in ("te", "unet")] + placed[len(_PLACES) :]
    told = f"says {', '.join(ignored)[:60]}, which is left out: te and unet are served"
    return Lora(name.strip(), te, unet), told if ignored else ""


def strength(text: str) -> Strength | None:
    """The strength that a text says; None where it says none."""
    if "@" not in text:
        return _number(text)
    points = []
    for point in text.split(","):
        value, _, moment = point.partition("@")
        found, at = _number(value), when(moment)
        if found is None or at is None:
            return None
        points.append(Point(found, at))
    return tuple(points)


def when(text: str) -> When | None:
    """The moment that a text says, a share where it has a point or an exponent; None for none."""
    match = _WHEN.fullmatch(text)
    if match is None or not isfinite(float(match[1])):
        return None
    return When(float(match[1]), any(sign in match[1] for sign in ".eE"))


def _number(text: str) -> float | None:
    match = _NUMBER.fullmatch(text)
    if match is None or not isfinite(float(match[1])):
        return None
    return float(match[1])
