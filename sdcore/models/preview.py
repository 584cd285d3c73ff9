"""Pictures on the way, for little: one matrix from latents to colours, or a tiny autoencoder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from sdcore.errors import ModelError
from sdcore.models.checkpoint import Checkpoint, Family
from sdcore.models.files import read_json
from sdcore.models.networks import build_vae, fill, read_vae
from sdcore.models.single import read_tensors

# Of the autoencoders as they were published: rows are latent channels, the last one is constant.
# SD 1 and 2: Hugging Face forum, "Decoding latents to RGB without upscaling" (2022).
_SD = (
    (0.298, 0.207, 0.208),
    (0.187, 0.286, 0.173),
    (-0.158, 0.189, 0.264),
    (-0.184, -0.271, -0.473),
    (0.0, 0.0, 0.0),
)
# SDXL: Hugging Face blog, "Explaining the SDXL latent space" (2024), whose numbers are of 0 .. 255.
_SDXL = tuple(
    tuple(value / 127.5 - (row == 4) for value in values)
    for row, values in enumerate(
        ((60, 60, 60), (-60, -5, 10), (25, 15, -5), (-70, -50, -35), (150, 140, 130))
    )
)
_MATRICES: dict[Family, tuple[tuple[float, ...], ...]] = {
    "sd1": _SD,
    "sd2": _SD,
    "sdxl": _SDXL,
    "sdxl-refiner": _SDXL,
}
_PUBLISHED_WIDTHS = (128, 256, 512, 512)
_fitted: WeakKeyDictionary[nn.Module, Tensor] = WeakKeyDictionary()


@torch.inference_mode()
def approximate(checkpoint: Checkpoint, x: Tensor) -> list[Image.Image]:
    """Small 'RGB' pictures of latents x (B, C, h, w), one pixel per latent one.

    The colours are linear in the latents: by published factors, or for another autoencoder by
    those that fit its decoder best.
    """
    matrix = _matrix(checkpoint).to(x.device)
    colours = torch.einsum("bchw,cr->bhwr", x.float(), matrix[:-1]) + matrix[-1]
    pixels = ((colours.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu().numpy()
    return [Image.fromarray(np.ascontiguousarray(plane), "RGB") for plane in pixels]


def _matrix(checkpoint: Checkpoint) -> Tensor:
    """(C + 1, 3) float32 from latents and 1 to colours of -1 .. 1."""
    widths = tuple(checkpoint.vae.config.get("block_out_channels", ()))
    if type(checkpoint.vae).__name__ == "AutoencoderKL" and widths == _PUBLISHED_WIDTHS:
        return torch.tensor(_MATRICES[checkpoint.family])
    if checkpoint.vae not in _fitted:
        _fitted[checkpoint.vae] = fitted(checkpoint)
    return _fitted[checkpoint.vae]


@torch.inference_mode()
def fitted(checkpoint: Checkpoint) -> Tensor:
    """(C + 1, 3) float32, the least squares from latents and 1 to the decoder's mean colours.

    The latents are noise of four coarsenesses, as pictures have patches of all sizes.
    """
    rng = torch.Generator().manual_seed(0)
    channels, side = checkpoint.latent_channels, 16
    coarse = [torch.randn(2, channels, side // n, side // n, generator=rng) for n in (1, 2, 4, 8)]
    x = torch.cat([F.interpolate(noise, size=(side, side), mode="bilinear") for noise in coarse])
    x = x / x.std(dim=(1, 2, 3), keepdim=True)
    config, vae = checkpoint.vae.config, checkpoint.vae
    z = x / config.scaling_factor + (config.get("shift_factor") or 0.0)
    pictures = vae.decode(z.to(checkpoint.device, vae.dtype), return_dict=False)[0].float().cpu()
    means = F.avg_pool2d(pictures.clamp(-1, 1), checkpoint.factor).expand(-1, 3, -1, -1)
    given = torch.cat([x, torch.ones_like(x[:, :1])], dim=1).movedim(1, -1).flatten(0, 2)
    wanted = means.movedim(1, -1).flatten(0, 2)
    solution: Tensor = torch.linalg.lstsq(given, wanted).solution
    return solution


def with_preview(checkpoint: Checkpoint, path: Path, *, allow_pickle: bool = False) -> Checkpoint:
    """The checkpoint with a tiny autoencoder (TAESD) for its previews.

    To decode and encode by it too, put it in the autoencoder's place:
    `replace(checkpoint, vae=checkpoint.preview)`.

    Args:
        path: a folder of diffusers' AutoencoderTiny, or taesd_decoder.safetensors in its author's
            layout (madebyollin/taesd), with taesd_encoder.safetensors beside it or not.
        allow_pickle: whether .pth is read too, its tensors only.
    Raises:
        ModelError: a file that is broken, or of other latents.
    """
    if path.is_dir():
        name = read_json(path / "config.json").get("_class_name")
        if name != "AutoencoderTiny":
            raise ModelError(f"{path} is of class {name}: give a folder of AutoencoderTiny")
        tiny, _ = read_vae(path)
    else:
        tiny = _of_files(path, allow_pickle=allow_pickle)
    if tiny.config.latent_channels != checkpoint.latent_channels:
        raise ModelError(
            f"{path} has {tiny.config.latent_channels} latent channels, where the checkpoint "
            f"'{checkpoint.name}' has {checkpoint.latent_channels}: give one of its family"
        )
    return replace(checkpoint, preview=tiny.to(checkpoint.device))


def _of_files(path: Path, *, allow_pickle: bool) -> Any:
    """The AutoencoderTiny of a decoder's file, and of the encoder's beside it."""
    decoder = read_tensors(path, allow_pickle=allow_pickle)
    if "1.weight" not in decoder:
        raise ModelError(f"{path} holds no decoder of TAESD: give taesd_decoder.safetensors")
    # a layer that clamps stands first in the file, and in no list of layers today
    tensors = {f"decoder.layers.{_shifted(name)}": tensor for name, tensor in decoder.items()}
    beside = path.with_name(path.name.replace("decoder", "encoder"))
    has_encoder = beside != path and beside.is_file()
    if has_encoder:
        encoder = read_tensors(beside, allow_pickle=allow_pickle)
        tensors |= {f"encoder.layers.{name}": tensor for name, tensor in encoder.items()}
    config = {"_class_name": "AutoencoderTiny", "latent_channels": decoder["1.weight"].shape[1]}
    tiny, _ = build_vae(config, path)
    if not has_encoder:
        tiny.encoder = _Absent(beside)
    return fill(tiny, tensors, path)


def _shifted(name: str) -> str:
    layer, _, rest = name.partition(".")
    return f"{int(layer) - 1}.{rest}"


class _Absent(nn.Module):
    """The encoder of a preview that has none."""

    def __init__(self, wanted: Path) -> None:
        super().__init__()
        self.wanted = wanted

    def forward(self, x: Tensor) -> Tensor:
        raise ModelError(
            f"the tiny autoencoder has no encoder, only its decoder was given: put {self.wanted} "
            "beside it"
        )
