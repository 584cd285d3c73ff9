"""Griffin-Lim: nearer with each pass, faster with momentum, the same seed the same sound."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torchaudio

from audio.phase import PHASES, QUALITIES, fast_griffin_lim, griffin_lim
from audio.stft import StftParams, layout, stft
from audio.types import RIFFUSION, BeatFrames, SpectrogramParams, Tempo, TimeFrames

BEAT_GRID = SpectrogramParams(n_mels=128, min_hz=20.0, max_hz=16000.0, frames=BeatFrames())
SMALL = replace(RIFFUSION, frames=TimeFrames(hop_ms=5.0, window_ms=25.0, padded_ms=25.0))
CIRCLE = layout(BEAT_GRID, tempo=Tempo(bpm=150, beats=2), circular=True)
LINE = layout(SMALL, n_samples=100 * 220)


def plucks(n: int) -> torch.Tensor:
    """Harmonic tones that start at every quarter of the length, and a little noise."""
    t = torch.arange(n, dtype=torch.float32) / 44100
    x = 0.003 * torch.randn(n, generator=torch.Generator().manual_seed(3))
    for i, hz in enumerate((220.0, 277.2, 329.6, 440.0)):
        note = sum(torch.sin(2 * torch.pi * hz * h * t) / h for h in range(1, 9))
        x += torch.as_tensor(note * torch.exp(-9 * t)).roll(i * n // 4) * 0.2
    return x[None]


def distance(x: torch.Tensor, magnitudes: torch.Tensor, p: StftParams) -> float:
    """Spectral convergence in dB."""
    found = stft(x, p).abs()
    return float(20 * torch.log10((found - magnitudes).norm() / magnitudes.norm()))


@pytest.mark.parametrize("p", [CIRCLE, LINE], ids=["circle", "line"])
def test_more_passes_come_nearer(p: StftParams) -> None:
    magnitudes = stft(plucks(p.n_samples), p).abs()
    found = [distance(griffin_lim(magnitudes, p, n_iter=n), magnitudes, p) for n in (0, 4, 16, 64)]
    assert found == sorted(found, reverse=True) and found[-1] < found[0] - 10


@pytest.mark.parametrize("p", [CIRCLE, LINE], ids=["circle", "line"])
def test_momentum_saves_more_than_half_of_the_passes(p: StftParams) -> None:
    magnitudes = stft(plucks(p.n_samples), p).abs()
    fast = distance(fast_griffin_lim(magnitudes, p, n_iter=32), magnitudes, p)
    plain = distance(griffin_lim(magnitudes, p, n_iter=64), magnitudes, p)
    assert fast < plain


def test_it_comes_as_near_as_torchaudios() -> None:
    magnitudes = stft(plucks(LINE.n_samples), LINE).abs()
    torch.manual_seed(0)
    theirs = torchaudio.transforms.GriffinLim(
        n_fft=LINE.n_fft, win_length=LINE.window, hop_length=220, power=1.0, n_iter=32
    )(magnitudes)
    ours = fast_griffin_lim(magnitudes, LINE, n_iter=32)
    reached = distance(theirs[:, : LINE.n_samples], magnitudes, LINE)
    assert distance(ours, magnitudes, LINE) < reached + 1.0


def test_the_same_seed_gives_the_same_samples_and_zero_is_a_seed() -> None:
    magnitudes = stft(plucks(CIRCLE.n_samples), CIRCLE).abs()
    first, again, other = (
        fast_griffin_lim(magnitudes, CIRCLE, n_iter=4, seed=seed) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again) and not torch.allclose(first, other, atol=1e-3)


def test_silence_stays_silent() -> None:
    silent = torch.zeros(1, CIRCLE.bins, CIRCLE.frames)
    assert not fast_griffin_lim(silent, CIRCLE, n_iter=8).any()


def test_a_start_with_the_right_phases_is_kept() -> None:
    x = plucks(CIRCLE.n_samples)
    found = fast_griffin_lim(stft(x, CIRCLE).abs(), CIRCLE, n_iter=8, start=x)
    assert float((found - x).norm() / x.norm()) < 1e-4


def test_channels_with_the_same_magnitudes_are_the_same_sound() -> None:
    magnitudes = stft(plucks(CIRCLE.n_samples), CIRCLE).abs().expand(2, -1, -1)
    left, right = fast_griffin_lim(magnitudes, CIRCLE, n_iter=8)
    torch.testing.assert_close(left, right)


def test_refine_is_asked_in_every_pass_and_moves_the_aim() -> None:
    asked = []

    def silence(i: int, power: torch.Tensor) -> torch.Tensor | None:
        asked.append(i)
        return torch.zeros_like(power) if i == 4 else None

    magnitudes = stft(plucks(CIRCLE.n_samples), CIRCLE).abs()
    found = fast_griffin_lim(magnitudes, CIRCLE, n_iter=5, refine=silence)
    assert asked == [0, 1, 2, 3, 4] and not found.any()


def test_the_ladder_climbs() -> None:
    assert list(QUALITIES) == ["draft", "fast", "best"]
    assert {rung.method for rung in QUALITIES.values()} <= set(PHASES)
    passes = [rung.n_iter for rung in QUALITIES.values()]
    assert passes == sorted(passes)
