"""A checkpoint from one file, as they are published, without any network; and back into one.

Family and kind are found by the names and shapes of the tensors; what a file does not say, heads
and activations, stands in configs/ beside this module. A file holds no words: the tokenizer's two
files lie beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from sdcore.errors import ModelError
from sdcore.models.checkpoint import Checkpoint, Family, Kind, Prediction, TextTower
from sdcore.models.family import family_of, kind_of
from sdcore.models.files import read_json, read_weights, sha256
from sdcore.models.layout import (
    UNET,
    from_openclip,
    published_clip,
    published_unet,
    published_vae,
    to_openclip,
)
from sdcore.models.load import pick_device, pick_dtype
from sdcore.models.networks import (
    build_text_encoder,
    build_unet,
    build_vae,
    fill,
    read_tokenizer,
)
from sdcore.models.scheduler import for_family, is_zero_terminal, levels_of

# Where each family's towers are, and whether they are OpenCLIP's.
_TOWERS: dict[Family, tuple[tuple[str, str, bool], ...]] = {
    "sd1": (("text_encoder", "cond_stage_model.transformer.", False),),
    "sd2": (("text_encoder", "cond_stage_model.model.", True),),
    "sdxl": (
        ("text_encoder", "conditioner.embedders.0.transformer.", False),
        ("text_encoder_2", "conditioner.embedders.1.model.", True),
    ),
    "sdxl-refiner": (("text_encoder_2", "conditioner.embedders.0.model.", True),),
}
_CHANNELS: dict[int, Kind] = {4: "text", 9: "inpaint", 8: "instruct"}
_FIRST = f"{UNET}input_blocks.0.0.weight"
# As the ModelSpec of file headers calls it.
_PREDICTION = "modelspec.prediction_type"
# Markers among the tensors, without content, of what training was.
_V, _ZERO_TERMINAL = "v_pred", "ztsnr"
_PREDICTIONS: dict[str, Prediction] = {"epsilon": "epsilon", "v": "v_prediction"}


def load_single(
    path: Path,
    *,
    device: str = "auto",
    dtype: torch.dtype | None = None,
    tokenizer: Path | None = None,
    config: Path | None = None,
    prediction: Prediction | None = None,
    allow_pickle: bool = False,
) -> Checkpoint:
    """The checkpoint in the file, ready to run.

    Args:
        device, dtype: as in `load`.
        tokenizer: the folder of vocab.json and merges.txt; None looks beside the file.
        config: a folder in diffusers layout whose config.json files are those of the networks, for
        one that is not built as its family is.
        prediction: None is what the header says; for SD 2 without one, what the UNet does.
        allow_pickle: whether a .ckpt or .pt is read too, its tensors only.
    Raises:
        ModelError: a file that is broken, of no family known, or without its tokenizer.
    """
    tensors = read_tensors(path, allow_pickle=allow_pickle)
    family, kind = recognised(tensors, path)
    configs = _configs(family, kind, config)
    where = pick_device(device)
    unet = build_unet(configs["unet"], path)
    unet = fill(
        unet, chosen(unet, published_unet(unet), tensors), path, dtype=pick_dtype(where, dtype)
    ).to(where)
    vae, factor = build_vae(configs["vae"], path)
    vae = fill(vae, chosen(vae, published_vae(vae), tensors), path).to(where)
    towers = _towers(family, configs, tensors, path, _words(path, tokenizer))
    levels, _ = levels_of(configs["scheduler"], path)
    if _ZERO_TERMINAL in tensors and not is_zero_terminal(levels):
        levels = levels.zero_terminal()
    return Checkpoint(
        unet=unet,
        vae=vae,
        towers=tuple(replace(tower, encoder=tower.encoder.to(where)) for tower in towers),
        levels=for_family(levels, family),
        prediction=prediction or _predicted(path, tensors, family, kind, unet),
        family=family_of(path, unet.config, towers),
        kind=kind_of(path, unet.config, vae.config),
        latent_channels=int(vae.config.latent_channels),
        factor=factor,
        name=path.stem,
        sha256=sha256([path]),
    )


def read_tensors(path: Path, *, allow_pickle: bool = False) -> dict[str, Tensor]:
    """The tensors of a .safetensors file, or of a pickle if that is allowed by name.

    Raises:
        ModelError: a broken file, or a pickle that is not allowed.
    """
    if path.suffix.lower() not in (".ckpt", ".pt", ".pth", ".bin"):
        return read_weights(path)
    if not allow_pickle:
        raise ModelError(
            f"{path} is a pickle, which can run code when it is read: give a .safetensors file, "
            "or allow pickles by name (allow_pickle=True), whose tensors alone are read"
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken pickle can raise anything
        first = str(error).strip().split("\n")[0]
        raise ModelError(f"{path} cannot be read as tensors alone ({first})") from None
    for nest in ("state_dict", "string_to_param"):  # of checkpoints, of textual inversions
        content = content.get(nest, content) if isinstance(content, dict) else {}
    return {name: value for name, value in content.items() if isinstance(value, Tensor)}


def recognised(tensors: Mapping[str, Tensor], path: Path) -> tuple[Family, Kind]:
    """Family and kind of a single file, by its tensors' names and shapes.

    Raises:
        ModelError: no family that is known.
    """
    if _FIRST not in tensors:
        raise ModelError(
            f"{path} has no {_FIRST}: give a whole Stable Diffusion 1, 2 or XL checkpoint"
        )
    channels = tensors[_FIRST].shape[1]
    if channels not in _CHANNELS:
        raise ModelError(f"{path} has a UNet of {channels} channels: give one of 4, 8 or 9")
    for family, towers in reversed(_TOWERS.items()):
        if all(any(name.startswith(stem) for name in tensors) for _, stem, _ in towers):
            # sdxl's two stand before the refiner's one, which has another stem
            return family, _CHANNELS[channels]
    raise ModelError(f"{path} has no text encoder of Stable Diffusion 1, 2 or XL: give a whole one")


def _configs(family: Family, kind: Kind, folder: Path | None) -> dict[str, dict[str, Any]]:
    """The configurations of the parts: the folder's, or the family's."""
    if folder is not None:
        encoders = [part for part, _, _ in _TOWERS[family]]
        configs = {p: read_json(folder / p / "config.json") for p in ("unet", "vae", *encoders)}
        scheduler = read_json(folder / "scheduler" / "scheduler_config.json")
        return configs | {"scheduler": scheduler}
    text = (files("sdcore.models") / "configs" / f"{family}.json").read_text("utf-8")
    bundled: dict[str, dict[str, Any]] = json.loads(text)
    bundled["unet"]["in_channels"] = next(n for n, name in _CHANNELS.items() if name == kind)
    return bundled


def chosen(
    model: Any, published: Mapping[str, str], tensors: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The file's tensors by today's names; what were convolutions of 1 x 1 are matrices today."""
    out = {}
    for name, wanted in model.state_dict().items():
        tensor = tensors.get(published[name])
        if tensor is not None:
            alike = tensor.ndim != wanted.ndim and tensor.numel() == wanted.numel()
            out[name] = tensor.reshape(wanted.shape) if alike else tensor
    return out


