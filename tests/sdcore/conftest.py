"""A tiny random checkpoint in the layout of Stable Diffusion 1.x.

It proves plumbing only: its pictures are noise, and say nothing of quality.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderDC, AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel

from sdcore.models.checkpoint import Checkpoint
from sdcore.models.load import load

VAES: dict[str, tuple[Any, dict[str, Any]]] = {
    "AutoencoderKL": (
        AutoencoderKL,
        {
            "in_channels": 3,
            "out_channels": 3,
            "latent_channels": 4,
            "block_out_channels": (8, 8, 16, 16),
            "norm_num_groups": 4,
            "down_block_types": ("DownEncoderBlock2D",) * 4,
            "up_block_types": ("UpDecoderBlock2D",) * 4,
        },
    ),
    "AutoencoderTiny": (
        AutoencoderTiny,
        {
            "in_channels": 3,
            "out_channels": 3,
            "latent_channels": 4,
            "encoder_block_out_channels": (8,) * 4,
            "decoder_block_out_channels": (8,) * 4,
            "num_encoder_blocks": (1,) * 4,
            "num_decoder_blocks": (1,) * 4,
        },
    ),
    "AutoencoderDC": (
        AutoencoderDC,
        {
            "in_channels": 1,
            "latent_channels": 4,
            "attention_head_dim": 4,
            "encoder_block_types": ("ResBlock", "ResBlock", "ResBlock", "EfficientViTBlock"),
            "decoder_block_types": ("ResBlock", "ResBlock", "ResBlock", "EfficientViTBlock"),
            "encoder_block_out_channels": (8, 8, 16, 16),
            "decoder_block_out_channels": (8, 8, 16, 16),
            "encoder_layers_per_block": (1,) * 4,
            "decoder_layers_per_block": (1,) * 4,
            "encoder_qkv_multiscales": ((), (), (), (5,)),
            "decoder_qkv_multiscales": ((), (), (), (5,)),
            "scaling_factor": 0.5,
        },
    ),
}


def unet(**changes: Any) -> UNet2DConditionModel:
    """A random UNet of 4 latent channels and two levels, the same at each call."""
    config: dict[str, Any] = {
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": (16, 32),
        "layers_per_block": 1,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": 32,
        "attention_head_dim": 4,
        "norm_num_groups": 8,
    }
    return _drawn(UNet2DConditionModel, config | changes)


def vae(name: str, **changes: Any) -> Any:
    """A random autoencoder of the class, of 4 latent channels and factor 8, the same each time."""
    build, config = VAES[name]
    return _drawn(build, config | changes)


def _drawn(build: Any, config: dict[str, Any]) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build(**config).eval()


def write_tokenizer(folder: Path) -> int:
    """vocab.json and merges.txt of a CLIP tokenizer for printable ASCII; how many tokens."""
    letters = [chr(code) for code in range(33, 127)]
    merged = ["ho", "hou", "hous", "house</w>"]
    tokens = [*letters, *(f"{c}</w>" for c in letters), *merged]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\nh o\nho u\nhou s\nhous e</w>\n")
    return len(tokens)


def write_checkpoint(
    folder: Path, *, vae_name: str = "AutoencoderKL", prediction: str = "v_prediction"
) -> Path:
    """A random checkpoint in diffusers layout, the same at each call."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        unet().save_pretrained(folder / "unet")
        vae(vae_name).save_pretrained(folder / "vae")
        tokens = write_tokenizer(folder / "tokenizer")
        text_config = CLIPTextConfig(
            vocab_size=tokens,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            bos_token_id=tokens - 2,
            eos_token_id=tokens - 1,
            pad_token_id=tokens - 1,
        )
        CLIPTextModel(text_config).save_pretrained(folder / "text_encoder")
    parts = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
    index = {"_class_name": "StableDiffusionPipeline"} | {part: ["", ""] for part in parts}
    (folder / "model_index.json").write_text(json.dumps(index))
    (folder / "scheduler").mkdir()
    scheduler = {
        "_class_name": "DDIMScheduler",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "num_train_timesteps": 1000,
        "prediction_type": prediction,
    }
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler))
    return folder


class Builder:
    """Makes tiny random networks, and checkpoints of them."""

    VAES = tuple(VAES)
    unet = staticmethod(unet)
    vae = staticmethod(vae)
    checkpoint = staticmethod(write_checkpoint)


@pytest.fixture(scope="session")
def build() -> type[Builder]:
    return Builder


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny checkpoint's folder; copy it before changing it."""
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny")


@pytest.fixture(scope="session")
def checkpoint(folder: Path) -> Checkpoint:
    """The tiny checkpoint on the CPU, all in fp32."""
    return load(folder, device="cpu", dtype=torch.float32)


@pytest.fixture(scope="session")
def loops() -> Checkpoint:
    """The trained checkpoint that the product carries: what the tools do is proved on it."""
    return load(Path(__file__).parents[2] / "riffapp" / "checkpoints" / "loops")


@pytest.fixture(scope="session")
def band_picture() -> Image.Image:
    """A spectrogram of two bars of the procedural band, as the trained checkpoint knows them."""
    from riffapp.studio.dataset import picture, song_number

    return Image.fromarray(picture(song_number(5, bars=2, seed=99))).convert("RGB")
