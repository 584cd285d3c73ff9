"""What a person takes home from the page is what the command line would have written."""

from __future__ import annotations

from pathlib import Path

import pytest

from audio import files as sound_files
from riffapp.studio import files, record
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.text_to_audio import make_loops
from riffapp.studio.types import LoopRequest, LoopResult
from riffapp.ui import downloads


@pytest.fixture(scope="module")
def take(instrument: Instrument) -> LoopResult:
    wish = LoopRequest(prompt="house drums", bpm=92.375, key="A minor", seed=0, quality="draft")
    (made,) = make_loops(instrument, wish)
    return made


@pytest.mark.parametrize("suffix", files.SOUND_SUFFIXES)
def test_sound_and_picture_carry_the_request_that_makes_them_again(
    take: LoopResult, suffix: str, tmp_path: Path
) -> None:
    made = downloads.of(take, suffix=suffix)
    assert made.stem == "house_drums_A_minor_92.375bpm_2bars_0"
    for data, end in ((made.sound, suffix), (made.picture, ".png")):
        path = tmp_path / f"{made.stem}{end}"
        path.write_bytes(data)
        found = record.read(files.read_texts(path))
        assert found is not None and found.request == take.request


def test_the_sound_is_the_loop_sample_for_sample(take: LoopResult, tmp_path: Path) -> None:
    (tmp_path / "loop.wav").write_bytes(downloads.of(take, suffix=".wav").sound)
    clip = sound_files.read(tmp_path / "loop.wav")
    assert clip.n == take.loop.tempo.samples(clip.rate)
    assert abs(clip.samples - take.loop.clip.samples).max() < 2 / 32768  # rounding and dither


def test_the_same_take_gives_the_same_bytes(take: LoopResult) -> None:
    assert downloads.of(take, suffix=".wav") == downloads.of(take, suffix=".wav")
