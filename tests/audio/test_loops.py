"""Loops as circles: measured seams, exact repeats, turns by beats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from audio.errors import ParameterError
from audio.loops import repeat, rotate, seam
from audio.types import Clip, Loop, Samples, Tempo

RATE = 44100


def clip(*channels: Samples) -> Clip:
    return Clip(samples=np.stack(channels).astype(np.float32), rate=RATE)


def sine(n: int, turns: float, *, phase: float = 0.0) -> Samples:
    wave: Samples = np.sin(2 * np.pi * turns * np.arange(n) / n + phase).astype(np.float32)
    return wave


def hiss(n: int, seed: int = 0) -> Samples:
    """Noise that goes round: its frames differ, so that a seam has something to hide among."""
    rng = np.random.default_rng(seed)
    noise: Samples = (0.1 * rng.normal(size=n)).astype(np.float32)
    return noise


# ---- the seam -----------------------------------------------------------------------------------


def test_the_jump_of_a_tone_that_goes_round_is_that_of_any_neighbours() -> None:
    """At phase 0 of a sine the step is the largest, sqrt(2) times the rms; at its top it is 0."""
    n = 2 * RATE
    assert seam(clip(sine(n, 880))).jump == pytest.approx(2**0.5, rel=1e-3)
    assert seam(clip(sine(n, 880, phase=np.pi / 2))).jump == pytest.approx(0.0, abs=0.1)


def test_the_jump_is_counted_in_the_rms_of_steps() -> None:
    """A ramp from 0 to 1 steps by 1/(n-1), and by 1 at its seam."""
    n = RATE
    assert seam(clip(np.linspace(0, 1, n))).jump == pytest.approx(n - 1, rel=1e-4)


def test_the_worst_channel_counts() -> None:
    n = RATE
    good, bad = sine(n, 440, phase=np.pi / 2), np.linspace(0, 1, n, dtype=np.float32)
    assert seam(clip(good, bad)).jump == seam(clip(bad, good)).jump == seam(clip(bad)).jump


def test_a_tone_that_is_cut_off_stands_out_at_its_seam() -> None:
    n = 2 * RATE
    found = seam(clip(sine(n, 880.5, phase=np.pi / 2)))
    assert found.jump > 20 and found.percentile == 100.0
    assert found.flux > 1000 * float(np.percentile(found.inside, 95))


def test_noise_that_goes_round_has_a_seam_like_any_place() -> None:
    """Percentiles of 40 seams are spread evenly, as those of any frame would be."""
    found = np.array([seam(clip(hiss(RATE // 2, seed))).percentile for seed in range(40)])
    assert np.median(found) == pytest.approx(50, abs=20)
    assert np.mean(found < 95) > 0.8


def test_a_click_at_the_seam_is_found_wherever_it_was_planted() -> None:
    """Steady noise with a click: the seam is the loudest rise only when it lies on the click."""
    n = RATE
    x = 0.01 * hiss(n)
    x[n // 3] += 1.0
    assert seam(clip(np.roll(x, -n // 3))).percentile == 100.0
    assert seam(clip(x)).percentile < 100.0


def test_a_seam_does_not_depend_on_level_rate_or_on_what_is_measured_twice() -> None:
    x = hiss(RATE)
    plain, quiet = seam(clip(x)), seam(clip(0.01 * x))
    assert quiet.jump == pytest.approx(plain.jump, rel=1e-4)
    assert quiet.percentile == plain.percentile
    assert seam(clip(x, x)).percentile == plain.percentile


def test_silence_has_no_seam() -> None:
    found = seam(clip(np.zeros(RATE, np.float32)))
    assert (found.jump, found.flux, found.percentile) == (0.0, 0.0, 0.0)


def test_a_clip_too_short_to_measure_is_refused() -> None:
    least = 16 * 1014 // 2
    assert seam(clip(hiss(least))).inside.shape == (15,)
    with pytest.raises(ParameterError, match=f"a seam is measured from {least} on"):
        seam(clip(hiss(least - 1)))


# ---- repeats ------------------------------------------------------------------------------------


@pytest.mark.parametrize("bpm", [40.0, 61.7, 123.4, 124.0, 173.21, 240.0])
def test_a_hundred_repeats_drift_by_no_sample(bpm: float) -> None:
    """The first sample and the last come again after exactly N, 100 times over."""
    n = Tempo(bpm=bpm, beats=1).samples(RATE)
    x = np.zeros(n, np.float32)
    x[0], x[-1] = 1.0, -0.5
    found = repeat(clip(x), 100)
    assert found.samples.shape == (1, 100 * n) and found.rate == RATE
    assert np.array_equal(np.flatnonzero(found.samples == 1.0), n * np.arange(100))
    assert np.array_equal(np.flatnonzero(found.samples == -0.5), n * np.arange(1, 101) - 1)


def test_one_repeat_is_the_clip() -> None:
    x = clip(hiss(100))
    assert np.array_equal(repeat(x, 1).samples, x.samples)


def test_no_repeats_are_refused() -> None:
    with pytest.raises(ParameterError, match="0 repeats: give at least 1"):
        repeat(clip(hiss(100)), 0)


# ---- turns --------------------------------------------------------------------------------------


def loop(bpm: float = 123.4, beats: int = 8) -> Loop:
    tempo = Tempo(bpm=bpm, beats=beats)
    return Loop(clip=clip(hiss(tempo.samples(RATE))), tempo=tempo)


@pytest.mark.parametrize("beats", [0.25, 1, 3, 7, 8, 13, -2])
def test_a_turned_loop_starts_at_that_beat(beats: float) -> None:
    """A click on each beat, the k-th with level k: the first is then the one turned to."""
    tempo = Tempo(bpm=123.4, beats=8)
    n = tempo.samples(RATE)
    x = np.zeros(n, np.float32)
    at = round(beats * 60 * RATE / 123.4) % n
    x[at] = 1.0
    found = rotate(Loop(clip=clip(x), tempo=tempo), beats)
    assert found.tempo == tempo
    assert list(np.flatnonzero(found.clip.samples[0])) == [0]


def test_a_whole_turn_and_a_turn_back_are_no_turn() -> None:
    whole = loop()
    assert np.array_equal(rotate(whole, 8).clip.samples, whole.clip.samples)
    for beats in (0.3, 1, 2.5):
        back = rotate(rotate(whole, beats), -beats)
        assert np.array_equal(back.clip.samples, whole.clip.samples)


def test_turning_keeps_the_circle_and_so_every_step_in_it() -> None:
    whole = loop()
    n = whole.clip.n
    found = rotate(whole, 3).clip.samples
    shift = round(3 * 60 * RATE / 123.4)
    assert np.array_equal(found, np.roll(whole.clip.samples, -shift, axis=1))
    assert seam(replace(whole.clip, samples=found)).jump < 5 and found.shape == (1, n)


def test_a_turn_by_no_number_is_refused() -> None:
    with pytest.raises(ParameterError, match="nan beats"):
        rotate(loop(), float("nan"))
