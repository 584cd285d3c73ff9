"""Finer pictures from coarse ones: circles stay circles, and what is painted in is truer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from audio import detail
from audio.codec import analyse, to_image
from audio.errors import ParameterError
from audio.synth import band
from audio.types import RIFFUSION, Tempo

TEMPO = Tempo(bpm=120, beats=8)


def noise(width: int) -> Image.Image:
    grey = np.random.default_rng(0).integers(0, 256, (128, width), dtype=np.uint8)
    return Image.fromarray(grey).convert("RGB")


def grey(picture: Image.Image) -> np.ndarray[tuple[int, int], np.dtype[np.int16]]:
    return np.asarray(picture, np.int16)[..., 0]


def test_a_turned_circle_is_refined_to_a_turned_circle() -> None:
    """Up to rounding at halves: sums are not taken in the same order everywhere."""
    picture = noise(256)
    turned = Image.fromarray(np.roll(np.asarray(picture), 37, axis=1))
    one, other = (grey(detail.refined(p, TEMPO)) for p in (picture, turned))
    assert np.abs(np.roll(one, 74, axis=1) - other).max() <= 1


def test_blocks_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [grey(detail.refined(noise(256), TEMPO, circular=c)) for c in (True, False)]
    monkeypatch.setattr(detail, "_BLOCK", 60)
    for before, circular in zip(whole, (True, False), strict=True):
        assert np.abs(before - grey(detail.refined(noise(256), TEMPO, circular=circular))).max() < 2


def test_what_is_painted_in_is_nearer_to_the_loop_than_what_lies_between() -> None:
    """Eight loops that nobody was trained on, in grey levels of a quarter of a decibel."""
    ours, between = [], []
    for seed in range(8):
        loop = band.render(band.draw(np.random.default_rng((4242, seed)), bars=2))
        coarse, fine = (
            to_image(analyse(loop.clip, params, tempo=loop.tempo, circular=True))
            for params in (detail.TAUGHT, detail.finer(detail.TAUGHT))
        )
        plain = coarse.resize(fine.size, Image.Resampling.BILINEAR)
        ours.append(np.abs(grey(detail.refined(coarse, loop.tempo)) - grey(fine)).mean())
        between.append(np.abs(grey(plain) - grey(fine)).mean())
    assert np.mean(ours) < 0.8 * np.mean(between)


def test_silence_stays_silent() -> None:
    white = Image.new("RGB", (256, 128), (255, 255, 255))
    assert grey(detail.refined(white, TEMPO)).min() >= 254


def test_a_grid_that_was_not_taught_is_refused() -> None:
    for params in (RIFFUSION, replace(detail.TAUGHT, n_mels=256)):
        with pytest.raises(ParameterError, match="detail was learned on 128 bands"):
            detail.finer(params)
    assert detail.finer(replace(detail.TAUGHT, rate=48000)).n_mels == 256
