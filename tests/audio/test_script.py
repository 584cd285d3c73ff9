"""Scripts: marks become typed parts, text stays text, no word is lost, errors say where."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from audio import script
from audio.errors import ParameterError
from audio.script import ChapterStart, Pause, Sentence


def place(text: str, words: str) -> dict[str, Any]:
    """Line and column of words in a script."""
    before = text[: text.index(words)].split("\n")
    return {"line": len(before), "column": len(before[-1]) + 1}


def said(text: str, **settings: Any) -> list[Sentence]:
    found = script.parse(text, **settings)
    return [part for part in found if isinstance(part, Sentence)]


def test_a_script_becomes_its_parts_in_order() -> None:
    text = (
        '<chapter title="Hi &amp; ho"/>\n'
        "Welcome <emphasis>back to</emphasis> the show. Good.\n"
        '<break time="1.5s"/><mode name="rhythmic" strength="80%">Three, two.\n'
        '<voice name="anna"><mode name=\'sung\'>La <break strength="weak"/> la.</mode></voice>'
        ' One.</mode> <lang xml:lang="de">Am 3. Mai.</lang> End'
    )
    parts = script.parse(text)
    assert [part for part in parts if not isinstance(part, Sentence)] == [
        ChapterStart(title="Hi & ho"),
        Pause(duration_s=1.5),
        Pause(duration_s=script.STRENGTHS["weak"]),
    ]
    assert [parts.index(part) for part in parts if not isinstance(part, Sentence)] == [0, 3, 6]
    rhythm: dict[str, Any] = {"mode": "rhythmic", "strength": 0.8}
    sung: dict[str, Any] = {"mode": "sung", "voice": "anna"}
    assert said(text) == [
        Sentence(text="Welcome back to the show.", emphasis=((8, 15),), **place(text, "Welcome")),
        Sentence(text="Good.", **place(text, "Good")),
        Sentence(text="Three, two.", **rhythm, **place(text, "Three")),
        Sentence(text="La", **sung, **place(text, "La ")),
        Sentence(text="la.", **sung, **place(text, "la.")),
        Sentence(text="One.", **rhythm, **place(text, "One")),
        Sentence(text="Am 3. Mai.", language="de", **place(text, "Am 3")),
        Sentence(text="End", **place(text, "End")),
    ]


def test_emphasis_goes_on_over_the_end_of_a_sentence() -> None:
    first, second = said("He <emphasis>did. He really  did </emphasis>it.")
    assert [first.text[a:b] for a, b in first.emphasis] == ["did."]
    assert [second.text[a:b] for a, b in second.emphasis] == ["He really did"]


@pytest.mark.parametrize(
    "text",
    [
        "5 < 6 and 6 > 5, I <3 you",
        "R&B, AT&T, a && b, &copy &notes; 100 %",
        "if a<b then c",
        "a <- b <= c << d",
        "Tom & Jerry; <",
        "<> </> < break/>",
    ],
)
def test_text_that_is_no_mark_is_text(text: str) -> None:
    assert [one.text for one in said(text)] == [text]


def test_entities_are_what_they_mean() -> None:
    assert said("&lt;b&gt; &#65;&#x42; &quot;&apos;&amp;amp; &#9999999;")[0].text == (
        "<b> AB \"'&amp; &#9999999;"
    )


def test_comments_are_passed_over() -> None:
    assert [one.text for one in said("One <!-- <brake> \n two. --> three.")] == ["One three."]


def test_lines_of_declared_speakers_are_theirs() -> None:
    text = "Note: hi.\nAnna: Hello. How\nare you?\n  Bob B : Fine.\nAnna said: no."
    lines = [(one.voice, one.text) for one in said(text, voices=("Anna", "Bob B"))]
    assert lines == [
        (None, "Note: hi."),
        ("Anna", "Hello."),
        ("Anna", "How are you?"),
        ("Bob B", "Fine."),
        ("Bob B", "Anna said: no."),
    ]
    assert [one.voice for one in said("Anna: Hello.")] == [None]


def test_a_voice_mark_stands_above_a_speakers_line() -> None:
    found = said('Anna: Hi. <voice name="x">Ho.</voice> He.', voices=["Anna"])
    assert [one.voice for one in found] == ["Anna", "x", "Anna"]


def test_lines_of_any_system_and_a_byte_order_mark_are_read() -> None:
    found = said("\ufeffOne.\r\nTwo.\rThree.")
    assert [(one.text, one.line, one.column) for one in found] == [
        ("One.", 1, 1),
        ("Two.", 2, 1),
        ("Three.", 3, 1),
    ]


def test_no_word_is_lost() -> None:
    """Of random scripts of words, marks and what looks like marks."""
    rng = np.random.default_rng(1)
    words = ["Dr.", "Hi.", "z.", "B.", "3.5", "no!", "“So.”", "a<b", "&", "<3", "e…", "Ja", "x?!"]
    alone = ['<break time="10ms"/>', "<break/>", '<chapter title="T"/>', "\n\n", "\n", " "]
    around = ["<emphasis>", '<mode name="talk">', '<voice name="v">', '<lang xml:lang="de">']
    for _ in range(200):
        text, expected, stack = "begin ", ["begin"], []
        for _ in range(30):
            kind = rng.random()
            if kind < 0.6:
                word = str(rng.choice(words))
                text, expected = f"{text} {word} ", [*expected, word]
            elif kind < 0.8:
                text += str(rng.choice(alone))
            elif kind < 0.9 or not stack:
                stack.append(str(rng.choice(around)))
                text += stack[-1]
            else:
                text += f"</{re.split('[ >]', stack.pop()[1:])[0]}>"
        text += "".join(f"</{re.split('[ >]', one[1:])[0]}>" for one in reversed(stack))
        heard = " ".join(one.text for one in said(text)).split()
        # A lone & between two rests has no letter to say; nothing else may be missing.
        assert [w for w in heard if w != "&"] == [w for w in expected if w != "&"]


# ---- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a\nb <brake/>", r"line 2, column 3: unknown mark <brake>: nearest <break>"),
        ("a <String> b", r"column 3: unknown mark <String>.*written &lt;"),
        ("<emphasis>a", r"column 1: <emphasis> is never closed"),
        ("a</mode>", r"column 2: </mode> closes nothing"),
        ("<voice name='a'><emphasis>b</voice>", r"</voice> stands where <emphasis> of line 1, col"),
        ("<break time=1s/>", r"the mark <break is not complete: write <break time="),
        ("<break>", r"the mark <break> is not complete"),
        ("<voice name='a'/>b", r"the mark <voice> is not complete: .*words </voice>"),
        ("<voice>b</voice>", r"<voice> without name"),
        ("<chapter title=' '/>b", r"<chapter> without title"),
        ("<break size='1'/>b", r"<break> with 'size'"),
        ("<break time='1s' time='2s'/>b", r"<break> with 'time' twice"),
        ("<break time='1h'/>b", r"break of time '1h': give '500ms' or '1.5s'"),
        ("<break time='61s'/>b", r"up to 60s"),
        ("<break strength='loud'/>b", r"break of strength 'loud': give none, x-weak"),
        ("<mode name='rap'>b</mode>", r"mode 'rap': give talk, rhythmic, sung"),
        ("<mode name='talk' strength='101%'>b</mode>", r"strength '101%': give 0% to 100%"),
        ("<lang xml:lang='??'>b</lang>", r"language '\?\?': give a tag"),
        ("a <!-- b", r"column 3: what <!-- leaves out has no end"),
        ("a\x00b", r"column 2: the character U\+0000 is no text"),
        ("a\ud800b", r"the character U\+D800 is no text"),
    ],
)
def test_what_a_mark_may_not_be_is_refused_where_it_stands(text: str, sentence: str) -> None:
    with pytest.raises(ParameterError, match=r"^line \d+, column \d+: ") as refused:
        script.parse(text)
    assert re.search(sentence, str(refused.value))


@pytest.mark.parametrize("text", ["", " \n", "👍 … ***", '<break time="1s"/>'])
def test_a_script_without_words_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="nothing to say: write a sentence"):
        script.parse(text)
