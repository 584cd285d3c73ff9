"""The few types that the whole room speaks: request, result, step, and the shapes of functions.

Latents are (B, C, h, w), pictures are PIL 'RGB'. A sigma is a noise level in the convention of
Karras et al. (2022): x = x0 + sigma * noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from PIL.Image import Image
from torch import Tensor

Tiling = Literal["none", "x", "y", "xy"]
Emphasis = Literal["Original", "No norm", "Ignore", "None"]


@dataclass(frozen=True, kw_only=True)
class Window:
    """Overlapping windows along x, for pictures wider than those of the training."""

    # Pixels that the network sees at once.
    width: int
    # Pixels from one window to the next, at most the width.
    stride: int


@dataclass(frozen=True, kw_only=True)
class Guidance:
    """What is done to classifier-free guidance beyond its scale."""

    # Share of the guided estimate whose spread is brought back to the prompt's, 0 .. 1
    # (Lin et al. 2023, arXiv:2305.08891, eq. 15 and 16).
    rescale: float = 0.0
    # Steps, as shares of the run, in which there is guidance; outside the prompt is alone
    # (Kynkaanniemi et al. 2024, arXiv:2404.07724).
    interval: tuple[float, float] = (0.0, 1.0)
    # Below this sigma every other step does without the negative prompt; 0 is never.
    ngms: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ImageRequest:
    """What is asked of the image core; `plan` checks and resolves it."""

    prompt: str
    negative: str = ""
    # Image i of the batch has the seed seed + i. -1 draws one.
    seed: int = -1
    batch: int = 1
    # Pixels, multiples of the autoencoder's factor (8 for most).
    width: int = 512
    height: int = 512
    steps: int = 20
    # Guidance scale; 1 is the prompt alone, and costs half.
    cfg: float = 7.0
    sampler: str = "DPM++ 2M"
    schedule: str = "Karras"
    # The axes on which the picture joins itself.
    tiling: Tiling = "none"
    window: Window | None = None
    # Layers from the end of the text encoder, 1 is the last one.
    clip_skip: int = 1
    emphasis: Emphasis = "Original"
    guidance: Guidance = Guidance()

    @property
    def seeds(self) -> tuple[int, ...]:
        """One per image; of a resolved request, whose seed is not -1."""
        return tuple(range(self.seed, self.seed + self.batch))


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """What a sampler reports after each step."""

    # 0 .. steps - 1, of this run.
    index: int
    steps: int
    sigma: float
    # The clean estimate, latents (B, C, h, w).
    x0: Tensor
    # Number of images finished before this run, and of the whole request.
    image: int = 0
    images: int = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageResult:
    """The pictures, and the request that makes them again."""

    images: tuple[Image, ...]
    # Resolved: run again on the same checkpoint and machine, it gives the same pixels.
    request: ImageRequest
    # seeds[i] alone, with batch 1, gives images[i].
    seeds: tuple[int, ...]
    # The checkpoint's name and the sha256 of its weights.
    model: str = ""
    sha256: str = ""


# x (B, C, h, w), sigma (B,), step -> clean estimate x0 (B, C, h, w)
Denoiser: TypeAlias = Callable[[Tensor, Tensor, int], Tensor]
# Fresh N(0, 1) of the shape of x, from each image's own generator.
StepNoise: TypeAlias = Callable[[], Tensor]
# Progress and preview; raising Cancelled stops the run.
OnStep: TypeAlias = Callable[[Step], None]
# denoise, x at sigmas[0], sigmas (n + 1,), noise, on_step -> x at sigmas[-1]
Sampler: TypeAlias = Callable[[Denoiser, Tensor, Tensor, StepNoise, OnStep], Tensor]


def ignore(step: Step) -> None:
    """An `on_step` that does nothing."""
