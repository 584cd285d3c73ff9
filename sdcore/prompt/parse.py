r"""A prompt's text read into its tree, in time linear in its length. Nothing is an error here.

`(a)` weighs a by 1.1, `[a]` by 1 / 1.1, `(a:1.5)` by 1.5; brackets nest and multiply. A backslash
takes the next character as text. A bracket without a partner is text, and so is one nested deeper
than MAX_DEPTH, whose factor could mean nothing.
"""

from __future__ import annotations

import re
from itertools import groupby
from math import isfinite

from sdcore.prompt.ast import ROUND, SQUARE, Node, Prompt, Text, Weighted

MAX_DEPTH = 64

# Each alternative fails within the run that it began in, so that scanning stays linear.
_TOKEN = re.compile(
    r"""
    \\(?P<escaped>.?)
    | (?P<open>[(\[])
    | :\s*(?P<weight>[+-]?(?:\d+(?:\.\d*)?|\.\d+))\s*\)
    | (?P<close>[)\]])
    | (?P<text>[^\\()\[\]:]+ | :)
    """,
    re.VERBOSE | re.DOTALL,
)
_OPENER = {")": "(", "]": "["}

_Part = str | Weighted


class _Reader:
    """The open brackets, outermost first; the first level is the prompt itself."""

    def __init__(self) -> None:
        self.openers = [""]
        self.levels: list[list[_Part]] = [[]]
        # Brackets open below MAX_DEPTH: text, but their partners are text too.
        self.too_deep = {"(": 0, "[": 0}

    def text(self, text: str) -> None:
        self.levels[-1].append(text)

    def open(self, opener: str) -> None:
        if len(self.levels) > MAX_DEPTH:
            self.too_deep[opener] += 1
            self.text(opener)
        else:
            self.openers.append(opener)
            self.levels.append([])

    def close(self, token: str, factor: float) -> None:
        """Close the nearest open partner of the token's last character, or take it as text."""
        opener = _OPENER[token[-1]]
        if self.too_deep[opener] > 0:
            self.too_deep[opener] -= 1
            self.text(token)
        elif opener in self.openers:
            depth = len(self.openers) - 1 - self.openers[::-1].index(opener)
            _, *body = self._flattened(depth)
            self.levels[-1].append(Weighted(_nodes(body), factor))
        else:
            self.text(token)

    def finish(self) -> Prompt:
        return Prompt(_nodes(self.levels[0] + self._flattened(1)))

    def _flattened(self, depth: int) -> list[_Part]:
        """Take off the levels from `depth` on; the parts of all, each after its bracket as text."""
        self.too_deep = {"(": 0, "[": 0}
        body: list[_Part] = []
        for opener, level in zip(self.openers[depth:], self.levels[depth:], strict=True):
            body += [opener, *level]
        del self.openers[depth:], self.levels[depth:]
        return body


def parse(text: str) -> Prompt:
    """The tree of a prompt; `parse(str(p)) == p` for each p that it gives."""
    reader = _Reader()
    for token in _TOKEN.finditer(text):
        if token["open"] is not None:
            reader.open(token["open"])
        elif token["close"] is not None:
            reader.close(token["close"], ROUND if token["close"] == ")" else SQUARE)
        elif token["weight"] is None:
            reader.text(token["escaped"] if token["text"] is None else token["text"])
        elif isfinite(float(token["weight"])):
            reader.close(token[0], float(token["weight"]))
        else:
            reader.text(token[0][:-1])
            reader.close(")", ROUND)
    return reader.finish()


def _nodes(parts: list[_Part]) -> tuple[Node, ...]:
    """The parts with each run of text joined into one."""
    nodes: list[Node] = []
    for is_text, run in groupby(parts, key=lambda part: isinstance(part, str)):
        if is_text:
            joined = "".join(part for part in run if isinstance(part, str))
            nodes += [Text(joined)] if joined else []
        else:
            nodes += [part for part in run if isinstance(part, Weighted)]
    return tuple(nodes)
