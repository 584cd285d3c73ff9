"""Two or three single-file checkpoints into one, tensor by tensor.

Never more than one tensor of each file is in memory: the new file's header is known from theirs.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from sdcore.errors import ModelError, RequestError, lookup
from sdcore.models.files import sha256
from sdcore.models.layout import VAE

Method = Literal["weighted sum", "add difference", "no interpolation"]
Precision = Literal["fp32", "fp16", "bf16"]
# How many files each method takes.
METHODS: dict[str, int] = {"weighted sum": 2, "add difference": 3, "no interpolation": 1}
PRECISIONS: dict[str, torch.dtype] = {
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}
# As the safetensors format calls them.
_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_CALLED = {dtype: name for name, dtype in _TYPES.items()}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is merged, and how."""

    # .safetensors files: A, then B, then C.
    files: tuple[Path, ...]
    method: Method = "weighted sum"
    # M in (1 - M) A + M B, and in A + M (B - C).
    multiplier: float = 0.3
    # An autoencoder that is put in instead of A's.
    vae: Path | None = None
    # Tensors whose name has a match of this are left out; empty is none.
    discard: str = ""
    # None leaves A's as they are.
    precision: Precision | None = None


def merge(recipe: Recipe, out: Path) -> Path:
    """Write the merged checkpoint to `out`, with the recipe in its header, and give `out` back.

    Computed in float32. A tensor that A alone has stays; one that A has not is left out; whole
    numbers are A's. Where A is an inpainting or InstructPix2Pix checkpoint and the others are
    not, the first convolution is merged in its first 4 channels, and is A's in the rest.

    Raises:
        RequestError: a number of files that the method does not take, or a bad multiplier or regex.
        ModelError: files that are broken, or of different families.
    """
    discarded = _checked(recipe, out)
    part = out.with_name(f".{out.name}.part")
    try:
        with ExitStack() as stack:
            opened = [stack.enter_context(_opened(path)) for path in recipe.files]
            baked = None if recipe.vae is None else stack.enter_context(_opened(recipe.vae))
            names = [name for name in opened[0].keys() if not discarded(name)]  # noqa: SIM118
            swapped = {} if baked is None else _swapped(names, baked, recipe)
            types = {name: _type(name, swapped, opened[0], baked, recipe) for name in names}
            _write(
                part,
                {name: (types[name], _shape(opened[0], name)) for name in names},
                _header(recipe, opened[0].metadata() or {}),
                lambda name: (
                    baked.get_tensor(swapped[name])
                    if baked is not None and name in swapped
                    else _merged(recipe, name, opened)
                ),
            )
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)
    return out


def _checked(recipe: Recipe, out: Path) -> Callable[[str], object]:
    """What tells the names that are discarded, of a recipe that can be followed."""
    wanted = lookup(METHODS, recipe.method, "way to merge")
    if len(recipe.files) != wanted:
        raise RequestError(f"{len(recipe.files)} checkpoints for '{recipe.method}': give {wanted}")
    if recipe.precision is not None:
        lookup(PRECISIONS, recipe.precision, "precision")
    if not isfinite(recipe.multiplier):
        raise RequestError(f"a multiplier of {recipe.multiplier}: give a number, most often 0 to 1")
    for path in (out, *recipe.files, *((recipe.vae,) if recipe.vae else ())):
        if path.suffix != ".safetensors":
            raise RequestError(f"{path} is no .safetensors file: merging reads and writes these")
    try:
        pattern = re.compile(recipe.discard)
    except re.error as error:
        raise RequestError(
            f"'{recipe.discard}' is no regular expression ({error}): give one of tensors' names"
        ) from None
    return pattern.search if recipe.discard else lambda name: None


def _opened(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{path} is missing or no safetensors file ({error}): give a single-file checkpoint"
        ) from None


def _shape(file: Any, name: str) -> tuple[int, ...]:
    return tuple(file.get_slice(name).get_shape())


