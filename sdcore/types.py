"""The few types that the whole room speaks: request, result, step, and the shapes of functions.

Latents are (B, C, h, w), pictures are PIL 'RGB'. A sigma is a noise level in the convention of
Karras et al. (2022): x = x0 + sigma * noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, TypeAlias

from PIL.Image import Image
from torch import Tensor

Tiling = Literal["none", "x", "y", "xy"]
Emphasis = Literal["Original", "No norm", "Ignore", "None"]
NoiseSource = Literal["CPU", "NV"]
Compat = Literal["ours", "a1111"]
Resize = Literal["just resize", "crop and resize", "resize and fill", "just resize (latent)"]
Content = Literal["fill", "original", "latent noise", "latent nothing"]
Reverse = Literal["ours", "plain", "sigma adjustment"]


@dataclass(frozen=True, kw_only=True)
class Window:
    """Overlapping windows along x, for pictures wider than those of the training."""

    # Pixels that the network sees at once.
    width: int
    # Pixels from one window to the next, at most the width.
    stride: int
    # Whether windows go round from the last column to the first.
    closed: bool = True


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Other words that take over along x, or in part everywhere: another request to go toward.

    Its weight at pixel x is `share`, times a ramp from 0 at begin to 1 at end where there is a
    `span`. It stands over whatever scenes are before it.
    """

    prompt: str
    # None is the request's own, here and below.
    negative: str | None = None
    cfg: float | None = None
    # Of the first noise, to which it goes along an arc.
    seed: int | None = None
    # (begin, end) in pixels; None is everywhere.
    span: tuple[int, int] | None = None
    share: float = 1.0
    # Whether the words themselves pass into one another, or what is drawn under each of them.
    morphs: bool = False

    def weight(self, x: Tensor) -> Tensor:
        """The weight, 0 .. 1, at pixels x (n,)."""
        if self.span is None:
            return x.new_full(x.shape, self.share)
        begin, end = self.span
        if begin == end:
            return (x >= end).to(x) * self.share
        return ((x - begin) / (end - begin)).clamp(0, 1) * self.share


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
    # How much an InstructPix2Pix checkpoint keeps of the picture.
    image_cfg: float = 1.5


@dataclass(frozen=True, kw_only=True)
class Variation:
    """A neighbour of a seed's picture; all images of a batch are neighbours of the first seed's."""

    # Image i has the subseed `seed` + i; -1 draws one.
    seed: int = -1
    # 0 is the seed's own picture, 1 the subseed's start.
    strength: float = 0.0
    # (width, height) in pixels of the picture whose composition is kept; None is this one's.
    resize_from: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """img2img alternative: the run starts from the noise that would have given the picture."""

    # What the picture shows: None is the request's own prompt, or negative.
    prompt: str | None = None
    negative: str | None = None
    cfg: float = 1.0
    # "ours" undoes Euler's steps; the other two are the reference's formulas.
    reverse: Reverse = "ours"
    # How much of the noise is the seed's after all, 0 .. 1.
    randomness: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Start:
    """A picture to begin from: img2img."""

    image: Image
    # How far from the picture, 0 .. 1: 0 gives it back, 1 leaves nothing of it.
    strength: float = 0.75
    resize: Resize = "just resize"
    # Whether all steps run whatever the strength, or only the last share of them.
    exact_steps: bool = False
    # Factor on the first noise; and more of it, unscaled, on top of the picture.
    noise_multiplier: float = 1.0
    extra_noise: float = 0.0
    # Whether the result gets the picture's colours.
    colour_correction: bool = False
    alternative: Alternative | None = None


@dataclass(frozen=True, kw_only=True)
class Soft:
    """Soft inpainting: how the edge of a mask gives way while the picture forms."""

    schedule_bias: float = 1.0
    preservation: float = 0.5
    transition_contrast: float = 4.0
    mask_influence: float = 0.0
    difference_threshold: float = 0.5
    difference_contrast: float = 2.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Mask:
    """Which part of a Start is done again: white."""

    # Of the size of the Start's picture.
    image: Image
    # As large: where the walk draws, if that is elsewhere than where the result shows; white.
    latent: Image | None = None
    inverted: bool = False
    # Whether greys count, as shares of what is drawn, or are rounded to black and white.
    graded: bool = False
    # Gaussian, sigma in pixels, along x and y.
    blur: tuple[float, float] = (4.0, 4.0)
    # What lies under the mask at first.
    content: Content = "original"
    # Whether the part alone is drawn, at the full size of the request, with padding in pixels.
    only_masked: bool = False
    padding: int = 32
    soft: Soft | None = None
    # How much of what the mask covers an inpainting checkpoint is not shown, 0 .. 1.
    conditioning_strength: float = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Hires:
    """A second pass, larger."""

    scale: float = 2.0
    # Pixels; both 0 follow the scale, one of them 0 the other side.
    width: int = 0
    height: int = 0
    upscaler: str = "Latent"
    # 0 is as many as in the first pass.
    steps: int = 0
    strength: float = 0.7
    # None is as in the first pass.
    cfg: float | None = None
    sampler: str | None = None
    schedule: str | None = None
    prompt: str | None = None
    negative: str | None = None
    checkpoint: str | None = None
    # The first pass's picture, where it is there already: then only the second pass runs.
    first: Image | None = None


