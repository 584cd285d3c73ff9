"""The grid of beats, the music round a voice, and melodies as text."""

from __future__ import annotations

import numpy as np
import pytest

from audio.align.melody_text import parsed
from audio.align.music import SUBDIVISIONS, Grid, Music, Tone, tones
from audio.errors import ParameterError
from audio.key import Chord
from audio.types import Note

MUSIC = Music(
    bpm=120,
    first_beat_s=0.5,
    tonic=9,
    mode="minor",
    chords=(
        Chord(start_s=0.5, end_s=2.5, root=9, kind="m"),
        Chord(start_s=2.5, end_s=4.5, root=5, kind=""),
    ),
    lead=(
        Note(start_s=0.5, duration_s=2.0, pitch=69),
        Note(start_s=1.5, duration_s=0.5, pitch=60),
        Note(start_s=1.5, duration_s=0.5, pitch=72),
    ),
    beats=8,
)


def test_beats_and_seconds_are_each_others_inverse() -> None:
    grid = Grid(bpm=96.5, first_beat_s=0.3)
    for beat in (-2.0, 0.0, 7.25):
        assert grid.beat(grid.seconds(beat)) == pytest.approx(beat, abs=1e-12)
    assert grid.seconds(4) - grid.seconds(0) == pytest.approx(240 / 96.5)


@pytest.mark.parametrize("name", SUBDIVISIONS)
def test_slots_divide_each_beat_evenly(name: str) -> None:
    slots = Grid(bpm=100).slots(name, 4, 6)
    np.testing.assert_allclose(slots, np.linspace(4, 6, 2 * SUBDIVISIONS[name] + 1))


def test_full_swing_puts_off_beats_where_triplets_have_them() -> None:
    grid = Grid(bpm=100)
    np.testing.assert_allclose(grid.slots("1/8", 0, 2, swing=1), [0, 2 / 3, 1, 5 / 3, 2])
    np.testing.assert_allclose(grid.slots("1/16", 0, 1, swing=1), [0, 1 / 3, 0.5, 5 / 6, 1])
    np.testing.assert_allclose(grid.slots("1/8t", 0, 1, swing=1), [0, 1 / 3, 2 / 3, 1])


def test_a_bar_weighs_its_places_as_musicians_do() -> None:
    weights = Grid(bpm=100).weakness([0, 1, 2, 3, 3.5, 3.75, 4])
    np.testing.assert_array_equal(weights, [0, 2, 1, 2, 3, 4, 0])
    np.testing.assert_array_equal(Grid(bpm=100, meter=3).weakness([0, 1, 2, 3]), [0, 2, 2, 0])


def test_the_next_place_is_here_or_later() -> None:
    grid = Grid(bpm=100)
    assert [grid.from_on(beat, 4) for beat in (-1.0, 0.0, 0.1, 4.0)] == [0, 0, 4, 4]


def test_chords_go_on_where_a_loop_repeats() -> None:
    names = [chord.name if (chord := MUSIC.chord(beat)) else None for beat in (0, 3.9, 4, 8, 13)]
    assert names == ["Am", "Am", "F", "Am", "F"]


def test_a_lead_is_one_voice_and_goes_round_with_the_loop() -> None:
    assert tones(MUSIC.lead, MUSIC.grid) == (
        Tone(start_beat=0, beats=2, pitch=69.0),
        Tone(start_beat=2, beats=1, pitch=72.0),
    )
    starts = [tone.start_beat for tone in MUSIC.sung(9.0)]
    assert starts == pytest.approx([10.0, 16.0])


def test_a_key_has_seven_notes_and_no_key_has_all() -> None:
    assert set(MUSIC.scale) == {9, 11, 0, 2, 4, 5, 7}
    assert len(Music(bpm=100).scale) == 12


def test_a_melody_is_read_as_it_is_written() -> None:
    found = parsed("C4 1/4 d4 1/8 | - 1/8, F#3+37 3/8 Bb4 1/8t A-1 1/4.")
    places = [(t.start_beat, t.beats, t.pitch) for t in found]
    wanted = [(0, 1, 60), (1, 0.5, 62), (2, 1.5, 54.37), (3.5, 1 / 3, 70), (23 / 6, 1.5, 9)]
    np.testing.assert_allclose(places, wanted)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "without a note"),
        ("- 1/4 r 1/2", "without a note"),
        ("C4", "'C4' stands without a partner"),
        ("H4 1/4", "'H4' is no note"),
        ("C4 1/0", "'1/0' is no length"),
        ("C4 quarter", "'quarter' is no length"),
        ("C4 999", "'999' is too long"),
        ("G#9 1/4", "MIDI pitch 128"),
    ],
)
def test_what_is_no_melody_is_refused(text: str, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        parsed(text)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"bpm": 0.0}, "bpm 0"),
        ({"bpm": float("nan")}, "bpm nan"),
        ({"meter": 0}, "meter 0"),
        ({"first_beat_s": float("inf")}, "first beat at inf"),
        ({"tonic": 12}, "tonic 12"),
        ({"mode": "dorian"}, "unknown mode 'dorian'"),
        ({"beats": 0.0}, "music of 0 beats"),
    ],
)
def test_what_is_no_music_is_refused(settings: dict[str, float], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        Music(**{"bpm": 100.0, **settings})  # type: ignore[arg-type]


def test_an_unknown_subdivision_is_refused_with_the_nearest() -> None:
    with pytest.raises(ParameterError, match="'1/17'.*nearest '1/1?6?"):
        Grid(bpm=100).slots("1/17", 0, 4)
