"""Facts about the sounds of speech, read off their IPA symbols (IPA chart, revised 2020)."""

from __future__ import annotations

import unicodedata

STRESS = {"ˈ": 2, "ˌ": 1}
MARKS = {stress: mark for mark, stress in STRESS.items()}

_VOWELS = frozenset("iyɨʉɯuɪʏʊeøɘɵɤoəɛœɜɞʌɔæɐaɶɑɒᵻᵿɚɝ")
_SYLLABIC = frozenset("\u0329\u030d")  # a stroke below or above
_DEVOICED = frozenset("\u0325\u030a")  # a ring below or above
_VOICELESS = frozenset("ptʈckqʔɸfθsʃʂɕçxχħhʍɬ")
_STOPS = frozenset("pbtdʈɖcɟkɡgqɢʔɓɗʄɠʛ")
_FRICATIVES = frozenset("ɸβfvθðszʃʒʂʐɕʑçʝxɣχʁħʕhɦɧɬɮ")
_NASALS = frozenset("mɱnɳɲŋɴ")
_LIQUIDS = frozenset("lɭʎʟɫrɾɹɻʀɽɺ")
_GLIDES = frozenset("jwɥɰʋʍ")


def parted(symbol: str) -> tuple[str, int]:
    """A symbol without its stress mark, and the stress: 2 primary, 1 secondary, 0 none."""
    stress = max((STRESS[mark] for mark in symbol if mark in STRESS), default=0)
    return "".join(mark for mark in symbol if mark not in STRESS), stress


def is_vowel(symbol: str) -> bool:
    """Whether a phone begins as a vowel: long, nasal, r-coloured ones and diphthongs too."""
    return _letter(symbol) in _VOWELS


def is_nucleus(symbol: str) -> bool:
    """Whether a phone carries a syllable: a vowel, or a consonant that is written syllabic."""
    return is_vowel(symbol) or not _SYLLABIC.isdisjoint(symbol)


def is_voiced(symbol: str) -> bool:
    """Whether the vocal folds swing, so that the phone has a pitch. A pause is not voiced."""
    letter = _letter(symbol)
    return letter not in _VOICELESS and letter != "" and _DEVOICED.isdisjoint(symbol)


def is_stop(symbol: str) -> bool:
    """Whether a phone begins with a closure: stops and affricates."""
    return _letter(symbol) in _STOPS


def is_sonorant(symbol: str) -> bool:
    """Whether a phone can be held on a pitch: vowels, glides, liquids and nasals, if voiced."""
    return sonority(symbol) >= 2 and is_voiced(symbol)


def sonority(symbol: str) -> int:
    """How open a phone is: 5 vowels, 4 glides, 3 liquids, 2 nasals, 1 fricatives, 0 the rest.

    The scale of Selkirk 1984, affricates with the stops that they begin with.
    """
    if is_nucleus(symbol):
        return 5
    letter = _letter(symbol)
    for rank, group in ((4, _GLIDES), (3, _LIQUIDS), (2, _NASALS), (1, _FRICATIVES)):
        if letter in group:
            return rank
    return 0


def _letter(symbol: str) -> str:
    """The first letter, without accents that are not part of it (a nasal a is an a, ç is ç)."""
    bare = unicodedata.normalize("NFC", parted(symbol)[0])[:1]
    if bare in _VOICELESS or bare in _FRICATIVES:
        return bare
    return unicodedata.normalize("NFD", bare)[:1]
