"""The block encoder is the best linear one; its decoder is what training is for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sdcore.train.autoencoder import (
    block_autoencoder,
    encode_all,
    roundtrip,
    to_tensor,
    train_decoder,
)
from sdcore.train.task import Recipe

RANK = 3


@pytest.fixture
def pictures() -> np.ndarray:
    """Pictures whose 8 x 8 blocks all lie in a space of RANK dimensions."""
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((64, RANK)))[0]
    codes = rng.standard_normal((6, 4, 8, RANK)) * (60, 30, 15)
    blocks = (codes @ basis.T).reshape(6, 4, 8, 8, 8)
    grey = 127.5 + 3 * blocks.transpose(0, 1, 3, 2, 4).reshape(6, 32, 64)
    return grey.clip(0, 255).round().astype(np.uint8)


def test_the_encoder_keeps_all_that_lies_in_its_components(pictures: np.ndarray) -> None:
    vae = block_autoencoder(pictures, latent_channels=RANK)
    x = to_tensor(pictures)
    z = vae.encode(x).latent
    assert z.shape == (6, RANK, 4, 8)
    # the blocks are a linear function of the latents, but for the rounding to grey levels
    blocks = x.reshape(6, 4, 8, 8, 8).permute(0, 1, 3, 2, 4).reshape(-1, 64)
    codes = z.movedim(1, -1).reshape(-1, RANK)
    codes = torch.cat([codes, torch.ones(len(codes), 1)], dim=1)
    error = blocks - codes @ torch.linalg.lstsq(codes, blocks).solution
    # what is left is the rounding to whole grey levels
    assert error.abs().mean() < 0.5 / 127.5


def test_latents_are_of_unit_size_and_coarse_ones_are_larger(pictures: np.ndarray) -> None:
    vae = block_autoencoder(pictures, latent_channels=RANK)
    z = vae.encode(to_tensor(pictures)).latent
    spread = z.std(dim=(0, 2, 3))
    assert spread.square().mean() == pytest.approx(1.0, abs=0.05)
    assert spread.tolist() == sorted(spread.tolist(), reverse=True)
    assert z.mean(dim=(0, 2, 3)).abs().max() < 0.05


def test_only_the_decoder_is_trained_and_training_helps(
    pictures: np.ndarray, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    vae = block_autoencoder(pictures, latent_channels=RANK)
    before, latents = roundtrip(vae, pictures), encode_all(vae, pictures, device=vae.device)
    recipe = Recipe(steps=25, batch=3, lr=2e-3, warmup=2, ema=0.5)
    run = train_decoder(vae, pictures, recipe, folder=tmp_path, device=torch.device("cpu"))
    run.use_average()
    after = roundtrip(vae, pictures)
    assert torch.equal(latents, encode_all(vae, pictures, device=vae.device))

    def error(grey: np.ndarray) -> float:
        return float(np.abs(grey.astype(float) - pictures).mean())

    assert error(after) < 0.8 * error(before)
