"""Words drawn by a seed, before a prompt is read.

    __name__                a line of name.txt; __folder/name__ of a folder in the folder
    __colo*__               a line of any file that fits; * stands for anything but /
    {a|b|c}                 one of them; {2::a|b} draws a twice as often
    {2$$a|b|c}              two different ones, joined by ', '
    {1-2$$ and $$a|b|c}     one or two, joined by ' and '

This is the form of the field's dynamic prompts. Lines may hold wildcards and braces again, and
begin with a weight ('2::red'); empty lines and lines that begin with # are skipped. A backslash
before a brace keeps it as text.
"""

from __future__ import annotations

import difflib
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import count
from pathlib import Path

from sdcore.errors import PromptError

# Braces in braces, and names in lines of names.
MAX_DEPTH = 32
# Wildcards and braces of one text: lines that name two others each would go on without end.
MAX_DRAWS = 10_000

_TOKEN = re.compile(r"\\.|__(?P<name>[\w*/.-]*?[\w*/.-])__|[{}|]", re.DOTALL)
_WEIGHT = re.compile(r"\s*([0-9]+\.?[0-9]*|\.[0-9]+)::")
_COUNT = re.compile(r"\s*([0-9]*)(-?)([0-9]*)\s*\$\$")

Lines = Mapping[str, Sequence[str]]


def read(folder: Path) -> dict[str, tuple[str, ...]]:
    """The lines of all text files in a folder and its folders, by name without '.txt'.

    Raises:
        PromptError: a file that is no UTF-8.
    """
    found = {}
    for path in sorted(folder.rglob("*.txt")):
        name = path.relative_to(folder).with_suffix("").as_posix()
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError:
            raise PromptError(f"the wildcards '{name}.txt' are no UTF-8: save them so") from None
        kept = (line.strip() for line in lines)
        found[name] = tuple(line for line in kept if line and not line.startswith("#"))
    return found


def drawn(text: str, lines: Lines, *, seed: int) -> str:
    """The text with each wildcard and each pair of braces replaced; equal seeds, equal words.

    Raises:
        PromptError: a wildcard that no file is for, or that leads back to itself; a count that
        cannot be; more than MAX_DRAWS of them, or deeper than MAX_DEPTH.
    """
    return _Drawing(lines, random.Random(seed)).text(text, ())


@dataclass(frozen=True)
class _Drawing:
    lines: Lines
    rng: random.Random
    draws: Iterator[int] = field(default_factory=count)

    def text(self, text: str, path: tuple[str, ...]) -> str:
        """An option that is not taken draws nothing; `path` is the wildcards that led here."""
        if len(path) > MAX_DEPTH:
            raise PromptError(
                f"braces and wildcards nest deeper than {MAX_DEPTH}: write them flatter"
            )
        if next(self.draws) > MAX_DRAWS:
            raise PromptError(
                f"the prompt draws more than {MAX_DRAWS} words: let fewer lines name two others"
            )
        return "".join(self._pieces(text, path))

    def _pieces(self, text: str, path: tuple[str, ...]) -> list[str]:
        pieces: list[str] = []
        closers = _closers(text)
        at = 0
        while (token := _TOKEN.search(text, at)) is not None:
            pieces.append(text[at : token.start()])
            at = token.end()
            if token["name"] is not None:
                pieces.append(self._wildcard(token["name"], path))
            elif token[0] == "{" and token.start() in closers:
                at = closers[token.start()]
                pieces.append(self._braces(text[token.end() : at - 1], path))
            elif token[0] in (r"\{", r"\}"):
                pieces.append(token[0][1])
            else:
                pieces.append(token[0])
        return [*pieces, text[at:]]

    def _wildcard(self, name: str, path: tuple[str, ...]) -> str:
        if name in path:
            cycle = " -> ".join(f"__{step}__" for step in (*path[path.index(name) :], name) if step)
            raise PromptError(f"the wildcard leads back to itself: {cycle}; take one of them out")
        fitting = [known for known in self.lines if _fits(known, name)]
        options = [line for known in fitting for line in self.lines[known]]
        if not options:
            raise PromptError(self._unknown(name))
        (line,) = self._chosen(options, 1)
        return self.text(line, (*path, name))

    def _unknown(self, name: str) -> str:
        if name in self.lines:
            return f"the wildcard __{name}__ has no lines: write one into its file"
        near = difflib.get_close_matches(name, list(self.lines), n=1, cutoff=0.4)
        hint = f"nearest __{near[0]}__; " if near else ""
        known = ", ".join(f"__{known}__" for known in sorted(self.lines)[:20]) or "none"
        return f"unknown wildcard __{name}__: {hint}known: {known}"

    def _braces(self, body: str, path: tuple[str, ...]) -> str:
        options, least, most, joint = _options(body)
        chosen = self._chosen(options, self.rng.randint(least, most))
        return joint.join(self.text(option, (*path, "")) for option in chosen)

    def _chosen(self, options: Sequence[str], number: int) -> list[str]:
        """So many different ones, by their weights."""
        left = [_weighed(option) for option in options]
        chosen = []
        for _ in range(number):
            if not any(weight for weight, _ in left):
                left = [(1.0, option) for _, option in left]
            (index,) = self.rng.choices(range(len(left)), [weight for weight, _ in left])
            chosen.append(left.pop(index)[1])
        return chosen


def _options(body: str) -> tuple[list[str], int, int, str]:
    """The options of a pair of braces, least and greatest count, and what joins them."""
    counted = _COUNT.match(body)
    if counted is None or not (counted[1] or counted[3]):
        return _parted(body), 1, 1, ""
    rest, joint = body[counted.end() :], ", "
    if "$$" in rest.partition("|")[0]:
        joint, _, rest = rest.partition("$$")
    options = _parted(rest)
    least = int(counted[1][:9] or 0)
    most = min(int(counted[3][:9]), len(options)) if counted[3] else least
    if counted[2] and not counted[3]:
        most = len(options)
    if not least <= most <= len(options):
        raise PromptError(
            f"'{{{body[:60]}}}' draws {counted[0].strip(' $')} of {len(options)}: "
            "give at most as many as there are"
        )
    return options, least, most, joint


def _parted(body: str) -> list[str]:
    """The options between bars that stand in no braces of their own."""
    parts, depth, start = [], 0, 0
    for token in _TOKEN.finditer(body):
        if token[0] == "|" and depth == 0:
            parts.append(body[start : token.start()])
            start = token.end()
        depth += (token[0] == "{") - (token[0] == "}")
    return [*parts, body[start:]]


def _fits(known: str, name: str) -> bool:
    parts, wanted = known.split("/"), name.split("/")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


def _closers(text: str) -> dict[int, int]:
    """Where each opening brace that has a partner stands, and the place after its partner."""
    opened, found = [], {}
    for token in _TOKEN.finditer(text):
        if token[0] == "{":
            opened.append(token.start())
        elif token[0] == "}" and opened:
            found[opened.pop()] = token.end()
    return found


def _weighed(option: str) -> tuple[float, str]:
    match = _WEIGHT.match(option)
    if match is None:
        return 1.0, option
    return min(float(match[1]), 1e9), option[match.end() :]
