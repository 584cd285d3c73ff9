"""Frames on fractions of samples, exact round trips, circles and mirrors."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from audio.errors import ParameterError
from audio.stft import (
    StftParams,
    cheaper,
    fast_length,
    frame_skip,
    istft,
    layout,
    resample,
    spectra,
    stft,
)
from audio.types import RIFFUSION, BeatFrames, SpectrogramParams, Tempo, TimeFrames

BEAT_GRID = SpectrogramParams(n_mels=128, min_hz=20.0, max_hz=16000.0, frames=BeatFrames())
SMALL = replace(RIFFUSION, frames=TimeFrames(hop_ms=5.0, window_ms=25.0, padded_ms=50.0))


def noise(n: int, channels: int = 2) -> torch.Tensor:
    return torch.randn(channels, n, generator=torch.Generator().manual_seed(1))


def relative(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm())


@pytest.mark.parametrize("bpm", [40.0, 93.75, 123.4, 240.0])
@pytest.mark.parametrize("circular", [True, False])
def test_sound_comes_back_exactly_on_the_beat_grid(bpm: float, circular: bool) -> None:
    p = layout(BEAT_GRID, tempo=Tempo(bpm=bpm, beats=2), circular=circular)
    x = noise(p.n_samples)
    assert relative(istft(stft(x, p), p), x) < 1e-6


@pytest.mark.parametrize("n", [22050, 22051, 22270])
@pytest.mark.parametrize("circular", [True, False])
def test_sound_comes_back_exactly_on_the_time_grid(n: int, circular: bool) -> None:
    p = layout(SMALL, n_samples=n, circular=circular)
    x = noise(n)
    assert relative(istft(stft(x, p), p), x) < 1e-6


@pytest.mark.parametrize("params", [SMALL, BEAT_GRID], ids=["equal hops", "fractional hops"])
def test_runs_of_frames_are_the_frames(params: SpectrogramParams) -> None:
    p = layout(params, tempo=Tempo(bpm=123.4, beats=5))
    x = noise(p.n_samples)
    runs = list(spectra(x, p))
    assert len(runs) > 1
    torch.testing.assert_close(torch.cat(runs, -1), stft(x, p))


def test_frames_lie_at_rounded_fractions_of_the_length() -> None:
    p = layout(BEAT_GRID, tempo=Tempo(bpm=123.4, beats=8), circular=True)
    assert p.frames == 256 and p.hop == Fraction(p.n_samples, 256)
    off = [abs(p.centre(k) - Fraction(k * p.n_samples, 256)) for k in range(256)]
    assert max(off) <= Fraction(1, 2)


def test_linear_magnitudes_are_those_of_torch() -> None:
    p = layout(SMALL, n_samples=8820)
    x = noise(8820, channels=1)
    window = torch.hann_window(p.window)
    theirs = torch.stft(
        x, p.n_fft, int(p.hop), p.window, window=window, pad_mode="reflect", return_complex=True
    )
    assert relative(stft(x, p).abs(), theirs.abs()) < 1e-5


def test_turning_a_circle_by_whole_hops_turns_its_frames() -> None:
    p = layout(BEAT_GRID, tempo=Tempo(bpm=100, beats=2), circular=True)
    hop = Fraction(p.n_samples, p.frames)
    turn = 16
    assert (hop * turn).denominator == 1  # so that the turn is a whole number of samples
    x = noise(p.n_samples, channels=1)
    turned = stft(x.roll(int(hop * turn), -1), p).abs()
    # frames between whole samples are rounded alike only a whole period of the rounding apart
    assert relative(turned, stft(x, p).abs().roll(turn, -1)) < 1e-5


def test_a_silent_place_stays_silent() -> None:
    p = layout(BEAT_GRID, tempo=Tempo(bpm=120, beats=2), circular=True)
    assert not istft(torch.zeros(1, p.bins, p.frames, dtype=torch.complex64), p).any()


def test_the_window_follows_the_tempo_and_no_filter_lacks_bins() -> None:
    for bpm in (40, 90, 240):
        p = layout(BEAT_GRID, tempo=Tempo(bpm=bpm, beats=8), circular=True)
        assert abs(p.window - 4 * p.n_samples / p.frames) <= 0.5
        assert p.n_fft >= max(p.window, 4096)


def test_riffusions_layout_is_its_own() -> None:
    p = layout(RIFFUSION, frames=512)
    assert (p.n_samples, int(p.hop), p.window, p.n_fft) == (511 * 441, 441, 4410, 17640)


def test_a_circular_picture_on_the_time_grid_is_as_long_as_its_frames() -> None:
    p = layout(RIFFUSION, frames=512, circular=True)
    assert (p.n_samples, p.frames) == (512 * 441, 512)


@pytest.mark.parametrize(
    ("n", "wanted"), [(2, 2), (7, 8), (2017, 2048), (4134, 4320), (8269, 8640)]
)
def test_fast_lengths_are_even_and_smooth(n: int, wanted: int) -> None:
    assert fast_length(n) == wanted


@pytest.mark.parametrize("circular", [True, False])
def test_the_cheaper_layout_keeps_the_time_the_band_and_equal_hops(circular: bool) -> None:
    p = layout(BEAT_GRID, tempo=Tempo(bpm=123.4, beats=8), circular=circular)
    work = cheaper(p, top_hz=16000 / 44100, skip=1, padding=1.0)
    ratio = work.n_samples / p.n_samples
    assert 2 * 16000 / 44100 < ratio < 1
    assert work.hop.denominator == 1 and work.frames == p.frames
    assert abs(work.hop / p.hop - ratio) < 1e-4 and abs(work.window / p.window - ratio) < 1e-3


def test_frames_are_left_out_only_where_enough_overlap_stays() -> None:
    p = layout(RIFFUSION, frames=512)
    assert [frame_skip(p, overlap) for overlap in (2, 4, 5, 8, 20)] == [5, 2, 2, 1, 1]


def test_a_circle_leaves_frames_out_evenly() -> None:
    p = layout(RIFFUSION, frames=513, circular=True)
    assert frame_skip(p, 4) == 1


@pytest.mark.parametrize("n", [1777, 640])
def test_resampling_a_wave_that_closes_gives_the_wave(n: int) -> None:
    def wave(m: int) -> torch.Tensor:
        return torch.cos(2 * torch.pi * 37 * torch.arange(m, dtype=torch.float64) / m + 1)[None]

    assert relative(resample(wave(1001), n, circular=True), wave(n)) < 1e-12


def test_resampling_an_open_end_does_not_ring() -> None:
    ramp = torch.linspace(0.0, 1.0, 1000)[None]
    found = resample(ramp, 2000, circular=False)
    assert float((found - torch.linspace(0.0, 1.0, 2000)).abs().max()) < 2e-3


def test_a_beat_grid_without_a_tempo_is_refused() -> None:
    with pytest.raises(ParameterError, match="needs a tempo"):
        layout(BEAT_GRID, n_samples=44100)


def test_a_time_grid_without_a_length_is_refused() -> None:
    with pytest.raises(ParameterError, match="needs a length"):
        layout(RIFFUSION)


def test_a_sound_shorter_than_half_a_window_is_refused() -> None:
    p = StftParams(n_samples=100, frames=10, window=40, n_fft=40, circular=True, hop=Fraction(10))
    with pytest.raises(ParameterError, match="100 samples are too short for a window of 400"):
        replace(p, window=400, n_fft=400)
