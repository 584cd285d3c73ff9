"""Which family a checkpoint is of, and whether its parts fit one another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sdcore.errors import ModelError
from sdcore.models.checkpoint import Family, Kind, TextTower

# Numbers that SDXL's UNet is told besides the words: sizes, crop and target; sizes, crop and score.
_TIME_IDS = {"sdxl": 6, "sdxl-refiner": 5}


def family_of(source: Path, unet: Any, towers: Sequence[TextTower]) -> Family:
    """The family, by the UNet's configuration and the towers that come with it.

    Raises:
        ModelError: towers whose widths are not those that the UNet reads.
    """
    width = sum(tower.encoder.config.hidden_size for tower in towers)
    if unet.cross_attention_dim != width:
        raise ModelError(
            f"{source}: unet cross_attention_dim is {unet.cross_attention_dim} but the text "
            f"encoders give {width}: the parts do not fit"
        )
    if unet.addition_embed_type in (None, "text"):
        if len(towers) > 1:
            raise ModelError(f"{source} has two text encoders but a UNet that reads one")
        # OpenCLIP's towers have the exact GELU, OpenAI's the quick one
        return "sd2" if towers[0].encoder.config.hidden_act == "gelu" else "sd1"
    family: Family = "sdxl" if len(towers) > 1 else "sdxl-refiner"
    if not towers[-1].pooled:
        raise ModelError(f"{source}: the last text encoder has no projection, which SDXL reads")
    pooled = towers[-1].encoder.config.projection_dim
    given = pooled + _TIME_IDS[family] * unet.addition_time_embed_dim
    wanted = unet.projection_class_embeddings_input_dim
    if wanted != given:
        raise ModelError(
            f"{source}: unet projection_class_embeddings_input_dim is {wanted} but text encoder "
            f"and sizes give {given}: the parts do not fit"
        )
    return family


def kind_of(source: Path, unet: Any, vae: Any) -> Kind:
    """What the UNet reads besides the latents, by its channels.

    Raises:
        ModelError: channels that fit no kind.
    """
    channels = vae.latent_channels
    kinds: dict[int, Kind] = {
        channels: "text",
        2 * channels + 1: "inpaint",
        2 * channels: "instruct",
    }
    for name, given, known in (
        ("in_channels", unet.in_channels, tuple(kinds)),
        ("out_channels", unet.out_channels, (channels,)),
    ):
        if given not in known:
            raise ModelError(
                f"{source}: unet {name} is {given} but vae latent_channels is {channels}: "
                "the parts do not fit"
            )
    return kinds[unet.in_channels]