def _towers(
    family: Family,
    configs: Mapping[str, dict[str, Any]],
    tensors: Mapping[str, Tensor],
    path: Path,
    words: Path,
) -> tuple[TextTower, ...]:
    towers = []
    for part, stem, openclip in _TOWERS[family]:
        encoder = build_text_encoder(configs[part], path)
        if openclip:
            found = from_openclip(encoder, tensors, stem)
        else:
            names = published_clip(encoder, stem)
            if f"{stem}text_model.final_layer_norm.weight" not in tensors:  # files of 2022
                names = {k: v.replace("text_model.", "") for k, v in names.items()}
            found = chosen(encoder, names, tensors)
        special = {"pad_token": "!"} if openclip else {}
        tokenizer = read_tokenizer(words, **special)
        towers.append(
            TextTower(
                encoder=fill(encoder, found, path),
                tokenizer=tokenizer,
                pooled=hasattr(encoder, "text_projection"),
            )
        )
    return tuple(towers)


def _words(path: Path, given: Path | None) -> Path:
    """The folder of the tokenizer: the given one, or the nearest to the file."""
    beside = (path.with_suffix(""), path.parent / "tokenizer", path.parent)
    for folder in (given,) if given is not None else beside:
        if (folder / "vocab.json").is_file() or (folder / "tokenizer.json").is_file():
            return folder
    place = given if given is not None else path.parent / "tokenizer"
    raise ModelError(
        f"{path} needs a tokenizer, which no single file holds: put CLIP's vocab.json and "
        f"merges.txt into {place}"
    )


