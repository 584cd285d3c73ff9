"""What must be known of a sampler besides its function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from torch import Tensor

from sdcore.errors import RequestError, lookup
from sdcore.types import Denoiser, OnStep, Sampler, StepNoise


class Option(NamedTuple):
    """A number that a sampler takes, and its range."""

    default: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class SamplerKind:
    """A sampler, and how it likes to be run. Called as it stands, it has its options' defaults."""

    # Takes a Sampler's arguments, and the options as keywords.
    function: Callable[..., Tensor]
    # The schedule that "Automatic" means.
    schedule: str = "Uniform"
    # Evaluations of the network per step; the last step of most has one.
    evaluations: int = 1
    options: Mapping[str, Option] = field(default_factory=dict)
    # Whether it does better without the last level before 0.
    discard_penultimate: bool = False
    # What the guidance scale is multiplied with (DDIM CFG++ has a scale of 0 .. 1).
    cfg_factor: float = 1.0

    def __call__(
        self, denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: StepNoise, on_step: OnStep
    ) -> Tensor:
        """x at sigmas[-1]."""
        return self.function(denoise, x, sigmas, noise, on_step)

    def with_options(self, options: Mapping[str, float]) -> Sampler:
        """The sampler with these options.

        Raises:
            UnknownName: an option that this sampler has not. RequestError: one out of its range.
        """
        for name, value in options.items():
            option = lookup(self.options, name, "option of this sampler")
            if not option.low <= value <= option.high:
                raise RequestError(
                    f"a sampler's {name} of {value:g}: give {option.low:g} to {option.high:g}"
                )
        return partial(self.function, **options)
