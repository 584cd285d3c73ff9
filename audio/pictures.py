"""Spectrogram pictures as PNG files that say how they sound.

Ours carry text chunks: `spectrogram` (params and whether it is a circle), `tempo`, and the texts
of whoever made them. Riffusion's carry EXIF tags; time grids are written with both.
"""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from audio import disk, texts
from audio.errors import FileError, ParameterError
from audio.types import RIFFUSION, PowerCurve, SpectrogramParams, Tempo, TimeFrames

# Riffusion's EXIF tags (riffusion/spectrogram_params.py).
EXIF = {
    "rate": 11000,
    "stereo": 11005,
    "hop_ms": 11010,
    "window_ms": 11020,
    "padded_ms": 11030,
    "n_mels": 11040,
    "min_hz": 11050,
    "max_hz": 11060,
    "power": 11070,
    "max_value": 11080,
}
MAX_PIXELS = 1 << 26  # half an hour at Riffusion's height; 200 MB in memory
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = b"IEND\xaeB`\x82"  # the last chunk with its checksum, which Pillow does not ask for
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture and what its file says: `params` None where it does not say how it sounds."""

    image: Image.Image
    params: SpectrogramParams | None = None
    tempo: Tempo | None = None
    circular: bool = False
    texts: Mapping[str, str] = field(default_factory=dict)


def write(
    path: Path,
    image: Image.Image,
    params: SpectrogramParams,
    *,
    tempo: Tempo | None = None,
    circular: bool | None = None,
    texts: Mapping[str, str] | None = None,
) -> None:
    """Write a spectrogram picture; `circular` None: what has a tempo is a circle.

    The same picture and settings give the same bytes. Raises MachineError for a full disk.
    """
    if circular is None:
        circular = tempo is not None
    picture = Picture(image=image, params=params, tempo=tempo, circular=circular, texts=texts or {})
    disk.write_whole(path, encode(picture))


def encode(picture: Picture) -> bytes:
    """The PNG file's bytes."""
    chunks = PngImagePlugin.PngInfo()
    for name, text in _all_texts(picture).items():
        chunks.add_text(name, text)
    out = io.BytesIO()
    exif = _exif(picture.params)
    picture.image.convert("RGB").save(out, "PNG", pnginfo=chunks, exif=exif)
    return out.getvalue()


def read(path: Path) -> Picture:
    """A picture and what it says. Raises FileError for what is no PNG, is cut short or damaged."""
    data = disk.read_whole(path)
    if not data:
        raise FileError(f"{path} is empty: give a PNG picture")
    if not data.startswith(_SIGNATURE):
        raise FileError(f"{path} is no PNG picture: give one")
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as checked:
            if _END not in data:
                raise EOFError("its end is missing")
            if checked.width * checked.height > MAX_PIXELS:
                raise ValueError(f"{checked.width} x {checked.height} pixels")
            checked.verify()  # every chunk whole, every checksum right
        with Image.open(io.BytesIO(data), formats=["PNG"]) as opened:
            opened.load()
    except (*_DAMAGE, Image.DecompressionBombError) as error:
        raise FileError(f"{path} is damaged or cut short ({error}): give a whole PNG") from error
    try:
        return _picture(opened)
    except ParameterError as error:
        raise FileError(f"{path} says impossible things of its sound: {error}") from error


def _all_texts(picture: Picture) -> dict[str, str]:
    found = texts.checked(picture.texts)
    if picture.params is not None:
        plain = {"params": picture.params.to_json(), "circular": picture.circular}
        found[texts.SPECTROGRAM] = json.dumps(plain, sort_keys=True)
    if picture.tempo is not None:
        found[texts.TEMPO] = texts.of_tempo(picture.tempo)
    return found


def _exif(params: SpectrogramParams | None) -> Image.Exif | None:
    """Riffusion's tags, for what Riffusion could play."""
    if params is None or not isinstance(params.frames, TimeFrames):
        return None
    if not isinstance(params.curve, PowerCurve):
        return None
    frames, curve = params.frames, params.curve
    values: dict[str, Any] = {
        "rate": params.rate,
        "stereo": int(params.stereo),
        "hop_ms": _whole(frames.hop_ms),
        "window_ms": _whole(frames.window_ms),
        "padded_ms": _whole(frames.padded_ms),
        "n_mels": params.n_mels,
        "min_hz": _whole(params.min_hz),
        "max_hz": _whole(params.max_hz),
        "power": curve.power,
    }
    if curve.max_value is not None:
        values["max_value"] = float(curve.max_value)
    exif = Image.Exif()
    for name, value in values.items():
        exif[EXIF[name]] = value
    return exif


def _whole(value: float) -> int | float:
    """Riffusion reads whole numbers here; a fraction goes as it is."""
    return int(value) if value == int(value) else value


def _picture(opened: Image.Image) -> Picture:
    said = {k: str(v) for k, v in getattr(opened, "text", {}).items()}
    params, circular = _params(said.pop(texts.SPECTROGRAM, None))
    tempo = said.pop(texts.TEMPO, None)
    return Picture(
        image=opened.convert("RGB"),
        params=params or _params_of_exif(opened.getexif()),
        tempo=None if tempo is None else texts.to_tempo(tempo),
        circular=circular,
        texts=said,
    )


def _params(text: str | None) -> tuple[SpectrogramParams | None, bool]:
    if text is None:
        return None, False
    try:
        plain = json.loads(text)
        return SpectrogramParams.from_json(plain["params"]), bool(plain.get("circular", False))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ParameterError(f"its text '{texts.SPECTROGRAM}' is damaged") from error


def _params_of_exif(exif: Mapping[int, Any]) -> SpectrogramParams | None:
    """Params from Riffusion's tags, each missing one by Riffusion's default; None without any."""
    values = {name: exif[tag] for name, tag in EXIF.items() if tag in exif}
    if not values:
        return None
    try:
        numbers = {name: float(value) for name, value in values.items()}
    except (ValueError, TypeError, ZeroDivisionError) as error:
        raise ParameterError("its EXIF tags are no numbers") from error
    frames, curve = TimeFrames(), PowerCurve()
    return SpectrogramParams(
        rate=int(numbers.get("rate", RIFFUSION.rate)),
        stereo=bool(numbers.get("stereo", RIFFUSION.stereo)),
        n_mels=int(numbers.get("n_mels", RIFFUSION.n_mels)),
        min_hz=numbers.get("min_hz", RIFFUSION.min_hz),
        max_hz=numbers.get("max_hz", RIFFUSION.max_hz),
        frames=TimeFrames(
            hop_ms=numbers.get("hop_ms", frames.hop_ms),
            window_ms=numbers.get("window_ms", frames.window_ms),
            padded_ms=numbers.get("padded_ms", frames.padded_ms),
        ),
        curve=PowerCurve(
            power=numbers.get("power", curve.power), max_value=numbers.get("max_value") or None
        ),
    )
