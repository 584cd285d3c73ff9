"""Time maps, and pieces of speech that give way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from audio.align.pieces import CONSONANT, SILENCE, VOWEL, Give, Pieces, pieces, segments
from audio.align.syllables import syllables
from audio.align.time_map import TimeMap
from audio.errors import ParameterError
from audio.speech.types import Phone, Speech, Voice, Word
from audio.types import Clip

VOICE = Voice(id="en", engine="none", name="none", language="en-US", licence="none")
GIVES = {
    VOWEL: Give(give=1.0, low=0.6, high=1.8),
    CONSONANT: Give(give=0.5, low=0.6, high=1.8),
    SILENCE: Give(give=1.5, low=0.3, high=np.inf),
}


def spoken(*words: str, step_s: float = 0.1, gap_s: float = 0.0) -> Speech:
    """Words of phones of one letter each, all `step_s` long; capitals are stressed."""
    at, found = 0.1, []
    for word in words:
        phones = []
        for letter in word:
            stress = 2 * letter.isupper()
            phones.append(
                Phone(symbol=letter.lower(), start_s=at, end_s=at + step_s, stress=stress)
            )
            at += step_s
        start_s = phones[0].start_s
        found.append(Word(text=word, start_s=start_s, end_s=at, phones=tuple(phones)))
        at += gap_s
    clip = Clip(samples=np.zeros((1, round((at + 0.2) * 22050)), np.float32), rate=22050)
    return Speech(text=" ".join(words), clip=clip, words=tuple(found), voice=VOICE)


def test_a_map_with_a_pause_knows_what_begins_and_what_ends_there() -> None:
    found = TimeMap.of([0, 1, 1, 2], [10, 11, 14, 16])
    assert found.after(1.0) == 14 and found.before(1.0) == 11
    assert found.after(1.5) == 15 and found.before(0.5) == 10.5
    assert found.pauses == (1,) and found.spans() == ((0, 1), (2, 3))
    np.testing.assert_allclose(found.ratios, [1, 2])
    np.testing.assert_allclose(found.ratio([0.5, 1.5]), [1, 2])
    np.testing.assert_allclose(found.source([10.5, 12, 15]), [0.5, 1, 1.5])


def test_at_no_strength_a_map_only_places() -> None:
    found = TimeMap.of([0.5, 1, 1, 2], [10, 11, 14, 16])
    natural = found.towards(10.0, 0.0)
    np.testing.assert_allclose(natural.ratios, 1)
    assert natural.pauses == () and natural.target_s[0] == 10
    half = found.towards(10.0, 0.5)
    np.testing.assert_allclose(half.ratios, [1.5, 1.5])
    np.testing.assert_allclose(found.towards(10.0, 1.0).target_s, found.target_s)


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ([0, 1], [1, 0], "runs backwards"),
        ([1, 0], [0, 1], "runs backwards"),
        ([0, np.nan], [0, 1], "no numbers"),
        ([0], [0], "two or more"),
    ],
)
def test_what_is_no_map_is_refused(source: list[float], target: list[float], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        TimeMap(source_s=np.array(source, float), target_s=np.array(target, float))


def made(*parts: tuple[float, int]) -> Pieces:
    edges = np.concatenate([[0.0], np.cumsum([length for length, _ in parts])])
    gives = [GIVES[kind] for _, kind in parts]
    return Pieces(
        edges_s=edges,
        kind=np.array([kind for _, kind in parts]),
        give=np.array([g.give for g in gives]),
        low=np.array([g.low for g in gives]),
        high=np.array([g.high for g in gives]),
    )


@pytest.mark.parametrize("total", [0.25, 0.31, 0.4, 0.5, 0.6])
def test_pieces_are_together_as_long_as_asked_and_each_within_its_limits(total: float) -> None:
    found = made((0.2, VOWEL), (0.1, CONSONANT), (0.1, VOWEL))
    lengths = found.laid(np.array([total]))[0]
    assert lengths.sum() == pytest.approx(total, abs=1e-9)
    ratios = lengths / found.lengths_s
    assert (ratios >= 0.6 - 1e-6).all() and (ratios <= 1.8 + 1e-6).all()
    assert ratios[0] == pytest.approx(ratios[2], abs=1e-6)
    if 0.31 <= total <= 0.5:  # none has come to its limit
        assert ratios[1] == pytest.approx(ratios[0] ** 0.5, abs=1e-5)


def test_beyond_their_limits_pieces_go_as_far_as_they_can() -> None:
    found = made((0.2, VOWEL), (0.1, CONSONANT))
    np.testing.assert_allclose(found.laid(np.array([0.01, 9.0])).sum(1), [0.18, 0.54])


def test_what_sound_leaves_of_a_time_is_a_pause_at_the_door() -> None:
    knots = made((0.2, VOWEL), (0.1, CONSONANT)).knots(5.0, 6.0, voiced_s=0.3, door_s=0.2)
    np.testing.assert_allclose(knots, [(0, 5), (0.2, 5.2), (0.2, 5.9), (0.3, 6)], atol=1e-6)


def test_no_phone_is_made_shorter_than_fifteen_milliseconds() -> None:
    speech = spoken("tAt", step_s=0.02)
    found = pieces(segments(speech), GIVES)
    for length, low, kind in zip(found.lengths_s, found.low, found.kind, strict=True):
        assert kind == SILENCE or length * low >= 0.015 - 1e-9


def test_what_is_kept_stays_as_long_as_it_is() -> None:
    speech = spoken("tAtA")
    found = pieces(segments(speech), GIVES, kept=[(0.17, 0.23)], edges_s=[0.2])
    lengths = found.laid(np.array([found.spoken_s * 1.3]))[0]
    inside = (found.edges_s[:-1] > 0.17 - 1e-9) & (found.edges_s[1:] < 0.23 + 1e-9)
    assert lengths[inside].sum() == pytest.approx(0.06)
    assert 0.2 in found.edges_s


def test_segments_leave_no_gap_and_keep_closures_with_their_words() -> None:
    near, far = spoken("tA", "tA", gap_s=0.05), spoken("tA", "tA", gap_s=0.3)
    for speech in (near, far):
        found = segments(speech)
        assert all(a.end_s == b.start_s for a, b in zip(found[:-1], found[1:], strict=True))
    assert [part.kind for part in segments(near)][3] == CONSONANT
    assert [part.kind for part in segments(far)][3] == SILENCE


# ---- syllables ----------------------------------------------------------------------------------


def test_each_vowel_is_a_syllable_and_onsets_rise_in_sonority() -> None:
    found = syllables(spoken("tapla", "anta"), offset_s=0.0)
    starts = [round((s.start_s - 0.1) / 0.1) for s in found]
    vowels = [round((s.vowel_s - 0.1) / 0.1) for s in found]
    assert vowels == [1, 4, 5, 8]
    assert starts == [0, 2, 5, 7]  # ta.pla an.ta
    assert [s.word for s in found] == [0, 0, 1, 1]


def test_an_anchor_is_the_vowels_onset_and_the_languages_offset() -> None:
    speech = spoken("tA")
    assert syllables(speech)[0].anchor_s == pytest.approx(0.2 - 0.0105)
    german = replace(speech, voice=replace(VOICE, language="de"))
    assert syllables(german)[0].anchor_s == pytest.approx(0.2 + 0.002)
    assert syllables(speech, offset_s=0.02)[0].anchor_s == pytest.approx(0.22)


def test_words_without_phones_and_without_vowels_have_a_syllable_each() -> None:
    speech = spoken("pst", "tA")
    bare = replace(speech.words[1], phones=())
    found = syllables(replace(speech, words=(speech.words[0], bare)))
    assert [s.word for s in found] == [0, 1]
    assert found[1].start_s < found[1].vowel_s < found[1].end_s


def test_speech_without_words_is_refused() -> None:
    with pytest.raises(ParameterError, match="without words"):
        syllables(replace(spoken("tA"), words=()))


def test_an_anchor_far_from_its_vowel_is_refused() -> None:
    with pytest.raises(ParameterError, match="an anchor 0.5 s from the vowel"):
        syllables(spoken("tA"), offset_s=0.5)
