"""A checkpoint from a folder of diffusers' Stable Diffusion layout, or from the hub.

    model_index.json  unet/  vae/  text_encoder/  tokenizer/  scheduler/

SDXL has text_encoder_2/ and tokenizer_2/ besides, its refiner these alone.

Weights are read from safetensors only. Files of fp16 are cast: a CPU never computes in fp16, which
it does 150 times slower than in bf16. The network is touched for a hub id alone. The scheduler's
file is only read for the noise levels and for what the UNet predicts; the sampler is the request's.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from sdcore.errors import MachineError, ModelError, RequestError
from sdcore.models.checkpoint import Checkpoint, TextTower
from sdcore.models.family import family_of, kind_of
from sdcore.models.files import PARTS, read_json, sha256, towers_in, weights_file
from sdcore.models.hub import fetch, name_of
from sdcore.models.networks import read_text_encoder, read_tokenizer, read_unet, read_vae
from sdcore.models.scheduler import for_family, read_scheduler


def load(ref: str | Path, *, device: str = "auto", dtype: torch.dtype | None = None) -> Checkpoint:
    """The checkpoint in the folder or file `ref`, or of the hub id `ref` (owner/name), ready.

    Args:
        device: "cpu", "cuda", "cuda:1", "mps", or "auto", the best there is.
        dtype: the UNet's; None is bf16 where the device computes in it natively, else fp32.
            Autoencoder and text encoder are fp32.
    Raises:
        ModelError: a file that is missing, broken or of another kind; the message names it.
        MachineError: a device that this machine does not have.
        RequestError: fp16 on a CPU.
    """
    if Path(ref).is_file():
        from sdcore.models.single import load_single  # it needs this module itself

        return load_single(Path(ref), device=device, dtype=dtype)
    folder = _folder(ref)
    names = _layout(folder)
    where = pick_device(device)
    unet = read_unet(folder / "unet", pick_dtype(where, dtype))
    vae, factor = read_vae(folder / "vae")
    towers = tuple(_tower(folder / encoder, folder / words) for encoder, words in names)
    levels, prediction = read_scheduler(folder / "scheduler" / "scheduler_config.json")
    weights = [
        weights_file(folder / "unet", "diffusion_pytorch_model"),
        weights_file(folder / "vae", "diffusion_pytorch_model"),
        *(weights_file(folder / encoder, "model") for encoder, _ in names),
    ]
    family = family_of(folder, unet.config, towers)
    return Checkpoint(
        unet=unet.to(where),
        vae=vae.to(where),
        towers=tuple(replace(tower, encoder=tower.encoder.to(where)) for tower in towers),
        levels=for_family(levels, family),
        prediction=prediction,
        family=family,
        kind=kind_of(folder, unet.config, vae.config),
        latent_channels=int(vae.config.latent_channels),
        factor=factor,
        edge=_edge(folder / "unet", unet),
        name=name_of(folder),
        sha256=sha256(weights),
    )


def _tower(encoder_folder: Path, tokenizer_folder: Path) -> TextTower:
    encoder = read_text_encoder(encoder_folder)
    tokenizer = read_tokenizer(tokenizer_folder)
    _check_words(encoder_folder, tokenizer_folder, tokenizer.get_vocab(), encoder.config)
    return TextTower(
        encoder=encoder, tokenizer=tokenizer, pooled=hasattr(encoder, "text_projection")
    )


def _folder(ref: str | Path) -> Path:
    """The folder itself, or the hub's, fetched."""
    if Path(ref).is_dir():
        return Path(ref)
    if isinstance(ref, Path):
        raise ModelError(f"no folder {ref}: give a folder in diffusers layout, or a hub id")
    return fetch(ref)


def _layout(folder: Path) -> tuple[tuple[str, str], ...]:
    """The folders of the towers, (encoder, tokenizer) each, by the checkpoint's index."""
    index = read_json(folder / "model_index.json")
    names = towers_in(index)
    if not names or any(part not in index for part in PARTS):
        raise ModelError(
            f"{folder} is a {index.get('_class_name', 'pipeline without a name')}: "
            f"give one of the layout of Stable Diffusion 1, 2 or XL, with {', '.join(PARTS)}, "
            "text_encoder and tokenizer"
        )
    return names


def pick_device(name: str) -> torch.device:
    """The device of that name; "auto" is the best there is. Raises MachineError if it is not."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        first = str(error).strip().split("\n")[0]
        raise MachineError(
            f"the device '{name}' is not to be had ({first}): give cpu, cuda, mps or auto"
        ) from None
    return torch.device(name)


def pick_dtype(device: torch.device, wanted: torch.dtype | None) -> torch.dtype:
    """The UNet's dtype: the one wanted, else bf16 where the device computes in it natively."""
    if wanted == torch.float16 and device.type == "cpu":
        raise RequestError("fp16 on a CPU is slower than fp32 by far: give bf16 or fp32")
    if wanted is not None:
        return wanted
    if device.type == "cpu":
        native = torch.cpu.get_capabilities().get("avx512_bf16", False)
    else:
        native = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native else torch.float32


def _edge(folder: Path, unet: Any) -> tuple[str, ...]:
    """The UNet's convolutions that never wrap: "circular_edge" in its config.json, or none."""
    names = read_json(folder / "config.json").get("circular_edge", [])
    known = {name for name, _ in unet.named_modules()}
    if not isinstance(names, list) or not all(name in known for name in map(str, names)):
        raise ModelError(f"{folder / 'config.json'} has a circular_edge that is no layer of it")
    return tuple(names)


def _check_words(
    encoder: Path, tokenizer: Path, vocabulary: dict[str, int], text_config: Any
) -> None:
    if max(vocabulary.values(), default=0) >= text_config.vocab_size:
        raise ModelError(
            f"{tokenizer} has {len(vocabulary)} tokens but {encoder} "
            f"knows {text_config.vocab_size}: the parts do not fit"
        )
