"""Tasks as text: what is written is read back, and nothing else is ever called."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from riffapp.errors import UsageError
from riffapp.jobs import wire
from riffapp.jobs.tasks.loops import Loops
from riffapp.studio.images import ImageWish
from riffapp.studio.types import Journey, LoopRequest, Mark, Timeline, Variant
from sdcore.types import ImageRequest, Mask, Start


@dataclass(frozen=True)
class Stranger:
    """No class of riffapp's."""


def test_a_loop_with_all_its_parts_comes_back_equal(tmp_path: Path) -> None:
    request = LoopRequest(
        prompt="house drums",
        bpm=92.375,
        key="A minor",
        seed=2**32 - 1,
        timeline=Timeline(marks=(Mark(bar=1.5, prompt="bass"),)),
        journey=Journey(prompt="techno", share=None),
        variant=Variant(seed=3, distance=0.5),
    )
    task = Loops(request=request, suffix=".flac")
    assert wire.loads(wire.dumps(task, tmp_path), tmp_path) == task


def test_pictures_come_back_pixel_for_pixel(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 16, 3), dtype=np.uint8)
    picture, white = Image.fromarray(pixels), Image.new("RGBA", (16, 24), (255, 255, 255, 128))
    request = ImageRequest(
        prompt="a boat",
        sampler_options={"eta": 0.5},
        start=Start(image=picture),
        mask=Mask(image=white),
    )
    back = wire.loads(wire.dumps(ImageWish(request=request), tmp_path), tmp_path).request
    assert np.array_equal(np.asarray(back.start.image), pixels)
    assert back.mask.image.mode == "RGBA" and back.mask.image.getpixel((0, 0))[3] == 128
    assert back.sampler_options == {"eta": 0.5}


def test_a_file_is_kept_whatever_becomes_of_it(tmp_path: Path) -> None:
    given = tmp_path / "My Song.WAV"
    given.write_bytes(b"RIFF and so on")
    kept = wire.kept(given, tmp_path / "home")
    given.unlink()
    assert kept.read_bytes() == b"RIFF and so on" and kept.suffix == ".wav"
    assert wire.kept(kept, tmp_path / "home") == kept  # its own copy is no second one


def test_fields_of_a_later_version_are_passed_over_and_missing_ones_take_their_default(
    tmp_path: Path,
) -> None:
    plain = json.loads(wire.dumps(Loops(request=LoopRequest(prompt="a")), tmp_path))
    plain["request"]["hovers"] = True
    del plain["request"]["bpm"]
    assert wire.loads(json.dumps(plain), tmp_path) == Loops(request=LoopRequest(prompt="a"))


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"is": "os:system"}',
        '{"is": "subprocess:Popen", "args": ["true"]}',
        '{"is": "riffapp.jobs.wire:loads"}',
        '{"is": "riffapp.studio.types:LoopRequest"}',
        '{"is": "riffapp.nowhere:Thing"}',
        "{}",
    ],
)
def test_text_that_is_no_task_of_ours_is_a_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        wire.loads(text, tmp_path)


def test_what_cannot_be_written_is_not_half_written(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="a task cannot hold object"):
        wire.dumps(Loops(request=object()), tmp_path)  # type: ignore[arg-type]


def test_no_name_reaches_outside_the_inputs(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    found = wire.loads('{"is": "file", "file": "../secret"}', tmp_path)
    assert found == tmp_path / wire.INPUTS / "secret"
