"""Loudness and true peak: the standard's figures, loops measured as they repeat, limits kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audio import files, mix
from audio.errors import ParameterError
from audio.loops import repeat, rotate, seam
from audio.mix import Stem
from audio.synth import band
from audio.types import Clip, Loop, Samples

RATE = 44100


def clip(*channels: Samples) -> Clip:
    return Clip(samples=np.stack(channels).astype(np.float32), rate=RATE)


def hiss(seconds: float, level: float = 0.1, seed: int = 0) -> Samples:
    noise: Samples = level * np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return noise.astype(np.float32)


def loop(seed: int, *, bars: int = 2) -> Loop:
    return band.render(band.draw(np.random.default_rng(seed), bars=bars))


# ---- measuring ----------------------------------------------------------------------------------


def test_two_equal_channels_are_three_decibels_louder_than_one() -> None:
    x = hiss(3)
    one, two = mix.loudness(clip(x)).lufs, mix.loudness(clip(x, x)).lufs
    assert two - one == pytest.approx(10 * np.log10(2), abs=1e-6)


@pytest.mark.parametrize("seed", [0, 6, 9])
def test_a_loop_is_as_loud_as_a_minute_of_it_wherever_it_begins(seed: int) -> None:
    """Measured once, these loops seem up to 0.24 LU off: blocks begin elsewhere at each repeat."""
    whole = loop(seed)
    found = mix.loudness(whole.clip, circular=True)
    long = mix.loudness(repeat(whole.clip, 30)).lufs
    assert found.lufs == pytest.approx(long, abs=0.03)
    turned = mix.loudness(rotate(whole, 3.3).clip, circular=True)
    assert turned.lufs == pytest.approx(found.lufs, abs=0.03)
    assert turned.true_peak_db == pytest.approx(found.true_peak_db, abs=1e-4)


def test_the_seam_counts_in_a_loops_true_peak() -> None:
    """Samples at 0.707 of a sine whose top lies between the last one and the first."""
    n = 4 * (RATE // 4)
    top = np.sin(np.pi / 2 * np.arange(n) + np.pi / 4)
    burst = np.roll(top * (np.abs(np.arange(n) - n // 2) < 40), n // 2)
    assert np.abs(burst).max() < 0.7072
    found = mix.true_peak(clip(burst), circular=True)
    assert found == pytest.approx(mix.true_peak(clip(np.roll(burst, 999)), circular=True), rel=1e-4)
    assert found > 0.98


def test_long_sound_is_measured_in_parts_as_it_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    x = clip(hiss(1.5), hiss(1.5, seed=1))
    whole = {c: (mix.true_peak(x, circular=c), mix.to_loudness(x, circular=c)) for c in (0, 1)}
    monkeypatch.setattr(mix, "_BLOCK", 5000)
    for circular, (peak, ready) in whole.items():
        assert mix.true_peak(x, circular=bool(circular)) == pytest.approx(peak, rel=1e-5)
        again = mix.to_loudness(x, circular=bool(circular))
        np.testing.assert_allclose(again.samples, ready.samples, atol=1e-6)


# ---- to a loudness ------------------------------------------------------------------------------


@pytest.mark.parametrize("lufs", [-20.0, -14.0, -9.0])
@pytest.mark.parametrize("circular", [False, True])
def test_the_target_is_met_and_no_true_peak_passes(lufs: float, circular: bool) -> None:
    for seed in (1, 4, 7):
        found = mix.to_loudness(loop(seed).clip, lufs=lufs, circular=circular)
        measured = mix.loudness(found, circular=circular)
        assert measured.lufs == pytest.approx(lufs, abs=0.2)
        assert measured.true_peak_db <= -1.0


def test_where_a_gain_alone_will_do_nothing_else_is_done() -> None:
    x = loop(1).clip
    found = mix.to_loudness(x, lufs=-20.0)
    gain = float(found.samples[0] @ x.samples[0] / (x.samples[0] @ x.samples[0]))
    np.testing.assert_allclose(found.samples, gain * x.samples, atol=1e-6)


def test_clicks_in_silence_stay_quieter_rather_than_pass_the_limit() -> None:
    """A crest that no limiting of 18 dB reaches: one sample in each second."""
    x = np.zeros(4 * RATE)
    x[5000::RATE] = 0.5
    found = mix.loudness(mix.to_loudness(clip(x), lufs=-5.0))
    assert found.true_peak_db <= -1.0 and found.lufs < -10.0


def test_dither_in_a_16_bit_file_does_not_lift_a_peak_over_the_limit(tmp_path: Path) -> None:
    found = mix.to_loudness(loop(6).clip, lufs=-9.0, circular=True)
    for name, subtype in (("a.wav", "pcm16"), ("a.flac", "pcm24")):
        files.write(tmp_path / name, found, subtype=subtype)
        heard = mix.loudness(files.read(tmp_path / name), circular=True)
        assert heard.true_peak_db <= -1.0


def test_a_limited_loop_is_limited_alike_wherever_it_begins() -> None:
    """The limiter looks ahead across the seam: turned and limited is limited and turned."""
    whole = loop(9)
    ready = mix.to_loudness(whole.clip, lufs=-10.0, circular=True)
    turned = rotate(whole, 2.6)
    shift = round(2.6 * 60 / whole.tempo.bpm * RATE)
    other = mix.to_loudness(turned.clip, lufs=-10.0, circular=True)
    level = np.abs(ready.samples).max()
    np.testing.assert_allclose(
        other.samples, np.roll(ready.samples, -shift, axis=1), atol=0.02 * level
    )
    assert seam(ready).percentile <= seam(whole.clip).percentile + 5


# ---- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sound", "sentence"),
    [
        (np.zeros(RATE), "is silent"),
        (hiss(1, 5e-5), "all but silent: what is below -70 LUFS"),
        (hiss(0.01), "10 ms of sound"),
        (np.full(RATE, np.nan), "no numbers"),
    ],
)
def test_what_has_no_loudness_is_refused(sound: Samples, sentence: str) -> None:
    for refused in (mix.loudness, mix.to_loudness):
        with pytest.raises(ParameterError, match=sentence):
            refused(clip(sound))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1.0, -61.0])
def test_targets_that_cannot_be_are_refused(value: float) -> None:
    with pytest.raises(ParameterError, match="loudness .*: give -60 to 0"):
        mix.to_loudness(clip(hiss(1)), lufs=value)
    with pytest.raises(ParameterError, match="true peak .*: give -60 to 0"):
        mix.to_loudness(clip(hiss(1)), true_peak_db=value)


def test_more_channels_than_the_standard_knows_are_refused() -> None:
    with pytest.raises(ParameterError, match="6 channels"):
        mix.loudness(clip(*[hiss(1)] * 6))


def test_a_gain_that_is_no_number_is_refused() -> None:
    with pytest.raises(ParameterError, match="gain nan dB"):
        mix.mixed([Stem(clip=clip(hiss(1)), gain_db=float("nan"))])


def test_ten_milliseconds_that_repeat_have_a_loudness() -> None:
    """A loop of one period of 100 Hz sounds as the tone does that it repeats to."""
    period = np.sin(2 * np.pi * np.arange(RATE // 100) / (RATE // 100))
    found = mix.loudness(clip(period), circular=True)
    tone = replace(clip(period), samples=np.tile(clip(period).samples, (1, 500)))
    assert found.lufs == pytest.approx(mix.loudness(tone).lufs, abs=0.02)
