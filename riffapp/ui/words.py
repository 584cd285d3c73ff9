"""A prompt and the words that a checkpoint knows: which are in it, and how one goes in or out."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence

from riffapp.studio import checkpoints
from riffapp.studio.checkpoints import Sound

ALL = "words"  # the one group of a checkpoint that sorts none

# Key and tempo have widgets of their own.
_NOT_A_CHIP = re.compile(r"[a-g](?:#|b)?|major|minor|sharp|flat|bpm|in|\d+", re.IGNORECASE)


def groups(ref: str, sound: Sound) -> dict[str, tuple[str, ...]]:
    """The checkpoint's words by the groups of its sound.json, or in one group if it has none."""
    plain = json.loads((checkpoints.folder(ref) / checkpoints.SOUND_FILE).read_text("utf-8"))
    sorted_words = plain.get("groups")
    if not isinstance(sorted_words, Mapping):
        sorted_words = {ALL: sound.words}
    found = {str(name): _chips(words) for name, words in sorted_words.items()}
    return {name: words for name, words in found.items() if words}


def _chips(words: Sequence[object]) -> tuple[str, ...]:
    wanted = (str(word) for word in words)
    return tuple(dict.fromkeys(w for w in wanted if not _NOT_A_CHIP.fullmatch(w)))


def mentions(prompt: str, word: str) -> bool:
    """Whether `word` (one or several words) stands in the prompt, in any case of letters."""
    return _pattern(word).search(prompt) is not None


def add(prompt: str, word: str) -> str:
    """The prompt with `word` at its end."""
    kept = prompt.strip().rstrip(",").rstrip()
    return f"{kept}, {word}" if kept else word


def remove(prompt: str, word: str) -> str:
    """The prompt without `word`, and without the commas and spaces that it leaves behind."""
    parts = (" ".join(part.split()) for part in _pattern(word).sub(" ", prompt).split(","))
    return ", ".join(part for part in parts if re.search(r"\w", part))


def swap(prompt: str, word: str, other: str) -> str:
    """The prompt with `other` wherever `word` stood."""
    return _pattern(word).sub(other.replace("\\", r"\\"), prompt)


def surprise(sorted_words: Mapping[str, Sequence[str]], rng: random.Random) -> str:
    """A prompt at random: one word of the first group and of three others, in their order."""
    names = list(sorted_words)
    chosen = {names[0], *rng.sample(names[1:], min(3, len(names) - 1))}
    return ", ".join(rng.choice(list(sorted_words[name])) for name in names if name in chosen)


def _pattern(word: str) -> re.Pattern[str]:
    inner = r"\s+".join(re.escape(part) for part in word.split())
    return re.compile(rf"(?<![\w#-]){inner}(?![\w#-])", re.IGNORECASE)
