"""On random networks in float64: rolling what goes in rolls what comes out, up to rounding."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdcore.models.circular import circular
from sdcore.types import Tiling

VAES = ("AutoencoderDC", "AutoencoderKL", "AutoencoderTiny")
AXES: list[tuple[Tiling, int]] = [("x", -1), ("y", -2), ("xy", -1), ("xy", -2)]


def _randn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def _close(a: Tensor, b: Tensor, *, within: float = 1e-9) -> bool:
    return torch.allclose(a, b, atol=within, rtol=within)


# The linear attention of AutoencoderDC computes in fp32 whatever its dtype.
WITHIN = {"AutoencoderDC": 1e-4, "AutoencoderKL": 1e-9, "AutoencoderTiny": 1e-9}


@pytest.fixture(autouse=True)
def _seeded() -> Any:
    with torch.random.fork_rng(), torch.inference_mode():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("name", VAES)
@pytest.mark.parametrize(("axes", "dim"), AXES)
def test_rolled_latents_decode_to_the_rolled_picture(
    build: Any, name: str, axes: Tiling, dim: int
) -> None:
    vae, z = build.vae(name).double(), _randn(1, 4, 4, 8)
    with circular([vae], axes=axes):
        picture, rolled = vae.decode(z).sample, vae.decode(z.roll(3, dims=dim)).sample
    assert _close(rolled, picture.roll(24, dims=dim), within=WITHIN[name])
    picture, rolled = vae.decode(z).sample, vae.decode(z.roll(3, dims=dim)).sample
    assert not _close(rolled, picture.roll(24, dims=dim), within=1e-2)


@pytest.mark.parametrize("name", VAES)
@pytest.mark.parametrize(("axes", "dim"), AXES)
def test_a_rolled_picture_encodes_to_rolled_latents(
    build: Any, name: str, axes: Tiling, dim: int
) -> None:
    vae = build.vae(name).double()
    x = _randn(1, vae.config.in_channels, 32, 64)
    with circular([vae], axes=axes):
        z, rolled = vae.encode(x, return_dict=False)[0], vae.encode(x.roll(16, dim))[0]
    z, rolled = (each.mean if name == "AutoencoderKL" else each for each in (z, rolled))
    assert _close(rolled, z.roll(2, dims=dim), within=WITHIN[name])


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize(("axes", "dim"), AXES)
def test_rolled_latents_go_through_the_unet_rolled(
    build: Any, padding: int, axes: Tiling, dim: int
) -> None:
    """Also where its downsamplers pad by themselves; by multiples of what they divide by."""
    unet = build.unet(downsample_padding=padding).double()
    x, context = _randn(2, 4, 8, 16), _randn(2, 77, 32)
    with circular([unet], axes=axes):
        y = unet(x, 7, encoder_hidden_states=context).sample
        rolled = unet(x.roll(6, dims=dim), 7, encoder_hidden_states=context).sample
    assert _close(rolled, y.roll(6, dims=dim))


@pytest.mark.parametrize("name", VAES)
def test_the_other_axis_is_as_it_was(build: Any, name: str) -> None:
    vae, z = build.vae(name).double(), _randn(1, 4, 4, 8)
    with circular([vae], axes="x"):
        picture = vae.decode(z).sample
        rolled = vae.decode(z.roll(2, dims=-2)).sample
    assert not _close(rolled, picture.roll(16, dims=-2), within=1e-2)


@pytest.mark.parametrize("axes", ["x", "y", "xy"])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_convolution_wraps_as_if_the_picture_were_laid_beside_itself(
    axes: Tiling, stride: int
) -> None:
    conv = nn.Conv2d(2, 2, (3, 5), padding=(1, 2), stride=stride, dtype=torch.float64)
    x = _randn(1, 2, 6, 8)
    padded = F.pad(x, (2, 2, 0, 0), mode="circular" if "x" in axes else "constant")
    padded = F.pad(padded, (0, 0, 1, 1), mode="circular" if "y" in axes else "constant")
    expected = F.conv2d(padded, conv.weight, conv.bias, stride=stride)
    with circular([conv], axes=axes):
        assert _close(conv(x), expected)


def test_all_is_as_before_afterwards_also_after_an_error(build: Any) -> None:
    vae, z = build.vae("AutoencoderKL"), _randn(1, 4, 4, 8).float()
    before, attributes = vae.decode(z).sample, _attributes(vae)
    with pytest.raises(KeyError), circular([vae], axes="xy"):
        assert _attributes(vae) != attributes
        raise KeyError
    assert _attributes(vae) == attributes
    assert torch.equal(vae.decode(z).sample, before)


def _attributes(network: nn.Module) -> list[set[str]]:
    return [set(vars(module)) for module in network.modules()]


def test_no_axes_change_nothing(build: Any) -> None:
    unet = build.unet()
    attributes = _attributes(unet)
    with circular([unet], axes="none"):
        assert _attributes(unet) == attributes


def test_an_edge_layer_stays_as_it_is_and_tells_where_the_picture_begins(build: Any) -> None:
    unet = build.unet().double()
    x, context = _randn(1, 4, 8, 16), _randn(1, 77, 32)
    with circular([unet], axes="x", edge=("conv_in",)):
        y = unet(x, 7, encoder_hidden_states=context).sample
        rolled = unet(x.roll(4, dims=-1), 7, encoder_hidden_states=context).sample
    assert not _close(rolled, y.roll(4, dims=-1))
