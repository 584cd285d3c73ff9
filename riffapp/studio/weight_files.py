"""What a model's file is, and whether it is whole, by its first bytes: nothing in it is run.

A safetensors file begins with eight bytes, the length of a JSON header that names every tensor, its
shape and its place; so names, family and the size that the whole file must have are known without
reading one tensor. Pickles can run code when they are read: they are told from outside only.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal

from riffapp.errors import UsageError
from riffapp.studio import checkpoints

Kind = Literal["checkpoint", "vae", "lora", "embedding", "upscaler", "restorer", "preview", "voice"]
CALLED: Mapping[Kind, str] = {
    "checkpoint": "a checkpoint",
    "vae": "a VAE",
    "lora": "a LoRA",
    "embedding": "an embedding",
    "upscaler": "an upscaler",
    "restorer": "a face restorer",
    "preview": "an autoencoder for previews",
    "voice": "a voice",
}
SAFE = ".safetensors"
PICKLES = (".ckpt", ".pt", ".pth", ".bin")
# As the safetensors library has it.
MAX_HEADER_BYTES = 100_000_000
UNKNOWN = ""

_LENGTH_BYTES = 8
_SNIFFED_BYTES = 1024
_MAX_AXES = 16
_BITS = {
    **{"BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8},
    **{"F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8},
    **{"U16": 16, "I16": 16, "F16": 16, "BF16": 16, "U32": 32, "I32": 32, "F32": 32},
    **{"U64": 64, "I64": 64, "F64": 64, "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6},
}
_LFS = b"version https://git-lfs.github.com/spec/"
_PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|\?xml)", re.IGNORECASE)
_ANSWER = re.compile(rb'\s*\{\s*"(?:error|message|detail)"')
_ZIP, _PICKLE, _GGUF = b"PK\x03\x04", re.compile(rb"\x80[\x02-\x05]"), b"GGUF"

# By the width of the words that a network reads.
FAMILIES = {768: "SD 1.x", 1024: "SD 2.x", 2048: "SDXL", 1280: "SDXL refiner"}
_UNET, _FIRST = "model.diffusion_model.", "model.diffusion_model.input_blocks.0.0.weight"
# The text encoders of single files, those of SDXL first: its refiner has one of the two stems.
_TOWERS = {
    "SDXL": ("conditioner.embedders.0.transformer.", "conditioner.embedders.1.model."),
    "SDXL refiner": ("conditioner.embedders.0.model.",),
    "SD 2.x": ("cond_stage_model.model.",),
    "SD 1.x": ("cond_stage_model.transformer.",),
}
_LORA = re.compile(
    r"^lora_(unet|te\d?)_|[._](lora_(up|down|mid|A|B)\b|lora\.(up|down)\b|lora_linear_layer\."
    r"|hada_[wt]\d|lokr_[wt]\d|oft_(blocks|diag)\b)"
)
_READS_WORDS = re.compile(
    r"attn2[._](?:processor\.)?to_[kv](?:_lora)?\."
    r"(?:lora_down\.|lora_A\.|lora\.down\.|lora_linear_layer\.down\.|down\.|hada_w1_b$)"
)
# (how a tensor's name begins, what the file is)
_NETWORKS: tuple[tuple[str, Kind], ...] = (
    ("stylegan_decoder.", "restorer"),
    ("quantize.embedding", "restorer"),
    ("conv_first.", "upscaler"),
    ("model.0.weight", "upscaler"),
    ("body.0.weight", "upscaler"),
)
_STRANGERS = (
    ("double_blocks.", "a model of FLUX's kind"),
    ("joint_blocks.", "a model of Stable Diffusion 3's kind"),
    ("control_model.", "a ControlNet"),
    ("controlnet_", "a ControlNet"),
)
_PARTS = ("down_blocks.", "text_model.", "encoder.down_blocks.")


@dataclass(frozen=True, kw_only=True, eq=False)
class Header:
    """What a whole safetensors file says of itself: shapes by tensor, texts, bytes of all of it."""

    shapes: Mapping[str, tuple[int, ...]]
    texts: Mapping[str, str]
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What a file holds, by its tensors' names; `kind` None is nothing that is read alone.

    `family` is one of FAMILIES, 'embedded', words for several, or empty where nothing tells it.
    """

    kind: Kind | None
    family: str = UNKNOWN
    words: str = ""


