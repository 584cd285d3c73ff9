"""A loaded checkpoint: the networks, and what must be known to use them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import RLock
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from sdcore.schedules import NoiseLevels

Prediction = Literal["epsilon", "v_prediction"]
Family = Literal["sd1", "sd2", "sdxl", "sdxl-refiner"]
# What the UNet reads besides the latents: nothing; mask and masked picture; a picture to edit.
Kind = Literal["text", "inpaint", "instruct"]


class Tokenizer(Protocol):
    """What is used of a CLIPTokenizer."""

    @property
    def bos_token_id(self) -> int: ...
    @property
    def eos_token_id(self) -> int: ...
    @property
    def pad_token_id(self) -> int: ...

    def __call__(
        self, text: str, *, add_special_tokens: bool, truncation: bool, verbose: bool
    ) -> Mapping[str, list[int]]: ...
    def get_vocab(self) -> Mapping[str, int]: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class TextTower:
    """One of the networks that read the prompt, with the words that it knows."""

    # CLIPTextModel, or CLIPTextModelWithProjection.
    encoder: Any = field(repr=False)
    tokenizer: Tokenizer = field(repr=False)
    # Whether its projected output, one vector for all words, goes to the UNet as well.
    pooled: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """Networks from diffusers and transformers in evaluation mode on one device; the loop is ours.

    UNet, autoencoder and text encoders may each have their own dtype; latents are float32.
    """

    # diffusers and transformers are untyped here: UNet2DConditionModel, one of the three
    # autoencoders.
    unet: Any = field(repr=False)
    vae: Any = field(repr=False)
    # sd1 and sd2 have one; sdxl has CLIP-L and OpenCLIP-G; its refiner the latter alone.
    towers: tuple[TextTower, ...] = field(repr=False)
    levels: NoiseLevels = field(repr=False)
    prediction: Prediction
    family: Family = "sd1"
    # By the UNet's input channels: L, 2 L + 1 or 2 L, where L is latent_channels.
    kind: Kind = "text"
    # Channels of a latent, rows and columns of picture per latent one.
    latent_channels: int
    factor: int
    # Convolutions of the UNet that never wrap: how a loop's beginning is known.
    edge: tuple[str, ...] = ()
    # Textual inversions by the word that stands for them: per tower (vectors, width), or None
    # where the file has none for that tower.
    embeddings: Mapping[str, tuple[Tensor | None, ...]] = field(default_factory=dict, repr=False)
    # A small decoder for pictures on the way (AutoencoderTiny), if there is one.
    preview: Any | None = field(default=None, repr=False)
    # What is shown and written into pictures; the sha256 is that of all weight files in turn.
    name: str = ""
    sha256: str = ""
    # The same of an autoencoder that did not come with it; empty where it has its own.
    vae_name: str = ""
    vae_sha256: str = ""
    # Where the networks compute, if they do not stay there; None is where the UNet is.
    computes_on: torch.device | None = None
    # Prompts that were encoded, the last one used at the end; `sdcore.conditioning` keeps it.
    contexts: OrderedDict[Any, Any] = field(default_factory=OrderedDict, repr=False)
    # Held during a run: padding modes are set on the networks themselves.
    lock: RLock = field(default_factory=RLock, repr=False)

    @property
    def device(self) -> torch.device:
        return self.computes_on or torch.device(self.unet.device)

    @property
    def dtype(self) -> torch.dtype:
        """The UNet's."""
        dtype: torch.dtype = self.unet.dtype
        return dtype
