"""Another autoencoder for a checkpoint: from a file of its own, or a folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from sdcore.errors import ModelError
from sdcore.models.checkpoint import Checkpoint
from sdcore.models.files import sha256, weights_file
from sdcore.models.layout import VAE, published_vae
from sdcore.models.networks import build_vae, fill, read_vae
from sdcore.models.single import chosen, read_tensors


def with_vae(checkpoint: Checkpoint, path: Path, *, allow_pickle: bool = False) -> Checkpoint:
    """The checkpoint with the autoencoder of a file or folder; all else is shared with the old one.

    Args:
        path: a folder in diffusers layout, or one file in latent diffusion's names, with
            first_stage_model. before them or not, or in diffusers'.
        allow_pickle: whether a .pt or .ckpt is read too, its tensors only.
    Raises:
        ModelError: a file that is broken, or of an autoencoder with other latents.
    """
    if path.is_dir():
        vae, factor = read_vae(path)
        files = [weights_file(path, "diffusion_pytorch_model")]
    else:
        vae, factor = _of_file(checkpoint, path, allow_pickle=allow_pickle)
        files = [path]
    for what, given, wanted in (
        ("latent channels", int(vae.config.latent_channels), checkpoint.latent_channels),
        ("pixels per latent", factor, checkpoint.factor),
    ):
        if given != wanted:
            raise ModelError(
                f"{path} has {given} {what}, where the checkpoint '{checkpoint.name}' has "
                f"{wanted}: give an autoencoder of its family"
            )
    return replace(
        checkpoint,
        vae=vae.to(checkpoint.vae.device, checkpoint.vae.dtype),
        vae_name=_name_of(path),
        vae_sha256=sha256(files),
    )


def _of_file(checkpoint: Checkpoint, path: Path, *, allow_pickle: bool) -> tuple[Any, int]:
    """The file's autoencoder, built as the checkpoint's is, whose latents it shares."""
    if type(checkpoint.vae).__name__ != "AutoencoderKL":
        raise ModelError(
            f"the checkpoint '{checkpoint.name}' has an autoencoder of class "
            f"{type(checkpoint.vae).__name__}: give another of its kind as a folder"
        )
    tensors = read_tensors(path, allow_pickle=allow_pickle)
    config = dict(checkpoint.vae.config) | {"_class_name": "AutoencoderKL"}
    vae, factor = build_vae(config, path)
    if any(name.startswith("encoder.down_blocks.") for name in tensors):
        return fill(vae, tensors, path), factor
    prefixed = {f"{VAE}{name.removeprefix(VAE)}": tensor for name, tensor in tensors.items()}
    found = chosen(vae, published_vae(vae), prefixed)
    if not found:
        raise ModelError(
            f"{path} holds no autoencoder: give a file of latent diffusion's or diffusers' names"
        )
    return fill(vae, found, path), factor


def _name_of(path: Path) -> str:
    """A VAE's file name says what it is for at its end: name.vae.safetensors."""
    return path.name if path.is_dir() else path.stem.removesuffix(".vae")
