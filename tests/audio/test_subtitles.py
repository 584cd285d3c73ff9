"""Subtitles: cues that can be read in time, no word lost, and files that a strict reader reads."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from audio import subtitles
from audio.errors import ParameterError
from audio.speech.espeak import Espeak
from audio.speech.types import Word
from audio.subtitles import Cue

_TIME = r"(\d\d+):([0-5]\d):([0-5]\d)[{}](\d\d\d)"
_SRT = re.compile(rf"{_TIME.format(',')} --> {_TIME.format(',')}")
_VTT = re.compile(rf"{_TIME.format('.')} --> {_TIME.format('.')}")


def timed(
    text: str, *, start_s: float = 0.0, word_s: float = 0.4, rest_s: float = 0.0
) -> list[Word]:
    """The text's words without their punctuation, one after the other."""
    bare = [stripped for token in text.split() if (stripped := token.strip(".,;:!?\"'“”—&<>-…"))]
    starts = start_s + (word_s + rest_s) * np.arange(len(bare))
    return [
        Word(text=word, start_s=float(s), end_s=float(s) + word_s)
        for word, s in zip(bare, starts, strict=True)
    ]


def read(text: str, pattern: re.Pattern[str]) -> list[tuple[float, float, tuple[str, ...]]]:
    """(start, end, lines) of each block; what is not as the formats say is an error."""
    found = []
    for block in text.split("\n\n"):
        times, *lines = block.strip("\n").split("\n")
        match = pattern.fullmatch(times)
        assert match is not None, times
        h1, m1, s1, ms1, h2, m2, s2, ms2 = (int(group) for group in match.groups())
        start_s, end_s = (
            h1 * 3600 + m1 * 60 + s1 + ms1 / 1000,
            h2 * 3600 + m2 * 60 + s2 + ms2 / 1000,
        )
        assert start_s < end_s and 1 <= len(lines) <= 2 and all(lines)
        found.append((start_s, end_s, tuple(lines)))
    return found


def read_srt(text: str) -> list[tuple[float, float, tuple[str, ...]]]:
    blocks = []
    for number, block in enumerate(text.split("\n\n"), 1):
        first, rest = block.split("\n", 1)
        assert first == str(number)
        blocks.append(rest)
    return read("\n\n".join(blocks), _SRT)


def read_vtt(text: str) -> list[tuple[float, float, tuple[str, ...]]]:
    head, rest = text.split("\n\n", 1)
    assert head == "WEBVTT" and "-->" not in "".join(re.sub(_VTT, "", rest))
    found = read(rest, _VTT)
    for _, _, lines in found:
        assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", "".join(lines))
    return [(a, b, tuple(html.unescape(line) for line in lines)) for a, b, lines in found]


def words_of(cues: Sequence[Cue]) -> list[str]:
    return " ".join(line for cue in cues for line in cue.lines).split()


TEXTS = (
    "Hi.",
    "Welcome back to the show, in which we talk about music, pictures and everything between them.",
    "No punctuation here just words that go on and on until somebody will stop them all",
    "“Well…”, he said — & left; 5 < 6 --> so what?!",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft grüßt!",
)


@pytest.mark.parametrize("rest_s", [0.0, 0.5])
@pytest.mark.parametrize("word_s", [0.05, 0.4, 2.5])
def test_cues_can_be_read_and_lose_no_word(rest_s: float, word_s: float) -> None:
    sentences, start_s = [], 0.0
    for text in TEXTS:
        words = timed(text, start_s=start_s, word_s=word_s, rest_s=rest_s)
        sentences.append((text, words))
        start_s = words[-1].end_s + rest_s
    found = subtitles.cues(sentences)
    assert "".join(words_of(found)) == "".join(" ".join(TEXTS).split())
    for cue in found:
        assert 1 <= len(cue.lines) <= 2 and all(0 < len(line) <= 42 for line in cue.lines)
        assert 0 < cue.end_s - cue.start_s <= 7.0
    for one, other in pairwise(found):
        assert one.end_s <= other.start_s - 0.0799 or other.start_s - one.start_s < 0.2
    ends = {text.split()[-1] for text in TEXTS}
    assert sum(cue.lines[-1].split()[-1] in ends for cue in found) >= len(TEXTS) - 1


