"""LoRAs while they are trained: up and down beside a checkpoint's layers, hooked into their output.

The layers keep their places and names, so that the checkpoint draws with what has been learned so
far, and nothing has to be taken out of it afterwards but the hooks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdcore.models.checkpoint import Checkpoint
from sdcore.models.layout import unet_name

# What trainers of LoRAs change: attention and what feeds it; in wider ones convolutions as well.
_ATTENTIONS = re.compile(r"(^|\.)attentions\.")
_CONVOLUTIONS = re.compile(r"(^|\.)(resnets|downsamplers|upsamplers)\.")
_TEXT = re.compile(r"\.(self_attn|mlp)\.")


class Pair(nn.Module):
    """down, then up, times alpha / rank: what a layer's output gets besides.

    It begins as nothing: up is zero, down is drawn as the layers of torch are (He et al. 2015).
    """

    def __init__(self, layer: Any, rank: int, alpha: float, rng: torch.Generator) -> None:
        super().__init__()
        out, *into = layer.weight.shape
        self.scale = alpha / rank
        self.down = nn.Parameter(torch.empty(rank, *into))
        self.up = nn.Parameter(torch.zeros(out, rank, *(1,) * (len(into) - 1)))
        bound = self.down[0].numel() ** -0.5
        with torch.no_grad():
            self.down.uniform_(-bound, bound, generator=rng)

    def forward(self, layer: nn.Module, x: Tensor) -> Tensor:
        """The addition for the layer's input x."""
        down, up = self.down.to(x.dtype), self.up.to(x.dtype)
        if isinstance(layer, nn.Conv2d):
            # the layer's own way to convolve: one that goes round does so here too
            return self.scale * F.conv2d(layer._conv_forward(x, down, None), up)
        return self.scale * F.linear(F.linear(x, down), up)


class Adapters(nn.Module):
    """A pair for each of a checkpoint's layers, by the names that kohya's files have for them."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        rank: int,
        alpha: float,
        convolutions: bool,
        text: bool,
        seed: int,
    ) -> None:
        super().__init__()
        self.alpha = alpha
        rng = torch.Generator().manual_seed(seed)
        self._layers = dict(layers(checkpoint, convolutions=convolutions, text=text))
        self.pairs = nn.ModuleDict(
            {stem: Pair(layer, rank, alpha, rng) for stem, layer in self._layers.items()}
        )

    @contextmanager
    def worn(self) -> Iterator[None]:
        """While it is open, the checkpoint computes with what the pairs add."""
        handles = [self._hook(stem, layer) for stem, layer in self._layers.items()]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _hook(self, stem: str, layer: nn.Module) -> Any:
        pair = self.pairs[stem]

        def add(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            added: Tensor = pair(module, inputs[0])
            return output + added.to(output.dtype)

        return layer.register_forward_hook(add)

    def tensors(self) -> Mapping[str, Tensor]:
        """What a file of kohya's layout holds, float16."""
        found: dict[str, Tensor] = {}
        for stem, pair in self.pairs.items():
            assert isinstance(pair, Pair)
            found[f"{stem}.lora_down.weight"] = pair.down.detach().half().cpu().contiguous()
            found[f"{stem}.lora_up.weight"] = pair.up.detach().half().cpu().contiguous()
            found[f"{stem}.alpha"] = torch.tensor(self.alpha, dtype=torch.float16)
        return found


def layers(
    checkpoint: Checkpoint, *, convolutions: bool, text: bool
) -> Iterator[tuple[str, nn.Module]]:
    """The layers that a LoRA changes, with their names in kohya's files.

    Args:
        convolutions: those of the residual blocks and between levels too, not of attention alone.
        text: those of the text encoders as well.
    """
    is_xl = checkpoint.family.startswith("sdxl")
    for name, module in _weighted(checkpoint.unet):
        if _ATTENTIONS.search(name) or (convolutions and _CONVOLUTIONS.search(name)):
            public = unet_name(name, checkpoint.unet.config) if is_xl else name
            yield f"lora_unet_{public.replace('.', '_')}", module
    first = 2 if checkpoint.family == "sdxl-refiner" else 1
    for place, tower in enumerate(checkpoint.towers if text else (), start=first):
        root = f"lora_te{place}" if is_xl else "lora_te"
        for name, module in _weighted(tower.encoder):
            if _TEXT.search(name):
                flat = f"text_model.{name.removeprefix('text_model.')}".replace(".", "_")
                yield f"{root}_{flat}", module


def _weighted(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The network's matrices and convolutions, by name."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            yield name, module
