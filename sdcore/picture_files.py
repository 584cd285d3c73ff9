"""Pictures in files, with the text of how they were made inside.

PNG holds it as a tEXt chunk "parameters" (iTXt where it is not Latin-1), JPEG and WebP as EXIF's
UserComment, GIF as its comment: where A1111 and its kin look for it.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from PIL import ExifTags, Image, PngImagePlugin

from sdcore.errors import MachineError, RequestError

PARAMETERS = "parameters"
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
JPEG_QUALITY = 95
# EXIF 2.32, table 9: the eight bytes that say how a comment is written.
_UNICODE, _ASCII = b"UNICODE\x00", b"ASCII\x00\x00\x00"
# What NovelAI calls the fields of the text, and how it names its samplers.
_NOVELAI = {"k_euler": "Euler", "k_euler_ancestral": "Euler a", "k_dpmpp_2m": "DPM++ 2M"}


def write(
    path: Path, picture: Image.Image, text: str, *, chunks: Mapping[str, str] | None = None
) -> None:
    """The picture as a PNG, JPEG or WebP (lossless) file, whole or not at all.

    Args:
        path: its suffix says the format.
        picture: 'RGB'.
        text: the parameters.
        chunks: further texts by keyword, which PNG alone holds.
    Raises:
        RequestError: another suffix. MachineError: the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise RequestError(
            f"{path.name} is no picture's name that can be written: give {', '.join(SUFFIXES)}"
        )
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}", suffix=suffix)
        os.close(handle)
        temporary = Path(name)
        try:
            _save(temporary, picture, text, chunks or {})
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise MachineError(f"{path} cannot be written: {error.strerror or error}") from error


def _save(path: Path, picture: Image.Image, text: str, chunks: Mapping[str, str]) -> None:
    suffix = path.suffix
    if suffix == ".png":
        info = PngImagePlugin.PngInfo()
        for keyword, said in {PARAMETERS: text, **chunks}.items():
            info.add_text(keyword, said)
        picture.save(path, pnginfo=info)
        return
    exif = Image.Exif()
    comment = _UNICODE + text.encode("utf-16-be")
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
    if suffix == ".webp":
        picture.save(path, exif=exif, lossless=True)
    else:
        picture.save(path, exif=exif, quality=JPEG_QUALITY)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def read(path: Path) -> str | None:
    """The parameters in a PNG, JPEG, WebP or GIF; None where it holds none.

    NovelAI's own form is brought to the field's.

    Raises:
        RequestError: no file, or no picture.
    """
    try:
        with Image.open(path) as picture:
            return text_of(picture)
    except FileNotFoundError as error:
        raise RequestError(f"{path} is not there: give a picture's file") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise RequestError(f"{path} is no picture that can be read: {error}") from error


def text_of(picture: Image.Image) -> str | None:
    """The parameters in an open picture; None where it holds none."""
    info = picture.info
    if isinstance(info.get(PARAMETERS), str):
        return str(info[PARAMETERS])
    if info.get("Software") == "NovelAI" and isinstance(info.get("Comment"), str):
        return _of_novelai(str(info.get("Description", "")), str(info["Comment"]))
    comment = picture.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
    if comment:
        return _decoded(comment)
    if picture.format == "GIF" and info.get("comment"):
        return _decoded(info["comment"])
    return None


def _decoded(comment: bytes | str) -> str:
    if isinstance(comment, str):
        return comment
    if comment.startswith(_UNICODE):
        raw = comment[len(_UNICODE) :]
        # The order of the bytes is that of the file, which writers do not agree on: in either,
        # Latin text has its zeros in the high bytes.
        is_little = raw[:2] == b"\xff\xfe" or raw[1::2].count(0) > raw[::2].count(0)
        return raw.decode("utf-16-le" if is_little else "utf-16-be", "replace").lstrip("\ufeff")
    return comment.removeprefix(_ASCII).decode("utf-8", "replace")


def _of_novelai(prompt: str, comment: str) -> str | None:
    try:
        said = json.loads(comment)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    sampler = str(said.get("sampler", ""))
    facts = {
        "Steps": said.get("steps"),
        "Sampler": _NOVELAI.get(sampler, "Euler a"),
        "CFG scale": said.get("scale"),
        "Seed": said.get("seed"),
        "Clip skip": 2,
        "ENSD": 31337,
    }
    line = ", ".join(f"{key}: {value}" for key, value in facts.items() if value is not None)
    negative = str(said.get("uc", ""))
    between = f"Negative prompt: {negative}\n" if negative else ""
    return f"{prompt}\n{between}{line}"