def read_header(path: Path) -> Header:
    """The header of a whole safetensors file.

    Raises UsageError for anything else, in a sentence: what the file is, and what to do.
    """
    size = _size(path)
    with path.open("rb") as file:
        head = file.read(_SNIFFED_BYTES)
        _refuse_others(path, head)
        length = int.from_bytes(head[:_LENGTH_BYTES], "little")
        if size < _LENGTH_BYTES or not 2 <= length <= MAX_HEADER_BYTES:
            raise UsageError(
                f"{called(path)} is no safetensors file, or damaged: download it again"
            )
        if size < _LENGTH_BYTES + length:
            raise _incomplete(path, size, f"more than {_LENGTH_BYTES + length:,}")
        file.seek(_LENGTH_BYTES)
        text = file.read(length)
    shapes, texts, end = _parsed(path, text)
    whole = _LENGTH_BYTES + length + end
    if size < whole:
        raise _incomplete(path, size, f"{whole:,}")
    if size > whole:
        raise UsageError(
            f"{called(path)} has {size - whole:,} bytes after its end, so two files were joined or "
            "one was written over: download it again"
        )
    return Header(shapes=shapes, texts=texts, bytes=whole)


def called(path: Path) -> str:
    """A file by its name and its folder's: 'unet/diffusion_pytorch_model.safetensors'."""
    return Path(*path.parts[-2:]).as_posix()


def refuse_unread(path: Path) -> None:
    """Raises UsageError for a pickle that is none, or not whole; its content is not read."""
    _size(path)
    with path.open("rb") as file:
        head = file.read(_SNIFFED_BYTES)
    is_zip = head.startswith(_ZIP)
    if is_zip and not zipfile.is_zipfile(path):  # its list of contents is the end of it
        raise UsageError(
            f"the file {called(path)} is incomplete: its end is missing, download again"
        )
    if is_zip or _PICKLE.match(head):
        return
    _refuse_others(path, head)
    raise UsageError(f"{called(path)} is neither a pickle nor anything known: download it again")


def layout_of(header: Header) -> Layout:
    """What the file holds."""
    names = header.shapes
    if len(names.get(_FIRST, ())) == 4:
        return _checkpoint(names)
    if any(_LORA.search(name) for name in names):
        widths = (shape[1] for name, shape in names.items() if _tells_width(name, shape))
        family = family_of(next(widths, 0)) or _stated(header.texts)
        return Layout(kind="lora", family=family)
    for begin, words in _STRANGERS:
        if any(name.removeprefix(_UNET).startswith(begin) for name in names):
            return Layout(kind=None, words=f"{words}, which riffapp does not read")
    if (vae := _vae(names)) is not None:
        return vae
    if set(names) & {"clip_l", "clip_g"}:
        return Layout(kind="embedding", family="SDXL" if "clip_l" in names else "SDXL refiner")
    if len(names) == 1:
        (shape,) = names.values()
        if len(shape) in (1, 2):
            return Layout(kind="embedding", family=family_of(shape[-1]))
    for begin, kind in _NETWORKS:
        if any(name.removeprefix("params_ema.").startswith(begin) for name in names):
            return Layout(kind=kind)
    if any(name.startswith(_PARTS) for name in names):
        return Layout(kind=None, words="one network of a model that is a folder: give the folder")
    first = min(names, default="none at all")[:80]
    return Layout(kind=None, words=f"of a layout that riffapp does not know (tensor '{first}')")


def family_of(width: int) -> str:
    """The family whose networks read words of that width; empty where none is known."""
    return FAMILIES.get(width) or ("embedded" if width in _embedded_widths() else UNKNOWN)


def _embedded_widths() -> set[int]:
    folders = (checkpoints.EMBEDDED / name for name in checkpoints.names())
    return {width_in(folder) for folder in folders} - {0}


