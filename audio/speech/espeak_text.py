"""What espeak-ng is given to say, and which words of it its events tell of."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from audio.errors import ParameterError
from audio.speech import phones
from audio.speech.types import Phone, Word

MAX_CHARACTERS = 20_000
# The library drops what is beyond about 130 sounds of a word: a digit has up to five.
MAX_LETTERS, MAX_DIGITS = 80, 25

Event = tuple[str, int, int | str]  # ["word", sample, position] or ["phone", sample, IPA]

# Chinese and Japanese are written without blanks: each of their characters may begin a word.
_UNSPACED, _FULL_WIDTH = "\u3040-\u30ff\u3400-\u9fff", "\u3000-\u303f\uff01-\uff1f"
_TOKEN = re.compile(rf"[{_UNSPACED}]|[^\s—–…{_UNSPACED}{_FULL_WIDTH}]+")
_DIGITS, _LETTERS = re.compile(r"\d+"), re.compile(r"[^\W\d_]+")
_FIRST_PICTOGRAM = 0x2190  # symbols below are read out: %, °, ©
_SELECTORS = range(0xFE00, 0xFE10)  # of emoji


def sayable(text: str) -> str:
    """The text with blanks for emoji and control characters: as long, nothing moves.

    Raises ParameterError where no letter or digit is left, and for texts and words too long.
    """
    if len(text) > MAX_CHARACTERS:
        raise ParameterError(
            f"a text of {len(text)} characters: give at most {MAX_CHARACTERS} at a time"
        )
    found = "".join(
        " " if _is_silent(character, before) else character
        for before, character in pairwise(" " + text)
    )
    if not any(character.isalnum() for character in found):
        given = quoted(text) if text.strip() else "an empty text"
        raise ParameterError(f"{given} has nothing to say: give words")
    for pattern, kind, most in (
        (_LETTERS, "letters", MAX_LETTERS),
        (_DIGITS, "digits", MAX_DIGITS),
    ):
        longest = max(pattern.findall(found), key=len, default="")
        if len(longest) > most:
            raise ParameterError(
                f"{quoted(longest)} is one word of {len(longest)} {kind}: at most {most} are "
                "spoken, put blanks between them"
            )
    return found


def quoted(text: str) -> str:
    """A text as it is shown in a sentence: its beginning, in quotes."""
    short = " ".join(text.split())
    return repr(short if len(short) <= 24 else short[:23] + "…")


def words(text: str, events: Sequence[Event], n: int, rate: int) -> tuple[Word, ...]:
    """The words that were said, from the events of a speech of n samples.

    Several events for one token of the text ('42', 'and/or') are one word; a token without an event
    ('the' in 'of the') belongs to the word before it.
    """
    tokens = [match.start() for match in _TOKEN.finditer(text)]
    said: dict[int, list[Phone]] = {}  # token -> phones
    token = 0
    for (kind, sample, value), (_, end, _) in pairwise([*events, ("end", n, 0)]):
        if isinstance(value, int):
            token = max(token, bisect_right(tokens, value) - 1)
        elif kind == "phone" and value and not value.startswith("("):  # '(en)': another language
            _add(said.setdefault(token, []), value, sample / rate, end / rate)
    spans = pairwise([*said, len(tokens)])
    ends = [*tokens, len(text)]
    return tuple(
        Word(
            text=_trimmed(text[tokens[first] : ends[last]]),
            start_s=found[0].start_s,
            end_s=found[-1].end_s,
            phones=tuple(found),
        )
        for (first, last), found in zip(spans, said.values(), strict=True)
        if found
    )


def _add(found: list[Phone], ipa: str, start_s: float, end_s: float) -> None:
    """One more phone. One without a time of its own (a dark l) shares the vowel that it colours;
    where none precedes it in the word, it is not heard."""
    symbol, stress = phones.parted(ipa)
    if start_s == end_s:
        if not found:
            return
        last = found.pop()
        start_s = (last.start_s + last.end_s) / 2
        found.append(
            Phone(symbol=last.symbol, start_s=last.start_s, end_s=start_s, stress=last.stress)
        )
        end_s = last.end_s
    found.append(Phone(symbol=symbol, start_s=start_s, end_s=end_s, stress=stress))


def _is_silent(character: str, before: str) -> bool:
    """Whether espeak is not to see a character: it would read out the names of emoji."""
    category, code = unicodedata.category(character), ord(character)
    if category in ("So", "Sk"):
        return code >= _FIRST_PICTOGRAM
    if category == "Cf":  # joiners belong to letters, or glue emoji
        return unicodedata.category(before)[0] not in "LM"
    return category in ("Cc", "Cn", "Co", "Cs") or code in _SELECTORS


def _trimmed(token: str) -> str:
    """A token on one line without the punctuation round it, unless it is nothing else."""
    line = " ".join(token.split())
    first, last = 0, len(line)
    while first < last and _is_round(line[first]):
        first += 1
    while last > first and _is_round(line[last - 1]):
        last -= 1
    return line[first:last] or line


def _is_round(character: str) -> bool:
    spoken = "%&#@*"
    return character == " " or (
        unicodedata.category(character).startswith("P") and character not in spoken
    )
