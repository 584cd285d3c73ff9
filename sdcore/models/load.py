"""A checkpoint from a folder of diffusers' Stable Diffusion 1.x layout, or from the hub.

    model_index.json  unet/  vae/  text_encoder/  tokenizer/  scheduler/

Weights are read from safetensors only. Files of fp16 are cast: a CPU never computes in fp16, which
it does 150 times slower than in bf16. The network is touched for a hub id alone. The scheduler's
file is only read for the noise levels and for what the UNet predicts; the sampler is the request's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from sdcore.errors import MachineError, ModelError, RequestError
from sdcore.models.checkpoint import Checkpoint
from sdcore.models.files import PARTS, read_json, sha256, weights_file
from sdcore.models.hub import fetch, name_of
from sdcore.models.networks import read_text_encoder, read_tokenizer, read_unet, read_vae
from sdcore.models.scheduler import read_scheduler


def load(ref: str | Path, *, device: str = "auto", dtype: torch.dtype | None = None) -> Checkpoint:
    """The checkpoint in the folder `ref`, or of the hub id `ref` (owner/name), ready to run.

    Args:
        device: "cpu", "cuda", "cuda:1", "mps", or "auto", the best there is.
        dtype: the UNet's; None is bf16 where the device computes in it natively, else fp32.
            Autoencoder and text encoder are fp32.
    Raises:
        ModelError: a file that is missing, broken or of another kind; the message names it.
        MachineError: a device that this machine does not have.
        RequestError: fp16 on a CPU.
    """
    folder = _folder(ref)
    _check_layout(folder)
    where = pick_device(device)
    unet = read_unet(folder / "unet", _dtype(where, dtype))
    vae, factor = read_vae(folder / "vae")
    text_encoder = read_text_encoder(folder / "text_encoder")
    tokenizer = read_tokenizer(folder / "tokenizer")
    levels, prediction = read_scheduler(folder / "scheduler" / "scheduler_config.json")
    _check_fit(folder, unet.config, vae.config, text_encoder.config)
    _check_words(folder, tokenizer.get_vocab(), text_encoder.config)
    weights = [
        weights_file(folder / "unet", "diffusion_pytorch_model"),
        weights_file(folder / "vae", "diffusion_pytorch_model"),
        weights_file(folder / "text_encoder", "model"),
    ]
    return Checkpoint(
        unet=unet.to(where),
        vae=vae.to(where),
        text_encoder=text_encoder.to(where),
        tokenizer=tokenizer,
        levels=levels,
        prediction=prediction,
        latent_channels=int(unet.config.in_channels),
        factor=factor,
        edge=_edge(folder / "unet", unet),
        name=name_of(folder),
        sha256=sha256(weights),
    )


def _folder(ref: str | Path) -> Path:
    """The folder itself, or the hub's, fetched."""
    if Path(ref).is_dir():
        return Path(ref)
    if Path(ref).exists():
        raise ModelError(f"{ref} is a file: give a folder in diffusers layout, or a hub id")
    if isinstance(ref, Path):
        raise ModelError(f"no folder {ref}: give a folder in diffusers layout, or a hub id")
    return fetch(ref)


def _check_layout(folder: Path) -> None:
    """Whether it is the layout of Stable Diffusion 1.x, by its index."""
    index = read_json(folder / "model_index.json")
    missing = [part for part in PARTS if part not in index]
    if missing or "text_encoder_2" in index:
        raise ModelError(
            f"{folder} is a {index.get('_class_name', 'pipeline without a name')}: "
            f"give one of the Stable Diffusion 1.x layout, with {', '.join(PARTS)} and no more"
        )


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


def _dtype(device: torch.device, wanted: torch.dtype | None) -> torch.dtype:
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


def _check_fit(folder: Path, unet: Any, vae: Any, text_encoder: Any) -> None:
    """Whether the parts' configurations fit one another."""
    facts = (
        ("unet in_channels", unet.in_channels, "vae latent_channels", vae.latent_channels),
        ("unet out_channels", unet.out_channels, "vae latent_channels", vae.latent_channels),
        (
            "unet cross_attention_dim",
            unet.cross_attention_dim,
            "text_encoder hidden_size",
            text_encoder.hidden_size,
        ),
    )
    for left, a, right, b in facts:
        if a != b:
            raise ModelError(f"{folder}: {left} is {a} but {right} is {b}: the parts do not fit")


def _check_words(folder: Path, vocabulary: dict[str, int], text_encoder: Any) -> None:
    if max(vocabulary.values(), default=0) >= text_encoder.vocab_size:
        raise ModelError(
            f"{folder / 'tokenizer'} has {len(vocabulary)} tokens but {folder / 'text_encoder'} "
            f"knows {text_encoder.vocab_size}: the parts do not fit"
        )