def _swapped(names: list[str], baked: Any, recipe: Recipe) -> dict[str, str]:
    """{name in the checkpoint: name in the VAE's file} of the autoencoder's tensors."""
    there = {f"{VAE}{name.removeprefix(VAE)}": name for name in baked.keys()}  # noqa: SIM118
    wanted = [name for name in names if name.startswith(VAE)]
    missing = [name for name in wanted if name not in there]
    if missing or not wanted:
        lacking = missing[0] if missing else f"{recipe.files[0].name}'s autoencoder"
        raise ModelError(
            f"{recipe.vae} cannot be put into {recipe.files[0].name}, for it has no {lacking}: "
            "give a VAE of its family in one file"
        )
    return {name: there[name] for name in wanted}


def _type(
    name: str, swapped: Mapping[str, str], first: Any, baked: Any, recipe: Recipe
) -> torch.dtype:
    """The dtype that the tensor gets."""
    file, called = (baked, swapped[name]) if name in swapped else (first, name)
    if name in swapped and _shape(baked, called) != _shape(first, name):
        raise ModelError(
            f"{recipe.vae} has {called} of shape {_shape(baked, called)}, where "
            f"{recipe.files[0].name} has {_shape(first, name)}: give a VAE of its family"
        )
    dtype = _TYPES[file.get_slice(called).get_dtype()]
    wanted = dtype if recipe.precision is None else PRECISIONS[recipe.precision]
    return wanted if dtype.is_floating_point else dtype


def _merged(recipe: Recipe, name: str, files: list[Any]) -> Tensor:
    """The tensor as the method makes it."""
    first: Tensor = files[0].get_tensor(name)
    others = [file.get_tensor(name) if name in file.keys() else None for file in files[1:]]  # noqa: SIM118
    if not others or others[0] is None or not first.is_floating_point():
        return first
    a, b = first.float(), others[0].float()
    if recipe.method == "weighted sum":
        room, b = _common(a, b, name, recipe)
        room.copy_((1 - recipe.multiplier) * room + recipe.multiplier * b)
    elif others[1] is not None:
        c = others[1].float()
        b, c = _common(b, c, name, recipe)
        room, difference = _common(a, b - c, name, recipe)
        room += recipe.multiplier * difference
    return a


def _common(a: Tensor, b: Tensor, name: str, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """The part of A that is merged, a view, and B."""
    if a.shape == b.shape:
        return a, b
    wider = a.ndim == b.ndim == 4 and a.shape[1] in (8, 9) and b.shape[1] == 4
    if wider and a[:, :4].shape == b.shape:
        return a[:, :4], b
    narrower = a.ndim == b.ndim == 4 and a.shape[1] == 4 and b.shape[1] in (8, 9)
    reason = "put the inpainting or InstructPix2Pix checkpoint first" if narrower else "give files"
    raise ModelError(
        f"{name} is of shape {tuple(a.shape)} in one of {', '.join(p.name for p in recipe.files)} "
        f"and of {tuple(b.shape)} in another: {reason}"
        f"{'' if narrower else ' of one family'}"
    )


def _header(recipe: Recipe, first: Mapping[str, str]) -> dict[str, str]:
    """What the new file says of itself: A's model specification, and the recipe."""
    said = {
        "type": "riffapp",
        "method": recipe.method,
        "multiplier": recipe.multiplier,
        "files": [{"name": path.name, "sha256": sha256([path])} for path in recipe.files],
        "vae": recipe.vae.name if recipe.vae else None,
        "discard": recipe.discard,
        "precision": recipe.precision,
    }
    kept = {name: value for name, value in first.items() if name.startswith("modelspec.pred")}
    return {"format": "pt", **kept, "sd_merge_recipe": json.dumps(said)}


def _write(
    path: Path,
    layout: Mapping[str, tuple[torch.dtype, tuple[int, ...]]],
    metadata: Mapping[str, str],
    tensor: Callable[[str], Tensor],
) -> None:
    """A safetensors file, one tensor after another: 8 bytes of length, header, numbers."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    # wider numbers first, so that each begins at a multiple of its width
    names = sorted(layout, key=lambda name: (-layout[name][0].itemsize, name))
    for name in names:
        dtype, shape = layout[name]
        begin, end = end, end + dtype.itemsize * int(torch.Size(shape).numel())
        header[name] = {
            "dtype": _CALLED[dtype],
            "shape": list(shape),
            "data_offsets": [begin, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in names:
            numbers = tensor(name).to(layout[name][0]).contiguous()
            file.write(numbers.flatten().view(torch.uint8).numpy().tobytes())
