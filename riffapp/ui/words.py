"""A prompt and the words that a checkpoint knows: which stand in it, how one goes in or out.

sound.json sorts the words under "groups": {"genre": [...], "bass": [...], "bass line": [...]}.
Names mean something here: a band has one genre, one bass and so on (ONE_OF), and a name of two
words that begins like another group's ('bass line', 'chord playing') describes that group's words:
'rolling' belongs right before 'saw bass'.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from riffapp.studio.checkpoints import Sound

ALL = "words"  # the one group of a checkpoint that sorts none
ONE_OF = frozenset({"genre", "drums", "bass", "chords", "lead"})
BEFORE = {"genre": "drums"}  # 'techno 909 drums', as captions say it

# Key and tempo have widgets of their own.
_NOT_A_CHIP = re.compile(r"[a-g](?:#|b)?|major|minor|sharp|flat|bpm|in|\d+", re.IGNORECASE)

_EMPTIED = re.compile(r"[(\[]\s*(?::[\d.\s]*)?[)\]]")  # what (saw bass:1.3) leaves behind


@dataclass(frozen=True, kw_only=True)
class Group:
    """Words of one kind; `of` names the group whose words they describe, if any."""

    name: str
    words: tuple[str, ...]
    of: str | None = None

    @property
    def single(self) -> bool:
        return self.name in ONE_OF


Groups = Mapping[str, Group]


def groups(sound: Sound) -> Groups:
    """The checkpoint's words by the groups of its sound.json, or in one group if it has none."""
    return sort(sound.groups or {ALL: sound.words})


def sort(named: Mapping[str, Sequence[str]]) -> Groups:
    """Groups in their order, without what is no chip and without the empty ones."""
    found = {}
    for name, known in named.items():
        chips = tuple(dict.fromkeys(w for w in map(str, known) if not _NOT_A_CHIP.fullmatch(w)))
        if chips:
            found[name] = Group(name=name, words=chips, of=_described(name, named))
    return found


def _described(name: str, names: Iterable[str]) -> str | None:
    first, _, rest = name.partition(" ")
    return next((n for n in names if rest and " " not in n and n.startswith(first)), None)


def lit(prompt: str, known: Groups) -> dict[str, tuple[str, ...]]:
    """The words of each group that stand in the prompt.

    The longest counts: 'deep house' does not mean 'house' too. A describing word counts where the
    thing that it describes stands between the same commas, and only there.
    """
    found: dict[str, set[str]] = {name: set() for name in known}
    plain = {word: g.name for g in known.values() if g.of is None for word in g.words}
    for part in _parts(prompt):
        for group in known.values():
            if group.of is not None and _place(part, known[group.of]) is not None:
                words, part = _take(part, group.words)
                found[group.name] |= words
        words, _ = _take(part, plain)
        for word in words:
            found[plain[word]].add(word)
    return {name: tuple(w for w in known[name].words if w in found[name]) for name in known}


def _take(text: str, known: Iterable[str]) -> tuple[set[str], str]:
    """The known words in the text, longest first, and the text without them."""
    found = set()
    for word in sorted(known, key=len, reverse=True):
        text, n = _pattern(word).subn("|", text)
        if n:
            found.add(word)
    return found, text


def add(prompt: str, word: str, *, to: str, known: Groups) -> str:
    """The prompt with a word of group `to`: before what it describes, or at the end."""
    parts, of = _parts(prompt), known[to].of or BEFORE.get(to)
    if of is not None and of in known:
        for i, part in enumerate(parts):
            at = _place(part, known[of])
            if at is not None:
                parts[i] = f"{part[:at]}{word} {part[at:]}"
                return ", ".join(parts)
    return ", ".join([*parts, word if known[to].of is None else f"{word} {of}"])


def remove(prompt: str, word: str, *, of: str, known: Groups) -> str:
    """The prompt without a word of group `of`, and without the commas that it leaves behind."""
    described = known[of].of
    parts = []
    for part in _parts(prompt):
        if described is None or _place(part, known[described]) is not None:
            part = " ".join(_EMPTIED.sub(" ", _pattern(word).sub(" ", part)).split())
        parts.append(part)
    return ", ".join(part for part in parts if re.search(r"\w", part))


def swap(prompt: str, word: str, other: str) -> str:
    """The prompt with `other` wherever `word` stood."""
    return _pattern(word).sub(lambda _: other, prompt)


def surprise(known: Groups, rng: random.Random) -> str:
    """A prompt at random: most of the band, some of it described, and some mood."""
    text = ""
    named = [group for group in known.values() if group.of is None]
    for group in sorted(named, key=lambda group: group.name in BEFORE):  # what they precede first
        if not text or rng.random() < (0.85 if group.single else 0.5):
            text = add(text, rng.choice(group.words), to=group.name, known=known)
            for more in known.values():
                if more.of == group.name and rng.random() < 0.5:
                    text = add(text, rng.choice(more.words), to=more.name, known=known)
    return text


def _place(part: str, group: Group) -> int | None:
    """Where the group's thing begins in a part of the prompt: one of its words, or its name."""
    found = (_pattern(word).search(part) for word in (*group.words, group.name))
    return min((match.start() for match in found if match), default=None)


def _parts(prompt: str) -> list[str]:
    """What stands between commas."""
    return [" ".join(part.split()) for part in prompt.split(",") if part.strip()]


def _pattern(word: str) -> re.Pattern[str]:
    inner = r"\s+".join(re.escape(part) for part in word.split())
    return re.compile(rf"(?<![\w#-]){inner}(?![\w#-])", re.IGNORECASE)
