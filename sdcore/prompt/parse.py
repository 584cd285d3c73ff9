r"""A prompt's text read into its tree, in time linear in its length. Nothing is an error here.

    (a) [a] (a:1.5)              a counts 1.1 times, 1 / 1.1 times, 1.5 times; brackets multiply
    [a:b:when] [b:when] [a::when]    b from that moment on: 0.5 or 5e-1 a share, 12 a step
    [a|b]                        a and b in turns; an option may be empty
    a AND b :0.5                 two prompts, the second with weight 0.5
    a BREAK b                    b begins a chunk of its own, in brackets too
    <lora:name:0.8>              see sdcore.prompt.tags
    \( \: \AND                   a backslash takes the next character as text

What cannot be meant so stays text, and a warning says where: a bracket without a partner, one
nested deeper than MAX_DEPTH (whose factor could mean nothing), a weight or a moment that is no
number. AND parts whole prompts, so in a bracket it is a word like any other: a bracket that it
split would leave two halves without partners, which nobody means.

With compat="a1111" as the reference reads: AND parts before brackets are read, a bracket that is
not closed holds up to the end, and ':number' at the end is a weight without AND too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import isfinite
from typing import Literal, NamedTuple

from sdcore.prompt.ast import (
    ROUND,
    SQUARE,
    Alternate,
    Break,
    Edit,
    Node,
    Part,
    Prompt,
    PromptWarning,
    Text,
    Weighted,
)
from sdcore.prompt.tags import tag, when

MAX_DEPTH = 64

# Each alternative fails within the run that it began in, so that scanning stays linear.
_TOKEN = re.compile(
    r"""
    \\(?P<escaped>.?)
    | (?P<open>[(\[])
    | (?P<close>[)\]])
    | (?P<sign>[:|])
    | <(?:lora|lyco):(?P<tag>[^<>]*)>
    | (?P<text>[^\\()\[\]:|<]+ | <)
    """,
    re.VERBOSE | re.DOTALL,
)
_WORD = re.compile(r"(?<!\w)(?:AND|BREAK)(?!\w)")
_WEIGHT = re.compile(r"\s*([+-]?(?:[0-9]+\.?|[0-9]*\.[0-9]+))\s*")
# What somebody may have taken for a weight.
_NEARLY = re.compile(r"\s*[+-]?[0-9][0-9.,eE+-]*\s*")
_OPENER = {")": "(", "]": "["}
_FACTOR = {"(": ROUND, "[": SQUARE}


class _Word(NamedTuple):
    value: str


class _Sign(NamedTuple):
    """What parts: a colon, a bar or AND; where nothing is parted, text."""

    value: str
    position: int


_Item = _Word | _Sign | Node


@dataclass
class _Level:
    """An open bracket; the first level is the prompt itself."""

    opener: str
    position: int
    items: list[_Item] = field(default_factory=list)


def parse(
    text: str, *, compat: Literal["ours", "a1111"] = "ours", is_joined: bool = True
) -> Prompt:
    """The tree of a prompt; `parse(str(p)) == p` for each p that it gives, asked in the same way.

    `is_joined=False` takes AND as a word, so that there is one part, without weight: negative
    prompts are read so, there as in the reference.
    """
    reader = _Reader(compat, is_joined)
    for token in _TOKEN.finditer(text):
        kind, position = token.lastgroup, token.start()
        if kind == "open":
            reader.open(token[0], position)
        elif kind == "close":
            reader.close(token[0], position)
        elif kind == "sign":
            reader.put(_Sign(token[0], position))
        elif kind == "tag":
            reader.tag(token, position)
        elif kind == "escaped":
            reader.put(_Word(token["escaped"]))
        else:
            reader.words(text, token.start(), token.end())
    return reader.finish()


class _Reader:
    """The open brackets, outermost first, and the parts that are done."""

    def __init__(self, compat: str, is_joined: bool) -> None:
        self.is_a1111 = compat == "a1111"
        self.is_joined = is_joined
        self.levels = [_Level("", 0)]
        # Brackets open below MAX_DEPTH: text, but their partners are text too.
        self.too_deep = {"(": 0, "[": 0}
        self.parts: list[Part] = []
        self.warnings: list[PromptWarning] = []

    def put(self, item: _Item) -> None:
        self.levels[-1].items.append(item)

    def words(self, text: str, start: int, end: int) -> None:
        """A run of text without signs, in which AND and BREAK may stand."""
        for word in _WORD.finditer(text, start, end):
            self.put(_Word(text[start : word.start()]))
            if word[0] == "BREAK":
                self.put(Break())
            elif not self.is_joined:
                self._warn(word.start(), "AND joins nothing here and stays a word")
                self.put(_Word("AND"))
            elif self.is_a1111:
                self._end_part()
            else:
                self.put(_Sign("AND", word.start()))
            start = word.end()
        self.put(_Word(text[start:end]))

    def tag(self, token: re.Match[str], position: int) -> None:
        lora, complaint = tag(token["tag"])
        if complaint:
            self._warn(position, f"'{token[0][:60]}' {complaint}")
        self.put(_Word(token[0]) if lora is None else lora)

    def open(self, opener: str, position: int) -> None:
        if len(self.levels) <= MAX_DEPTH:
            self.levels.append(_Level(opener, position))
            return
        self.too_deep[opener] += 1
        self._warn(position, f"'{opener}' is nested deeper than {MAX_DEPTH} and stays text")
        self.put(_Word(opener))

    def close(self, closer: str, position: int) -> None:
        """Close the nearest open partner, or take the closer as text."""
        opener = _OPENER[closer]
        if self.too_deep[opener] > 0:
            self.too_deep[opener] -= 1
            self.put(_Word(closer))
            return
        openers = [level.opener for level in self.levels]
        if opener not in openers:
            self._stray(closer, position)
            self.put(_Word(closer))
            return
        depth = len(openers) - 1 - openers[::-1].index(opener)
        items = list(self._without_and(self._flattened(depth)))
        self.put(self._round(items) if opener == "(" else self._square(items, position))

    def finish(self) -> Prompt:
        self._end_part()
        parts = self.parts
        if len(parts) > 1:
            parts = [Part(_stripped(part.nodes), part.weight) for part in parts]
        return Prompt(tuple(parts), tuple(sorted(self.warnings)))

    def _warn(self, position: int, message: str) -> None:
        self.warnings.append(PromptWarning(position, message))

    def _stray(self, bracket: str, position: int) -> None:
        self._warn(
            position, f"'{bracket}' has no partner and stays text: add it, or write \\{bracket}"
        )

    def _end_part(self) -> None:
        """All that is open becomes one part, or the parts that AND makes of it."""
        while self.is_a1111 and len(self.levels) > 1:
            level = self.levels.pop()
            self._stray(level.opener, level.position)
            self.put(Weighted(_nodes(level.items), _FACTOR[level.opener]))
        items = self._flattened(0)
        self.levels = [_Level("", 0)]
        pieces = list(_split(items, "AND"))
        for piece in pieces:
            has_weight = self.is_a1111 and self.is_joined or len(pieces) > 1
            body, weight = _weighed(piece) if has_weight else (piece, None)
            nodes = _nodes(body)
            self.parts.append(Part(nodes) if weight is None else Part(_stripped(nodes), weight))

    def _flattened(self, depth: int) -> list[_Item]:
        """Take off the levels from `depth` on; their items, each inner bracket as text."""
        self.too_deep = {"(": 0, "[": 0}
        items = self.levels[depth].items
        for level in self.levels[depth + 1 :]:
            self._stray(level.opener, level.position)
            items += [_Word(level.opener), *level.items]
        del self.levels[depth:]
        return items

    def _without_and(self, items: Sequence[_Item]) -> Iterator[_Item]:
        for item in items:
            if isinstance(item, _Sign) and item.value == "AND":
                self._warn(
                    item.position,
                    "AND in a bracket is a word, for it joins whole prompts: close the bracket",
                )
                yield _Word("AND")
            else:
                yield item

    def _round(self, items: list[_Item]) -> Node:
        body, weight = _weighed(items)
        if weight is not None:
            return Weighted(_nodes(body), weight)
        sign, tail = _tail(items)
        if sign is not None and _NEARLY.fullmatch(tail):
            self._warn(sign.position, f"':{tail[:60]}' is no weight and stays text: write (a:1.5)")
        return Weighted(_nodes(items), ROUND)

    def _square(self, items: list[_Item], position: int) -> Node:
        """An alternation where there is a bar, else an edit where its tail is a number."""
        sign, tail = _tail(items)
        moment = None if sign is None else when(tail)
        if any(isinstance(item, _Sign) and item.value == "|" for item in items):
            if sign is not None and moment is not None:
                told = f"':{tail[:60]}' in an alternation is text: nest it as [[a|b]:5]"
                self._warn(sign.position, told)
            return Alternate(tuple(_nodes(option) for option in _split(items, "|")))
        pieces = list(_split(items, ":"))
        if moment is not None and len(pieces) <= 3:
            before = _nodes(pieces[0]) if len(pieces) == 3 else ()
            return Edit(before, _nodes(pieces[-2]), moment)
        if sign is not None or len(pieces) > 1:
            self._warn(
                position,
                "the bracket that ends here is no edit: write [a:b:0.5], or \\: for a colon",
            )
        return Weighted(_nodes(items), SQUARE)


def _split(items: Sequence[_Item], sign: str) -> Iterator[list[_Item]]:
    piece: list[_Item] = []
    for item in items:
        if isinstance(item, _Sign) and item.value == sign:
            yield piece
            piece = []
        else:
            piece.append(item)
    yield piece


def _tail(items: Sequence[_Item]) -> tuple[_Sign | None, str]:
    """The last colon, if only words follow it, and these."""
    words: list[str] = []
    for item in reversed(items):
        if isinstance(item, _Sign) and item.value == ":":
            return item, "".join(reversed(words))
        if not isinstance(item, _Word):
            break
        words.append(item.value)
    return None, ""


def _weighed(items: Sequence[_Item]) -> tuple[list[_Item], float | None]:
    """The items without the weight at their end, and that; None where there is none."""
    sign, tail = _tail(items)
    match = _WEIGHT.fullmatch(tail)
    if sign is None or match is None or not isfinite(float(match[1])):
        return list(items), None
    last = max(i for i, item in enumerate(items) if item is sign)
    return list(items[:last]), float(match[1])


def _nodes(items: Sequence[_Item]) -> tuple[Node, ...]:
    """The items with each run of text joined into one; BREAK eats the space around it."""
    nodes: list[Node] = []
    for is_text, run in groupby(items, key=lambda item: isinstance(item, _Word | _Sign)):
        if is_text:
            nodes.append(Text("".join(i.value for i in run if isinstance(i, _Word | _Sign))))
        else:
            nodes += [item for item in run if not isinstance(item, _Word | _Sign)]
    for i, node in enumerate(nodes):
        if isinstance(node, Text):
            value = node.value
            value = value.lstrip() if isinstance(_at(nodes, i - 1), Break) else value
            value = value.rstrip() if isinstance(_at(nodes, i + 1), Break) else value
            nodes[i] = Text(value)
    return tuple(node for node in nodes if node != Text(""))


def _at(nodes: Sequence[Node], index: int) -> Node | None:
    return nodes[index] if 0 <= index < len(nodes) else None


def _stripped(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """Without space at either end."""
    found = list(nodes)
    if found and isinstance(found[0], Text):
        found[0] = Text(found[0].value.lstrip())
    if found and isinstance(found[-1], Text):
        found[-1] = Text(found[-1].value.rstrip())
    return tuple(node for node in found if node != Text(""))
