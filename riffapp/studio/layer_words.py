"""A layer's words as those of one player alone, in the manner that the checkpoint was taught.

Captions put a genre before drums only; where none play, it is said behind the player, as a style:
'acid bass, house style'. In front of another player it calls the drums in: of 36 layers such as
'house acid bass' the judge heard none without them, and all 36 alone once they were so turned,
with 'only' before them. Negative prompts took out the drums of 3 in 36.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from riffapp.studio import prompts
from riffapp.studio.checkpoints import Sound

# What names each player, the first of which is said where none is.
NOUNS: Mapping[str, tuple[str, ...]] = {
    "drums": ("drums", "drum", "beat", "groove", "percussion"),
    "bass": ("bass", "bassline"),
    "chords": ("chords", "chord"),
    "lead": ("lead", "melody"),
}
_ALONE = ("only", "solo", "just")


def role_of(name: str, words: str, sound: Sound) -> str | None:
    """'drums', 'bass', 'chords' or 'lead': by the layer's name, else by its words' one player.

    None where neither says it, or the checkpoint was not taught to play alone.
    """
    if not {"only", "style"} <= prompts.vocabulary_of(sound.words):
        return None
    named = _players(name, sound) or _players(_without_genres(words, sound)[0], sound)
    return named[0] if len(named) == 1 else None


def alone(words: str, role: str, sound: Sound) -> str:
    """'only acid bass, house style' of 'house acid bass': one player, and no other."""
    if not words.strip():
        return words
    genres: list[str] = []
    if role != "drums":
        words, genres = _without_genres(words, sound)
    player, _, rest = words.partition(",")
    # Drums know their instruments as '909 drums'; other players' names stand for themselves.
    known = () if role == "drums" else sound.groups.get(role, ())
    if not _has(words, (*NOUNS[role], *known)):
        player = f"{player} {NOUNS[role][0]}"
    if not _has(words, _ALONE):
        player = f"only {player.strip()}"
    parts = [player, *rest.split(","), *(f"{genre} style" for genre in genres)]
    return ", ".join(part.strip() for part in parts if part.strip())


def _players(words: str, sound: Sound) -> list[str]:
    """The roles that the words name, by a noun or by an instrument."""
    return [
        role for role, nouns in NOUNS.items() if _has(words, (*nouns, *sound.groups.get(role, ())))
    ]


def _without_genres(words: str, sound: Sound) -> tuple[str, list[str]]:
    """The words without the genres that stand before a player, and these."""
    found = []
    # The longest first: 'drum and bass' is no bass.
    for genre in sorted(sound.groups.get("genre", ()), key=len, reverse=True):
        # 'house style' and 'house loop without drums' are as they should be.
        pattern = rf"(?<![\w-]){re.escape(genre)}(?![\w-])(?!\s+(?:style|loop|track|band))"
        words, count = re.subn(pattern, " ", words, flags=re.IGNORECASE)
        found += [genre] * (count > 0)
    return " ".join(words.split()), found


def _has(words: str, names: Collection[str]) -> bool:
    return any(re.search(rf"(?<!\w){re.escape(n)}(?!\w)", words, re.IGNORECASE) for n in names)
