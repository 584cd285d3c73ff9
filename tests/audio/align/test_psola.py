"""PSOLA on a planted voice: times, lengths, pitch and formants are known in advance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import lfilter

from audio.align import measure
from audio.align.intonation import Contour, contour, nearest_in_scale, pitch_at
from audio.align.psola import length, resynthesised
from audio.align.time_map import TimeMap
from audio.errors import ParameterError
from audio.types import Clip

RATE = 22050
RANGE = (75.0, 300.0)
FORMANTS = ((700, 80), (1200, 90), (2600, 120))


def vowel(hz: float = 120.0, seconds: float = 1.0) -> np.ndarray:
    """Pulses at a pitch through three resonances."""
    at = np.arange(0, seconds, 1 / hz)
    x = np.zeros(round(seconds * RATE))
    x[np.minimum(np.rint(at * RATE).astype(int), len(x) - 1)] = 1.0
    for centre, width in FORMANTS:
        r = np.exp(-np.pi * width / RATE)
        x = lfilter([1.0], [1.0, -2 * r * np.cos(2 * np.pi * centre / RATE), r * r], x)
    return 0.5 * x / np.abs(x).max()


def clip(*parts: np.ndarray) -> Clip:
    return Clip(samples=np.concatenate(parts)[None].astype(np.float32), rate=RATE)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE))


SYLLABLES = clip(silence(0.3), vowel(seconds=0.4), silence(0.3), vowel(seconds=0.4), silence(0.3))


def test_the_length_is_the_plans_to_the_sample() -> None:
    rng = np.random.default_rng(0)
    for _ in range(6):
        target = np.concatenate([[0.0], np.cumsum(rng.uniform(0.1, 0.6, 5))])
        found = TimeMap(source_s=np.linspace(0, 1.6, 6), target_s=target)
        moved = resynthesised(SYLLABLES, found, None, hz_range=RANGE)
        assert moved.n == length(found, RATE) == round(target[-1] * RATE)


def test_an_onset_is_heard_where_the_map_puts_it() -> None:
    """The judge finds 20 ms in a sound that was moved by 20 ms; then the stretched one."""
    onsets = np.array([0.3, 1.0])
    found = TimeMap.of([0, 0.25, 0.35, 0.95, 1.05, 1.7], [0, 0.4, 0.5, 1.3, 1.4, 2.0])
    assert np.abs(measure.onsets_found(SYLLABLES, onsets, SYLLABLES, onsets)).max() < 1e-4
    later = replace(SYLLABLES, samples=np.pad(SYLLABLES.samples, ((0, 0), (441, 0))))
    read = measure.onsets_found(SYLLABLES, onsets, later, onsets)
    np.testing.assert_allclose(read, 0.02, atol=1e-3)
    moved = resynthesised(SYLLABLES, found, None, hz_range=RANGE)
    late = measure.onsets_found(SYLLABLES, onsets, moved, found.after(onsets))
    assert np.abs(late).max() < 0.005


def test_a_pause_is_silent_and_nothing_around_it_is_lost() -> None:
    found = TimeMap.of([0, 0.5, 0.5, 1.7], [0, 0.5, 0.9, 2.1])
    moved = resynthesised(SYLLABLES, found, None, hz_range=RANGE).samples[0]
    assert not moved[round(0.501 * RATE) : round(0.899 * RATE)].any()
    assert np.abs(moved[round(0.45 * RATE) : round(0.49 * RATE)]).max() > 0.2
    assert np.abs(moved[round(0.91 * RATE) : round(0.95 * RATE)]).max() > 0.2


def test_where_nothing_changes_the_samples_are_the_same() -> None:
    found = TimeMap.of([0.2, 1.5], [3.2, 4.5])
    moved = resynthesised(SYLLABLES, found, None, hz_range=RANGE)
    first = round(0.2 * RATE)
    np.testing.assert_array_equal(moved.samples, SYLLABLES.samples[:, first : first + moved.n])


@pytest.mark.parametrize("semitones", [-4.37, 4.37])
def test_pitch_goes_where_it_is_asked_and_formants_stay(semitones: float) -> None:
    x = clip(vowel())
    asked = Contour(times_s=np.array([0.0, 1.0]), hz=np.full(2, 120 * 2 ** (semitones / 12)))
    same = TimeMap(source_s=np.array([0.0, 1.0]), target_s=np.array([0.0, 1.0]))
    moved = resynthesised(x, same, asked, hz_range=RANGE)
    t = np.arange(0.15, 0.85, 0.02)
    for heard in (pitch_at(moved, t, RANGE), measure.yin_at(moved, t, RANGE)):
        assert np.median(np.abs(measure.cents_off(heard, asked.hz[0]))) < 5
    for before, after in zip(measure.formants_at(x, t), measure.formants_at(moved, t), strict=True):
        assert abs(1200 * np.log2(after / before)) < 60
    gap = measure.envelopes_at(moved, t) - measure.envelopes_at(x, t)
    gap -= gap.mean(1, keepdims=True)
    assert np.sqrt((gap**2).mean(1)).max() < 4
    # The judge is not deaf: played faster, the same sound has other formants.
    fast = clip(np.interp(np.arange(0, RATE - 1, 2 ** (4 / 12)), np.arange(RATE), x.samples[0]))
    t = t[t < 0.7]
    shift = 1200 * np.log2(measure.formants_at(fast, t) / measure.formants_at(x, t))
    assert abs(np.median(shift) - 400) < 60


def test_levels_stay_where_pulses_are_few() -> None:
    asked = Contour(times_s=np.array([0.0, 1.7]), hz=np.full(2, 80.0))
    same = TimeMap(source_s=np.array([0.0, 1.7]), target_s=np.array([0.0, 1.7]))
    moved = resynthesised(SYLLABLES, same, asked, hz_range=RANGE)
    for start in (0.35, 1.05):
        before, after = (measure.level_db(c, start, start + 0.3) for c in (SYLLABLES, moved))
        assert abs(after - before) < 1


@pytest.mark.parametrize("seconds", [0.03, 0.5])
def test_sound_without_pitch_is_moved_all_the_same(seconds: float) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(round(seconds * RATE))
    for x in (clip(noise), clip(0 * noise)):
        found = contour(x)
        asked = Contour(times_s=np.array([0.0]), hz=np.array([100.0]))
        twice = TimeMap.of([0, x.duration_s], [0, 2 * x.duration_s])
        for pitch in (None, asked):
            moved = resynthesised(x, twice, pitch, hz_range=(found.floor_hz, found.ceiling_hz))
            assert moved.n == 2 * x.n
            assert np.isfinite(moved.samples).all()


def test_two_channels_are_refused() -> None:
    both = replace(SYLLABLES, samples=np.repeat(SYLLABLES.samples, 2, axis=0))
    with pytest.raises(ParameterError, match="2 channels"):
        resynthesised(both, TimeMap.of([0, 1], [0, 2]), None, hz_range=RANGE)


def test_a_map_beyond_the_clip_is_refused() -> None:
    with pytest.raises(ParameterError, match="a time map over 0 to 9 s"):
        resynthesised(SYLLABLES, TimeMap.of([0, 9], [0, 9]), None, hz_range=RANGE)


# ---- intonation ---------------------------------------------------------------------------------


def test_a_planted_pitch_is_heard_within_the_voices_own_range() -> None:
    found = contour(clip(silence(0.2), vowel(100), vowel(150), silence(0.2)))
    assert found.mean(0.4, 1.0) == pytest.approx(43.35, abs=0.1)
    assert found.mean(1.4, 2.0) == pytest.approx(50.37, abs=0.1)
    assert found.floor_hz < 100 and found.ceiling_hz > 150
    assert contour(clip(silence(1.0))).middle is None


def test_each_span_of_a_contour_moves_by_its_own_shift() -> None:
    flat = Contour(times_s=np.arange(0, 1, 0.01), hz=np.full(100, 100.0))
    moved = flat.moved([(0.0, 0.5), (0.5, 1.0)], [1.0, -2.0])
    assert moved.mean(0.0, 0.45) == pytest.approx((flat.middle or 0) + 1, abs=1e-6)
    assert moved.mean(0.55, 1.0) == pytest.approx((flat.middle or 0) - 2, abs=1e-6)


def test_the_nearest_note_of_a_scale() -> None:
    scale = (0, 2, 4, 5, 7, 9, 11)
    assert [nearest_in_scale(p, scale) for p in (60.4, 61.0, 61.2, 66.6)] == [60, 60, 62, 67]
