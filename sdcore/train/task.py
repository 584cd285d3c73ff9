"""What is to be learned and how: numbers that need no network to be read, or refused."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from sdcore.errors import RequestError

What = Literal["lora", "embedding", "full"]
MAX_RANK, MAX_VECTORS = 512, 64


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How long and how fast: `steps` updates of `batch` examples.

    The rate rises linearly over `warmup` steps to `lr` and falls on a cosine to `lr` / 50.
    """

    steps: int
    batch: int
    lr: float
    warmup: int = 200
    weight_decay: float = 0.01
    ema: float = 0.999
    save_minutes: float = 3.0
    seed: int = 0

    def rate(self, step: int) -> float:
        """Learning rate at a step."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        x = min(1.0, (step - self.warmup) / max(1, self.steps - self.warmup))
        return self.lr * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * x)))


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is to be learned, and how."""

    what: What
    # What it is called in prompts.
    name: str
    recipe: Recipe
    # Of a LoRA; alpha None is the rank, so that its scale is 1.
    rank: int = 8
    alpha: float | None = None
    # Whether a LoRA changes convolutions too, not attention alone.
    convolutions: bool = True
    # Whether the text encoders learn as well, in a LoRA or in full.
    text: bool = False
    # Of a textual inversion, and the words whose vectors it begins as.
    vectors: int = 4
    begins_as: str = ""
    clip_skip: int = 1
    # Share of captions that are shown as empty, so that guidance has something to leave.
    dropout: float = 0.1
    # The highest weight, as a signal-to-noise ratio, of a step (Hang et al. 2023,
    # arXiv:2303.09556); None weighs the prediction's own error alike at all levels.
    min_snr: float | None = None
    # Memory for time: what the UNet computed is computed again on the way back.
    checkpointing: bool = False
    # An optimiser with 8-bit states, where bitsandbytes is installed.
    eight_bit: bool = False


def refuse(task: Task) -> None:
    """Refuse what can be told from the task alone: numbers out of range, an impossible name.

    Raises RequestError.
    """
    recipe = task.recipe
    bounds: tuple[tuple[str, float, float, float], ...] = (
        ("rank", task.rank, 1, MAX_RANK),
        ("vectors", task.vectors, 1, MAX_VECTORS),
        ("steps", recipe.steps, 1, 10_000_000),
        ("batch", recipe.batch, 1, 4096),
        ("rate of learning", recipe.lr, 1e-12, 1),
        ("alpha", task.rank if task.alpha is None else task.alpha, 1e-6, 1e6),
        ("dropout", task.dropout, 0, 1),
        ("min-SNR", 1 if task.min_snr is None else task.min_snr, 1e-3, 1e3),
    )
    for name, value, low, high in bounds:
        if not low <= value <= high:
            raise RequestError(f"{name} {value:g} is outside {low:g} to {high:g}: give one within")
    if not task.name or any(c in task.name for c in '<>:/\\"\0'):
        raise RequestError(
            f"the name '{task.name}': give one that can stand in a prompt and a file"
        )
