"""More detail: of a spectrogram one of twice the bands and twice the frames.

Between two bands and two frames of a coarse spectrogram stand finer ones that it does not show:
the edge of an attack, the partials of a high note. What they are most likely to be was learned from
the procedural band (`detail.safetensors`: a small residual network on top of bilinear
interpolation, after Lim et al. 2017, arXiv:1707.02921; `riffapp train detail` makes it).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import interpolate, pixel_shuffle, silu

from audio.errors import ParameterError
from audio.types import BeatFrames, DecibelCurve, SpectrogramParams, Tempo

FILE = Path(__file__).with_name("detail.safetensors")
WIDTH, LAYERS = 24, 5
# What was taught: pictures of other grids have other structures.
TAUGHT = SpectrogramParams(
    n_mels=128,
    min_hz=20.0,
    max_hz=16000.0,
    frames=BeatFrames(per_beat=32, window_hops=6.0),
    curve=DecibelCurve(range_db=64.0),
)
REACH = LAYERS + 2  # columns that an output column looks at, to either side
_BLOCK = 2048  # columns refined at a time
_BPM = 120.0  # the middle of the tempi


class Refiner(nn.Module):
    """Loudness (B, 1, mels, frames) in [0, 1] and bpm (B,) -> the same, (B, 1, 2 mels, 2 frames).

    The frames given include `REACH` more on either side, which the result lacks.
    """

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, WIDTH, 3, padding=(1, 0))
        self.body = nn.ModuleList(nn.Conv2d(WIDTH, WIDTH, 3, padding=(1, 0)) for _ in range(LAYERS))
        self.tail = nn.Conv2d(WIDTH, 4, 3, padding=(1, 0))
        nn.init.zeros_(self.tail.weight)

    def forward(self, loudness: Tensor, bpm: Tensor) -> Tensor:
        batch, _, mels, frames = loudness.shape
        # A convolution does not know how high a band is, nor how long a window was.
        height = torch.linspace(-1, 1, mels).view(1, 1, mels, 1).expand(batch, 1, mels, frames)
        tempo = (bpm / _BPM).log2().view(batch, 1, 1, 1).expand(batch, 1, mels, frames)
        x = self.head(torch.cat([loudness, height, tempo], 1))
        for layer in self.body:
            x = x[..., 1:-1] + layer(silu(x))
        more = pixel_shuffle(self.tail(silu(x)), 2)
        inside = loudness[..., REACH - 1 : frames - REACH + 1]
        between = interpolate(inside, scale_factor=2, mode="bilinear")[..., 2:-2]
        return between + more


def finer(params: SpectrogramParams) -> SpectrogramParams:
    """The params of what `refined` makes. Raises ParameterError for a grid that was not taught."""
    alike = replace(params, rate=TAUGHT.rate)
    if alike != TAUGHT or not isinstance(params.frames, BeatFrames):
        raise ParameterError(
            f"a picture of {params.n_mels} bands: detail was learned on {TAUGHT.n_mels} bands at "
            "32 frames a beat in mono, the grid of the embedded loops; leave it out"
        )
    frames = replace(params.frames, per_beat=2 * params.frames.per_beat)
    return replace(params, n_mels=2 * params.n_mels, frames=frames)


def refined(picture: Image.Image, tempo: Tempo, *, circular: bool = True) -> Image.Image:
    """The picture of twice the size that a picture of the taught grid stands for.

    Beyond the ends of what is not `circular` its outermost columns go on. The same picture gives
    the same result on the same machine, in blocks of any size.
    """
    grey = np.asarray(picture.convert("RGB"), np.float32)[..., 0]
    loudness = torch.from_numpy(1 - grey / 255)[None, None].flip(2)
    around = torch.arange(-REACH, picture.width + REACH)
    around = around % picture.width if circular else around.clamp(0, picture.width - 1)
    wide = loudness[..., around]
    net, bpm = _learned(), torch.tensor([tempo.bpm])
    parts = []
    with torch.inference_mode():
        for first in range(0, picture.width, _BLOCK):
            last = min(first + _BLOCK, picture.width)
            parts.append(net(wide[..., first : last + 2 * REACH], bpm))
    found = torch.cat(parts, -1).clamp(0, 1).flip(2)[0, 0].numpy()
    return Image.fromarray(np.rint(255 - 255 * found).astype(np.uint8)).convert("RGB")


@cache
def _learned() -> Refiner:
    net = Refiner()
    net.load_state_dict({k: v.float() for k, v in load_file(FILE).items()})
    return net.eval().requires_grad_(False)
