"""Riffusion's checkpoint, in its own files' layout, through every capability.

Random weights: plumbing. The layout is that of riffusion/riffusion-model-v1: a diffusers folder
without a sound.json, with files beside it that are passed over.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from audio import pictures
from audio.types import RIFFUSION, Tempo
from riffapp.errors import UsageError
from riffapp.studio import checkpoints
from riffapp.studio.canvas import open_canvas
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.remake import reimagine
from riffapp.studio.text_to_audio import make_loops
from riffapp.studio.types import Journey, LoopRequest, Mark, Timeline, Variant

WISH = LoopRequest(prompt="funk bassline", bpm=120, bars=1, seed=0, steps=1, quality="draft")


@pytest.fixture(scope="module")
def folder(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hub") / "riffusion-model-v1"
    shutil.copytree(tiny, path)
    (path / "sound.json").unlink()
    for name in ("unet_traced/unet_traced.pt", "safety_checker/config.json", "seed_images/a.png"):
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_bytes(b"")
    return path


@pytest.fixture(scope="module")
def riffusion(folder: Path) -> Instrument:
    return checkpoints.load(str(folder), device="cpu", threads=1)


def test_its_pictures_are_riffusions(riffusion: Instrument) -> None:
    sound = riffusion.sound
    assert sound.params == RIFFUSION and sound.template == "{prompt}"
    assert sound.widest == 512 and not sound.draws_circles


def test_a_single_file_is_known_by_its_name_or_by_what_lies_beside_it(tmp_path: Path) -> None:
    single = tmp_path / "Riffusion-v1.safetensors"
    single.write_bytes(b"")
    assert checkpoints.read_sound(str(single)).params == RIFFUSION
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"")
    with pytest.raises(UsageError, match="is an image model"):
        checkpoints.read_sound(str(other))
    shutil.copy(checkpoints.RIFFUSION_SOUND, tmp_path / "other.sound.json")
    assert checkpoints.read_sound(str(other)).params == RIFFUSION


@pytest.mark.parametrize("bpm", [77.7, 120.0, 187.5])
def test_a_loop_has_its_exact_length_on_a_time_grid_too(riffusion: Instrument, bpm: float) -> None:
    (take,) = make_loops(riffusion, replace(WISH, bpm=bpm))
    assert take.loop.clip.n == Tempo(bpm=bpm, beats=4).samples(44100)
    assert take.picture.width % 8 == 0
    hop_s = take.tempo.duration_s / take.picture.width
    assert hop_s == pytest.approx(0.01, rel=8 / take.picture.width)


@pytest.mark.parametrize(
    "change",
    [
        {"timeline": Timeline(marks=(Mark(bar=2, prompt="jazz"),))},
        {"journey": Journey(prompt="jazz", seed=4), "closed": False},
        {"journey": Journey(prompt="jazz", share=0.5)},
        {"variant": Variant(seed=1)},
    ],
)
def test_words_along_the_time_and_other_takes_work(
    riffusion: Instrument, change: dict[str, object]
) -> None:
    wish = replace(WISH, bars=3, **change)  # type: ignore[arg-type]
    (take,) = make_loops(riffusion, wish)
    assert take.picture.size == (600, 512)
    assert take.loop.clip.n == Tempo(bpm=120, beats=12).samples(44100)


def test_its_seed_pictures_are_whole_measures(riffusion: Instrument, tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (512, 512), np.uint8)
    image = Image.fromarray(np.repeat(levels[..., None], 3, -1))
    pictures.write(tmp_path / "og_beat.png", image, RIFFUSION)
    image.save(tmp_path / "bare.png")  # as they are shipped: without a word
    for name in ("og_beat.png", "bare.png"):
        canvas = open_canvas(tmp_path / name, riffusion.sound)
        assert canvas.tempo == Tempo(bpm=93.75, beats=8) and canvas.closed
        assert np.array_equal(np.asarray(canvas.picture), np.asarray(image))
        same = reimagine(riffusion, canvas, WISH, strength=0.0)
        assert np.array_equal(np.asarray(same.picture), np.asarray(image))
    made = reimagine(riffusion, canvas, WISH, strength=0.75)
    assert made.picture.size == (512, 512) and made.clip.n == 225792
