"""A region made anew: what lies outside stays, what lies inside comes near to its picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from audio import codec, mel
from audio.errors import ParameterError
from audio.patch import GUARD, Region, patched
from audio.stft import layout
from audio.synth import band
from audio.types import BeatFrames, Clip, DecibelCurve, Spectrogram, SpectrogramParams, Tempo

PARAMS = SpectrogramParams(
    n_mels=128, min_hz=30.0, max_hz=16000.0, frames=BeatFrames(per_beat=32), curve=DecibelCurve()
)
TEMPO = Tempo(bpm=120, beats=8)


def _loop(seed: int) -> Clip:
    song = replace(band.draw(np.random.default_rng(seed)), bpm=120.0, bars=2)
    return band.render(song).clip


def _shown(clip: Clip, *, circular: bool = True) -> Spectrogram:
    return codec.analyse(clip, PARAMS, tempo=TEMPO, circular=circular)


def _convergence_db(found: NDArray[Any], wanted: NDArray[Any]) -> float:
    return float(20 * np.log10(np.linalg.norm(found - wanted) / np.linalg.norm(wanted)))


def _energy(samples: NDArray[Any], outside: NDArray[Any]) -> float:
    return float((np.abs(np.fft.rfft(samples[0].astype(np.float64)))[outside] ** 2).sum())


@pytest.mark.parametrize(
    ("bars", "low_hz", "high_hz"),
    [((1, 2), 0, 200), ((0.5, 1.5), 0, 200), ((1.5, 2), 300, 2000), ((0, 1), 2000, 22050)],
)
def test_only_the_region_changes_and_comes_near(
    bars: tuple[float, float], low_hz: float, high_hz: float
) -> None:
    clip, other = _loop(1), _loop(2)
    before, wanted = _shown(clip), _shown(other)
    low, high = mel.bands_between(PARAMS, low_hz, high_hz)
    region = Region(
        first=round(bars[0] * 128), last=round(bars[1] * 128), low_band=low, high_band=high
    )
    box = (slice(None), slice(low, high), slice(region.first, region.last))
    magnitudes = before.magnitudes.copy()
    magnitudes[box] = wanted.magnitudes[box]
    after = replace(before, magnitudes=magnitudes)
    found = patched(clip, before, after, region)

    p = layout(PARAMS, tempo=TEMPO, circular=True)
    held = np.ones(clip.n, bool)
    near = np.arange(p.centre(region.first) - p.window, p.centre(region.last - 1) + p.window)
    held[near % clip.n] = False
    assert held.any() and np.array_equal(found.samples[:, held], clip.samples[:, held])
    low_edge, high_edge = mel.band_edges(PARAMS, low, high)
    hz = np.fft.rfftfreq(clip.n, 1 / clip.rate)
    outside = (hz < low_edge / GUARD) | (hz > high_edge * GUARD)
    change = _energy(found.samples - clip.samples, outside)
    assert 10 * np.log10(change / _energy(clip.samples, outside)) < -60
    heard = _shown(found).magnitudes[box]
    gain_db = _convergence_db(heard, magnitudes[box]) - _convergence_db(
        before.magnitudes[box], magnitudes[box]
    )
    assert gain_db < -10


def test_what_shows_the_same_sounds_the_same() -> None:
    clip = _loop(1)
    shown = _shown(clip)
    whole = Region(first=0, last=256, low_band=0, high_band=128)
    assert patched(clip, shown, shown, whole) is clip


def test_a_line_has_its_ends() -> None:
    clip = _loop(3)
    before = _shown(clip, circular=False)
    magnitudes = before.magnitudes.copy()
    magnitudes[..., 224:] = 0.0
    after = replace(before, magnitudes=magnitudes)
    region = Region(first=224, last=256, low_band=0, high_band=128)
    found = patched(clip, before, after, region, quality="draft")
    was, now = (np.abs(c.samples[0, -5000:]).mean() for c in (clip, found))
    assert now < 0.1 * was
    assert np.array_equal(found.samples[:, :5000], clip.samples[:, :5000])


def test_what_does_not_belong_together_is_refused() -> None:
    clip = _loop(1)
    shown = _shown(clip)
    whole = Region(first=0, last=256, low_band=0, high_band=128)
    with pytest.raises(ParameterError, match="give what belongs together"):
        patched(replace(clip, samples=clip.samples[:, :-1]), shown, shown, whole)
    with pytest.raises(ParameterError, match="2 channels"):
        patched(replace(clip, samples=np.repeat(clip.samples, 2, 0)), shown, shown, whole)
    with pytest.raises(ParameterError, match="frames 9 to 9"):
        patched(clip, shown, shown, replace(whole, first=9, last=9))