@dataclass(frozen=True, kw_only=True)
class Refiner:
    """Another checkpoint that takes over in the middle of a run."""

    checkpoint: str
    # Share of the noise levels that is left to the first one.
    switch_at: float = 0.8


@dataclass(frozen=True, kw_only=True)
class Faces:
    """Faces in the finished picture are restored."""

    restorer: str = "GFPGAN"
    # Share of the restored face in the result, 0 .. 1.
    visibility: float = 1.0
    # CodeFormer's fidelity, 0 .. 1: 0 restores most, 1 keeps most.
    weight: float = 0.5


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
    # "Automatic" is the one that belongs to the sampler.
    schedule: str = "Automatic"
    # The sampler's own, by name: eta, s_churn, s_noise ...
    sampler_options: Mapping[str, float] = field(default_factory=dict)
    # Whether the last noise level before 0 is left out; None is what the sampler wants.
    discard_penultimate: bool | None = None
    # The axes on which the picture joins itself.
    tiling: Tiling = "none"
    window: Window | None = None
    # What the words become: along x, or in part everywhere.
    scenes: tuple[Scene, ...] = ()
    # Layers from the end of the text encoder, 1 is the last one.
    clip_skip: int = 1
    emphasis: Emphasis = "Original"
    noise: NoiseSource = "CPU"
    # Added to the seed for the noise of the steps (ENSD).
    eta_noise_delta: int = 0
    guidance: Guidance = Guidance()
    variation: Variation | None = None
    start: Start | None = None
    mask: Mask | None = None
    hires: Hires | None = None
    refiner: Refiner | None = None
    faces: Faces | None = None
    # "a1111" counts and rounds as the reference does, where that is a defect.
    compat: Compat = "ours"

    @property
    def seeds(self) -> tuple[int, ...]:
        """One per image; of a resolved request, whose seed is not -1."""
        if self.is_varied:
            return (self.seed,) * self.batch
        return tuple(range(self.seed, self.seed + self.batch))

    @property
    def subseeds(self) -> tuple[int, ...] | None:
        """One per image, where there is a variation."""
        if self.variation is None or not self.is_varied:
            return None
        return tuple(range(self.variation.seed, self.variation.seed + self.batch))

    @property
    def is_varied(self) -> bool:
        """Whether there is a variation of any strength."""
        return self.variation is not None and self.variation.strength > 0

    def single(self, index: int) -> ImageRequest:
        """The request for image `index` of this resolved one alone: it gives the same pixels."""
        variation = self.variation
        if variation is not None and self.subseeds is not None:
            variation = replace(variation, seed=self.subseeds[index])
        return replace(self, seed=self.seeds[index], variation=variation, batch=1)


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
    # Which run of the sampler this is, and how many the request needs (hires: two an image).
    run: int = 0
    runs: int = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageResult:
    """The pictures, and the request that makes them again."""

    images: tuple[Image, ...]
    # Resolved: run again on the same checkpoint and machine, it gives the same pixels.
    request: ImageRequest
    # request.single(i) gives images[i] alone.
    seeds: tuple[int, ...]
    # The checkpoint's name and the sha256 of its weights.
    model: str = ""
    sha256: str = ""
    # What the user should know: a retry in fp32, a name in the prompt that fits nothing ...
    notes: tuple[str, ...] = ()
    # Whether a run was interrupted: the last picture is then its estimate so far.
    is_interrupted: bool = False


# x (B, C, h, w), sigma (B,), step -> clean estimate x0 (B, C, h, w)
Denoiser: TypeAlias = Callable[[Tensor, Tensor, int], Tensor]


class StepNoise(Protocol):
    """N(0, 1) of the shape of x, each image's from its own generator."""

    def __call__(self) -> Tensor:
        """Fresh noise."""
        ...

    def between(self, sigma: float, sigma_next: float) -> Tensor:
        """The increment of each image's Brownian path from one sigma to the next, as N(0, 1)."""
        ...


# Progress and preview; raising Cancelled stops the run.
OnStep: TypeAlias = Callable[[Step], None]
# denoise, x at sigmas[0], sigmas (n + 1,), noise, on_step -> x at sigmas[-1]
Sampler: TypeAlias = Callable[[Denoiser, Tensor, Tensor, StepNoise, OnStep], Tensor]


def ignore(step: Step) -> None:
    """An `on_step` that does nothing."""
