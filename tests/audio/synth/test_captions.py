"""A caption says what is heard, in several ways, and nothing that is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from audio.synth.band import Song, draw
from audio.synth.captions import DRUM_NOUNS, caption, key_name
from audio.synth.harmony import Key

SONG = Song(genre="funk", bpm=104, key=Key(root=6, mode="minor"), progression=(0,), kit="acoustic")


def asked_for(text: str) -> str:
    """The caption without what it says is absent."""
    text = text.replace("drum and bass", "dnb")
    fragments = text.replace(" with ", ", ").replace(" and ", ", ").split(", ")
    heard = [f.split(" without ")[0] for f in fragments]
    return ", ".join(f for f in heard if not f.startswith(("no ", "without ")))


def test_an_explicit_caption_names_every_player_and_no_other_part() -> None:
    for seed in range(300):
        rng = np.random.default_rng(seed)
        song = draw(rng)
        text = asked_for(caption(song, rng, explicit=True))
        for name in (song.bass, song.chords, song.lead):
            assert name is None or name in text, text
        words = set(text.replace(",", "").split())
        assert bool(words & set(DRUM_NOUNS)) == (song.kit is not None), text
        if song.bass is None:
            assert "bass" not in text, text
        if song.lead is None:
            assert "lead" not in text and "melody" not in text, text


def test_the_same_song_is_told_in_several_ways() -> None:
    song = replace(SONG, bass="slap bass", chords="guitar", lead="trumpet")
    rng = np.random.default_rng(0)
    assert len({caption(song, rng) for _ in range(50)}) > 30


@pytest.mark.parametrize(
    ("spelled", "name"),
    [("#", "F# minor"), ("sharp", "F sharp minor"), ("flat", "G flat minor")],
)
def test_a_key_is_spelled_in_three_ways(spelled: str, name: str) -> None:
    assert key_name(SONG, spelled=spelled) == name


def test_a_drum_loop_says_no_key() -> None:
    rng = np.random.default_rng(1)
    texts = [caption(SONG, rng) for _ in range(100)]
    assert not any("minor" in text or "major" in text for text in texts)
