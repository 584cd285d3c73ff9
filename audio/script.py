"""A script for voices: plain text, with a few marks in the manner of SSML.

    <chapter title="Welcome"/>
    Welcome <emphasis>back</emphasis> to the show. <break time="500ms"/>
    <mode name="rhythmic" strength="80%">Three, two, one.</mode>
    <voice name="anna">Hello!</voice> <lang xml:lang="de">Guten Tag.</lang>

Text is text: only what looks like a mark in full, or begins with the name of one, is taken for one.
'5 < 6', '<3' and 'R&B' stand as they are; of entities &amp; &lt; &gt; &quot; &apos; and numbers are
read. <!-- what stands here --> is passed over.
"""

from __future__ import annotations

import difflib
import itertools
import re
import sys
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from audio import sentences
from audio.errors import ParameterError

MODES = ("talk", "rhythmic", "sung")
# In seconds, for SSML's names.
STRENGTHS = {
    "none": 0.0,
    "x-weak": 0.15,
    "weak": 0.3,
    "medium": 0.5,
    "strong": 1.0,
    "x-strong": 2.0,
}
MAX_PAUSE_S = 60.0

# Each mark's attributes, the necessary ones first.
_ALONE = {"break": ("time", "strength"), "chapter": ("title",)}
_ROUND = {
    "emphasis": (),
    "lang": ("xml:lang",),
    "mode": ("name", "strength"),
    "voice": ("name",),
}
_NECESSARY = {"chapter": "title", "lang": "xml:lang", "mode": "name", "voice": "name"}
_KNOWN = {**_ALONE, **_ROUND}
_ATTRIBUTE = r"""\s+[\w:.-]+\s*=\s*(?:"[^"]*"|'[^']*')"""
_MARK = re.compile(rf"<(/?)([A-Za-z][\w:.-]*)((?:{_ATTRIBUTE})*)\s*(/?)>")
_PAIR = re.compile(r"""([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_BEGUN = re.compile(rf"</?({'|'.join(_KNOWN)})(?![\w:.-])")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_ENTITY = re.compile(r"&(?:(amp|lt|gt|quot|apos)|#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6}));")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|s)")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)%?")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """Something to say in one go; what is None is as the caller has it.

    `text` has single blanks. `strength` is 0 .. 1. `emphasis` are (start, end) in the text. `line`
    and `column` count from 1: where it begins in the script.
    """

    text: str
    mode: str | None = None
    strength: float | None = None
    voice: str | None = None
    language: str | None = None
    emphasis: tuple[tuple[int, int], ...] = ()
    line: int = 1
    column: int = 1


@dataclass(frozen=True, kw_only=True)
class Pause:
    """Silence between two sentences."""

    duration_s: float


@dataclass(frozen=True, kw_only=True)
class ChapterStart:
    """A chapter that begins with the next sentence."""

    title: str


Part = Sentence | Pause | ChapterStart


def parse(script: str, *, voices: Collection[str] = (), language: str = "en") -> tuple[Part, ...]:
    """The parts of a script in order; no word of it is lost.

    A blank line ends a sentence. With `voices` a line that begins with one of their names and a
    colon is said by that voice, and what follows as well, until the next such line; a <voice> mark
    stands above that. `language` says whose abbreviations are met where no <lang> does.
    Raises ParameterError, with line and column, for marks that are unknown, unclosed or not as
    they should be, for control characters, and for a script without words.
    """
    return _Reader(script, voices, language).read()


@dataclass(frozen=True, kw_only=True)
class _Open:
    """A mark that is not closed yet, and where it began."""

    name: str
    values: Mapping[str, str]
    at: int


class _Reader:
    """Walks through a script once; the run is the text since the last place where voices rest."""

    def __init__(self, script: str, voices: Collection[str], language: str) -> None:
        self.script = script.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        self.language = language
        names = "|".join(re.escape(name) for name in sorted(voices, key=len, reverse=True))
        self.speaking = re.compile(rf"[^\S\n]*({names})[^\S\n]*:") if voices else None
        self.speaker: str | None = None
        self.open: list[_Open] = []
        self.run: list[tuple[str, int, bool]] = []  # character, place in the script, emphasised
        self.parts: list[Part] = []

    def read(self) -> tuple[Part, ...]:
        at = 0
        while at < len(self.script):
            at = self._step(at)
        self._rest()
        if self.open:
            last = self.open[-1]
            self._refuse(last.at, f"<{last.name}> is never closed: write </{last.name}> behind it")
        if not any(isinstance(part, Sentence) for part in self.parts):
            raise ParameterError("the script has nothing to say: write a sentence")
        return tuple(self.parts)

    def _step(self, at: int) -> int:
        """What stands at a place, taken in; where the next thing begins."""
        if self.speaking is not None and (at == 0 or self.script[at - 1] == "\n"):
            line = self.speaking.match(self.script, at)
            if line is not None:
                self._rest()
                self.speaker = line[1]
                return line.end()
        character = self.script[at]
        if character == "<":
            comment = _COMMENT.match(self.script, at)
            if comment is not None:
                return comment.end()
            if self.script.startswith("<!--", at):
                self._refuse(at, "what <!-- leaves out has no end: write --> behind it")
            mark = _MARK.match(self.script, at)
            if mark is not None:
                self._mark(mark)
                return mark.end()
            begun = _BEGUN.match(self.script, at)
            if begun is not None:
                self._refuse(at, f"the mark {begun[0]} is not complete: {_shape(begun[1])}")
        entity = _ENTITY.match(self.script, at) if character == "&" else None
        for meant in character if entity is None else _meant(entity):
            self._take(meant, at)
        return at + 1 if entity is None else entity.end()

    def _take(self, character: str, at: int) -> None:
        category = unicodedata.category(character)
        if category == "Cs" or (category == "Cc" and not character.isspace()):
            self._refuse(at, f"the character U+{ord(character):04X} is no text: take it out")
        self.run.append((character, at, any(mark.name == "emphasis" for mark in self.open)))

    def _mark(self, mark: re.Match[str]) -> None:
        closing, name, given, alone = mark.groups()
        at = mark.start()
        if name not in _KNOWN:
            near = difflib.get_close_matches(name.lower(), _KNOWN, n=1, cutoff=0.0)[0]
            self._refuse(
                at,
                f"unknown mark <{name}>: nearest <{near}>, known are {', '.join(_KNOWN)}, and a < "
                "that is none is written &lt;",
            )
        if name != "emphasis":
            self._rest()
        if closing:
            self._close(name, at)
            return
        if (name in _ALONE) != bool(alone):
            self._refuse(at, f"the mark <{name}> is not complete: {_shape(name)}")
        values = self._values(name, given, at)
        if name == "break":
            self.parts.append(Pause(duration_s=self._pause_s(values, at)))
        elif name == "chapter":
            self.parts.append(ChapterStart(title=" ".join(values["title"].split())))
        else:
            self.open.append(_Open(name=name, values=values, at=at))

    def _close(self, name: str, at: int) -> None:
        if not self.open:
            self._refuse(at, f"</{name}> closes nothing: write <{name}> before it or take it out")
        last = self.open.pop()
        if last.name != name:
            line, column = self._place(last.at)
            self._refuse(
                at,
                f"</{name}> stands where <{last.name}> of line {line}, column {column} is open: "
                f"close that one first",
            )

    def _values(self, name: str, given: str, at: int) -> dict[str, str]:
        """A mark's attributes, all of them as they may be."""
        found: dict[str, str] = {}
        for attribute, one, other in _PAIR.findall(given):
            if attribute not in _KNOWN[name] or attribute in found:
                twice = " twice" if attribute in found else ""
                self._refuse(at, f"<{name}> with {attribute!r}{twice}: {_shape(name)}")
            found[attribute] = _ENTITY.sub(_meant, one or other)
        needed = _NECESSARY.get(name)
        if needed is not None and not found.get(needed, "").strip():
            self._refuse(at, f"<{name}> without {needed}: {_shape(name)}")
        if name == "mode" and found["name"] not in MODES:
            self._refuse(at, f"mode {found['name']!r}: give {', '.join(MODES)}")
        if "strength" in found and name == "mode":
            percent = _PERCENT.fullmatch(found["strength"].strip())
            if percent is None or float(percent[1]) > 100:
                self._refuse(at, f"strength {found['strength']!r}: give 0% to 100%")
        if name == "lang" and not _LANGUAGE.fullmatch(found["xml:lang"]):
            self._refuse(at, f"language {found['xml:lang']!r}: give a tag such as 'en' or 'de-AT'")
        return found

    def _pause_s(self, values: Mapping[str, str], at: int) -> float:
        if "time" not in values:
            strength = values.get("strength", "medium")
            if strength not in STRENGTHS:
                self._refuse(at, f"break of strength {strength!r}: give {', '.join(STRENGTHS)}")
            return STRENGTHS[strength]
        time = _TIME.fullmatch(values["time"].strip())
        seconds = 0.0 if time is None else float(time[1]) / (1000 if time[2] == "ms" else 1)
        if time is None or seconds > MAX_PAUSE_S:
            self._refuse(
                at,
                f"break of time {values['time']!r}: give '500ms' or '1.5s', up to {MAX_PAUSE_S:g}s",
            )
        return seconds

    def _rest(self) -> None:
        """The run ends here: its sentences become parts."""
        mode, voice, lang = (self._innermost(name) for name in ("mode", "voice", "lang"))
        strength = None if mode is None else mode.get("strength")
        language = None if lang is None else lang["xml:lang"]
        text = "".join(character for character, _, _ in self.run)
        for first, last in sentences.split(text, language=language or self.language):
            said, emphasis = _on_one_line(self.run[first:last])
            if not any(character.isalnum() for character in said):
                continue  # a row of stars, an emoji: nothing to say
            line, column = self._place(self.run[first][1])
            self.parts.append(
                Sentence(
                    text=said,
                    mode=None if mode is None else mode["name"],
                    strength=None if strength is None else _share(strength),
                    voice=self.speaker if voice is None else voice["name"],
                    language=language,
                    emphasis=emphasis,
                    line=line,
                    column=column,
                )
            )
        self.run = []

    def _innermost(self, name: str) -> Mapping[str, str] | None:
        return next((mark.values for mark in reversed(self.open) if mark.name == name), None)

    def _place(self, at: int) -> tuple[int, int]:
        """Line and column, from 1."""
        before = self.script[:at]
        return before.count("\n") + 1, at - before.rfind("\n")

    def _refuse(self, at: int, sentence: str) -> NoReturn:
        line, column = self._place(at)
        raise ParameterError(f"line {line}, column {column}: {sentence}")


def _on_one_line(
    run: Sequence[tuple[str, int, bool]],
) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The text with single blanks, and the stretches of it that are emphasised."""
    text, strong = "", []
    for character, _, emphasised in run:
        if not character.isspace():
            text += character
            strong.append(emphasised)
        elif not text.endswith(" "):
            text += " "
            strong.append(emphasised)
    spans, at = [], 0
    for emphasised, group in itertools.groupby(strong):
        first, at = at, at + len(list(group))
        stretch = text[first:at]
        if emphasised and stretch.strip():
            start = first + len(stretch) - len(stretch.lstrip())
            spans.append((start, start + len(stretch.strip())))
    return text, tuple(spans)


def _meant(entity: re.Match[str]) -> str:
    """The character that an entity stands for; itself where there is no such one."""
    name, decimal, hexadecimal = entity.groups()
    if name is not None:
        return _NAMED[name]
    code = int(decimal) if decimal is not None else int(hexadecimal, 16)
    return chr(code) if code <= sys.maxunicode else entity[0]


def _share(percent: str) -> float:
    return float(percent.strip().removesuffix("%")) / 100


def _shape(name: str) -> str:
    """How a mark is written."""
    given = " ".join(f'{attribute}="..."' for attribute in _KNOWN[name])
    opening = f"<{name} {given}".rstrip()
    return f"write {opening}/>" if name in _ALONE else f"write {opening}> words </{name}>"
