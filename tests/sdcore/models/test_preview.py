"""Previews cost little and show what the picture will be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from sdcore import latents
from sdcore.errors import ModelError
from sdcore.models.checkpoint import Checkpoint
from sdcore.models.networks import build_vae
from sdcore.models.preview import approximate, fitted, with_preview

FACTORS = torch.tensor([[0.2, 0.1, 0.0], [0.0, 0.1, 0.1], [-0.1, 0.0, 0.1], [0.1, -0.1, 0.0]])
BIAS = torch.tensor([0.05, 0.0, -0.1])


@pytest.fixture
def linear(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
    """A checkpoint whose decoder is exactly linear, each latent a square of one colour."""

    def decode(z: Tensor, *, return_dict: bool) -> tuple[Tensor]:
        x = z * checkpoint.vae.config.scaling_factor
        colours = torch.einsum("bchw,cr->brhw", x, FACTORS) + BIAS[:, None, None]
        return (colours.repeat_interleave(8, dim=-1).repeat_interleave(8, dim=-2),)

    monkeypatch.setattr(checkpoint.vae, "decode", decode)
    return checkpoint


def test_the_factors_of_a_linear_decoder_are_found(linear: Checkpoint) -> None:
    matrix = fitted(linear)
    assert torch.allclose(matrix, torch.cat([FACTORS, BIAS[None]]), atol=1e-3)


def test_a_preview_is_the_decoded_picture_made_small(linear: Checkpoint) -> None:
    x = torch.randn(2, 4, 6, 10, generator=torch.Generator().manual_seed(1))
    small, whole = approximate(linear, x), latents.decode(linear, x)
    assert len(small) == 2 and small[0].size == (10, 6) and small[0].mode == "RGB"
    for preview, picture in zip(small, whole, strict=True):
        wanted = np.asarray(picture)[::8, ::8].astype(int)
        assert np.abs(np.asarray(preview).astype(int) - wanted).max() <= 1


def test_the_factors_are_fitted_once(linear: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    approximate(linear, torch.zeros(1, 4, 4, 4))
    monkeypatch.setattr(linear.vae, "decode", None)
    assert approximate(linear, torch.zeros(1, 4, 4, 4))[0].size == (4, 4)


@pytest.mark.parametrize("name", ["AutoencoderKL", "AutoencoderTiny", "AutoencoderDC"])
def test_every_autoencoder_has_previews(checkpoint: Checkpoint, build: Any, name: str) -> None:
    other = replace(checkpoint, vae=build.vae(name))
    (preview,) = approximate(other, torch.zeros(1, 4, 4, 6))
    assert preview.size == (6, 4)


@pytest.mark.parametrize(
    ("family", "latent", "colour"),
    [
        # the published factors by hand: (value + 1) * 127.5
        ("sd1", (1, 0, 0, 0), (165, 154, 154)),
        ("sd2", (0, 0, 0, 1), (104, 93, 67)),
        ("sdxl", (0, 0, 0, 0), (150, 140, 130)),
        ("sdxl", (1, 0, 0, 0), (210, 200, 190)),
        ("sdxl-refiner", (0, 0, 0, 1), (80, 90, 95)),
    ],
)
def test_the_published_autoencoders_have_published_factors(
    checkpoint: Checkpoint, family: Any, latent: tuple[int, ...], colour: tuple[int, ...]
) -> None:
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 4, "latent_channels": 4}
    blocks |= {"up_block_types": ("UpDecoderBlock2D",) * 4}
    config = {"_class_name": "AutoencoderKL", "block_out_channels": (128, 256, 512, 512)} | blocks
    full = replace(checkpoint, family=family, vae=build_vae(config, Path("x"))[0])
    (preview,) = approximate(full, torch.tensor(latent).reshape(1, 4, 1, 1).float())
    assert preview.getpixel((0, 0)) == colour


# madebyollin/taesd's networks by their published description: a list of layers each.
class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        convs = [nn.Conv2d(64, 64, 3, padding=1) for _ in range(3)]
        self.conv = nn.Sequential(convs[0], nn.ReLU(), convs[1], nn.ReLU(), convs[2])

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.conv(x) + x)


class _Clamp(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x / 3) * 3


def _decoder() -> nn.Sequential:
    layers: list[nn.Module] = [_Clamp(), nn.Conv2d(4, 64, 3, padding=1), nn.ReLU()]
    for _ in range(3):
        layers += [_Block(), _Block(), _Block(), nn.Upsample(scale_factor=2)]
        layers += [nn.Conv2d(64, 64, 3, padding=1, bias=False)]
    return nn.Sequential(*layers, _Block(), nn.Conv2d(64, 3, 3, padding=1)).eval()


def _encoder() -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, padding=1), _Block()]
    for _ in range(3):
        layers += [nn.Conv2d(64, 64, 3, padding=1, stride=2, bias=False)]
        layers += [_Block(), _Block(), _Block()]
    return nn.Sequential(*layers, nn.Conv2d(64, 4, 3, padding=1)).eval()


@pytest.fixture
def published(tmp_path: Path) -> tuple[Path, nn.Sequential, nn.Sequential]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        decoder, encoder = _decoder(), _encoder()
    save_file(decoder.state_dict(), tmp_path / "taesd_decoder.safetensors")
    save_file(encoder.state_dict(), tmp_path / "taesd_encoder.safetensors")
    return tmp_path / "taesd_decoder.safetensors", decoder, encoder


@torch.inference_mode()
def test_the_author_s_files_are_decoded_and_encoded_as_the_author_s_networks_do(
    checkpoint: Checkpoint, published: tuple[Path, nn.Sequential, nn.Sequential]
) -> None:
    path, decoder, encoder = published
    tiny = with_preview(checkpoint, path).preview
    assert tiny is not None
    x = torch.randn(1, 4, 4, 6, generator=torch.Generator().manual_seed(0))
    picture = tiny.decode(x, return_dict=False)[0]  # of -1 .. 1, the author's of 0 .. 1
    assert torch.allclose((picture + 1) / 2, decoder(x), atol=1e-5)
    assert torch.allclose(
        tiny.encode(picture, return_dict=False)[0], encoder(decoder(x)), atol=1e-5
    )


def test_it_takes_the_autoencoder_s_place_where_that_is_asked(
    checkpoint: Checkpoint, published: tuple[Path, nn.Sequential, nn.Sequential]
) -> None:
    path, decoder, encoder = published
    quick = with_preview(checkpoint, path)
    quick = replace(quick, vae=quick.preview)
    x = torch.randn(1, 4, 4, 6, generator=torch.Generator().manual_seed(0))
    (picture,) = latents.decode(quick, x)
    with torch.inference_mode():
        wanted = (decoder(x)[0].clamp(0, 1) * 255).round().movedim(0, -1).numpy()
        assert np.abs(np.asarray(picture).astype(float) - wanted).max() <= 1
        pixels = torch.from_numpy(np.asarray(picture).copy()).movedim(-1, 0)[None] / 255
        assert torch.allclose(latents.encode(quick, [picture]), encoder(pixels), atol=1e-5)


def test_diffusers_folder_is_the_same_network(
    checkpoint: Checkpoint,
    published: tuple[Path, nn.Sequential, nn.Sequential],
    tmp_path: Path,
) -> None:
    of_files = with_preview(checkpoint, published[0]).preview
    assert of_files is not None
    whole = AutoencoderTiny()
    whole.load_state_dict(of_files.state_dict())
    whole.save_pretrained(tmp_path / "taesd")
    of_folder = with_preview(checkpoint, tmp_path / "taesd").preview
    assert of_folder is not None
    left, right = of_files.state_dict(), of_folder.state_dict()
    assert all(torch.equal(left[k], right[k]) for k in right)


def test_a_decoder_alone_gives_previews_and_says_what_lacks_to_encode(
    checkpoint: Checkpoint, published: tuple[Path, nn.Sequential, nn.Sequential]
) -> None:
    path, *_ = published
    path.with_name("taesd_encoder.safetensors").unlink()
    quick = with_preview(checkpoint, path)
    quick = replace(quick, vae=quick.preview)
    assert latents.decode(quick, torch.zeros(1, 4, 2, 2))[0].size == (16, 16)
    with pytest.raises(ModelError, match=r"no encoder, .* put .*taesd_encoder.safetensors beside"):
        latents.encode(quick, [Image.new("RGB", (16, 16))])


def test_files_of_other_kinds_are_refused(
    checkpoint: Checkpoint, build: Any, tmp_path: Path
) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match="holds no decoder of TAESD"):
        with_preview(checkpoint, tmp_path / "x.safetensors")
    build.vae("AutoencoderKL").save_pretrained(tmp_path / "large")
    with pytest.raises(ModelError, match="is of class AutoencoderKL"):
        with_preview(checkpoint, tmp_path / "large")
    build.vae("AutoencoderTiny", latent_channels=16).save_pretrained(tmp_path / "sixteen")
    with pytest.raises(ModelError, match="has 16 latent channels"):
        with_preview(checkpoint, tmp_path / "sixteen")
