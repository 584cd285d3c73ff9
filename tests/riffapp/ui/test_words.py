"""Words go into a prompt and out of it where a musician would put them."""

from __future__ import annotations

import random

import pytest

from riffapp.studio import prompts
from riffapp.ui import words

KNOWN = words.sort(
    {
        "genre": ["house", "deep house", "drum and bass"],
        "drums": ["909 drums", "drums"],
        "bass": ["saw bass", "sub bass"],
        "bass line": ["rolling", "offbeat"],
        "chords": ["piano", "electric piano"],
        "chord playing": ["offbeat", "held"],
        "mood": ["warm", "a", "minor", "F#", "124"],
    }
)


def lit(prompt: str) -> dict[str, tuple[str, ...]]:
    return {name: found for name, found in words.lit(prompt, KNOWN).items() if found}


def test_keys_and_numbers_are_no_chips() -> None:
    assert KNOWN["mood"].words == ("warm",)


def test_a_group_named_after_another_describes_its_words() -> None:
    described = {group.name: group.of for group in KNOWN.values() if group.of is not None}
    assert described == {"bass line": "bass", "chord playing": "chords"}


@pytest.mark.parametrize(
    ("prompt", "found"),
    [
        ("", {}),
        ("DEEP  House", {"genre": ("deep house",)}),
        ("deep house, house", {"genre": ("house", "deep house")}),
        ("drum and bass", {"genre": ("drum and bass",)}),
        ("(saw bass:1.3)", {"bass": ("saw bass",)}),
        ("warmth, saw-bass", {}),
        ("offbeat saw bass", {"bass": ("saw bass",), "bass line": ("offbeat",)}),
        ("offbeat piano, saw bass", {
            "bass": ("saw bass",), "chords": ("piano",), "chord playing": ("offbeat",)
        }),
        ("offbeat, warm", {"mood": ("warm",)}),
    ],
)  # fmt: skip
def test_a_word_is_lit_where_it_stands(prompt: str, found: dict[str, tuple[str, ...]]) -> None:
    assert lit(prompt) == found


@pytest.mark.parametrize(
    ("prompt", "word", "group", "after"),
    [
        ("", "saw bass", "bass", "saw bass"),
        ("909 drums ,", "saw bass", "bass", "909 drums, saw bass"),
        ("909 drums, saw bass", "house", "genre", "house 909 drums, saw bass"),
        ("saw bass", "house", "genre", "saw bass, house"),
        (
            "909 drums, saw bass, piano",
            "rolling",
            "bass line",
            "909 drums, rolling saw bass, piano",
        ),
        ("909 drums", "rolling", "bass line", "909 drums, rolling bass"),
    ],
)
def test_a_word_goes_in_where_it_belongs(prompt: str, word: str, group: str, after: str) -> None:
    assert words.add(prompt, word, to=group, known=KNOWN) == after


@pytest.mark.parametrize(
    ("prompt", "word", "group", "after"),
    [
        ("909 drums, saw bass, piano", "saw bass", "bass", "909 drums, piano"),
        ("house 909 drums", "909 drums", "drums", "house"),
        ("(saw bass:1.3), piano", "saw bass", "bass", "piano"),
        ("offbeat saw bass, offbeat piano", "offbeat", "chord playing", "offbeat saw bass, piano"),
    ],
)
def test_a_word_goes_out_with_its_commas(prompt: str, word: str, group: str, after: str) -> None:
    assert words.remove(prompt, word, of=group, known=KNOWN) == after


def test_a_swap_keeps_the_place() -> None:
    assert (
        words.swap("rolling saw bass, piano", "saw bass", "sub bass") == "rolling sub bass, piano"
    )
    assert words.swap("hause", "hause", r"\1") == r"\1"


def test_what_goes_in_goes_out_again() -> None:
    for group in KNOWN.values():
        for word in group.words:
            text = words.add("held strings", word, to=group.name, known=KNOWN)
            assert word in words.lit(text, KNOWN)[group.name]
            out = words.remove(text, word, of=group.name, known=KNOWN)
            assert word not in words.lit(out, KNOWN)[group.name]


def test_a_surprise_says_only_known_words_and_never_nothing() -> None:
    known = [word for group in KNOWN.values() for word in group.words] + ["bass", "chords"]
    for seed in range(50):
        text = words.surprise(KNOWN, random.Random(seed))
        assert text
        assert not prompts.unknown_words(text, known)
