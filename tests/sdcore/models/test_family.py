"""Each family is known by its parts, and loaded as diffusers saved it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sdcore.errors import ModelError
from sdcore.models.load import load

FAMILIES = [
    ("sd1", "text"),
    ("sd1", "inpaint"),
    ("sd1", "instruct"),
    ("sd2", "text"),
    ("sd2", "inpaint"),
    ("sdxl", "text"),
    ("sdxl", "inpaint"),
    ("sdxl", "instruct"),
    ("sdxl-refiner", "text"),
]
Folders = Callable[[str, str], Path]


@pytest.mark.parametrize(("family", "kind"), FAMILIES)
def test_what_diffusers_saves_is_loaded_bit_equal_and_its_family_known(
    family_folder: Folders, family: str, kind: str
) -> None:
    folder = family_folder(family, kind)
    checkpoint = load(folder, device="cpu", dtype=torch.float32)
    assert (checkpoint.family, checkpoint.kind) == (family, kind)
    assert checkpoint.latent_channels == 4
    assert checkpoint.prediction == ("v_prediction" if family == "sd2" else "epsilon")
    assert [tower.pooled for tower in checkpoint.towers] == {
        "sd1": [False],
        "sd2": [False],
        "sdxl": [False, True],
        "sdxl-refiner": [True],
    }[family]
    named = {"unet": checkpoint.unet, "vae": checkpoint.vae}
    encoders = {"sdxl-refiner": ["text_encoder_2"]}.get(family, ["text_encoder", "text_encoder_2"])
    named |= dict(zip(encoders, (tower.encoder for tower in checkpoint.towers), strict=False))
    for part, network in named.items():
        (path,) = (folder / part).glob("*.safetensors")
        saved, found = load_file(path), network.state_dict()
        assert found.keys() == saved.keys()
        assert all(torch.equal(found[name], saved[name]) for name in saved)


@pytest.mark.parametrize(("family", "pad"), [("sd1", "<|endoftext|>"), ("sd2", "!")])
def test_a_family_pads_with_its_own_token(family_folder: Folders, family: str, pad: str) -> None:
    words = load(family_folder(family, "text"), device="cpu").towers[0].tokenizer
    assert words.pad_token_id == words.get_vocab()[pad]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"projection_class_embeddings_input_dim": 99}, "embeddings_input_dim is 99"),
        ({"cross_attention_dim": 40}, "cross_attention_dim is 40 but the text encoders give 80"),
    ],
)
def test_towers_that_do_not_fit_are_refused(
    family_folder: Folders, tmp_path: Path, changes: dict[str, int], sentence: str
) -> None:
    from diffusers import UNet2DConditionModel

    copy = Path(shutil.copytree(family_folder("sdxl", "text"), tmp_path / "copy"))
    config = json.loads((copy / "unet/config.json").read_text()) | changes
    shutil.rmtree(copy / "unet")
    UNet2DConditionModel.from_config(config).save_pretrained(copy / "unet")
    with pytest.raises(ModelError, match=sentence):
        load(copy, device="cpu")
