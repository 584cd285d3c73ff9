"""Words with times as subtitles: cues of two lines at most, written as SRT or WebVTT."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from audio.errors import ParameterError
from audio.speech.types import Word

LINE_CHARS, LINES = 42, 2
MAX_S, MIN_S = 7.0, 1.0
GAP_S = 0.08  # between cues, so that a change is seen: two frames of film
_ENDS = tuple(",;:.!?…)–—")  # a cue rather ends with one of these
_PAUSE_S = 0.3  # ... or here
_BREAK = 0.5  # what it costs to end one elsewhere, in cues
_RAGGED = 0.2  # what it costs to leave half a cue empty, in cues


@dataclass(frozen=True, kw_only=True)
class Cue:
    """What stands on the screen between two times: one line or two."""

    start_s: float
    end_s: float
    lines: tuple[str, ...]


def cues(sentences: Iterable[tuple[str, Sequence[Word]]]) -> tuple[Cue, ...]:
    """Cues of sentences: the text of each, and its words, which rise in time.

    No cue holds words of two sentences. Lines have up to 42 characters, cues up to two lines and
    7 s; a word that is longer than a line is cut. A cue stays for a second where the next one
    leaves it the time.
    Raises ParameterError for sentences that do not rise in time.
    """
    found = [cue for text, words in sentences for cue in _of_sentence(_written(text, words))]
    for one, other in pairwise(found):
        if other.start_s < one.start_s:
            raise ParameterError(
                f"a subtitle at {other.start_s:.3f} s after one at {one.start_s:.3f} s: give the "
                "sentences in the order in which they are said"
            )
    starts = [*(cue.start_s for cue in found), float("inf")]
    return tuple(_stayed(cue, next_s) for cue, next_s in zip(found, starts[1:], strict=True))


def srt(subtitles: Sequence[Cue]) -> str:
    """The cues as SubRip text."""
    blocks = (
        f"{number}\n{_clock(cue, ',')}\n" + "\n".join(cue.lines) + "\n"
        for number, cue in enumerate(subtitles, 1)
    )
    return "\n".join(blocks)


def vtt(subtitles: Sequence[Cue]) -> str:
    """The cues as WebVTT (W3C), in which & < and > are written as entities."""
    blocks = (
        f"{_clock(cue, '.')}\n" + "\n".join(_escaped(line) for line in cue.lines) + "\n"
        for cue in subtitles
    )
    return "\n".join(["WEBVTT\n", *blocks])


def _written(text: str, words: Sequence[Word]) -> list[Word]:
    """The words as they stand in the text, with the punctuation and what is not said round them.

    Those with no blank between them ('and/or') are one. Words of another text stay as they are.
    """
    if not words:
        return []
    line = " ".join(text.split())
    places: list[int] = []
    at = 0
    for word in words:
        alone = re.compile(rf"(?<!\w){re.escape(word.text)}(?!\w)").search(line, at)
        place = line.find(word.text, at) if alone is None else alone.start()
        if place < 0:
            return list(words)
        places.append(place)
        at = place + len(word.text)
    # What follows a word is its own up to the last blank, and the next word's after that.
    edges = [0, *(line.rfind(" ", 0, place + 1) + 1 for place in places[1:]), len(line)]
    found: list[Word] = []
    start_s: float | None = None
    for word, (first, last) in zip(words, pairwise(edges), strict=True):
        start_s = word.start_s if start_s is None else start_s
        if first < last:
            found.append(Word(text=line[first:last].strip(), start_s=start_s, end_s=word.end_s))
            start_s = None
    return found


def _of_sentence(words: Sequence[Word]) -> list[Cue]:
    """The sentence in as few cues as it takes, parted where it breathes.

    The cheapest way to part it is found from its end backwards.
    """
    words = [piece for word in words for piece in _pieces(word)]
    costs, nexts = [0.0] * (len(words) + 1), [0] * len(words)
    for first in range(len(words) - 1, -1, -1):
        ways = []
        for last in _ends_from(words, first):
            ways.append((_cost(words, first, last) + costs[last], last))
        costs[first], nexts[first] = min(ways)
    found, at = [], 0
    while at < len(words):
        said = words[at : nexts[at]]
        lines = _lines([word.text for word in said])
        found.append(Cue(start_s=said[0].start_s, end_s=said[-1].end_s, lines=lines))
        at = nexts[at]
    return found


def _ends_from(words: Sequence[Word], first: int) -> Iterator[int]:
    """Where a cue that begins with word `first` may end: after that word at least."""
    yield first + 1
    for last in range(first + 2, len(words) + 1):
        said = words[first:last]
        too_long = said[-1].end_s - said[0].start_s > MAX_S
        if too_long or not _lines([word.text for word in said]):
            return
        yield last


def _cost(words: Sequence[Word], first: int, last: int) -> float:
    chars = sum(len(word.text) + 1 for word in words[first:last]) - 1
    cost = 1 + _RAGGED * abs(1 - chars / (LINE_CHARS * LINES))
    if last < len(words):
        rests = words[last].start_s - words[last - 1].end_s >= _PAUSE_S
        cost += 0.0 if rests or words[last - 1].text.endswith(_ENDS) else _BREAK
    return cost


def _lines(texts: Sequence[str]) -> tuple[str, ...]:
    """The words in one line, else in two as alike as can be; () where they do not fit."""
    whole = " ".join(texts)
    if len(whole) <= LINE_CHARS:
        return (whole,)
    ways = [(" ".join(texts[:at]), " ".join(texts[at:])) for at in range(1, len(texts))]
    fitting = [way for way in ways if max(map(len, way)) <= LINE_CHARS]
    return min(fitting, key=lambda way: abs(len(way[0]) - len(way[1])), default=())


def _pieces(word: Word) -> list[Word]:
    """The word, on one line and without what would end a cue; in parts where it is too long."""
    text = " ".join(word.text.split())
    texts = [text[at : at + LINE_CHARS] for at in range(0, len(text), LINE_CHARS)]
    each_s = (word.end_s - word.start_s) / max(1, len(texts))
    starts = [word.start_s + each_s * k for k in range(len(texts))]
    return [
        Word(text=part, start_s=start_s, end_s=start_s + each_s)
        for part, start_s in zip(texts, starts, strict=True)
    ]


def _stayed(cue: Cue, next_s: float) -> Cue:
    """The cue for a second at least, but not beyond the next one's beginning less a gap.

    Where that comes too soon for a gap, half of the time is its own.
    """
    wanted_s = max(cue.end_s, cue.start_s + MIN_S)
    return replace(cue, end_s=min(wanted_s, max(next_s - GAP_S, (cue.start_s + next_s) / 2)))


def _clock(cue: Cue, point: str) -> str:
    return f"{_time(cue.start_s, point)} --> {_time(cue.end_s, point)}"


def _time(seconds: float, point: str) -> str:
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}{point}{milliseconds % 1000:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
