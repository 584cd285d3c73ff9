"""Networks picture -> picture, found in a weight file by its tensors' names: spandrel's reading."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch

from sdcore.errors import MachineError, ModelError
from sdcore.models.files import read_weights

PICKLED = (".pth", ".pt", ".ckpt")
# CodeFormer and others, whose code may not be used commercially.
NON_COMMERCIAL = (
    "this file needs the library spandrel_extra_arches, whose networks (CodeFormer among them) are "
    "licensed for non-commercial use only: if that suits you, pip install 'riffapp[noncommercial]'"
)


def load_network(path: Path, *, device: torch.device | str = "cpu") -> Any:
    """spandrel's descriptor of the network in a file, in float32 on the device, in inference.

    Of a pickle (.pth) the tensors alone are read, by torch's own reader: it runs no code.

    Raises:
        MachineError: spandrel is not installed.
        ModelError: a file that is missing, broken, or of a network that nobody knows.
    """
    try:
        import spandrel
    except ImportError:
        raise MachineError(
            "upscalers and face restorers need the library spandrel: pip install 'riffapp[upscale]'"
        ) from None
    state = _state(path)
    extra = _register_extra()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "torch.meshgrid")  # not the user's to mend
            found = spandrel.ModelLoader(device=device).load_from_state_dict(state)
    except spandrel.UnsupportedModelError:
        hint = "" if extra else f"; {NON_COMMERCIAL}"
        raise ModelError(
            f"{path} holds no network that spandrel knows: give an upscaler's or a face "
            f"restorer's weights{hint}"
        ) from None
    except (RuntimeError, KeyError, ValueError) as error:
        first = str(error).strip().split("\n")[0]
        raise ModelError(f"{path} does not fit its network ({first}): copy it again") from None
    found.model.eval().requires_grad_(False)
    return found


def _register_extra() -> bool:
    """Whether spandrel was told of the networks with limited licences."""
    try:
        import spandrel_extra_arches
    except ImportError:
        return False
    spandrel_extra_arches.install(ignore_duplicates=True)
    return True


def _state(path: Path) -> dict[str, Any]:
    """The tensors of a file, by name, out of what they were wrapped in."""
    from spandrel import canonicalize_state_dict

    if not path.is_file():
        raise ModelError(f"{path} is missing: give the weight file of an upscaler or restorer")
    if path.suffix.lower() == ".safetensors":
        return dict(canonicalize_state_dict(read_weights(path)))
    if path.suffix.lower() not in PICKLED:
        raise ModelError(f"{path} is no weight file: give a .safetensors or .pth file")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken pickle can raise anything
        first = str(error).strip().split("\n")[0]
        raise ModelError(f"{path} cannot be read as tensors alone ({first})") from None
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds no tensors by name: give a .safetensors or .pth file")
    return dict(canonicalize_state_dict(content))
