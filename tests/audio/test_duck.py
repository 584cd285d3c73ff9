"""The bed makes way: exactly at full level before a phrase, down by its first phone, no clicks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from audio import duck
from audio.duck import Ducking, Phrase
from audio.errors import ParameterError
from audio.loops import rotate, seam
from audio.speech.types import Word
from audio.synth import band
from audio.types import Clip, Loop, Tempo

RATE = 44100
PHRASES = (
    Phrase(start_s=1.0, end_s=2.5),
    Phrase(start_s=2.7, end_s=3.1),  # near: the bed stays down
    Phrase(start_s=6.0, end_s=7.0),
    Phrase(start_s=7.4, end_s=9.0),
)
DEPTHS_DB = (9.0, 14.0, 12.0, 3.0)


def gains(
    ducking: Ducking | None = None,
    phrases: tuple[Phrase, ...] = PHRASES,
    depths_db: tuple[float, ...] = DEPTHS_DB,
    rate: int = RATE,
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    drawn = duck.curve(phrases, depths_db, rate=rate, ducking=ducking or Ducking())
    return drawn.at(0, 12 * rate)[0]


@pytest.mark.parametrize("rate", [22050, 44100, 48000])
@pytest.mark.parametrize(
    "ducking",
    [
        Ducking(),
        Ducking(look_ahead_s=0.02, attack_s=0.01, hold_s=0.0, release_s=0.25),
        Ducking(look_ahead_s=0.5, attack_s=0.05, hold_s=0.5, release_s=0.8),
    ],
)
def test_the_bed_is_untouched_until_the_look_ahead_and_down_by_the_first_phone(
    ducking: Ducking, rate: int
) -> None:
    gain = gains(ducking, rate=rate)
    for phrase, depth_db in zip(PHRASES, DEPTHS_DB, strict=True):
        start, end = round(phrase.start_s * rate), round(phrase.end_s * rate)
        assert 20 * np.log10(gain[start:end].max()) <= -depth_db + 1e-5
    for phrase in (PHRASES[0], PHRASES[2]):
        falls = int(np.ceil((phrase.start_s - ducking.look_ahead_s) * rate))
        assert gain[falls] == 1.0 and gain[falls + 2 : falls + 100].max() < 1.0
        assert np.all(gain[falls - round(0.5 * rate) : falls + 1] == 1.0)
    back = round((9.0 + ducking.hold_s + ducking.release_s) * rate) + 2
    assert np.all(gain[back:] == 1.0) and np.all(gain[: round(0.49 * rate)] == 1.0)


def test_a_lone_phrase_has_its_own_depth_and_hold() -> None:
    gain_db = 20 * np.log10(gains(phrases=PHRASES[2:3], depths_db=(12.0,)))
    ducking = Ducking()
    down, until = 6.0 - ducking.look_ahead_s + ducking.attack_s, 7.0 + ducking.hold_s
    inside = gain_db[round(down * RATE) : round(until * RATE)]
    np.testing.assert_allclose(inside, -12.0, atol=1e-4)
    half = round((until + ducking.release_s / 2) * RATE)
    assert gain_db[half] == pytest.approx(-6.0, abs=0.01)  # a half cosine in dB


def test_the_bed_stays_down_between_near_phrases() -> None:
    gain_db = 20 * np.log10(gains())
    assert gain_db[round(2.5 * RATE) : round(2.7 * RATE)].max() <= -9.0 + 1e-4
    assert gain_db[round(7.0 * RATE) : round(7.4 * RATE)].max() <= -3.0 + 1e-4
    assert gain_db[round(4.5 * RATE)] == 0.0


def test_the_curve_has_no_steps() -> None:
    """Nowhere steeper than the steepest half cosine of the attack."""
    steps = np.abs(np.diff(20 * np.log10(gains().astype(np.float64))))
    assert steps.max() <= np.pi / 2 * max(DEPTHS_DB) / (Ducking().attack_s * RATE) * 1.05


def test_any_block_is_that_of_the_whole() -> None:
    drawn = duck.curve(PHRASES, DEPTHS_DB, rate=RATE, ducking=Ducking())
    gain, share = drawn.at(0, 12 * RATE)
    rng = np.random.default_rng(0)
    for start in rng.integers(0, 11 * RATE, 50):
        n = int(rng.integers(1, RATE))
        for part, whole in zip(drawn.at(int(start), n), (gain, share), strict=True):
            assert np.array_equal(part, whole[start : start + n])
    assert share.min() == 0.0 and share.max() == 1.0
    assert np.all(gain[share == 0] == 1.0) and np.all(gain[share > 1e-3] < 1.0)


def test_overlapping_phrases_of_two_voices_are_one_stretch() -> None:
    phrases = (
        Phrase(start_s=1.0, end_s=5.0),
        Phrase(start_s=2.0, end_s=2.5),
        Phrase(start_s=5.3, end_s=6.0),
    )
    gain_db = 20 * np.log10(gains(phrases=phrases, depths_db=(6.0, 12.0, 6.0)))
    assert gain_db[RATE : 6 * RATE].max() <= -6.0 + 1e-4
    assert gain_db[2 * RATE : round(2.5 * RATE)].max() <= -12.0 + 1e-4


def test_a_phrase_at_the_very_start_finds_the_bed_down() -> None:
    gain = gains(phrases=(Phrase(start_s=0.0, end_s=1.0),), depths_db=(12.0,))
    np.testing.assert_allclose(20 * np.log10(gain[:RATE]), -12.0, atol=1e-4)


def test_words_are_phrases_between_their_pauses() -> None:
    times = [(0.2, 0.5), (0.5, 0.9), (1.3, 1.6), (2.2, 2.4), (2.0, 3.0)]
    words = [Word(text="w", start_s=a, end_s=b) for a, b in times]
    found = [(p.start_s, p.end_s) for p in duck.phrases(words, pause_s=0.35)]
    assert found == [(0.2, 0.9), (1.3, 1.6), (2.0, 3.0)]
    assert duck.phrases([]) == ()


# ---- room ---------------------------------------------------------------------------------------


def tone(hz: float) -> Loop:
    tempo = Tempo(bpm=120, beats=4)
    n = tempo.samples(RATE)
    samples = np.sin(2 * np.pi * hz * np.arange(n) / RATE).astype(np.float32)[None]
    return Loop(clip=Clip(samples=samples, rate=RATE), tempo=tempo)


def test_the_room_is_a_dip_between_one_and_four_kilohertz() -> None:
    """RMS of tones that fit the circle."""

    def gain_db(hz: float) -> float:
        before, after = tone(hz).clip.samples, duck.with_room(tone(hz), -6.0).clip.samples
        return float(10 * np.log10(np.mean(after**2) / np.mean(before**2)))

    assert gain_db(2000) == pytest.approx(-6.0, abs=0.01)
    assert -4.0 < gain_db(1000) < -2.0 and -4.0 < gain_db(4000) < -2.0
    assert abs(gain_db(100)) < 0.1 and abs(gain_db(15000)) < 0.2


def test_the_room_keeps_the_circle_closed() -> None:
    loop = band.render(band.draw(np.random.default_rng(5)))
    turned = duck.with_room(rotate(loop, 1.7), -6.0)
    np.testing.assert_allclose(
        turned.clip.samples, rotate(duck.with_room(loop, -6.0), 1.7).clip.samples, atol=1e-5
    )
    assert seam(turned.clip).percentile <= seam(loop.clip).percentile + 5


def test_a_loop_shorter_than_the_filter_rings_is_filtered() -> None:
    short = Loop(
        clip=Clip(samples=np.ones((2, 2646), np.float32), rate=RATE), tempo=Tempo(bpm=1000, beats=1)
    )
    np.testing.assert_allclose(duck.with_room(short, -6.0).clip.samples, 1.0, atol=1e-5)


# ---- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"attack_s": 0.2},
        {"attack_s": 0.0},
        {"hold_s": -0.1},
        {"release_s": 0.0},
        {"look_ahead_s": float("nan")},
        {"release_s": float("inf")},
    ],
)
def test_times_that_cannot_be_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match="the attack lies within it"):
        replace(Ducking(), **change)


def test_a_phrase_that_ends_before_it_starts_is_refused() -> None:
    for start_s, end_s in ((2.0, 1.0), (-1.0, 1.0), (0.0, float("nan"))):
        with pytest.raises(ParameterError, match="it must start at 0"):
            Phrase(start_s=start_s, end_s=end_s)
