"""Which symbols are vowels, voiced, sonorant: tables, and all that espeak says in ten languages."""

from __future__ import annotations

import pytest

from audio.speech import phones
from audio.speech.espeak import Espeak


@pytest.mark.parametrize(
    "symbol", ["a", "iː", "oʊ", "ɔ̃", "ã", "ɚ", "ɜː", "aɪɚ", "əl", "y", "ᵻ", "ä"]
)
def test_vowels(symbol: str) -> None:
    assert phones.is_vowel(symbol) and phones.is_nucleus(symbol) and phones.is_voiced(symbol)
    assert phones.is_vowel("ˈ" + symbol)


@pytest.mark.parametrize(
    "symbol", ["p", "ts", "dʒ", "ç", "c\u0327", "ɹ", "l", "ŋ", "j", "w", "ʔ", ""]
)
def test_consonants_and_pauses_are_no_vowels(symbol: str) -> None:
    assert not phones.is_vowel(symbol) and not phones.is_nucleus(symbol)


@pytest.mark.parametrize("symbol", ["n\u0329", "l\u0329", "ŋ\u030d"])
def test_a_syllabic_consonant_carries_a_syllable_and_is_no_vowel(symbol: str) -> None:
    assert phones.is_nucleus(symbol) and not phones.is_vowel(symbol)


@pytest.mark.parametrize(
    ("voiced", "voiceless"),
    [
        ("b", "p"),
        ("d", "t"),
        ("ɡ", "k"),
        ("v", "f"),
        ("z", "s"),
        ("ʒ", "ʃ"),
        ("dʒ", "tʃ"),
        ("ʝ", "ç"),
    ],
)
def test_pairs_that_differ_in_voice_alone(voiced: str, voiceless: str) -> None:
    assert phones.is_voiced(voiced) and not phones.is_voiced(voiceless)
    assert phones.sonority(voiced) == phones.sonority(voiceless)


def test_a_devoiced_nasal_cannot_be_held_on_a_pitch() -> None:
    assert phones.is_sonorant("n") and not phones.is_sonorant("n\u0325")
    assert not phones.is_voiced("")


def test_sonority_rises_from_stops_to_vowels() -> None:
    rising = ["t", "s", "m", "l", "j", "a"]
    assert [phones.sonority(symbol) for symbol in rising] == [0, 1, 2, 3, 4, 5]
    assert [phones.is_stop(symbol) for symbol in ("t", "ts", "s", "a")] == [
        True,
        True,
        False,
        False,
    ]


def test_stress_is_parted_from_the_symbol() -> None:
    assert phones.parted("ˈoʊ") == ("oʊ", 2)
    assert phones.parted("ˌn\u0329") == ("n\u0329", 1)
    assert phones.parted("s") == ("s", 0)


@pytest.mark.parametrize(
    ("voice", "text"),
    [
        ("en-us", "The quick brown fox jumps over the lazy dog"),
        ("en-gb", "Better fire power, pure cure, little bottle"),
        ("de", "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich"),
        ("fr-fr", "Portez ce vieux whisky au juge blond qui fume, un bon vin"),
        ("es", "El veloz murciélago hindú comía feliz cardillo y kiwi"),
        ("it", "Pranzo d'acqua fa volti sghembi"),
        ("pl", "W Szczebrzeszynie chrząszcz brzmi w trzcinie"),
        ("ru", "Съешь ещё этих мягких французских булок"),
        ("sv", "Sju sjösjuka sjömän sköttes av sju sjuksköterskor"),
        ("tr", "Pijamalı hasta yağız şoföre çabucak güvendi"),
    ],
)
def test_each_word_that_espeak_says_has_a_nucleus(voice: str, text: str) -> None:
    """Words of consonants alone (Polish and Russian w) aside: those have no vowel to be found."""
    engine = Espeak()
    for word in engine.speak(text, engine.voice(voice)).words:
        if len(word.text) > 1:
            assert any(phones.is_nucleus(phone.symbol) for phone in word.phones), word
