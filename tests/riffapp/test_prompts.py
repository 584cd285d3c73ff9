"""Words become the model's, and what it never met is named."""

from __future__ import annotations

import pytest

from riffapp.errors import UsageError
from riffapp.studio.prompts import Key, bpm_in, compose, key_in, parse_key, unknown_words

TEMPLATE = "{prompt}, {key}, {bpm} bpm"


@pytest.mark.parametrize(
    ("text", "tonic", "mode"),
    [
        ("A minor", 9, "minor"),
        ("a", 9, "major"),
        ("Am", 9, "minor"),
        ("F# maj", 6, "major"),
        ("f sharp minor", 6, "minor"),
        ("Bb", 10, "major"),
        ("b minor", 11, "minor"),
        ("E♭min", 3, "minor"),
        ("Cb", 11, "major"),
        ("B#m", 0, "minor"),
        ("  G  Major ", 7, "major"),
    ],
)
def test_keys_are_read_as_people_write_them(text: str, tonic: int, mode: str) -> None:
    assert parse_key(text) == Key(tonic=tonic, mode=mode)


@pytest.mark.parametrize("text", ["", "H minor", "A dorian", "minor", "A#b", "C major 7"])
def test_what_is_no_key_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match="is not a key: write for example"):
        parse_key(text)


def test_a_key_is_spelled_as_the_model_was_taught() -> None:
    key = parse_key("A# minor")
    assert key.name() == "A# minor"
    assert key.name({"bb", "minor"}) == "Bb minor"
    assert key.name({"bb", "a#"}) == "A# minor"
    assert key.midi == 70


def test_a_missing_key_drops_its_part_of_the_template() -> None:
    assert compose(TEMPLATE, "house drums", key=None, bpm=124.0) == "house drums, 124 bpm"
    assert (
        compose(TEMPLATE, " house drums, saw bass, ", key="A minor", bpm=123.6)
        == "house drums, saw bass, A minor, 124 bpm"
    )


def test_a_key_that_is_asked_for_takes_the_place_of_one_in_the_words() -> None:
    words = compose(TEMPLATE, "sad A minor pads, F# minor bass", key="C major", bpm=90)
    assert words == "sad C major pads, C major bass, 90 bpm"
    assert compose(TEMPLATE, "A minor pads", key=None, bpm=90) == "A minor pads, 90 bpm"


def test_braces_in_a_prompt_are_words_and_not_fields() -> None:
    assert compose(TEMPLATE, "{key} {bpm} {x}", key=None, bpm=90) == "{key} {bpm} {x}, 90 bpm"


def test_the_prompt_itself_may_name_key_and_tempo() -> None:
    assert key_in("house drums, F# minor, 124 bpm") == Key(tonic=6, mode="minor")
    assert bpm_in("house drums, F# minor, 124bpm") == 124.0
    assert key_in("pads in G flat major") == Key(tonic=6, mode="major")
    assert key_in("a minor disaster") == Key(tonic=9, mode="minor")
    assert key_in("house drums") is None
    assert bpm_in("808 kick") is None


def test_a_word_never_taught_is_named_with_the_nearest() -> None:
    found = unknown_words("huose drums, saw bass, zither", ["house", "drums", "saw bass", "zingy"])
    assert [(u.word, u.nearest) for u in found] == [("huose", "house"), ("zither", "zingy")]
    assert "never taught 'huose': the nearest word it knows is 'house'" in str(found[0])


@pytest.mark.parametrize(
    "prompt",
    [
        "House DRUMS",
        "(house:1.3) ((drums))",
        "house AND drums BREAK drums",
        "house-drums",
        "808 house, 124 bpm",
        "124bpm drums",
        "",
    ],
)
def test_marks_case_and_numbers_are_no_unknown_words(prompt: str) -> None:
    assert unknown_words(prompt, ["house", "drums"]) == ()


def test_a_checkpoint_that_lists_no_words_says_nothing_of_any() -> None:
    assert unknown_words("anything at all", []) == ()
