"""From a person's words to the model's: keys, templates, and words that were never taught."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

from riffapp.errors import UsageError

SHARPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
FLATS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
MIDDLE_C = 60

_KEY = re.compile(
    r"([A-Ga-g])\s*(#|♯|b|♭|-?\s?sharp|-?\s?flat)?\s*(major|maj|minor|min|m)?", re.IGNORECASE
)
_KEY_IN_PROMPT = re.compile(r"\b[A-G](?:#|b| sharp| flat)? (?:major|minor)\b", re.IGNORECASE)
_BPM_IN_PROMPT = re.compile(r"\b(\d{2,3}(?:\.\d+)?) ?bpm\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W_][\w#♯♭&'’-]*")
_SPLIT = re.compile(r"[-_&'’ ]+")
# the 1.2 of (saw bass:1.2), and <lora:name:1>
_WEIGHT = re.compile(r":\s*[0-9.]+\s*[)\]]|<(?:lora|lyco):[^<>]*>")
_OPERATORS = frozenset({"and", "break", "bpm"})


@dataclass(frozen=True, kw_only=True)
class Key:
    """A tonic (0 = C .. 11 = B) and a mode, major or minor."""

    tonic: int
    mode: str

    @property
    def midi(self) -> int:
        """The tonic as a MIDI note from middle C up: what sample players call the root."""
        return MIDDLE_C + self.tonic

    def name(self, known: Collection[str] = ()) -> str:
        """'A minor': spelled with sharps, or with flats where only that is a known word."""
        flat = FLATS[self.tonic]
        spelling = flat if flat.lower() in known else SHARPS[self.tonic]
        if SHARPS[self.tonic].lower() in known:
            spelling = SHARPS[self.tonic]
        return f"{spelling} {self.mode}"


def parse_key(text: str) -> Key:
    """A key from 'A minor', 'Am', 'F# maj', 'Bb'; major where no mode is said.

    Raises UsageError for anything else.
    """
    match = _KEY.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"key '{text}' is not a key: write for example 'A minor', 'F# major', 'Bb'"
        )
    letter, accidental, mode = match.groups()
    step = _accidental(accidental)
    minor = mode is not None and (mode == "m" or mode.lower().startswith("min"))
    tonic = (SHARPS.index(letter.upper()) + step) % 12
    return Key(tonic=tonic, mode="minor" if minor else "major")


def _accidental(text: str | None) -> int:
    if text is None:
        return 0
    return 1 if text[-1] in "#♯" or text.lower().endswith("sharp") else -1


def key_in(prompt: str) -> Key | None:
    """The first key that the prompt itself names in full ('A minor'), if any."""
    match = _KEY_IN_PROMPT.search(prompt)
    return None if match is None else parse_key(match.group(0))


def bpm_in(prompt: str) -> float | None:
    """The tempo that the prompt itself names ('124 bpm'), if any."""
    match = _BPM_IN_PROMPT.search(prompt)
    return None if match is None else float(match.group(1))


def compose(template: str, prompt: str, *, key: str | None, bpm: float) -> str:
    """The model's prompt: `template` filled in, without the parts whose value is absent.

    Parts are what stands between commas. A key that is given takes the place of one in the words,
    so that what is heard is what the file says. The tempo is said in whole beats, as captions do;
    the render itself is exact.
    """
    if key is not None:
        prompt = _KEY_IN_PROMPT.sub(key, prompt)
    values = {"prompt": prompt.strip().strip(",").strip(), "key": key or "", "bpm": f"{bpm:.0f}"}
    # captions say a key or a tempo once: what the person's own words say is not said again
    values["key"] = "" if key_in(prompt) else values["key"]
    values["bpm"] = "" if bpm_in(prompt) else values["bpm"]
    parts = []
    for part in template.split(","):
        fields = re.findall(r"{(\w+)}", part)
        if any(not values.get(name, "") for name in fields):
            continue
        for name in fields:
            part = part.replace("{" + name + "}", values[name])
        parts.append(part.strip())
    return ", ".join(parts)


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """A word that the model never met, and the nearest that it knows."""

    word: str
    nearest: str

    def __str__(self) -> str:
        return (
            f"the model was never taught '{self.word}': "
            f"the nearest word it knows is '{self.nearest}'"
        )


def unknown_words(prompt: str, known: Sequence[str]) -> tuple[Unknown, ...]:
    """Each word of the prompt that is not among `known`, once, in order.

    Case, emphasis marks, weights and plain numbers do not count; a compound ('drum-machine')
    is known when all its parts are. An empty `known` says nothing of any word.
    """
    vocabulary = vocabulary_of(known)
    if not vocabulary:
        return ()
    found: dict[str, Unknown] = {}
    for word in _WORD.findall(_WEIGHT.sub(" ", prompt.lower())):
        if word in found or _is_known(word, vocabulary):
            continue
        found[word] = Unknown(word=word, nearest=_nearest(word, vocabulary))
    return tuple(found.values())


@lru_cache(maxsize=1024)
def _nearest(word: str, vocabulary: frozenset[str]) -> str:
    """Kept, for a pack asks of the same words for each of its loops."""
    return get_close_matches(word, sorted(vocabulary), n=1, cutoff=0.0)[0]


def vocabulary_of(known: Sequence[str]) -> frozenset[str]:
    """Single lower-case words: entries of several words count as each of them."""
    return _words_of(tuple(known))


@lru_cache(maxsize=16)
def _words_of(known: tuple[str, ...]) -> frozenset[str]:
    return frozenset(word for entry in known for word in _WORD.findall(entry.lower()))


def _is_known(word: str, vocabulary: frozenset[str]) -> bool:
    if word in vocabulary or word in _OPERATORS or re.fullmatch(r"[\d.]+(bpm)?", word):
        return True
    parts = [part for part in _SPLIT.split(word) if part]
    return len(parts) > 1 and all(part in vocabulary for part in parts)
