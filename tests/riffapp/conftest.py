"""A tiny checkpoint of random weights, in exactly the layout of the embedded one.

It proves plumbing: that words, seeds, files and refusals go where they should. Of music it
knows nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel

from audio.types import BeatFrames, DecibelCurve, SpectrogramParams
from riffapp import cli
from riffapp.studio import checkpoints

TEXT_WIDTH = 32
WORDS = ["house", "techno", "drums", "saw bass", "a", "c", "f#", "bb", "major", "minor", "hi-hat"]
PARAMS = SpectrogramParams(
    n_mels=32, min_hz=30.0, frames=BeatFrames(per_beat=16), curve=DecibelCurve(full_scale=0.1)
)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Bytes are promised for one machine and thread count; here that count is 1."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def strange_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nobody's own settings, queue or gallery are touched, by servers of many tests neither."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RIFFAPP_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(autouse=True)
def own_home(
    strange_home: None, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The home folder of one test, empty."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("RIFFAPP_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tiny checkpoint. Tests that break it work on a copy."""
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny"
    torch.manual_seed(0)
    _unet().save_pretrained(folder / "unet")
    _vae().save_pretrained(folder / "vae")
    vocabulary = _write_tokenizer(folder / "tokenizer")
    _text_encoder(vocabulary).save_pretrained(folder / "text_encoder")
    DDPMScheduler(
        prediction_type="v_prediction", beta_schedule="scaled_linear", beta_end=0.012
    ).save_pretrained(folder / "scheduler")
    (folder / "model_index.json").write_text(json.dumps(_INDEX))
    (folder / "sound.json").write_text(json.dumps(sound_json()))
    return folder


_INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "scheduler": ["diffusers", "DDPMScheduler"],
}


def sound_json() -> dict[str, object]:
    return {
        "params": PARAMS.to_json(),
        "template": "{prompt}, {key}, {bpm} bpm",
        "bars": [1, 2],
        "meter": "4/4",
        "words": WORDS,
        "licence": "CC0-1.0",
        "defaults": {"steps": 2, "cfg": 3.0, "sampler": "DPM++ 2M", "schedule": "Karras"},
    }


def _unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=8,
        norm_num_groups=8,
    )


def _vae() -> AutoencoderKL:
    return AutoencoderKL(
        in_channels=1,
        out_channels=1,
        latent_channels=4,
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=4,
        mid_block_add_attention=False,
    )


def _text_encoder(vocabulary: int) -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocabulary,
            hidden_size=TEXT_WIDTH,
            intermediate_size=64,
            num_hidden_layers=1,
            num_attention_heads=4,
            max_position_embeddings=77,
            bos_token_id=vocabulary - 2,
            eos_token_id=vocabulary - 1,
        )
    )


def _write_tokenizer(folder: Path) -> int:
    """CLIP's byte alphabet without a single merge; the number of tokens comes out."""
    folder.mkdir()
    letters = [chr(code) for code in (*range(33, 127), *range(161, 173), *range(174, 256))]
    letters += [chr(256 + n) for n in range(256 - len(letters))]
    tokens = [*letters, *(f"{c}</w>" for c in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>"}
    special |= {"unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, **special}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    return len(tokens)


@pytest.fixture(scope="session")
def instrument(tiny: Path) -> checkpoints.Instrument:
    return checkpoints.load(str(tiny), device="cpu")


@dataclass(frozen=True)
class Run:
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def riffapp(capsys: pytest.CaptureFixture[str]) -> Callable[..., Run]:
    """Runs the command line in this process, as a person would type it."""

    def run(*words: object) -> Run:
        try:
            code = cli.main([str(word) for word in words])
        except SystemExit as stop:  # argparse
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return Run(code, captured.out, captured.err)

    return run


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A small picture of noise."""
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = tmp_path / "photo.png"
    Image.fromarray(pixels).save(path)
    return path