def _predicted(
    path: Path, tensors: Mapping[str, Tensor], family: Family, kind: Kind, unet: Any
) -> Prediction:
    """What the UNet predicts: by the header, by a marker among the tensors, or by trying."""
    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as file:
            said = (file.metadata() or {}).get(_PREDICTION, "")
        if said in _PREDICTIONS:
            return _PREDICTIONS[said]
    if _V in tensors:
        return "v_prediction"
    return _tried(unet) if (family, kind) == ("sd2", "text") else "epsilon"


@torch.inference_mode()
def _tried(unet: Any) -> Prediction:
    """What a trained UNet predicts: of pure noise, epsilon is that noise and v is not.

    SD 2's two kinds have the same tensors, so that nothing else tells them apart.
    """
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(1, unet.config.in_channels, 16, 16, generator=rng)
    x = x.to(unet.device, unet.dtype)
    words = x.new_zeros(1, 77, unet.config.cross_attention_dim)
    out = unet(x, 999, words).sample
    alike = torch.nn.functional.cosine_similarity(out.float().flatten(), x.float().flatten(), dim=0)
    return "epsilon" if float(alike) > 0.5 else "v_prediction"


def write_single(
    checkpoint: Checkpoint,
    path: Path,
    *,
    dtype: torch.dtype | None = None,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write the checkpoint into one .safetensors file of the published layout.

    Args:
        dtype: of all tensors; None leaves them as they are.
        metadata: further entries of the header.
    Raises:
        ModelError: an autoencoder that the layout has no names for.
    """
    tensors = {
        name: value.to(dtype or value.dtype) for name, value in published(checkpoint).items()
    }
    tensors |= {  # counted today, but part of the layout
        f"{stem}text_model.embeddings.position_ids": torch.arange(
            tower.encoder.config.max_position_embeddings
        )[None]
        for (_, stem, openclip), tower in _stems(checkpoint)
        if not openclip
    }
    if is_zero_terminal(checkpoint.levels):
        tensors[_ZERO_TERMINAL] = torch.zeros(0)
    said = next(word for word, meant in _PREDICTIONS.items() if meant == checkpoint.prediction)
    header = {"format": "pt", _PREDICTION: said} | dict(metadata or {})
    save_file({k: v.contiguous().cpu() for k, v in tensors.items()}, path, metadata=header)


def published(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """All tensors of the checkpoint by their published names."""
    if type(checkpoint.vae).__name__ != "AutoencoderKL":
        raise ModelError(
            f"{checkpoint.name} has an autoencoder of class {type(checkpoint.vae).__name__}, for "
            "which single files have no names: keep it as a folder"
        )
    tensors: dict[str, Tensor] = {}
    for network, names in (
        (checkpoint.unet, published_unet(checkpoint.unet)),
        (checkpoint.vae, published_vae(checkpoint.vae)),
    ):
        tensors |= {names[name]: tensor for name, tensor in network.state_dict().items()}
    for name in [n for n in tensors if ".mid.attn_1." in n and tensors[n].ndim == 2]:
        tensors[name] = tensors[name][..., None, None]  # a convolution of 1 x 1 there
    for (_, stem, openclip), tower in _stems(checkpoint):
        state = tower.encoder.state_dict()
        if openclip:
            tensors |= to_openclip(state, stem)
        else:
            names = published_clip(tower.encoder, stem)
            tensors |= {names[name]: tensor for name, tensor in state.items()}
    return tensors


def _stems(checkpoint: Checkpoint) -> list[tuple[tuple[str, str, bool], TextTower]]:
    return list(zip(_TOWERS[checkpoint.family], checkpoint.towers, strict=True))
