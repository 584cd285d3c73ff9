"""Tempo, key, chords, melody and loop points: planted truth is found, what is none is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from audio.errors import ParameterError
from audio.key import chords, estimate_key
from audio.loop_points import loop_points
from audio.loops import repeat
from audio.melody import melody
from audio.synth import band
from audio.tempo import estimate_tempo
from audio.types import Clip, Samples

RATE = 44100


def _tones(pitches: list[tuple[int, ...]], seconds: float) -> Samples:
    """Chords of decaying harmonic tones, one after another."""
    t = np.arange(round(seconds * RATE)) / RATE
    parts = []
    for notes in pitches:
        hz = [440 * 2 ** ((note - 69) / 12) for note in notes]
        tone = sum(np.sin(2 * np.pi * f * h * t) / h**1.5 for f in hz for h in (1, 2, 3))
        parts.append(np.asarray(tone) * np.exp(-2 * t))
    return (np.concatenate(parts)[None] * 0.1).astype(np.float32)


def _beat(bpm: float, offset_s: float, seconds: float = 16.0) -> Clip:
    """Kick on 1 and 3, snare on 2 and 4, hats on eighths."""
    rng = np.random.default_rng(0)
    y = np.zeros(round(seconds * RATE))
    t = np.arange(round(0.1 * RATE)) / RATE
    kick = np.sin(2 * np.pi * 60 * t) * np.exp(-30 * t)
    snare = rng.standard_normal(len(t)) * np.exp(-40 * t) * 0.5
    hat = np.diff(rng.standard_normal(len(t) + 1)) * np.exp(-120 * t) * 0.2
    for k in range(int((seconds - offset_s - 0.2) * bpm / 30)):
        at = round((offset_s + k * 30 / bpm) * RATE)
        y[at : at + len(t)] += hat
        if k % 2 == 0:
            y[at : at + len(t)] += snare if k // 2 % 2 else kick
    return Clip(samples=y[None].astype(np.float32))


@pytest.mark.parametrize(("bpm", "offset_s"), [(87.3, 0.31), (124.0, 0.0), (141.7, 0.2)])
def test_a_drummers_tempo_and_beats_are_found(bpm: float, offset_s: float) -> None:
    """Up to an octave: a drummer at 87 plays what one at 175 in half time plays."""
    found = estimate_tempo(_beat(bpm, offset_s))
    assert any(abs(choice / bpm - 1) < 0.002 for choice in found.choices)
    octave = found.bpm / bpm
    assert octave == pytest.approx(round(2 * octave) / 2, rel=0.001) and 0.4 < octave < 2.1
    beat_s = 60 / max(bpm, found.bpm)
    away = (found.offset_s - offset_s + beat_s / 2) % beat_s - beat_s / 2
    assert abs(away) < 0.015
    last = (found.beats_s[-1] - offset_s) / beat_s
    assert abs(last - round(last)) * beat_s < 0.03


def test_loops_of_the_band_are_heard_right() -> None:
    """A short twin of bench/analysis.py: octave and bar 1 of eight, key of those with notes."""
    tempi, keys = [], []
    for seed in range(8):
        rng = np.random.default_rng([9119, seed])
        song = replace(band.draw(rng, bars=2), bpm=float(rng.uniform(70, 170)))
        clip = repeat(band.render(song).clip, 4)
        found = estimate_tempo(clip)
        bar_s = 240 / song.bpm
        down_s = (found.downbeat_s + bar_s / 2) % bar_s - bar_s / 2
        tempi.append(abs(found.bpm / song.bpm - 1) < 0.005 and abs(down_s) < 0.07)
        assert any(abs(choice / song.bpm - 1) < 0.01 for choice in found.choices)
        if song.parts != ("drums",):
            key = estimate_key(clip)
            keys.append((key.tonic, key.mode) == (song.key.root, song.key.mode))
    assert np.mean(tempi) >= 0.75 and np.mean(keys) >= 0.75


def test_chords_are_named() -> None:
    wanted = [(45, 57, 60, 64), (41, 57, 60, 65), (48, 55, 60, 64), (43, 55, 59, 62)]
    clip = Clip(samples=_tones([*wanted, *wanted], 1.0))
    found = chords(clip, np.arange(0, 8.1, 1.0))
    assert [chord.name for chord in found] == ["Am", "F", "C", "G"] * 2
    assert [chord.start_s for chord in found] == list(range(8))


def test_a_melody_is_written_down() -> None:
    notes = [69, 72, 71, 76, 74]
    found = melody(Clip(samples=_tones([(note,) for note in notes], 0.5)))
    heard = [note.pitch for note in found if note.duration_s > 0.2]
    assert heard == notes
    starts = [note.start_s for note in found if note.duration_s > 0.2]
    assert np.abs(np.array(starts) - np.arange(5) * 0.5).max() < 0.06


def test_a_loop_in_a_longer_recording_is_found() -> None:
    rng = np.random.default_rng(3)
    loops = [band.render(replace(band.draw(rng, bars=2), bpm=120.0)).clip for _ in range(3)]
    samples = np.concatenate([loops[0].samples, *[loops[1].samples] * 3, loops[2].samples], 1)
    best, *_ = loop_points(Clip(samples=samples), np.arange(0, 20.1, 2.0), bars=2)
    assert round(best.start / 88200) in (2, 3, 4) and best.likeness > 0.98
    assert abs(best.end - best.start - 4 * RATE) <= 0.002 * RATE + 1 and best.seam.jump < 2


@pytest.mark.parametrize(
    ("clip", "sentence"),
    [
        (Clip(samples=np.zeros((1, 88200), np.float32)), "is silent"),
        (Clip(samples=np.ones((1, 441), np.float32)), "10 ms of sound: give at least 1 s"),
        (Clip(samples=np.full((1, 88200), np.nan, np.float32)), "no numbers"),
    ],
)
def test_what_cannot_be_heard_is_refused(clip: Clip, sentence: str) -> None:
    for hear in (estimate_tempo, estimate_key, melody):
        with pytest.raises(ParameterError, match=sentence):
            hear(clip)  # type: ignore[operator]


def test_channels_that_cancel_are_heard_all_the_same() -> None:
    one = _beat(124.0, 0.0)
    wide = replace(one, samples=np.concatenate([one.samples, -one.samples]))
    assert estimate_tempo(wide).bpm == pytest.approx(estimate_tempo(one).bpm, rel=1e-3)
    with pytest.raises(ParameterError, match="rising range"):
        estimate_tempo(one, bpm_range=(180, 60))


def test_more_bars_than_there_are_are_refused() -> None:
    clip = _beat(120, 0, 4.0)
    with pytest.raises(ParameterError, match="3 bars begin in the recording"):
        loop_points(clip, np.arange(3) * 2.0, bars=3)
