"""Which checkpoint is meant, and what it says of how it sounds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from audio.types import Tempo
from riffapp.errors import UsageError
from riffapp.studio import checkpoints
from sdcore.errors import ModelError


@pytest.fixture
def copy(tiny: Path, tmp_path: Path) -> Path:
    """A checkpoint to break."""
    return Path(shutil.copytree(tiny, tmp_path / "copy"))


def rewrite(folder: Path, **changes: Any) -> str:
    path = folder / "sound.json"
    plain = json.loads(path.read_text())
    plain.update(changes)
    path.write_text(json.dumps(plain))
    return str(folder)


def test_a_checkpoint_says_how_it_sounds(tiny: Path) -> None:
    sound = checkpoints.read_sound(str(tiny))
    assert sound.bars == (1, 2)
    assert sound.columns(Tempo(bpm=77, beats=4)) == 64
    assert "saw bass" in sound.words
    assert (sound.steps, sound.cfg) == (2, 3.0)


def test_a_key_of_a_later_version_is_passed_over(copy: Path) -> None:
    assert checkpoints.read_sound(rewrite(copy, mastering={"lufs": -14})).meter == "4/4"


def test_an_image_model_is_refused_for_sound(copy: Path) -> None:
    (copy / "sound.json").unlink()
    with pytest.raises(UsageError, match=r"no sound\.json: it is an image model"):
        checkpoints.load(str(copy))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"params": {"rate": 3}}, "rate 3 Hz is outside"),
        ({"params": {"frames": {"kind": "time"}}, "width": 100}, "width 100: give a multiple of 8"),
        ({"bars": []}, "a beat grid needs the bars of the training"),
        ({"bars": ["two"]}, "invalid literal"),
        ({"defaults": {"steps": "many"}}, "invalid literal"),
        ({"params": 7}, "sound.json"),
        ({"words": "house"}, "words are a list of texts, not house"),
        ({"groups": {"bass": ["saw", 3]}}, "words are a list of texts"),
        ({"groups": ["bass"]}, "sound.json"),
    ],
)
def test_a_sound_file_that_cannot_be_is_refused(
    copy: Path, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError) as refused:
        checkpoints.read_sound(rewrite(copy, **changes))
    assert sentence in str(refused.value)


@pytest.mark.parametrize("text", ["{", "[]", "{}", "\xff"])
def test_a_sound_file_that_is_no_json_of_ours_is_refused(copy: Path, text: str) -> None:
    (copy / "sound.json").write_text(text, encoding="latin-1")
    with pytest.raises(UsageError, match=r"sound\.json"):
        checkpoints.read_sound(str(copy))


@pytest.mark.parametrize("ref", ["nothing-here", "./nothing", "/no/such/folder", "", "a/b/c"])
def test_an_unknown_checkpoint_is_refused_with_what_may_be_given(ref: str) -> None:
    with pytest.raises(UsageError, match="checkpoint"):
        checkpoints.folder(ref)


def test_a_file_is_no_checkpoint(tiny: Path) -> None:
    with pytest.raises(UsageError, match="is a file: give a folder"):
        checkpoints.folder(str(tiny / "sound.json"))


@pytest.mark.parametrize(
    "missing",
    [
        "model_index.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
        "text_encoder/model.safetensors",
        "tokenizer/vocab.json",
        "scheduler/scheduler_config.json",
    ],
)
def test_a_folder_with_a_missing_file_names_it(copy: Path, missing: str) -> None:
    (copy / missing).unlink()
    with pytest.raises(ModelError, match="is missing") as refused:
        checkpoints.load(str(copy), device="cpu")
    assert missing.split("/")[-1].split(".")[0] in str(refused.value)
