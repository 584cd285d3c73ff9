"""Mel bands against torchaudio's, levels that do not know the tempo, an inverse that is tame."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torchaudio

from audio.mel import Bands, filters, from_mel, hz_to_mel, mel_to_hz, to_mel
from audio.stft import cheaper, layout, stft
from audio.types import RIFFUSION, BeatFrames, SpectrogramParams, Tempo

BEAT_GRID = SpectrogramParams(n_mels=128, min_hz=20.0, max_hz=16000.0, frames=BeatFrames())


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(2))


def db(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float(20 * torch.log10((found - wanted).norm() / wanted.norm()))


@pytest.mark.parametrize(("params", "n_fft"), [(RIFFUSION, 17640), (BEAT_GRID, 4096)])
def test_filters_are_torchaudios(params: SpectrogramParams, n_fft: int) -> None:
    theirs = torchaudio.functional.melscale_fbanks(
        n_fft // 2 + 1, params.min_hz, params.max_hz, params.n_mels, params.rate, None, "htk"
    ).T
    torch.testing.assert_close(filters(params, n_fft), theirs, rtol=1e-3, atol=2e-4)


def test_mels_of_hz_are_hz_again() -> None:
    hz = torch.tensor([0.0, 20.0, 1000.0, 16000.0], dtype=torch.float64)
    torch.testing.assert_close(mel_to_hz(hz_to_mel(hz)), hz)
    assert float(hz_to_mel(hz)[2]) == pytest.approx(1000.0, abs=0.1)


def test_riffusions_mel_is_the_amplitude_sum_of_16_bit_samples() -> None:
    p = layout(RIFFUSION, n_samples=22050)
    magnitudes = stft(noise(1, 22050), p).abs()
    theirs = torchaudio.transforms.MelScale(
        n_mels=512, sample_rate=44100, f_min=0, f_max=10000, n_stft=p.bins
    )(magnitudes)
    assert db(to_mel(magnitudes, RIFFUSION, p), 32768 * theirs) < -70


@pytest.mark.parametrize("bpm", [40, 93, 240])
def test_no_band_of_the_beat_grid_is_empty(bpm: int) -> None:
    p = layout(BEAT_GRID, tempo=Tempo(bpm=bpm, beats=8), circular=True)
    assert float(filters(BEAT_GRID, p.n_fft).sum(1).min()) > 0.5


def levels(x_of: dict[int, torch.Tensor]) -> list[float]:
    """Rms mel level in dB at each tempo."""
    found = []
    for bpm, x in x_of.items():
        p = layout(BEAT_GRID, tempo=Tempo(bpm=bpm, beats=8), circular=True)
        mel = to_mel(stft(x, p).abs(), BEAT_GRID, p)
        found.append(float(10 * torch.log10(mel.square().sum(1).mean())))
    return found


def lengths() -> dict[int, int]:
    return {bpm: Tempo(bpm=bpm, beats=8).samples(44100) for bpm in (50, 100, 200)}


def test_a_tone_has_the_same_level_at_every_tempo() -> None:
    tones = {
        bpm: torch.sin(2 * torch.pi * 3000 * torch.arange(n, dtype=torch.float64) / 44100)[None]
        for bpm, n in lengths().items()
    }
    found = levels({bpm: x.float() for bpm, x in tones.items()})
    assert max(found) - min(found) < 0.2
    assert abs(found[0] - 10 * torch.log10(torch.tensor(1.5))) < 1.0  # a Hann lobe's power sum


def test_a_noise_has_the_same_level_at_every_tempo() -> None:
    found = levels({bpm: noise(1, n) for bpm, n in lengths().items()})
    assert max(found) - min(found) < 0.3


def test_the_inverse_is_never_negative_and_sounds_alike() -> None:
    p = layout(BEAT_GRID, tempo=Tempo(bpm=120, beats=4), circular=True)
    mel = to_mel(stft(noise(1, p.n_samples), p).abs(), BEAT_GRID, p)
    linear = from_mel(mel, BEAT_GRID, p)
    assert float(linear.min()) >= 0
    assert db(to_mel(linear, BEAT_GRID, p), mel) < -20


def test_the_inverse_stays_tame_where_the_bank_is_singular() -> None:
    short = replace(RIFFUSION, frames=replace(RIFFUSION.frames, padded_ms=100.0))
    p = layout(short, n_samples=22050)
    bank = filters(short, p.n_fft)
    assert (bank.sum(1) == 0).any()  # n_fft 4410 leaves filters empty: a plain inverse explodes
    magnitudes = stft(noise(1, 22050), p).abs()
    linear = from_mel(to_mel(magnitudes, short, p), short, p)
    assert float(linear.norm() / magnitudes.norm()) < 1.2


@pytest.mark.parametrize("params", [RIFFUSION, BEAT_GRID], ids=["amplitudes", "powers"])
def test_a_multiplicative_step_brings_the_mel_nearer(params: SpectrogramParams) -> None:
    p = layout(params, tempo=Tempo(bpm=120, beats=2), circular=True)
    work = cheaper(p, top_hz=params.max_hz / params.rate, skip=1, padding=1.0)
    bands = Bands(params, p, work)
    wanted = bands.target(noise(1, work.frames, params.n_mels).abs() * bands.gain)
    power = noise(1, work.frames, work.bins).square()

    def distance(power: torch.Tensor) -> float:
        held = power if bands.powers else power.sqrt()
        sums = torch.zeros_like(wanted)
        for block in bands.blocks:
            sums[..., block.mels] += held[..., block.bins] @ block.gather
        return float((wanted * (wanted / sums).log() - wanted + sums).sum())  # I-divergence

    found = [distance(power)]
    for _ in range(4):
        power = bands.nearer(power, wanted).square()
        found.append(distance(power))
    assert found == sorted(found, reverse=True) and found[-1] < 0.5 * found[0]


def test_a_cheaper_layout_sees_the_same_mel() -> None:
    tempo = Tempo(bpm=120, beats=4)
    p = layout(BEAT_GRID, tempo=tempo, circular=True)
    work = cheaper(p, top_hz=16000 / 44100, skip=1, padding=2.0)
    t = torch.arange(p.n_samples, dtype=torch.float64) / p.n_samples
    s = torch.arange(work.n_samples, dtype=torch.float64) / work.n_samples
    cycles = (900, 5100, 9900)  # over the two seconds: tones that close
    fine = sum(torch.cos(2 * torch.pi * c * t) for c in cycles)
    coarse = sum(torch.cos(2 * torch.pi * c * s) for c in cycles)
    mel = to_mel(stft(torch.as_tensor(fine).float()[None], p).abs(), BEAT_GRID, p)
    bands = Bands(BEAT_GRID, p, work)
    power = stft(torch.as_tensor(coarse).float()[None], work).abs().square().transpose(-1, -2)
    sums = torch.zeros(1, work.frames, 128)
    for block in bands.blocks:
        sums[..., block.mels] += power[..., block.bins] @ block.gather
    assert db((sums.sqrt() * bands.gain).transpose(-1, -2), mel) < -25