def test_a_cue_rather_ends_where_the_sentence_breathes() -> None:
    text = "It is late in the evening and nobody is left here, so we may as well talk of the rain."
    first, second = subtitles.cues([(text, timed(text))])
    assert first.lines[-1].endswith("here,") and second.lines[0].startswith("so")
    plain = text.replace(",", "")
    words = timed(plain)
    late = [Word(text=w.text, start_s=w.start_s + 1, end_s=w.end_s + 1) for w in words[7:]]
    first, _ = subtitles.cues([(plain, words[:7] + late)])
    assert first.lines[-1].endswith("and")


def test_lines_of_a_cue_are_about_as_long() -> None:
    text = "We talk about music and pictures and all of that."
    (cue,) = subtitles.cues([(text, timed(text))])
    assert cue.lines == ("We talk about music and", "pictures and all of that.")


def test_a_short_cue_stays_for_a_second_where_there_is_time() -> None:
    found = subtitles.cues([("Yes.", timed("Yes.")), ("No.", timed("No.", start_s=0.7))])
    assert [(cue.start_s, cue.end_s) for cue in found] == [
        (0.0, pytest.approx(0.62)),
        (0.7, pytest.approx(1.7)),
    ]


def test_words_without_a_blank_between_them_are_one() -> None:
    words = [Word(text=w, start_s=s, end_s=s + 1) for w, s in (("and", 0), ("or", 1), ("not", 2))]
    (cue,) = subtitles.cues([("(and/or  “not”)", words)])
    assert cue == Cue(start_s=0, end_s=3, lines=("(and/or “not”)",))


def test_a_word_is_not_found_within_another() -> None:
    words = [Word(text=w, start_s=s, end_s=s + 5) for w, s in (("a", 2), ("cat", 7))]
    found = subtitles.cues([("Hat a, cat.", words)])
    assert [cue.lines for cue in found] == [("Hat a,",), ("cat.",)]


def test_words_of_another_text_stand_as_they_are() -> None:
    (cue,) = subtitles.cues([("42", timed("forty two"))])
    assert cue.lines == ("forty two",)


def test_what_is_written_reads_as_the_cues() -> None:
    found = subtitles.cues(
        [(text, timed(text, start_s=3590.0 + 30 * k)) for k, text in enumerate(TEXTS)]
    )
    wanted = [(round(c.start_s, 3), round(c.end_s, 3), c.lines) for c in found]
    for heard in (read_srt(subtitles.srt(found)), read_vtt(subtitles.vtt(found))):
        assert [lines for *_, lines in heard] == [lines for *_, lines in wanted]
        np.testing.assert_allclose([h[:2] for h in heard], [w[:2] for w in wanted], atol=6e-4)
    assert "01:00:" in subtitles.srt(found)


def test_what_is_spoken_can_be_read_as_it_is_spoken() -> None:
    engine = Espeak()
    voice = next(v for v in engine.voices() if v.id == "de")
    text = "„Guten Abend“, sagte er — und ging z. B. um 19:30 Uhr, 3,5 km weit, nach Hause!"
    found = subtitles.cues([(text, engine.speak(text, voice).words)])
    assert words_of(found) == text.split() and found[-1].end_s > 3


def test_no_cues_are_files_all_the_same() -> None:
    assert subtitles.cues([]) == () and subtitles.cues([("…", [])]) == ()
    assert subtitles.srt([]) == "" and subtitles.vtt([]) == "WEBVTT\n"


def test_sentences_out_of_order_are_refused() -> None:
    with pytest.raises(ParameterError, match="give the sentences in the order"):
        subtitles.cues([("A b.", timed("A b.", start_s=5.0)), ("C.", timed("C."))])
