"""Sounds to begin from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audio import files as sounds
from audio.types import Clip
from riffapp.studio import files
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.text_to_audio import make_loops
from riffapp.studio.types import LoopRequest


@pytest.fixture(scope="session")
def loop(instrument: Instrument, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A loop of ours, its picture beside it: two bars at 120 bpm."""
    path = tmp_path_factory.mktemp("loop") / "loop.wav"
    wish = LoopRequest(prompt="house drums", key="A minor", bpm=120, bars=2, seed=3)
    (take,) = make_loops(instrument, wish)
    files.save(take, path)
    return path


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clicks at 100 bpm, the first after 0.2 s, of no whole bars: 6.8 s."""
    samples = np.zeros((1, 300000), np.float32)
    for k in range(11):
        at = round((0.2 + k * 0.6) * 44100)
        samples[:, at : at + 200] = np.hanning(200)
    path = tmp_path_factory.mktemp("recording") / "hum.wav"
    sounds.write(path, Clip(samples=samples))
    return path
