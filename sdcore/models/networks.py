"""The networks of a checkpoint, from their folders: config.json and one safetensors file each.

Built without weights and then given the file's own, so that nothing is drawn at random, nothing is
held twice, and a tensor that lacks or does not fit is said by name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderDC, AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from torch import Tensor
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

from sdcore.errors import ModelError
from sdcore.models.files import read_json, read_weights, weights_file

# Names of attention weights in autoencoders of 2022, and today's.
_RENAMED = {
    ".query.": ".to_q.",
    ".key.": ".to_k.",
    ".value.": ".to_v.",
    ".proj_attn.": ".to_out.0.",
}

# What a class's autoencoder has in rows and columns of picture per latent one.
_FACTORS: dict[str, Callable[[Any], int]] = {
    "AutoencoderDC": lambda vae: int(vae.spatial_compression_ratio),
    "AutoencoderKL": lambda vae: 2 ** (len(vae.config.block_out_channels) - 1),
    "AutoencoderTiny": lambda vae: 2 ** (len(vae.config.encoder_block_out_channels) - 1),
}
VAES = {
    "AutoencoderDC": AutoencoderDC,
    "AutoencoderKL": AutoencoderKL,
    "AutoencoderTiny": AutoencoderTiny,
}

_TEXT_ENCODERS = {
    "CLIPTextModel": CLIPTextModel,
    "CLIPTextModelWithProjection": CLIPTextModelWithProjection,
}


def read_unet(folder: Path, dtype: torch.dtype) -> Any:
    """The UNet2DConditionModel in the folder."""
    model = build_unet(read_json(folder / "config.json"), folder)
    path = weights_file(folder, "diffusion_pytorch_model")
    return fill(model, read_weights(path), path, dtype=dtype)


def read_vae(folder: Path) -> tuple[Any, int]:
    """The autoencoder in the folder, of the class that its config.json names, and its factor."""
    model, factor = build_vae(read_json(folder / "config.json"), folder)
    path = weights_file(folder, "diffusion_pytorch_model")
    return fill(model, read_weights(path), path), factor


def read_text_encoder(folder: Path) -> Any:
    """The CLIPTextModel in the folder, with or without projection."""
    model = build_text_encoder(read_json(folder / "config.json"), folder)
    path = weights_file(folder, "model")
    return fill(model, read_weights(path), path)


def build_unet(config: dict[str, Any], source: Path) -> Any:
    """The UNet of the configuration, on the meta device; `source` is named in refusals."""
    _check_class(source, config, ("UNet2DConditionModel",))
    for key, known in (
        ("class_embed_type", (None,)),
        ("addition_embed_type", (None, "text", "text_time")),
    ):
        if config.get(key) not in known:
            raise ModelError(
                f"{source / 'config.json'} asks for {key} '{config[key]}': give a UNet that is "
                "guided by words only, as those of Stable Diffusion 1, 2 and XL are"
            )
    return _built(source, lambda: UNet2DConditionModel(**_known(UNet2DConditionModel, config)))


def build_vae(config: dict[str, Any], source: Path) -> tuple[Any, int]:
    """The autoencoder of the configuration, on the meta device, and its factor."""
    _check_class(source, config, tuple(VAES))
    name = config["_class_name"]
    model = _built(source, lambda: VAES[name](**_known(VAES[name], config)))
    taken = model.config.in_channels
    given = model.config.get("out_channels", taken)  # AutoencoderDC has no say in it
    if taken not in (1, 3) or given != taken:
        raise ModelError(
            f"{source / 'config.json'} takes {taken} and gives {given} picture channels: "
            "give an autoencoder of 1 or of 3"
        )
    return model, _FACTORS[name](model)


def build_text_encoder(config: dict[str, Any], source: Path) -> Any:
    """The text encoder of the configuration, on the meta device."""
    name = (config.get("architectures") or ["CLIPTextModel"])[0]
    _check_class(source, {"_class_name": name}, tuple(_TEXT_ENCODERS))
    return _built(source, lambda: _TEXT_ENCODERS[name](CLIPTextConfig.from_dict(config)))


def read_tokenizer(folder: Path, **special: str) -> Any:
    """The CLIPTokenizer in the folder: of tokenizer.json, or of vocab.json and merges.txt.

    special: tokens with a meaning that take the place of the folder's, as pad_token="!".
    """
    whole = (folder / "tokenizer.json").is_file()
    read_json(folder / ("tokenizer.json" if whole else "vocab.json"))
    if not whole and not (folder / "merges.txt").is_file():
        raise ModelError(f"{folder / 'merges.txt'} is missing: copy the checkpoint's folder again")
    try:
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True, **special)
    except Exception as error:  # the library has no type of its own for a broken file
        first = str(error).strip().split("\n")[0]
        raise ModelError(f"{folder} holds no CLIP tokenizer ({first}): copy it again") from None


def _check_class(folder: Path, config: dict[str, Any], known: tuple[str, ...]) -> None:
    name = config.get("_class_name")
    if name not in known:
        raise ModelError(
            f"{folder / 'config.json'} is of class {name}: give one of {', '.join(known)}"
        )


def _built(folder: Path, build: Callable[[], Any]) -> Any:
    """What `build` makes on the meta device, where tensors have shapes and no content."""
    try:
        with torch.device("meta"):
            return build()
    except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
        first = str(error).strip().split("\n")[0]
        raise ModelError(f"{folder} cannot be built ({first}): copy it again") from None


def _known(model: type, config: dict[str, Any]) -> dict[str, Any]:
    """The part of a config.json that the model's class takes."""
    return {name: config[name] for name in inspect.signature(model).parameters if name in config}


def fill(
    model: Any, tensors: Mapping[str, Tensor], path: Path, *, dtype: torch.dtype = torch.float32
) -> Any:
    """The model with the tensors of the file `path` as its own, cast to dtype, for evaluation.

    Left over tensors are passed by: old files hold some that are counted today.
    """
    wanted = model.state_dict()
    named = {_today(name, wanted): tensor for name, tensor in tensors.items()}
    missing = [name for name in wanted if name not in named]
    if missing:
        raise ModelError(
            f"{path} lacks {len(missing)} of {len(wanted)} tensors, {missing[0]} for one: "
            "it is not of this config.json; copy both again"
        )
    for name, tensor in wanted.items():
        if named[name].shape != tensor.shape:
            raise ModelError(
                f"{path} has {name} of shape {tuple(named[name].shape)}, where its config.json "
                f"asks for {tuple(tensor.shape)}: copy both again"
            )
    model.load_state_dict({name: named[name].to(dtype) for name in wanted}, assign=True)
    for module in model.modules():
        positions = getattr(module, "position_ids", None)
        if isinstance(positions, Tensor) and positions.is_meta:  # counted, not stored in files
            module.position_ids = torch.arange(positions.shape[-1]).expand(positions.shape)
    return model.eval().requires_grad_(False)


def _today(name: str, wanted: Mapping[str, Tensor]) -> str:
    """The name that the model of today gives to a tensor of the file."""
    if name in wanted:
        return name
    name = name.removeprefix("text_model.")  # transformers before 5
    for old, new in _RENAMED.items():
        name = name.replace(old, new)
    return name
