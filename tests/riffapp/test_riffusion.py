"""Riffusion's checkpoint, in its own files' layout, through every capability.

Random weights: plumbing. The layout is that of riffusion/riffusion-model-v1: a diffusers folder
without a sound.json, with files beside it that are passed over.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from audio import pictures
from audio.types import RIFFUSION, Tempo
from riffapp.errors import UsageError
from riffapp.studio import checkpoints
from riffapp.studio.canvas import open_canvas
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.passage import Goal, joined, travel
from riffapp.studio.remake import Region, extend, redo, reimagine
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


@pytest.fixture
def seed_picture(tmp_path: Path) -> Path:
    """Two bars without a word about them, as Riffusion's seed images are."""
    levels = np.random.default_rng(1).integers(120, 256, (512, 512), np.uint8)
    Image.fromarray(np.repeat(levels[..., None], 3, -1)).save(tmp_path / "og_beat.png")
    return tmp_path / "og_beat.png"


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


def test_a_journey_over_a_seed_picture_begins_and_ends_with_the_wishes_alone(
    riffusion: Instrument, seed_picture: Path
) -> None:
    """Riffusion's interpolation: alpha 0 is A, 1 is B, black of the mask stays in every step."""
    canvas = open_canvas(seed_picture, riffusion.sound)
    mask = Image.new("L", (512, 512), 255)
    mask.paste(0, (0, 0, 512, 256))
    goal = Goal(prompt="jazz", seed=4, cfg=5.0, strength=0.5)
    way = travel(riffusion, canvas, WISH, goal, points=3, strength=0.8, mask=mask)
    assert way.picture.size == (3 * 512, 512) and way.clip.n == Tempo(bpm=93.75, beats=24).samples(
        44100
    )
    ends = [
        redo(riffusion, canvas, wish, mask=mask, strength=strength)
        for wish, strength in (
            (WISH, 0.8),
            (replace(WISH, prompt="jazz", seed=4, cfg=5.0), 0.5),
        )
    ]
    pixels, beat = np.asarray(way.picture), 64
    for k, end in enumerate(ends):
        drawn = np.asarray(end.picture)[256:]
        tile = pixels[256:, 1024 * k : 1024 * k + 512]
        kept = slice(0, 512 if k else 512 - beat)
        assert np.array_equal(tile[:, kept], drawn[:, kept])
    assert way.request.journey == Journey(prompt="jazz", seed=4, cfg=5.0)
    own = np.asarray(canvas.picture)[:256]
    assert np.array_equal(pixels[:256], np.tile(own, (1, 3, 1)))


def test_joined_pictures_pass_into_one_another_over_a_beat() -> None:
    black, white = (Image.new("RGB", (512, 8), (g, g, g)) for g in (0, 255))
    row = np.asarray(joined([black, white], beats=8), int)[0, :, 0]
    assert (row[: 512 - 64] == 0).all() and (row[512:] == 255).all()
    steps = np.diff(row[512 - 65 : 513])
    assert steps.min() >= 3 and steps.max() <= 5


def test_a_region_is_done_again_and_a_loop_played_on(
    riffusion: Instrument, seed_picture: Path
) -> None:
    canvas = open_canvas(seed_picture, riffusion.sound)
    edited = redo(riffusion, canvas, WISH, region=Region(first_bar=0, last_bar=1, high_hz=500))
    before, after = np.asarray(canvas.picture), np.asarray(edited.picture)
    changed = (before != after).any(-1)
    assert changed.any() and not changed[:, 256:].any()
    longer = extend(riffusion, canvas, WISH, after=1)
    assert longer.clip.n == Tempo(bpm=93.75, beats=12).samples(44100)


@pytest.mark.parametrize(
    "command",
    [
        ("layers", "drums: funk drums", "bass: slap bass", "-o", "OUT"),
        ("pack", "funk|jazz", "--seed", 1, "-o", "OUT"),
        ("remix", "SEED", "funk", "--to", "jazz", "--points", 2, "-o", "OUT/a.wav"),
        ("txt2img", "funk", "--width", 64, "--height", 64, "-o", "OUT/a.png"),
    ],
)
def test_its_commands_work(
    folder: Path,
    seed_picture: Path,
    tmp_path: Path,
    riffapp: Callable[..., Any],
    command: tuple[object, ...],
) -> None:
    (tmp_path / "out").mkdir()
    told = [
        str(word).replace("OUT", str(tmp_path / "out")).replace("SEED", str(seed_picture))
        for word in command
    ]
    of_sound = [] if command[0] == "txt2img" else ["--quality", "draft", "--threads", 1]
    done = riffapp(*told, "--checkpoint", folder, "--steps", 1, *of_sound)
    assert done.code == 0, done.err
    assert any((tmp_path / "out").rglob("*.[wp][an][vg]"))
