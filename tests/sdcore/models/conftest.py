"""Tiny random checkpoints of each family, written by diffusers' own pipelines."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

# (family, kind): diffusers' pipeline
PIPELINES = {
    ("sd1", "text"): "StableDiffusionPipeline",
    ("sd1", "inpaint"): "StableDiffusionInpaintPipeline",
    ("sd1", "instruct"): "StableDiffusionInstructPix2PixPipeline",
    ("sd2", "text"): "StableDiffusionPipeline",
    ("sd2", "inpaint"): "StableDiffusionInpaintPipeline",
    ("sdxl", "text"): "StableDiffusionXLPipeline",
    ("sdxl", "inpaint"): "StableDiffusionXLInpaintPipeline",
    ("sdxl", "instruct"): "StableDiffusionXLInstructPix2PixPipeline",
    ("sdxl-refiner", "text"): "StableDiffusionXLImg2ImgPipeline",
}
CHANNELS = {"text": 4, "inpaint": 9, "instruct": 8}
# Of the first tower, and of OpenCLIP's in SDXL: diffusers tells these two apart by width.
WIDTH, SECOND = 32, 48


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise OSError("no network in tests")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def small_unet(family: str, kind: str) -> UNet2DConditionModel:
    """Three levels and the family's own kind of heads, projections and added conditioning."""
    config: dict[str, Any] = {
        "sample_size": 64,
        "in_channels": CHANNELS[kind],
        "block_out_channels": (16, 32, 32),
        "layers_per_block": 2,
        "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        "cross_attention_dim": WIDTH,
        "attention_head_dim": 4,
        "norm_num_groups": 8,
    }
    if family != "sd1":
        config |= {"use_linear_projection": True, "attention_head_dim": (2, 4, 4)}
    if family.startswith("sdxl"):
        ids = 6 if family == "sdxl" else 5
        config |= {
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            "transformer_layers_per_block": (1, 1, 2),
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": SECOND + 8 * ids,
            "cross_attention_dim": WIDTH + SECOND if family == "sdxl" else SECOND,
        }
    return UNet2DConditionModel(**config)


def small_tower(tokens: int, *, openclip: bool, projected: bool) -> Any:
    """A text encoder of two layers (OpenCLIP's in SD 2 have an exact GELU)."""
    width = SECOND if projected else WIDTH
    config = CLIPTextConfig(
        vocab_size=tokens,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=2,
        num_attention_heads=4,
        projection_dim=width,
        hidden_act="gelu" if openclip else "quick_gelu",
        bos_token_id=tokens - 2,
        eos_token_id=tokens - 1,
        pad_token_id=0 if openclip else tokens - 1,
    )
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config)


def write_family(folder: Path, family: str, kind: str, *, words: Path) -> Path:
    """A random checkpoint of the family in diffusers' layout; words: a tokenizer's folder."""
    first = CLIPTokenizer.from_pretrained(words)
    second = CLIPTokenizer.from_pretrained(words, pad_token="!")
    tokens = len(first)
    prediction = "v_prediction" if family == "sd2" else "epsilon"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts: dict[str, Any] = {
            "unet": small_unet(family, kind),
            "vae": AutoencoderKL(
                block_out_channels=(8, 8, 16, 16),
                norm_num_groups=4,
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
                layers_per_block=2,
                scaling_factor=0.13025 if family.startswith("sdxl") else 0.18215,
            ),
            "scheduler": DDIMScheduler(
                beta_start=0.00085,
                beta_end=0.012,
                beta_schedule="scaled_linear",
                prediction_type=prediction,
            ),
            "text_encoder": small_tower(tokens, openclip=family == "sd2", projected=False),
            "tokenizer": second if family == "sd2" else first,
        }
        if family.startswith("sdxl"):
            parts["text_encoder_2"] = small_tower(tokens, openclip=True, projected=True)
            parts["tokenizer_2"] = second
        else:
            parts |= {"safety_checker": None, "feature_extractor": None}
            parts["requires_safety_checker"] = False
        if family == "sdxl-refiner":
            parts |= {"text_encoder": None, "tokenizer": None, "requires_aesthetics_score": True}
    pipeline = getattr(diffusers, PIPELINES[family, kind])(**parts)
    pipeline.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def family_folder(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], Path]:
    """The folder of a family's checkpoint, made once; copy it before changing it."""
    root, made = tmp_path_factory.mktemp("families"), {}

    def write(family: str, kind: str) -> Path:
        if (family, kind) not in made:
            place = root / f"{family}-{kind}"
            made[family, kind] = write_family(place, family, kind, words=folder / "tokenizer")
        return made[family, kind]

    return write
