"""A picture autoencoder: pictures -> latents -> pictures, and the training of its decoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderDC
from numpy.typing import NDArray
from torch import Tensor

from sdcore.models.circular import circular
from sdcore.train.run import Run, batches
from sdcore.train.task import Recipe
from sdcore.types import Tiling

LATENT_NOISE = 0.05


def block_autoencoder(pictures: NDArray[np.uint8], *, latent_channels: int) -> AutoencoderDC:
    """An autoencoder for pictures of one plane or three, 8 times smaller each way, whose encoder
    is ready at once.

    The encoder is the best linear one there is: the principal components of 8 x 8 blocks of
    `pictures`, grey (n, height, width) or RGB (n, height, width, 3), written into the weights of a
    network without any other work to do, so that latents exist before the decoder is trained and
    stay what they are. Channel k is scaled by the root of its standard deviation, half way to
    white: coarse components keep more weight than fine ones, as in a picture.
    The decoder is an ordinary one, random until `train_decoder` (deep compression autoencoder,
    Chen et al. 2024, arXiv:2410.10733, which leaves full resolution by space-to-channel and is
    therefore cheap on a CPU).
    """
    x = to_tensor(pictures)
    planes = x.shape[1]
    vae = AutoencoderDC(
        in_channels=planes,
        latent_channels=latent_channels,
        encoder_block_out_channels=(planes, 4 * planes, 16 * planes, 64 * planes),
        encoder_layers_per_block=(0, 1, 1, 1),
        encoder_qkv_multiscales=((),) * 4,
        encoder_out_shortcut=False,
        decoder_block_out_channels=(16, 32, 64, 128),
        decoder_layers_per_block=(0, 1, 2, 2),
        decoder_qkv_multiscales=((),) * 4,
        decoder_in_shortcut=False,
        encoder_block_types="ResBlock",
        decoder_block_types="ResBlock",
    )
    _write_principal_components(vae, x)
    vae.encoder.requires_grad_(False)
    return vae


@torch.no_grad()
def _write_principal_components(vae: AutoencoderDC, x: Tensor) -> None:
    """Set the encoder's weights: shortcuts take blocks apart, the last convolution projects."""
    for name, parameter in vae.encoder.named_parameters():
        parameter.zero_()
        if name == "conv_in.conv.weight":
            parameter[..., 1, 1] = torch.eye(len(parameter))
    features = _features(vae, x)
    rows = features.movedim(1, -1).flatten(0, -2).double()
    mean = rows.mean(dim=0)
    values, vectors = torch.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))
    top = vectors[:, -vae.config.latent_channels :].flip(1)
    spread = values[-vae.config.latent_channels :].flip(0).clamp_min(1e-12) ** 0.5
    gain = spread**-0.5
    gain /= (gain * spread).square().mean() ** 0.5
    projection = (top * gain).T
    vae.encoder.conv_out.weight[..., 1, 1] = projection.float()
    vae.encoder.conv_out.bias.copy_((-projection @ mean).float())


def _features(vae: AutoencoderDC, x: Tensor) -> Tensor:
    """What the encoder's last convolution sees: (n, 64 planes, height / 8, width / 8)."""
    x = vae.encoder.conv_in(x)
    for block in vae.encoder.down_blocks:
        x = block(x)
    return x


def train_decoder(
    vae: AutoencoderDC,
    pictures: NDArray[np.uint8],
    recipe: Recipe,
    *,
    folder: Path,
    device: torch.device,
    tiling: Tiling = "x",
) -> Run:
    """Train the decoder on pictures, grey (n, height, width) or RGB (n, height, width, 3);
    resumes from `folder`.

    `tiling` says on which axes the pictures join themselves: "x" for loops, "none" for scenes.

    Loss: L1 on values in [-1, 1] plus a small quadratic term. A little noise on the latents
    makes the decoder forgive the small errors that a diffusion model leaves.
    """
    run = Run({"vae": vae}, recipe, folder, device)
    rng = torch.Generator().manual_seed(recipe.seed + run.step)
    order = iter(batches(len(pictures), recipe.batch, seed=recipe.seed, start=run.step))
    with circular([vae], axes=tiling):
        for _ in run.steps("decoder"):
            x = to_tensor(pictures[next(order).numpy()]).to(device)
            if "x" in tiling:  # loops are circles: any rotation in time is as good a picture
                x = torch.roll(x, int(torch.randint(x.shape[-1], (), generator=rng)), dims=-1)
            z = vae.encode(x).latent
            z = z + LATENT_NOISE * torch.randn(z.shape, generator=rng).to(device)
            with torch.autocast(device.type, dtype=torch.bfloat16):
                y = vae.decode(z).sample
            error = y.float() - x
            run.update(error.abs().mean() + 0.5 * error.square().mean())
    return run


def to_tensor(pictures: NDArray[np.uint8]) -> Tensor:
    """Grey (n, height, width) or RGB (n, height, width, 3) -> (n, planes, height, width) in
    [-1, 1]."""
    x = torch.from_numpy(np.ascontiguousarray(pictures)).float().div_(127.5).sub_(1.0)
    return x[:, None] if x.ndim == 3 else x.movedim(-1, 1).contiguous()


def load_autoencoder(folder: Path) -> AutoencoderDC:
    """The autoencoder that was saved in `folder`, its encoder fixed."""
    vae = AutoencoderDC.from_pretrained(folder)
    vae.encoder.requires_grad_(False)
    return vae


@torch.no_grad()
def roundtrip(
    vae: AutoencoderDC, pictures: NDArray[np.uint8], *, tiling: Tiling = "x"
) -> NDArray[np.uint8]:
    """Pictures, grey or RGB, after encoding and decoding, in levels of 0 .. 255 again."""
    with circular([vae], axes=tiling):
        y = vae.decode(vae.encode(to_tensor(pictures).to(vae.device)).latent).sample
    levels = (y.clamp(-1, 1) * 127.5 + 128).clamp(0, 255).byte().cpu()
    shaped = levels[:, 0] if pictures.ndim == 3 else levels.movedim(1, -1)
    back: NDArray[np.uint8] = shaped.numpy()
    return back


@torch.no_grad()
def encode_all(
    vae: AutoencoderDC,
    pictures: NDArray[np.uint8],
    *,
    device: torch.device,
    batch: int = 32,
    tiling: Tiling = "x",
) -> Tensor:
    """Latents of pictures, grey or RGB, (n, channels, h, w), float16 on the CPU."""
    out = []
    with circular([vae], axes=tiling):
        for start in range(0, len(pictures), batch):
            x = to_tensor(pictures[start : start + batch]).to(device)
            out.append(vae.encode(x).latent.half().cpu())
    return torch.cat(out)
