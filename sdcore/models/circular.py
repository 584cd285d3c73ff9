"""Convolutions that go round: a picture that joins itself, on x, y or both.

Attention and normalisation see no edges; only padding does. So it is enough to pad each
convolution from the opposite side, also where a downsampler pads before it convolves. Such a
network cannot know where the picture begins: rolled latents give the rolled picture. One that was
trained with some convolutions left as they are, its `edge`, can.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdcore.types import Tiling


@contextmanager
def circular(
    networks: Sequence[nn.Module], *, axes: Tiling, edge: Collection[str] = ()
) -> Iterator[None]:
    """While it is open, the networks' convolutions wrap on the axes; then all is as before.

    `edge` names modules (as `named_modules` does) that stay as they are. Not for two threads at
    once on the same networks: hold the checkpoint's lock.
    """
    named = [pair for network in networks for pair in network.named_modules() if axes != "none"]
    replaced: list[tuple[nn.Module, str]] = []
    try:
        for module in (module for name, module in named if name not in edge):
            if isinstance(module, nn.Conv2d) and module.padding not in ((0, 0), "valid"):
                module._conv_forward = _wrapping_convolution(module, axes)  # type: ignore[method-assign]
                replaced.append((module, "_conv_forward"))
            elif _pads_by_itself(module):
                module.forward = _wrapping_downsampler(module, axes)
                replaced.append((module, "forward"))
        yield
    finally:
        for module, name in replaced:
            del module.__dict__[name]  # the class's own comes back


def _pads_by_itself(module: nn.Module) -> bool:
    """Whether it is the downsampler of diffusers that pads a row and column, then convolves."""
    return (
        type(module).__name__ == "Downsample2D"
        and getattr(module, "use_conv", False)
        and getattr(module, "padding", None) == 0
    )


def _wrapped(x: Tensor, axes: Tiling, *, left: int, right: int, top: int, bottom: int) -> Tensor:
    """x (B, C, h, w) with columns and rows from its opposite sides, on the axes named."""
    if "x" in axes and left + right > 0:
        x = torch.cat([x[..., x.shape[-1] - left :], x, x[..., :right]], dim=-1)
    if "y" in axes and top + bottom > 0:
        x = torch.cat([x[..., x.shape[-2] - top :, :], x, x[..., :bottom, :]], dim=-2)
    return x


def _wrapping_convolution(conv: nn.Conv2d, axes: Tiling) -> Callable[..., Tensor]:
    """The convolution with the padding on these axes taken from the opposite side."""
    assert not isinstance(conv.padding, str)  # diffusers writes numbers
    rows, columns = conv.padding
    rest = (0 if "y" in axes else rows, 0 if "x" in axes else columns)

    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        x = _wrapped(x, axes, left=columns, right=columns, top=rows, bottom=rows)
        return F.conv2d(x, weight, bias, conv.stride, rest, conv.dilation, conv.groups)

    return forward


def _wrapping_downsampler(module: nn.Module, axes: Tiling) -> Callable[..., Tensor]:
    """The downsampler with its added column (row) the first one instead of zeros."""
    conv = module.conv
    assert isinstance(conv, nn.Conv2d)
    rest = (0, 0 if "x" in axes else 1, 0, 0 if "y" in axes else 1)

    def forward(x: Tensor) -> Tensor:
        x = F.pad(_wrapped(x, axes, left=0, right=1, top=0, bottom=1), rest)
        out: Tensor = conv(x)
        return out

    return forward
