"""Files of a checkpoint folder, read with refusals that name the file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from sdcore.errors import ModelError

# The folders that every checkpoint has, and those of its towers, of which one may lack.
PARTS = ("unet", "vae", "scheduler")
TOWERS = (("text_encoder", "tokenizer"), ("text_encoder_2", "tokenizer_2"))


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{path} is missing: copy the checkpoint's folder again") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as JSON ({error}): copy it again") from None
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds no JSON object: copy it again")
    return content


def towers_in(index: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """The towers' folders, (encoder, tokenizer) each, that a model_index.json names."""
    return tuple(
        pair for pair in TOWERS if all((index.get(part) or [None])[0] is not None for part in pair)
    )


def weights_file(folder: Path, stem: str) -> Path:
    """The safetensors file of a network: `stem`.safetensors, or its fp16 variant."""
    for name in (f"{stem}.safetensors", f"{stem}.fp16.safetensors"):
        if (folder / name).is_file():
            return folder / name
    wanted = folder / f"{stem}.safetensors"
    pickled = [path.name for path in sorted(folder.glob("*.bin"))]
    if pickled:
        raise ModelError(
            f"{wanted} is missing and {pickled[0]} is a pickle, which can run code when it is "
            "read: convert it to safetensors"
        )
    raise ModelError(f"{wanted} is missing: copy the checkpoint's folder again")


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, by name, on the CPU."""
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{path} is truncated or no safetensors file ({error}): copy it again"
        ) from None
    return tensors


def sha256(paths: Sequence[Path]) -> str:
    """The sha256 of the files' bytes in turn, as 64 hex digits."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
