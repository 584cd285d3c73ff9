"""The form of the text: prompts above, and one line of "Key: value" pairs below.

Everything here takes time linear in the length of the text, whatever it holds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping

NEGATIVE = "Negative prompt:"
# A last line of fewer pairs is prompt.
LEAST_PAIRS = 3
KEY = re.compile(r"\w(?:[\w \-/]*[\w\-/])?")
_BEFORE_COLON = re.compile(r"\s*(?P<key>[^,:]*):\s*")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
# A string without an end is taken as one too: tried again from each of its quotes, hostile text
# would take squared time.
_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
_STEPS = re.compile(r"(?<![\w(])Steps:\s*\d{1,9}\s*(?:,|$)")


def joined(prompt: str, negative: str, values: Mapping[str, str]) -> str:
    """The text of prompts and pairs."""
    below = [f"{NEGATIVE} {negative}"] if negative else []
    pairs = ", ".join(f"{key}: {_quoted(value)}" for key, value in values.items())
    return "\n".join([prompt, *below, pairs])


def parted(text: str, known: Collection[str]) -> tuple[str, str, dict[str, str]]:
    """(prompt, negative, pairs) of a text, also of one that stands in a single line.

    The last line holds the pairs where it has three of them; else it is prompt. Words before its
    "Steps: 20" are prompt as well, unless they are pairs too: in a single line, of `known` keys.
    """
    text = text.replace("\r\n", "\n").rstrip()
    head, above, last = text.rpartition("\n")
    start = _start(last, known=None if above else known)
    values: dict[str, str] = {}
    for key, value in _pairs(last[start:]):
        values.setdefault(key, value)
    if len(values) < LEAST_PAIRS:
        return *_prompts(text, inline=False), {}
    words = last[:start].rstrip(" ,\t")
    head = head + above + words if words else head
    return *_prompts(head, inline=not above), values


def number(value: float) -> str:
    """The shortest text that is read as this number again, whole ones without a point."""
    return repr(float(value)).removesuffix(".0")


def _start(last: str, known: Collection[str] | None) -> int:
    """Where the pairs begin in the line; `known` None: any key will do."""
    steps = _STEPS.search(last)
    if steps is None or steps.start() == 0:
        return 0
    before = last[: steps.start()]
    keys = [key for key, _ in _pairs(before)]
    # Each part that is no pair is prompt.
    all_pairs = len(keys) == before.rstrip(" ,\t").count(",") + 1 and NEGATIVE[:-1] not in keys
    if all_pairs and (known is None or all(key in known for key in keys)):
        return 0
    return steps.start()


def _prompts(head: str, *, inline: bool) -> tuple[str, str]:
    """(prompt, negative) of what stands above the pairs; `inline`: all of it in one line."""
    if inline:
        prompt, found, negative = head.partition(NEGATIVE)
        return (prompt.rstrip(" ,\t"), negative.strip()) if found else (head, "")
    prompt, found, negative = f"\n{head}".partition(f"\n{NEGATIVE}")
    return prompt[1:], negative.removeprefix(" ") if found else ""


def _pairs(line: str) -> list[tuple[str, str]]:
    """The pairs of a line; a part that is none is passed by."""
    found: list[tuple[str, str]] = []
    closed = _closed(line)
    at = 0
    while at < len(line):
        key = _BEFORE_COLON.match(line, at)
        if key is None or not KEY.fullmatch(name := key["key"].strip()):
            at = _until_comma(line, at)[1]
            continue
        value, at = _value(line, key.end(), closed)
        found.append((name, value))
    return found


def _value(line: str, at: int, closed: Mapping[int, int]) -> tuple[str, int]:
    """The value that begins at `at`, and where the next pair begins."""
    string = _STRING.match(line, at)
    if string is None:  # some programs write JSON as it is, commas and all
        return _until_comma(line, at, after=closed.get(at, at))
    try:
        value = json.loads(string[0], strict=False)
    except ValueError:  # a stray quote
        return _until_comma(line, at)
    return str(value), _until_comma(line, string.end())[1]


def _closed(line: str) -> dict[int, int]:
    """For each bracket that opens: where what it holds has ended."""
    opened: list[int] = []
    closed: dict[int, int] = {}
    for token in _BRACKET.finditer(line):
        if token[0] in "[{":
            opened.append(token.start())
        elif token[0] in "]}" and opened:
            closed[opened.pop()] = token.end()
    return closed


def _until_comma(line: str, at: int, *, after: int = 0) -> tuple[str, int]:
    """What stands before the next comma (behind `after`), and where it goes on after that."""
    end = line.find(",", max(at, after))
    end = len(line) if end < 0 else end
    return line[at:end].strip(), end + 1


def _quoted(value: str) -> str:
    """The value as a JSON string where it could be misread, else as it stands."""
    plain = value and value == value.strip() and not re.search(r'[,:\n\r]|^["\[{]', value)
    return value if plain else json.dumps(value, ensure_ascii=False)
