"""Sound to picture and back: exact lengths, kept levels, Riffusion's pictures, sound stereo."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torchaudio
from PIL import Image
from scipy.ndimage import maximum_filter1d

from audio.codec import analyse, from_image, synthesise, to_image
from audio.errors import ParameterError
from audio.loops import repeat, seam
from audio.types import (
    RIFFUSION,
    BeatFrames,
    Clip,
    DecibelCurve,
    PowerCurve,
    Samples,
    Spectrogram,
    SpectrogramParams,
    Tempo,
)

BEAT_GRID = SpectrogramParams(
    n_mels=128, min_hz=20.0, max_hz=16000.0, frames=BeatFrames(), curve=DecibelCurve()
)
STEREO = replace(BEAT_GRID, stereo=True)


def groove(tempo: Tempo, *, seed: int = 0, channels: int = 1) -> Clip:
    """A circular loop: a thump on each beat, a tone that moves, a tick between the beats."""
    rng = np.random.default_rng(seed)
    n = tempo.samples(44100)
    out = np.zeros((channels, n))
    t = np.arange(n) / 44100
    for beat in range(tempo.beats):
        hz = 110.0 * 2 ** (rng.integers(0, 12) / 12)
        thump = np.sin(2 * np.pi * 55 * t) * np.exp(-12 * t)
        tone = sum(np.sin(2 * np.pi * hz * h * t) / h for h in range(1, 20)) * np.exp(-4 * t)
        tick = rng.standard_normal(n) * np.exp(-80 * t)
        for sound, place, gain in ((thump, 0.0, 0.5), (tone, 0.25, 0.15), (tick, 0.5, 0.1)):
            pan = rng.uniform(0.2, 0.8, channels)[:, None] if channels > 1 else 1.0
            out += pan * gain * np.roll(sound, round((beat + place) * n / tempo.beats))
    return Clip(samples=(0.7 * out / np.abs(out).max()).astype(np.float32))


def shown(clip: Clip, tempo: Tempo, params: SpectrogramParams = BEAT_GRID) -> Spectrogram:
    """What the 8 bit picture of a loop still says."""
    picture = to_image(analyse(clip, params, tempo=tempo, circular=True))
    return from_image(picture, params, tempo=tempo, circular=True)


def distance(found: Samples, wanted: Samples) -> float:
    """Spectral convergence in dB."""
    return float(20 * np.log10(np.linalg.norm(found - wanted) / np.linalg.norm(wanted)))


def rms_db(samples: Samples) -> float:
    return float(10 * np.log10(np.mean(samples.astype(np.float64) ** 2)))


@pytest.mark.parametrize("bpm", [40.0, 61.7, 93.75, 123.4, 174.0, 239.9, 240.0])
def test_a_loop_has_exactly_the_samples_of_its_tempo(bpm: float) -> None:
    tempo = Tempo(bpm=bpm, beats=4)
    magnitudes = np.full((1, 128, 128), 0.01, np.float32)
    spectrogram = Spectrogram(magnitudes=magnitudes, params=BEAT_GRID, tempo=tempo, circular=True)
    clip = synthesise(spectrogram, quality="draft")
    assert clip.n == round(4 * 60 / bpm * 44100)
    assert repeat(clip, 100).n == 100 * tempo.samples(44100)


def test_inversion_is_as_near_at_slow_tempi_as_at_quick_ones() -> None:
    found = []
    for bpm in (40.0, 124.0, 240.0):
        tempo = Tempo(bpm=bpm, beats=4)
        wanted = shown(groove(tempo), tempo)
        again = analyse(synthesise(wanted), BEAT_GRID, tempo=tempo, circular=True)
        found.append(distance(again.magnitudes, wanted.magnitudes))
    assert max(found) < -20 and max(found) - min(found) < 3  # one loop; the bench takes medians


@pytest.mark.parametrize("bpm", [40.0, 124.0, 240.0])
def test_the_end_meets_the_start(bpm: float) -> None:
    tempo = Tempo(bpm=bpm, beats=4)
    wanted = shown(groove(tempo), tempo)
    turned = replace(wanted, magnitudes=np.roll(wanted.magnitudes, -12, axis=-1))
    assert seam(synthesise(wanted, quality="draft")).jump <= 2
    off_the_beat = seam(synthesise(turned, quality="draft"))
    assert off_the_beat.jump <= 2 and off_the_beat.percentile < 95


def test_a_linear_inversion_would_not_meet() -> None:
    tempo = Tempo(bpm=124.0, beats=4)
    wanted = replace(shown(groove(tempo), tempo), circular=False)
    cut = [seam(synthesise(wanted, quality="draft", seed=s)).jump for s in range(5)]
    assert float(np.median(cut)) > 2


@pytest.mark.parametrize(("over_db", "turned_db"), [(5.0, 0.0), (20.0, 14.0)])
def test_peaks_over_full_scale_are_held_and_what_is_far_over_is_turned_down(
    over_db: float, turned_db: float
) -> None:
    """Where nothing near is over, the sound keeps its level, but for what is more than 6 dB."""
    tempo = Tempo(bpm=124.0, beats=2)
    wanted = shown(groove(tempo), tempo)
    plain = synthesise(wanted, quality="draft").samples
    gain = np.float32(10 ** (over_db / 20) / np.abs(plain).max())
    loud = replace(wanted, magnitudes=wanted.magnitudes * gain)
    held = synthesise(loud, quality="draft").samples
    assert np.abs(held).max() <= 1.0
    full = plain * gain * 10 ** (-turned_db / 20)
    away = maximum_filter1d(np.abs(full).max(0), 2 * 441 + 1, mode="wrap") < 1.0
    assert 0.2 < away.mean() < 1.0
    np.testing.assert_allclose(held[:, away], full[:, away], atol=4e-3)
    assert rms_db(held) - rms_db(full) > -3.0


def test_the_same_call_gives_the_same_samples() -> None:
    tempo = Tempo(bpm=124.0, beats=2)
    wanted = shown(groove(tempo), tempo)
    first, again = (synthesise(wanted, seed=3).samples for _ in range(2))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != synthesise(wanted, seed=4).samples.tobytes()


def test_the_picture_keeps_the_level_to_half_a_step_and_silence_silent() -> None:
    rng = np.random.default_rng(0)
    level_db = rng.uniform(-71.5, 0.0, (1, 128, 128))
    magnitudes = (10 ** (level_db / 20)).astype(np.float32)
    magnitudes[:, :, ::5] = 0.0
    spectrogram = Spectrogram(
        magnitudes=magnitudes, params=BEAT_GRID, tempo=Tempo(bpm=120, beats=4), circular=True
    )
    read = from_image(
        to_image(spectrogram), BEAT_GRID, tempo=Tempo(bpm=120, beats=4), circular=True
    )
    silent = magnitudes == 0
    assert (read.magnitudes[silent] == 0).all()
    error_db = 20 * np.log10(read.magnitudes[~silent] / magnitudes[~silent])
    assert np.abs(error_db).max() <= 72 / 255 / 2 + 1e-3


@pytest.mark.parametrize("gain", [1.0, 0.05])
@pytest.mark.parametrize("params", [BEAT_GRID, RIFFUSION], ids=["decibel", "power"])
def test_loud_stays_loud_and_quiet_quiet(params: SpectrogramParams, gain: float) -> None:
    tempo = Tempo(bpm=120.0, beats=4)
    clip = groove(tempo)
    clip = replace(clip, samples=clip.samples * np.float32(gain))
    spectrogram = analyse(clip, params, tempo=tempo, circular=True)
    read = from_image(to_image(spectrogram), spectrogram.params, tempo=tempo, circular=True)
    assert abs(rms_db(synthesise(read).samples) - rms_db(clip.samples)) < 1.0


def test_silence_comes_back_as_silence() -> None:
    tempo = Tempo(bpm=120.0, beats=4)
    clip = Clip(samples=np.zeros((1, tempo.samples(44100)), np.float32))
    assert not synthesise(shown(clip, tempo)).samples.any()


def test_the_picture_is_riffusions_own() -> None:
    clip = groove(Tempo(bpm=120.0, beats=4))
    mel = torchaudio.transforms.MelScale(
        n_mels=512, sample_rate=44100, f_min=0, f_max=10000, n_stft=8821
    )
    stft = torchaudio.transforms.Spectrogram(
        n_fft=17640, win_length=4410, hop_length=441, power=1.0
    )
    loudness = mel(stft(torch.from_numpy(clip.samples) * 32768))[0].numpy()
    theirs = (255 - 255 * (loudness / loudness.max()) ** 0.25).astype(np.uint8)[::-1]
    ours = np.asarray(to_image(analyse(clip, RIFFUSION)))
    assert ours.shape == (*theirs.shape, 3)
    assert (ours == ours[..., :1]).all()
    off = np.abs(ours[..., 0].astype(int) - theirs)
    assert off.max() <= 1 and (off > 0).mean() < 0.01  # rounding of the last float bit


def test_the_maximum_of_a_power_picture_is_found_and_travels() -> None:
    clip = groove(Tempo(bpm=120.0, beats=4))
    spectrogram = analyse(clip, RIFFUSION)
    assert isinstance(spectrogram.params.curve, PowerCurve)
    assert spectrogram.params.curve.max_value == pytest.approx(spectrogram.magnitudes.max())
    read = from_image(to_image(spectrogram), spectrogram.params)
    assert distance(read.magnitudes, spectrogram.magnitudes) < -35


def test_a_picture_without_a_maximum_takes_riffusions_constant() -> None:
    black = Image.new("RGB", (64, 512))
    assert from_image(black, RIFFUSION).magnitudes.max() == pytest.approx(30e6)
    assert from_image(black, RIFFUSION, max_value=5.0).magnitudes.max() == pytest.approx(5.0)


def test_stereo_stands_in_green_and_blue() -> None:
    tempo = Tempo(bpm=120.0, beats=4)
    clip = groove(tempo, channels=2)
    left_only = replace(clip, samples=clip.samples * np.array([[1], [0]], np.float32))
    planes = np.asarray(to_image(analyse(left_only, STEREO, tempo=tempo, circular=True)))
    assert (planes[..., 0] == 0).all() and (planes[..., 2] == 255).all()
    assert (planes[..., 1] < 128).any()


def test_the_mono_sum_of_an_inverted_stereo_loop_is_sound() -> None:
    tempo = Tempo(bpm=120.0, beats=4)
    clip = groove(tempo, channels=2)
    found = synthesise(shown(clip, tempo, STEREO))
    sums = [analyse(c, BEAT_GRID, tempo=tempo, circular=True).magnitudes for c in (found, clip)]
    assert distance(sums[0], sums[1]) < -12  # channel by channel: -6
    assert abs(rms_db(found.samples.mean(0)) - rms_db(clip.samples.mean(0))) < 0.5
    for channel in range(2):
        assert abs(rms_db(found.samples[channel]) - rms_db(clip.samples[channel])) < 1.0


def test_another_tempo_plays_the_same_picture_in_another_time() -> None:
    tempo, slower = Tempo(bpm=124.0, beats=4), Tempo(bpm=93.5, beats=4)
    picture = to_image(analyse(groove(tempo), BEAT_GRID, tempo=tempo, circular=True))
    played = synthesise(from_image(picture, BEAT_GRID, tempo=slower, circular=True))
    assert played.n == slower.samples(44100)
    again = analyse(played, BEAT_GRID, tempo=slower, circular=True)
    read = from_image(picture, BEAT_GRID, tempo=tempo, circular=True)
    assert distance(again.magnitudes, read.magnitudes) < -18


def test_mono_sound_fills_both_channels_and_stereo_is_averaged() -> None:
    tempo = Tempo(bpm=120.0, beats=2)
    mono, stereo = groove(tempo), groove(tempo, channels=2)
    both = analyse(mono, STEREO, tempo=tempo, circular=True).magnitudes
    assert (both[0] == both[1]).all()
    average = replace(stereo, samples=stereo.samples.mean(0, keepdims=True))
    one, same = (
        analyse(c, BEAT_GRID, tempo=tempo, circular=True).magnitudes for c in (stereo, average)
    )
    np.testing.assert_allclose(one, same)


def test_a_time_picture_is_one_hop_shorter_than_its_frames_unless_it_is_a_circle() -> None:
    white = Image.new("RGB", (64, 512), "white")
    assert synthesise(from_image(white, RIFFUSION), quality="draft").n == 63 * 441
    circle = from_image(white, RIFFUSION, circular=True)
    assert synthesise(circle, quality="draft").n == 64 * 441


def test_an_unknown_quality_is_refused() -> None:
    tempo = Tempo(bpm=120.0, beats=2)
    with pytest.raises(ParameterError, match="unknown quality 'good': known are draft, fast, best"):
        synthesise(shown(groove(tempo), tempo), quality="good")


def test_a_picture_of_another_height_is_refused() -> None:
    with pytest.raises(ParameterError, match="100 px high: these params need 512 px"):
        from_image(Image.new("RGB", (64, 100)), RIFFUSION)


def test_a_picture_of_another_width_than_its_tempo_is_refused() -> None:
    with pytest.raises(ParameterError, match="this tempo has 64 frames"):
        from_image(Image.new("RGB", (65, 128)), BEAT_GRID, tempo=Tempo(bpm=120, beats=2))


def test_a_clip_at_another_rate_is_refused() -> None:
    with pytest.raises(ParameterError, match="resample the clip first"):
        analyse(Clip(samples=np.zeros((1, 48000), np.float32), rate=48000), RIFFUSION)


def test_a_clip_of_another_length_than_its_tempo_is_refused() -> None:
    clip = Clip(samples=np.zeros((1, 44101), np.float32))
    with pytest.raises(ParameterError, match="asks for exactly 44100"):
        analyse(clip, BEAT_GRID, tempo=Tempo(bpm=120, beats=2), circular=True)


def test_more_than_two_channels_are_refused() -> None:
    clip = Clip(samples=np.zeros((3, 44100), np.float32))
    with pytest.raises(ParameterError, match="3 channels: spectrograms hold 1 or 2"):
        analyse(clip, replace(RIFFUSION, stereo=True))
