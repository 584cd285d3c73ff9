"""The band plays what it says it plays, on the grid, in the key, and round the circle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from audio.synth import drums, patterns
from audio.synth.band import PARTS, Song, draw, render, score, truth
from audio.synth.harmony import PITCHES, PROGRESSIONS, SCALES, Key, chord_pitches, voicing
from audio.synth.instruments import INSTRUMENTS
from audio.synth.tones import RATE, midi_hz

QUIET = Song(genre="house", bpm=120, key=Key(root=9, mode="minor"), progression=(0,))


def magnitude_at(x: np.ndarray, hz: float) -> float:
    """Amplitude of one frequency in a whole loop."""
    t = np.arange(len(x)) / RATE
    return float(abs(np.sum(x * np.exp(-2j * np.pi * hz * t))) / len(x))


@pytest.mark.parametrize("bpm", [61, 97, 124, 133.3, 180])
def test_a_loop_has_exactly_its_tempos_samples(bpm: float) -> None:
    loop = render(replace(QUIET, bpm=bpm, bars=1, kit="909"))
    assert loop.clip.n == round(4 * 60 / bpm * RATE)


def test_the_same_seed_draws_the_same_song_and_sound() -> None:
    one, two = (draw(np.random.default_rng(5)) for _ in range(2))
    assert one == two
    assert np.array_equal(render(one).clip.samples, render(two).clip.samples)


def test_tails_wrap_so_a_bar_that_repeats_is_the_same_twice() -> None:
    # Every bar plays the same, so the second half equals the first only if what rings over the end
    # of the loop is heard at its start.
    song = replace(
        QUIET, kit="808", bass="sub bass", chords="piano", chord_style="held", space="roomy"
    )
    x = render(song).clip.samples[0]
    half = len(x) // 2
    assert np.abs(x[:half] - x[half : 2 * half]).max() < 1e-4


def test_drum_hits_sound_where_the_truth_says() -> None:
    song = replace(QUIET, kit="909", density="sparse")
    x = render(song).clip.samples[0]
    # the second difference hears attacks and is deaf to the boom of a kick
    energy = np.convolve(np.diff(x, n=2, append=x[:2]) ** 2, np.ones(64) / 64, mode="same")
    for onset_s in truth(song)["onsets_s"]["drums"]:  # type: ignore[index]
        at = round(onset_s * RATE)
        before = energy[(at - 400) % len(x)]
        assert energy[at : at + 700].max() > 2 * before


def test_swing_delays_the_odd_sixteenths_alone() -> None:
    straight = replace(QUIET, kit="808", genre="trap", swing=0.0)
    swung = replace(straight, swing=0.3)
    for a, b in zip(score(straight, "drums"), score(swung, "drums"), strict=True):
        assert b.step - a.step == pytest.approx(0.3 if int(a.step) % 2 else 0.0)


def test_chords_sound_their_notes() -> None:
    song = replace(QUIET, chords="organ", chord_style="held", space="dry")
    x = render(song).clip.samples[0]
    notes = voicing(song.key, 0, seventh=False, low=57)
    inside = [magnitude_at(x, midi_hz(note)) for note in notes]
    outside = magnitude_at(x, midi_hz(notes[0] + 1))
    assert min(inside) > 20 * outside


@pytest.mark.parametrize("mode", ["minor", "major"])
def test_every_progression_begins_on_the_tonic_and_stays_in_the_scale(mode: str) -> None:
    key = Key(root=0, mode=mode)
    for progression in PROGRESSIONS[mode]:
        assert progression[0] == 0
        for degree in progression:
            assert {p % 12 for p in chord_pitches(key, degree, seventh=True)} <= set(SCALES[mode])


def test_lead_and_bass_stay_in_the_key() -> None:
    for seed in range(40):
        song = replace(draw(np.random.default_rng(seed)), lead="flute", bass="saw bass")
        scale = {(song.key.root + p) % 12 for p in SCALES[song.key.mode]}
        for part in ("lead", "bass"):
            assert {hit.midi % 12 for hit in score(song, part) if hit.midi is not None} <= scale


def test_the_truth_names_who_plays_and_the_chords() -> None:
    song = replace(QUIET, kit="909", chords="pad")
    facts = truth(song)
    assert facts["parts"] == ("drums", "chords")
    assert facts["players"] == {"drums": "909", "chords": "pad"}
    assert facts["chords"] == [["A", "C", "E"]]
    assert facts["key"] == "A minor"


def test_every_instrument_and_drum_sounds_and_does_not_clip() -> None:
    for part, voices in INSTRUMENTS.items():
        for name, voice in voices.items():
            x = voice(45 if part == "bass" else 64, RATE // 4, 1.0)
            assert np.isfinite(x).all(), name
            assert 0.05 < np.abs(x).max() < 6, name
    for kit in drums.KITS:
        for sound in drums.SOUNDS:
            assert 0.02 < np.abs(drums.hit(kit, sound)).max() < 3, (kit, sound)


def test_a_mix_stays_within_full_scale_and_is_mono() -> None:
    rng = np.random.default_rng(3)
    for _ in range(12):
        x = render(draw(rng)).clip.samples
        assert x.shape[0] == 1
        assert np.abs(x).max() < 1


def test_the_band_is_broad() -> None:
    assert len(patterns.GENRES) >= 6
    assert sum(len(voices) for voices in INSTRUMENTS.values()) >= 20
    assert set(PARTS) == {"drums", *INSTRUMENTS}
    assert len(PITCHES) == 12
