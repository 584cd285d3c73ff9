"""A remix as a task: lengths, tempo, and that its settings make it again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from audio import files as sounds
from audio.types import Tempo
from riffapp.gallery import Work
from riffapp.jobs import wire
from riffapp.jobs.tasks.remix import KIND, Remix
from riffapp.jobs.tasks.sources import AS_IT_WAS, WHOLE_BARS, Source
from riffapp.settings import Settings
from riffapp.studio.canvas import open_canvas
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.types import LoopRequest

Performed = Callable[[str, Remix], list[Work]]


@pytest.fixture
def remix(found: Settings) -> Callable[..., Remix]:
    def task(path: Path, *, strength: float = 0.6, **given: float) -> Remix:
        request = LoopRequest(
            prompt="techno drums", seed=7, quality="draft", checkpoint=found.checkpoint
        )
        return Remix(source=Source(path=path, **given), request=request, strength=strength)

    return task


def test_a_loop_stays_a_loop_of_its_length(
    remix: Callable[..., Remix], performed: Performed, loop: Path
) -> None:
    (work,) = performed(KIND, remix(loop))
    assert [one.role for one in work.files] == ["sound", "picture"]
    assert sounds.read_loop(work.files[0].path) == Tempo(bpm=120, beats=8)
    assert sounds.read(work.files[0].path).n == sounds.read(loop).n and work.facts["loops"]
    assert work.title == "techno drums · strength 0.6" and work.facts["seed"] == 7


def test_at_strength_0_the_picture_is_given_back(
    remix: Callable[..., Remix], performed: Performed, loop: Path
) -> None:
    (work,) = performed(KIND, remix(loop.with_suffix(".png"), strength=0.0))
    own, back = (Image.open(p) for p in (loop.with_suffix(".png"), work.files[1].path))
    assert np.array_equal(np.asarray(own.convert("RGB")), np.asarray(back.convert("RGB")))


def test_a_recording_comes_back_in_whole_bars_and_as_long_as_it_was(
    remix: Callable[..., Remix], performed: Performed, recording: Path, instrument: Instrument
) -> None:
    (work,) = performed(KIND, remix(recording, bpm=100.0, first_beat_s=0.2))
    whole, _, cut = work.files[0], work.files[2], work.files[1]
    assert (whole.name, cut.name) == (WHOLE_BARS, AS_IT_WAS)
    assert sounds.read(cut.path).n == sounds.read(recording).n
    # What is taken on from here keeps the tempo, and needs no ear for it.
    canvas = open_canvas(whole.path, instrument.sound)
    assert canvas.tempo == Tempo(bpm=100, beats=16)
    assert canvas.lead == 0 and not canvas.closed and not work.facts["loops"]
    lead = round(0.6 * 4 * 44100 - 0.2 * 44100)
    inner = canvas.clip.samples[:, lead : lead + sounds.read(cut.path).n]
    assert np.abs(inner - sounds.read(cut.path).samples).max() <= 3 / 32768


def test_its_settings_make_it_again(
    remix: Callable[..., Remix], performed: Performed, loop: Path, found: Settings
) -> None:
    (work,) = performed(KIND, remix(loop))
    (again,) = performed(KIND, wire.loads(work.task, found.home))
    assert again.files[0].path.read_bytes() == work.files[0].path.read_bytes()
    assert again.files[0].path != work.files[0].path
