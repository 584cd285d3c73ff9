"""A bed: the loop on its grid for any length, in whole bars, faded, measured where it plays."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from audio import bed as beds
from audio import mastering
from audio.bed import Bed
from audio.errors import ParameterError
from audio.stretch import repeated
from audio.synth import band
from audio.types import Clip, Loop, Tempo

RATE = 44100


def click(bpm: float, *, beats: int = 4, rate: int = RATE) -> Loop:
    """A loop with a soft pulse whose top is its first sample."""
    tempo = Tempo(bpm=bpm, beats=beats)
    n = tempo.samples(rate)
    away = np.minimum(np.arange(n), n - np.arange(n))
    samples = np.exp(-((away / (0.0009 * rate)) ** 2)).astype(np.float32)[None]
    return Loop(clip=Clip(samples=samples, rate=rate), tempo=tempo)


def song(seed: int = 3) -> Loop:
    return band.render(band.draw(np.random.default_rng(seed)))


@pytest.mark.parametrize("bpm", [123.4, 97.0, 61.7, 173.99])
def test_no_beat_drifts_over_half_an_hour(bpm: float) -> None:
    bars = round(30 * bpm / 4)
    bed = Bed(loop=click(bpm), bars=bars)
    assert bed.n == round(Fraction(str(bpm)) ** -1 * 60 * 4 * bars * RATE)
    assert abs(bed.n / RATE - 1800) < 4
    for k in [*range(1, 40), *range(bars - 40, bars)]:
        exact = 60 / bpm * 4 * k * RATE
        first = round(exact) - 100
        top = first + int(np.argmax(bed.block(first, 200)[0]))
        assert abs(top - exact) <= 1.0


def test_any_block_is_that_of_the_whole() -> None:
    bed = Bed(loop=song(), bars=7, fade_in_s=0.5, fade_out_s=2.0)
    whole = bed.block(0, bed.n)
    rng = np.random.default_rng(0)
    for start in rng.integers(0, bed.n - 1, 50):
        n = int(rng.integers(1, min(200_000, bed.n - start) + 1))
        assert np.array_equal(bed.block(int(start), n), whole[:, start : start + n])


def test_it_is_the_loop_repeated() -> None:
    loop = song()
    bed = Bed(loop=loop, bars=6, fade_in_s=0.0, fade_out_s=0.0)
    wanted = repeated(loop, 3).clip.samples
    np.testing.assert_allclose(bed.block(0, bed.n), wanted, atol=1e-6)


def test_a_loop_of_odd_beats_ends_on_a_bar_all_the_same() -> None:
    bed = Bed(loop=click(120, beats=6), bars=2)
    assert bed.n == 8 * RATE // 2
    np.testing.assert_allclose(bed.block(3 * RATE, 1), 1.0, atol=1e-3)


def test_it_fades_within_its_bars() -> None:
    tempo = Tempo(bpm=120, beats=4)
    steady = Loop(clip=Clip(samples=np.ones((2, 88200), np.float32)), tempo=tempo)
    found = Bed(loop=steady, bars=4, fade_in_s=1.0, fade_out_s=2.0).block(0, 4 * 88200)
    assert found[0, 0] == 0.0 and found[1, -1] < 1e-8
    assert found[0, RATE // 2] == pytest.approx(0.5) and found[0, -RATE] == pytest.approx(0.5)
    assert np.all(found[:, RATE : -2 * RATE] == 1.0)
    assert np.all(np.diff(found[:, :RATE]) >= 0) and np.all(np.diff(found[:, -2 * RATE :]) <= 0)


def test_a_stretch_is_as_loud_as_it_is_measured_there() -> None:
    """The K-weighting has been running since the bed began."""
    bed = Bed(loop=song(6), bars=9)
    meter = mastering.PowerMeter(rate=RATE, channels=1)
    meter.add(bed.block(0, bed.n))
    power = meter.power()
    for start_s, end_s in ((1.5, 1.9), (3.0, 11.0), (7.77, 8.01)):
        assert bed.lufs(start_s, end_s) == pytest.approx(power.lufs(start_s, end_s), abs=0.1)


@pytest.mark.parametrize(
    ("voice_s", "bars"), [(0.0, 4), (1.9, 5), (2.0, 5), (2.0 + 1e-9, 5), (2.1, 6), (1799.0, 904)]
)
def test_it_is_laid_out_in_bars_round_the_voice(voice_s: float, bars: int) -> None:
    """Bars of two seconds."""
    bed = beds.laid_out(click(120), voice_s=voice_s)
    assert bed.bars == bars and bed.n == bars * 2 * RATE
    assert bed.fade_out_s == pytest.approx(2.0, abs=0.01)


def test_without_an_outro_the_end_is_cut_softly() -> None:
    bed = beds.laid_out(click(120), voice_s=3.0, intro_bars=0, outro_bars=0)
    assert bed.bars == 2 and bed.fade_out_s < 0.01


@pytest.mark.parametrize("rate", [22050, 48000])
def test_another_rate_has_its_own_exact_length(rate: int) -> None:
    loop = click(123.4)
    found = beds.matched(loop, rate=rate, channels=2)
    assert found.clip.rate == rate and found.clip.samples.shape == (2, loop.tempo.samples(rate))
    wanted = click(123.4, rate=rate).clip.samples[0]
    np.testing.assert_allclose(found.clip.samples[0], wanted, atol=0.01)
    assert np.argmax(found.clip.samples[1]) == 0


def test_a_tone_stays_a_tone_at_another_rate() -> None:
    t = np.arange(88200) / RATE
    tone = np.sin(2 * np.pi * 440 * t).astype(np.float32)
    loop = Loop(clip=Clip(samples=np.stack([tone, -tone])), tempo=Tempo(bpm=120, beats=4))
    found = beds.matched(loop, rate=48000, channels=2).clip.samples
    wanted = np.sin(2 * np.pi * 440 * np.arange(96000) / 48000)
    np.testing.assert_allclose(found, [wanted, -wanted], atol=1e-5)
    assert np.abs(beds.matched(loop, rate=RATE, channels=1).clip.samples).max() == 0.0


# ---- refusals -----------------------------------------------------------------------------------


def test_a_loop_shorter_than_a_bar_is_refused() -> None:
    with pytest.raises(ParameterError, match="a loop of 3 of 4 beats is shorter than a bar"):
        beds.laid_out(click(120, beats=3), voice_s=1.0)
    with pytest.raises(ParameterError, match="shorter than a bar"):
        Bed(loop=click(120, beats=3), bars=1)


@pytest.mark.parametrize("bars", [0, -1, 10_001])
def test_bars_that_cannot_be_are_refused(bars: int) -> None:
    with pytest.raises(ParameterError, match="give 1 to 10000"):
        Bed(loop=click(120), bars=bars)


@pytest.mark.parametrize(("fade_in_s", "fade_out_s"), [(-1, 0), (0, 3), (1.5, 1.5), (0, np.nan)])
def test_fades_longer_than_the_bed_are_refused(fade_in_s: float, fade_out_s: float) -> None:
    with pytest.raises(ParameterError, match="fades of"):
        Bed(loop=click(120), bars=1, fade_in_s=fade_in_s, fade_out_s=fade_out_s)


@pytest.mark.parametrize("change", [{"voice_s": np.nan}, {"voice_s": -1}, {"intro_bars": -1}])
def test_layouts_that_cannot_be_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match="give 0 or more of each"):
        beds.laid_out(click(120), **{"voice_s": 1.0, **change})  # type: ignore[arg-type]


def test_more_than_two_channels_are_refused() -> None:
    with pytest.raises(ParameterError, match="3 channels: give 1 or 2"):
        beds.matched(click(120), rate=RATE, channels=3)