def width_in(folder: Path) -> int:
    """The width of the words that the UNet in a checkpoint's folder reads; 0 where none is said."""
    try:
        config = json.loads((folder / "unet" / "config.json").read_text(encoding="utf-8"))
        return int(config["cross_attention_dim"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _size(path: Path) -> int:
    if not path.is_file():
        raise UsageError(f"{called(path)} is no file, or a link to one that is gone: fetch it anew")
    if (size := path.stat().st_size) == 0:
        raise UsageError(f"{called(path)} is empty: download it again")
    return size


def _refuse_others(path: Path, head: bytes) -> None:
    """What people get instead of weights, told by the first bytes."""
    if head.startswith(_LFS):
        meant = re.search(rb"^size (\d+)", head, re.MULTILINE)
        of = f" of {int(meant[1]):,} bytes" if meant else ""
        raise UsageError(
            f"{called(path)} is a git-LFS pointer, which only stands for the file{of}: run "
            "`git lfs pull` in its folder, or download the file itself"
        )
    if _PAGE.match(head) or _ANSWER.match(head):
        raise UsageError(
            f"{called(path)} is a web page, such as a login or an error, saved as a model: log in "
            "where it comes from and download it again"
        )
    if head.startswith(_GGUF):
        raise UsageError(f"{called(path)} is a GGUF file, which riffapp does not read: give {SAFE}")
    if head.startswith(_ZIP) or _PICKLE.match(head):
        raise UsageError(
            f"{called(path)} is a pickle or an archive under another name: riffapp does not open "
            f"it; give a {SAFE} file"
        )


def _incomplete(path: Path, size: int, whole: str) -> UsageError:
    return UsageError(
        f"the file {called(path)} is incomplete: {size:,} of {whole} bytes; download it again"
    )


def _parsed(path: Path, text: bytes) -> tuple[dict[str, tuple[int, ...]], dict[str, str], int]:
    """Shapes, texts, and where the last tensor ends; tensors must lie end to end."""
    try:
        plain: dict[str, Any] = dict(json.loads(text))
        texts = {str(k): str(v) for k, v in dict(plain.pop("__metadata__", {})).items()}
        shapes = {name: _counts(one["shape"]) for name, one in plain.items()}
        places = {name: _counts(one["data_offsets"]) for name, one in plain.items()}
        end = 0
        for name, (start, stop) in sorted(places.items(), key=lambda item: item[1]):
            if (bits := _BITS.get(plain[name]["dtype"])) is None:
                raise ValueError(f"numbers of a type that is not known, {plain[name]['dtype']}")
            if start != end or (stop - start) * 8 != prod(shapes[name]) * bits:
                raise ValueError("tensors overlap, or do not fit their places")
            end = stop
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(
            f"{called(path)} has a damaged header ({error!s:.80}): download it again"
        ) from error
    return shapes, texts, end


def _counts(given: Any) -> tuple[int, ...]:
    """Sizes or places of a tensor. Raises ValueError or TypeError for what cannot be."""
    if len(given) > _MAX_AXES or any(type(n) is not int or n < 0 for n in given):
        raise ValueError("sizes that cannot be")
    return tuple(given)


def _checkpoint(names: Mapping[str, tuple[int, ...]]) -> Layout:
    """A single file with a UNet in the names that it was published under."""
    for family, stems in _TOWERS.items():
        if all(any(name.startswith(stem) for name in names) for stem in stems):
            uses = {8: "to edit by instruction", 9: "for inpainting"}
            return Layout(kind="checkpoint", family=family, words=uses.get(names[_FIRST][1], ""))
    return Layout(kind=None, words="a UNet without its text encoder: give a whole checkpoint")


def _tells_width(name: str, shape: tuple[int, ...]) -> bool:
    return len(shape) > 1 and _READS_WORDS.search(name) is not None


def _stated(texts: Mapping[str, str]) -> str:
    """The family that a trainer wrote down."""
    said = f"{texts.get('modelspec.architecture', '')} {texts.get('ss_base_model_version', '')}"
    for sign, family in (("xl", "SDXL"), ("v2", "SD 2.x"), ("v1", "SD 1.x"), ("1.5", "SD 1.x")):
        if sign in said.lower():
            return family
    return UNKNOWN


def _vae(names: Mapping[str, tuple[int, ...]]) -> Layout | None:
    for stem in ("", "first_stage_model."):
        shape = names.get(f"{stem}decoder.conv_in.weight")
        if shape is not None and len(shape) == 4:
            # SD 1, 2 and XL have one layout: which it is only shows in the pictures
            family = "SD 1.x, 2.x or SDXL" if shape[1] == 4 else UNKNOWN
            return Layout(kind="vae", family=family, words=f"of {shape[1]} latent channels")
    return None
