from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from sdcore import latents
from sdcore.models.checkpoint import Checkpoint


def _with(checkpoint: Checkpoint, vae: Any) -> Checkpoint:
    return replace(checkpoint, vae=vae.requires_grad_(False))


def _picture() -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (32, 64, 3), dtype=np.uint8)
    return Image.fromarray(noise)


CASES = [
    ("AutoencoderKL", {"scaling_factor": 0.5, "shift_factor": 0.25}),
    ("AutoencoderKL", {"in_channels": 1, "out_channels": 1}),
    ("AutoencoderTiny", {"scaling_factor": 2.0, "shift_factor": -0.5}),
    ("AutoencoderTiny", {"in_channels": 1, "out_channels": 1}),
    ("AutoencoderDC", {"in_channels": 3}),
    ("AutoencoderDC", {}),
]


@pytest.mark.parametrize(("name", "changes"), CASES)
def test_latents_are_shifted_and_scaled_and_come_back(
    checkpoint: Checkpoint, build: Any, name: str, changes: dict[str, Any]
) -> None:
    """Decoding takes off exactly what encoding put on: the autoencoder sees its own z again."""
    vae = build.vae(name, **changes)
    z = torch.randn(2, 4, 4, 8, generator=torch.Generator().manual_seed(0))
    seen: list[torch.Tensor] = []
    vae.decode = lambda z, return_dict: (seen.append(z), (torch.zeros(2, 1, 32, 64),))[1]
    vae.encode = lambda x, return_dict: (z,)
    ours = _with(checkpoint, vae)
    x = latents.encode(ours, [_picture(), _picture()])
    scale, shift = vae.config.scaling_factor, vae.config.get("shift_factor") or 0.0
    torch.testing.assert_close(x, (z - shift) * scale)
    latents.decode(ours, x)
    torch.testing.assert_close(seen[0], z)


@pytest.mark.parametrize(("name", "changes"), CASES)
def test_pictures_and_latents_have_their_sizes(
    checkpoint: Checkpoint, build: Any, name: str, changes: dict[str, Any]
) -> None:
    ours = _with(checkpoint, build.vae(name, **changes))
    x = latents.encode(ours, [_picture(), _picture()])
    assert x.shape == (2, 4, 4, 8) and x.dtype == torch.float32
    first, second = latents.decode(ours, x)
    assert first.size == (64, 32) and first.mode == "RGB"
    assert first.tobytes() == second.tobytes()
    planes = np.asarray(first)
    grey = bool(
        (planes[..., 0] == planes[..., 1]).all() and (planes[..., 0] == planes[..., 2]).all()
    )
    assert grey == (ours.vae.config.in_channels == 1)


def test_encoding_draws_nothing(checkpoint: Checkpoint, build: Any) -> None:
    """The mean of AutoencoderKL's distribution, not a sample of it."""
    ours = _with(checkpoint, build.vae("AutoencoderKL"))
    x = latents.encode(ours, [_picture()])
    assert torch.equal(x, latents.encode(ours, [_picture()]))
    pixels = torch.from_numpy(np.array(_picture())).permute(2, 0, 1)[None] / 127.5 - 1
    mean = ours.vae.encode(pixels).latent_dist.mean
    torch.testing.assert_close(x, mean * ours.vae.config.scaling_factor)


@pytest.mark.parametrize("channels", [1, 3])
def test_every_grey_level_survives_a_perfect_autoencoder(
    checkpoint: Checkpoint, build: Any, channels: int
) -> None:
    vae = build.vae("AutoencoderTiny", in_channels=channels, out_channels=channels)
    vae.encode = vae.decode = lambda z, return_dict: (z,)
    ours = _with(checkpoint, vae)
    levels = np.arange(256, dtype=np.uint8).reshape(8, 32)
    picture = Image.fromarray(levels).convert("RGB")
    (back,) = latents.decode(ours, latents.encode(ours, [picture]))
    assert back.tobytes() == picture.tobytes()


def test_what_is_brighter_than_white_is_white(checkpoint: Checkpoint, build: Any) -> None:
    vae = build.vae("AutoencoderTiny")
    vae.decode = lambda z, return_dict: (z,)
    x = torch.tensor([-9.0, -1.0, 0.0, 1.0, 9.0]).expand(1, 3, 1, 5)
    (picture,) = latents.decode(_with(checkpoint, vae), x)
    assert np.asarray(picture)[0, :, 0].tolist() == [0, 0, 128, 255, 255]
