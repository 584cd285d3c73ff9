"""Blocks measured as the whole is, and brought to a loudness with no true peak over the limit."""

from __future__ import annotations

import re
import shutil
import subprocess
import tracemalloc
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from audio import files, mastering, mix
from audio.errors import ParameterError
from audio.mastering import Master, PeakMeter, Power, PowerMeter
from audio.synth import band
from audio.types import Clip, Samples


@cache
def music(seed: int, *, rate: int = 44100, channels: int = 1, seconds: float = 5.0) -> Clip:
    """A loop of the band that repeats, with a soft half; the second channel another one."""
    loops = [band.render(band.draw(np.random.default_rng(seed + k))).clip for k in range(channels)]
    n = round(seconds * 44100)
    samples = np.stack([np.resize(loop.samples[0], n) for loop in loops])
    samples[:, n // 2 :] *= np.float32(0.05)
    return files.resample(Clip(samples=samples), rate)


def blocks(samples: Samples, size: int) -> Iterator[Samples]:
    for first in range(0, samples.shape[1], size):
        yield samples[:, first : first + size]


def heard(clip: Clip, size: int = 10_007) -> tuple[Power, float]:
    power = PowerMeter(rate=clip.rate, channels=clip.channels)
    peaks = PeakMeter(rate=clip.rate, channels=clip.channels)
    for block in blocks(clip.samples, size):
        power.add(block)
        peaks.add(block)
    return power.power(), 20 * np.log10(float(peaks.peaks().max()))


def master(clip: Clip, *, size: int = 10_007, lufs: float = -16.0) -> tuple[Master, Clip]:
    found = mastering.mastered(
        lambda: blocks(clip.samples, size), rate=clip.rate, channels=clip.channels, lufs=lufs
    )
    starts = range(0, clip.n, size)
    gains = [found.at(start, min(size, clip.n - start)) for start in starts]
    return found, Clip(samples=clip.samples * np.concatenate(gains), rate=clip.rate)


# ---- measuring ----------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [22050, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("seconds", [5.0, 0.437])
def test_blocks_are_as_loud_as_the_whole(rate: int, channels: int, seconds: float) -> None:
    clip = music(3, rate=rate, channels=channels, seconds=seconds)
    whole = mix.loudness(clip)
    power, peak_db = heard(clip)
    assert power.integrated == pytest.approx(whole.lufs, abs=0.02)
    assert peak_db == pytest.approx(whole.true_peak_db, abs=0.01)


def test_blocks_of_any_size_are_measured_alike() -> None:
    clip = music(4, channels=2, seconds=3)
    power, peak_db = heard(clip)
    for size in (100, 44100, clip.n):
        again, again_db = heard(clip, size)
        np.testing.assert_allclose(again.energy, power.energy, rtol=1e-9)
        assert again_db == pytest.approx(peak_db, abs=1e-4)


def test_a_tone_is_as_loud_as_the_standard_says() -> None:
    """ITU-R BS.1770: 997 Hz at 0 dBFS in one channel is -3.01 LUFS."""
    tone = np.sin(2 * np.pi * 997 * np.arange(48000 * 4) / 48000).astype(np.float32)[None]
    power, _ = heard(Clip(samples=tone, rate=48000))
    assert power.integrated == pytest.approx(-3.01, abs=0.05)
    assert power.lufs(1.0, 1.0123) == pytest.approx(-3.01, abs=0.05)
    assert power.lufs(2.0, 6.0) == pytest.approx(-6.02, abs=0.05)  # half of that is silence


def test_a_peak_between_the_samples_at_the_cut_is_seen() -> None:
    n = 4001
    tone = np.sin(np.pi / 2 * np.arange(n) + np.pi / 4).astype(np.float32)[None]
    clip = Clip(samples=tone)
    assert np.abs(tone).max() < 0.7072
    assert heard(clip)[1] > -0.2
    assert heard(clip)[1] == pytest.approx(20 * np.log10(mix.true_peak(clip)), abs=0.02)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg here to compare with")
def test_ffmpeg_measures_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    found, out = master(music(6, channels=2), lufs=-14.0)
    files.write(path, out, subtype="float")
    command = ["ffmpeg", "-nostats", "-i", str(path), "-af", "ebur128=peak=true", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    summary = said[said.rindex("Summary") :]
    lufs, peak = (re.search(rf"{name}:\s+(-?[\d.]+)", summary) for name in ("I", "Peak"))
    assert lufs is not None and float(lufs[1]) == pytest.approx(found.loudness.lufs, abs=0.11)
    assert peak is not None and float(peak[1]) <= -0.9


# ---- to a loudness ------------------------------------------------------------------------------


@pytest.mark.parametrize("lufs", [-25.0, -16.0, -11.0])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_target_is_met_and_no_true_peak_passes(lufs: float, channels: int) -> None:
    for seed in (1, 6):
        found, out = master(music(seed, channels=channels), lufs=lufs)
        measured = mix.loudness(out)
        assert measured.lufs == pytest.approx(lufs, abs=0.06)
        assert measured.true_peak_db <= -1.0
        assert found.loudness.lufs == pytest.approx(measured.lufs, abs=0.01)
        assert found.loudness.true_peak_db == pytest.approx(measured.true_peak_db, abs=0.01)


def test_where_a_gain_alone_will_do_nothing_else_is_done() -> None:
    clip = music(1)
    found, out = master(clip, lufs=-25.0)
    assert np.array_equal(out.samples, clip.samples * np.float32(found.gain))
    whole = mix.to_loudness(clip, lufs=-25.0)
    np.testing.assert_allclose(out.samples, whole.samples, rtol=2e-3)  # 0.017 dB


def test_blocks_of_any_size_come_out_alike() -> None:
    clip = music(9)
    _, one = master(clip, lufs=-11.0)
    _, other = master(clip, size=777, lufs=-11.0)
    np.testing.assert_allclose(one.samples, other.samples, atol=1e-4)


def test_peaks_that_no_limiting_reaches_stay_quieter() -> None:
    """One sample in each second: 18 dB of limiting are not enough."""
    clicks = np.zeros((1, 4 * 44100), np.float32)
    clicks[0, 5000::44100] = 0.5
    found, out = master(Clip(samples=clicks), lufs=-5.0)
    measured = mix.loudness(out)
    assert measured.true_peak_db <= -1.0 and measured.lufs < -10.0
    assert found.loudness.lufs == pytest.approx(measured.lufs, abs=0.05)


def test_the_limiter_moves_without_a_step() -> None:
    found, out = master(music(9), lufs=-11.0)
    gain = found.at(0, out.n)
    assert gain.max() / gain.min() > 1.5  # it does something
    falls = np.abs(np.diff(20 * np.log10(gain)))
    assert falls.max() < 0.5  # dB in a sample: within 5 ms it may move by over 18


def test_memory_does_not_grow_with_the_length() -> None:
    def sound(seconds: int) -> Iterator[Samples]:
        for second in range(seconds):
            yield np.random.default_rng(second).normal(0, 0.3, (1, 44100)).astype(np.float32)

    def peak_mb(seconds: int) -> float:
        tracemalloc.start()
        mastering.mastered(lambda: sound(seconds), rate=44100, channels=1, lufs=-14.0)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak / 2**20

    assert peak_mb(40) - peak_mb(10) < 30 * 0.1  # of 5 MB that the samples of 30 s are


# ---- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        (np.zeros((1, 44100)), "all but silent: what is below -70 LUFS"),
        (np.full((1, 441), 0.1), "10 ms of sound: loudness is measured over 0.4 s"),
        (np.zeros((1, 0)), "0 ms of sound"),
        (np.full((1, 44100), np.nan), "no numbers"),
        (np.full((3, 44100), 0.1), "3 channels: blocks are mastered in 1 or 2"),
    ],
)
def test_what_has_no_loudness_is_refused(samples: Samples, sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        master(Clip(samples=samples.astype(np.float32)))


def test_targets_that_cannot_be_are_refused() -> None:
    with pytest.raises(ParameterError, match="loudness 1: give -60 to 0"):
        master(music(0, seconds=1), lufs=1.0)
