"""What the tensors of today's networks are called in single files.

The layouts are those in which the checkpoints were published: latent diffusion's UNet and
autoencoder, OpenAI's CLIP in transformers' names, and OpenCLIP's. Each function gives the
published name for a name of today, so that one table reads and writes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

UNET = "model.diffusion_model."
VAE = "first_stage_model."

_ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
}
_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
_VAE_ENDS = {
    "mid_block.resnets.0": "mid.block_1",
    "mid_block.attentions.0": "mid.attn_1",
    "mid_block.resnets.1": "mid.block_2",
    "conv_norm_out": "norm_out",
}
_VAE_ATTENTION = {
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
}
_OPENCLIP = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm.weight": "ln_final.weight",
    "final_layer_norm.bias": "ln_final.bias",
    "text_projection.weight": "text_projection",
}
_OPENCLIP_LAYER = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}
_BLOCK = re.compile(
    r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)"
)
_VAE_BLOCK = re.compile(r"(en|de)coder\.(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.+)")
_ATTENTION_PART = re.compile(r"self_attn\.([qkv])_proj\.(weight|bias)")


def unet_name(name: str, config: Any) -> str:
    """The published name of a UNet's tensor or module, without prefix; config: the UNet's."""
    found = _BLOCK.fullmatch(name)
    if found is None:
        return _resnet_name(_swapped(name, _ENDS))
    way, kind, rest = found[1], found[3], found[5]
    block, layer = int(found[2]), int(found[4])
    # levels have layers_per_block layers going down and one more going up
    size = config.layers_per_block + 1
    if kind == "downsamplers":
        return f"input_blocks.{(block + 1) * size}.0.{_swapped(rest, {'conv': 'op'})}"
    if kind == "upsamplers":
        place = 2 if "CrossAttn" in config.up_block_types[block] else 1
        return f"output_blocks.{(block + 1) * size - 1}.{place}.{rest}"
    stem = (
        f"input_blocks.{1 + block * size + layer}"
        if way == "down"
        else (f"output_blocks.{block * size + layer}")
    )
    return f"{stem}.1.{rest}" if kind == "attentions" else f"{stem}.0.{_swapped(rest, _RESNET)}"


def vae_name(name: str, levels: int) -> str:
    """The published name of an AutoencoderKL's tensor, without prefix; levels: its resolutions."""
    found = _VAE_BLOCK.fullmatch(name)
    if found is not None:
        level = int(found[3]) if found[2] == "down" else levels - 1 - int(found[3])
        stem = f"{found[1]}coder.{found[2]}.{level}"
        if found[4] == "resnets":
            return (
                f"{stem}.block.{found[5]}.{_swapped(found[6], {'conv_shortcut': 'nin_shortcut'})}"
            )
        return f"{stem}.{found[2]}sample.{found[6]}"
    side, _, rest = name.partition(".")
    if side not in ("encoder", "decoder"):
        return name
    rest = _swapped(rest, _VAE_ENDS)
    head, attention, tail = rest.partition("attn_1.")
    return f"{side}.{head}{attention}{_swapped(tail, _VAE_ATTENTION)}"


def _resnet_name(name: str) -> str:
    for place in ("middle_block.0.", "middle_block.2."):
        if name.startswith(place):
            return place + _swapped(name.removeprefix(place), _RESNET)
    return name


def _swapped(name: str, table: Mapping[str, str]) -> str:
    """The name with its beginning as in the table, if it is there, whole parts only."""
    for old, new in table.items():
        if name == old or name.startswith(f"{old}."):
            return new + name[len(old) :]
    return name


def published_unet(unet: Any) -> dict[str, str]:
    """{name of today: published name} of a UNet2DConditionModel's tensors."""
    return {name: UNET + unet_name(name, unet.config) for name in unet.state_dict()}


def published_vae(vae: Any) -> dict[str, str]:
    """{name of today: published name} of an AutoencoderKL's tensors."""
    levels = len(vae.config.block_out_channels)
    return {name: VAE + vae_name(name, levels) for name in vae.state_dict()}


def published_clip(encoder: Any, prefix: str) -> dict[str, str]:
    """{name of today: published name} of OpenAI's CLIP text encoder, as `prefix`text_model..."""
    return {
        name: f"{prefix}text_model.{name.removeprefix('text_model.')}"
        for name in encoder.state_dict()
    }


def to_openclip(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """A text encoder's tensors as OpenCLIP names and joins them."""
    out: dict[str, Tensor] = {}
    joined: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        name = name.removeprefix("text_model.")
        if name in _OPENCLIP:
            out[prefix + _OPENCLIP[name]] = tensor.T if name.startswith("text_proj") else tensor
            continue
        layer, rest = name.removeprefix("encoder.layers.").split(".", 1)
        stem = f"{prefix}transformer.resblocks.{layer}."
        part = _ATTENTION_PART.fullmatch(rest)
        if part is None:
            out[stem + _swapped(rest, _OPENCLIP_LAYER)] = tensor
        else:
            joined.setdefault(f"{stem}attn.in_proj_{part[2]}", {})[part[1]] = tensor
    return out | {name: torch.cat([parts[p] for p in "qkv"]) for name, parts in joined.items()}


def from_openclip(encoder: Any, tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The encoder's tensors by today's names, from those that a file has under the prefix.

    What the file lacks is left out. Layers that it has and the encoder does not are passed by:
    SD 2 was trained on the last layer but one, and its files hold the last one too.
    """
    out: dict[str, Tensor] = {}
    for today in encoder.state_dict():
        name = today.removeprefix("text_model.")
        if name in _OPENCLIP:
            found = tensors.get(prefix + _OPENCLIP[name])
            found = found.T if found is not None and name.startswith("text_proj") else found
        else:
            layer, rest = name.removeprefix("encoder.layers.").split(".", 1)
            stem = f"{prefix}transformer.resblocks.{layer}."
            part = _ATTENTION_PART.fullmatch(rest)
            if part is None:
                found = tensors.get(stem + _swapped(rest, _OPENCLIP_LAYER))
            else:
                found = tensors.get(f"{stem}attn.in_proj_{part[2]}")
                found = found if found is None else found.chunk(3)["qkv".index(part[1])]
        if found is not None:
            out[today] = found
    return out
