"""Phones to tokens and back: who owns which token, and lengths that come out as wished."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from audio.errors import ParameterError
from audio.speech import phone_tokens
from audio.speech.espeak import Espeak
from audio.speech.types import Speech


@dataclass
class Characters:
    known: str

    def char_to_id(self, letter: str) -> int:
        return {letter: i for i, letter in enumerate(self.known)}[letter]


@dataclass
class Tokenizer:
    characters: Characters
    add_blank: bool = False
    use_eos_bos: bool = False


def said(text: str, voice: str = "en-us") -> Speech:
    engine = Espeak()
    return engine.speak(text, engine.voice(voice))


@pytest.mark.parametrize(
    ("text", "voice", "spelt"),
    [
        ("Hello, world!", "en-us", "həlˈoʊ, wˈɜːld!"),
        ("Grüße aus Köln.", "de", "ɡɾˈyːsə ˌaʊs kˈœln."),
    ],
)
def test_a_speech_is_spelt_in_ipa_with_its_punctuation(text: str, voice: str, spelt: str) -> None:
    assert "".join(letter for letter, _ in phone_tokens.spelled(said(text, voice))) == spelt


def test_each_letter_knows_its_phone() -> None:
    letters = phone_tokens.spelled(said("Hello, you"))
    assert [owner for _, owner in letters] == [0, 1, 2, 3, 3, 3, -1, -1, 4, 5, 5, 5]


def test_blanks_belong_to_the_token_before_them_and_unknown_letters_to_nobody() -> None:
    speech = said("Hello")
    letters = "".join(letter for letter, _ in phone_tokens.spelled(speech))
    assert letters == "həlˈoʊ"
    known = Characters("həˈoʊ")  # was never taught l
    owners = phone_tokens.owners(speech, Tokenizer(known, add_blank=True, use_eos_bos=True))
    assert owners.tolist() == [-1, -1, 0, 0, 1, 1, 3, 3, 3, 3, 3, 3, -1]
    assert phone_tokens.owners(speech, Tokenizer(known)).tolist() == [0, 1, 3, 3, 3]
    frames = np.ones(5, np.int64)
    (word,) = phone_tokens.words(speech, np.array([0, 1, 3, 3, 3]), frames, 1.0)
    assert [(p.symbol, p.start_s, round(p.end_s, 9)) for p in word.phones] == [
        ("h", 0.0, 0.2),
        ("ə", 0.2, 0.4),
        ("oʊ", 0.4, 1.0),
    ]


def test_wished_durations_are_met_to_half_a_frame_without_drift() -> None:
    rng = np.random.default_rng(0)
    owners = np.sort(rng.integers(0, 60, 300))
    owners = np.unique(owners, return_inverse=True)[1]
    frames = rng.integers(1, 8, 300)
    wished = rng.uniform(0.02, 0.3, owners.max() + 1)
    found = phone_tokens.stretched(owners, frames, wished.tolist(), 0.0116)
    ends = np.cumsum(np.bincount(owners, found)) * 0.0116
    np.testing.assert_allclose(ends, np.cumsum(wished), atol=0.0116 / 2 + 1e-9)


def test_pauses_stay_and_no_phone_vanishes() -> None:
    owners = np.array([-1, 0, 0, -1, 1])
    found = phone_tokens.stretched(owners, np.array([3, 2, 2, 5, 4]), [0.08, 0.001], 0.01)
    assert found.tolist() == [3, 4, 4, 5, 1]


def test_durations_are_those_of_the_phones_that_the_model_speaks() -> None:
    """Phone 1 has no token: the model was never taught it."""
    owners = np.array([0, 2])
    assert phone_tokens.stretched(owners, np.array([1, 1]), [0.02, 0.05], 0.01).tolist() == [2, 5]


@pytest.mark.parametrize(
    ("durations", "sentence"),
    [
        ([0.1], "1 durations for 2 phones"),
        ([0.1, 0.0], "a phone of 0 s: give more than 0"),
        ([0.1, float("nan")], "a phone of nan s"),
        ([0.1, 11.0], "a phone of 11 s: give more than 0 and at most 10"),
    ],
)
def test_durations_that_cannot_be_are_refused(durations: list[float], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        phone_tokens.stretched(np.array([0, -1, 1]), np.array([1, 1, 1]), durations, 0.01)
