"""A checkpoint takes another autoencoder, from each layout that they are shared in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from sdcore.errors import ModelError
from sdcore.models.checkpoint import Checkpoint
from sdcore.models.load import load
from sdcore.models.single import published
from sdcore.models.vae import with_vae

Folders = Callable[[str, str], Path]


@pytest.fixture(scope="module")
def small(family_folder: Folders) -> Checkpoint:
    return load(family_folder("sd1", "text"), device="cpu", dtype=torch.float32)


@pytest.fixture(scope="module")
def other(family_folder: Folders) -> Checkpoint:
    """One whose autoencoder has other weights."""
    checkpoint = load(family_folder("sd1", "text"), device="cpu", dtype=torch.float32)
    for parameter in checkpoint.vae.parameters():
        parameter += 0.5
    return checkpoint


def _same(a: Any, b: Any) -> bool:
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def _as_ldm(checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
    stem = "first_stage_model."
    return {k: v.contiguous() for k, v in published(checkpoint).items() if k.startswith(stem)}


@pytest.mark.parametrize("layout", ["prefixed", "bare", "diffusers"])
def test_a_file_s_autoencoder_takes_the_place_of_the_checkpoint_s(
    small: Checkpoint, other: Checkpoint, tmp_path: Path, layout: str
) -> None:
    tensors = _as_ldm(other)
    if layout == "bare":
        tensors = {k.removeprefix("first_stage_model."): v for k, v in tensors.items()}
        tensors["loss.logvar"] = torch.zeros(1)
    elif layout == "diffusers":
        tensors = other.vae.state_dict()
    path = tmp_path / "soft.vae.safetensors"
    save_file(tensors, path)
    changed = with_vae(small, path)
    assert _same(changed.vae, other.vae) and not _same(changed.vae, small.vae)
    assert changed.unet is small.unet and changed.lock is small.lock
    assert changed.vae.config.scaling_factor == small.vae.config.scaling_factor
    assert changed.vae_name == "soft" and small.vae_name == ""
    assert changed.vae_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_folder_s_autoencoder_brings_its_own_scale(
    small: Checkpoint, other: Checkpoint, tmp_path: Path
) -> None:
    other.vae.register_to_config(scaling_factor=0.5)
    other.vae.save_pretrained(tmp_path / "soft")
    changed = with_vae(small, tmp_path / "soft")
    assert _same(changed.vae, other.vae) and changed.vae.config.scaling_factor == 0.5
    assert changed.vae_name == "soft"


def test_it_is_of_the_dtype_of_the_one_before(
    family_folder: Folders, other: Checkpoint, tmp_path: Path
) -> None:
    checkpoint = load(family_folder("sd1", "text"), device="cpu")
    checkpoint.vae.to(torch.bfloat16)
    save_file(_as_ldm(other), tmp_path / "x.safetensors")
    assert with_vae(checkpoint, tmp_path / "x.safetensors").vae.dtype == torch.bfloat16


def test_a_pickle_is_read_only_if_it_is_allowed(
    small: Checkpoint, other: Checkpoint, tmp_path: Path
) -> None:
    torch.save({"state_dict": _as_ldm(other)}, tmp_path / "x.vae.pt")
    with pytest.raises(ModelError, match="is a pickle"):
        with_vae(small, tmp_path / "x.vae.pt")
    assert _same(with_vae(small, tmp_path / "x.vae.pt", allow_pickle=True).vae, other.vae)


def test_another_file_is_refused(small: Checkpoint, tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match="holds no autoencoder"):
        with_vae(small, tmp_path / "x.safetensors")


def test_a_file_that_lacks_a_tensor_is_refused(small: Checkpoint, tmp_path: Path) -> None:
    save_file(_as_ldm(small), tmp_path / "x.safetensors")
    tensors = load_file(tmp_path / "x.safetensors")
    del tensors["first_stage_model.quant_conv.bias"]
    save_file(tensors, tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match=r"lacks 1 of \d+ tensors, quant_conv.bias"):
        with_vae(small, tmp_path / "x.safetensors")


def test_an_autoencoder_of_other_latents_is_refused(
    small: Checkpoint, build: Any, tmp_path: Path
) -> None:
    build.vae("AutoencoderKL", latent_channels=8).save_pretrained(tmp_path / "eight")
    with pytest.raises(ModelError, match="has 8 latent channels, where .* has 4"):
        with_vae(small, tmp_path / "eight")
    shallow = {
        "block_out_channels": (8, 16),
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
    }
    build.vae("AutoencoderKL", **shallow).save_pretrained(tmp_path / "shallow")
    with pytest.raises(ModelError, match="has 2 pixels per latent, where .* has 8"):
        with_vae(small, tmp_path / "shallow")


def test_another_kind_of_autoencoder_is_not_built_from_a_file(
    build: Any, small: Checkpoint, tmp_path: Path
) -> None:
    from dataclasses import replace

    compressing = replace(small, vae=build.vae("AutoencoderDC"))
    with pytest.raises(ModelError, match="AutoencoderDC: give another of its kind as a folder"):
        with_vae(compressing, tmp_path / "x.safetensors")
