"""Hostile prompts and infotexts: none may crash, and time must grow as the text does.

    python bench/fuzz.py [--texts 20000] [--largest 64000]

First as many random texts as asked, each of up to 40 pieces of syntax: read, printed and read again
(twice the same tree), scheduled for both passes, and read as a picture's text; by ours and by the
reference's rules. Then patterns grown from 1,000 characters on, doubling: the slope of log time
against log length, by least squares over the lengths that took at least a millisecond, must be
below 1.2. Exit code 1 where a claim fails.
"""

from __future__ import annotations

import argparse
import gc
import math
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from sdcore import infotext
from sdcore.errors import PromptError
from sdcore.prompt import parse, schedule
from sdcore.prompt.wildcards import drawn

SLOPE = 1.2
# Clocks and caches blur what is quicker, in seconds.
QUICKEST = 1e-3
COMPATS: tuple[Literal["ours", "a1111"], ...] = ("ours", "a1111")

PIECES = (
    *"()[]:|\\<>{}@,=.-_ \n0159ab\N{LATIN SMALL LETTER E WITH ACUTE}\N{CAT FACE}\x00",
    *(" AND ", " BREAK ", "AND", "BREAK", ":0.5", ":5", "5e-1", "(a:1.3)", "(a:1..5)"),
    *("[a:b:3]", "[a|b]", "[a::0.5]", "<lora:a:1>", "<lora:a:te=1:unet=0.5>", "<lora:", "a:1.2)"),
    *("<lora:a:0.2@0,1@.5>", "<lora:a:x>", "Steps: 20, ", "Negative prompt: ", "Size: 512x", '"'),
)
# Each makes a text that grows where a bad parser's time would be squared, or worse.
PATTERNS = {
    "opened": "(",
    "closed": ")",
    "square": "[",
    "pairs": "()",
    "crossed": "([)]",
    "bars": "[a|",
    "alternations": "[a|b]",
    "colons": "[a:",
    "edits": "[a:b:3]",
    "spaced colons": ": ",
    "weights": "(a:1.5",
    "weighted": "(a:1.2)",
    "escapes": "\\",
    "words": "AND ",
    "breaks": "BREAK ",
    "tags": "<lora:",
    "tagged": "<lora:a:1@0,0@5>",
    "digits": "1",
    "points": "1.",
    "spaces": " ",
    "signs": ":|",
    "infotext": 'Steps: 20, a: "',
    "braces": "{a|b}",
    "open braces": "{a|",
    "quotes": '\\"',
    "lines": "\nNegative prompt: ",
}


def hostile(draw: random.Random, pieces: int) -> str:
    """A text of at most so many pieces."""
    return "".join(draw.choices(PIECES, k=draw.randrange(pieces)))


def nested(depth: int) -> str:
    """Brackets of every kind, one in the other."""
    opened = ("(", "[a:", "[a|", "[")
    closed = (":1.2)", ":5]", "]", "]")
    return (
        "".join(opened[i % 4] for i in range(depth))
        + "x"
        + "".join(closed[i % 4] for i in reversed(range(depth)))
    )


def use(text: str) -> None:
    """Everything that a text may meet; raises AssertionError where a promise is broken."""
    for compat in COMPATS:
        prompt = parse(text, compat=compat)
        assert parse(str(prompt), compat=compat) == prompt, repr(text)
        for first_pass in (None, 20):
            for part in schedule(
                prompt, steps=5, first_pass=first_pass, evaluations=2, compat=compat
            ):
                untils = [segment.until for segment in part.segments]
                assert untils == sorted(set(untils)), repr(text)
                assert untils[-1] == (10 if compat == "a1111" else 5), repr(text)
    try:
        drawn(text, {"a": ("b", "{b|__c__}"), "c": ("d",)}, seed=0)
    except PromptError as refusal:
        assert str(refusal), repr(text)
    infotext.read(text)


def slope(work: Callable[[str], object], pattern: str, lengths: list[int]) -> float:
    """Of log seconds against log length; 0 where all but two took less than QUICKEST.

    The best of seven rounds, each over all lengths, so that the machine's load meets all alike.
    """
    texts = [(pattern * (length // len(pattern) + 1))[:length] for length in lengths]
    gc.disable()  # as timeit does: collections fall where they please
    rounds = [[_seconds(work, text) for text in texts] for _ in range(7)]
    gc.enable()
    best = [min(seconds) for seconds in zip(*rounds, strict=True)]
    found = [
        (math.log(length), math.log(seconds))
        for length, seconds in zip(lengths, best, strict=True)
        if seconds >= QUICKEST
    ]
    if len(found) < 3:
        return 0.0
    return statistics.linear_regression(*zip(*found, strict=True)).slope


def _seconds(work: Callable[[str], object], text: str) -> float:
    start = time.process_time()
    work(text)
    return time.process_time() - start


def _scheduled(text: str) -> object:
    return schedule(parse(text), steps=20)


def _printed(text: str) -> object:
    return str(parse(text))


def _drawn(text: str) -> object:
    try:
        return drawn(text, {}, seed=0)
    except PromptError as refusal:
        return refusal


WORKS: dict[str, Callable[[str], object]] = {
    "parse": parse,
    "print": _printed,
    "schedule": _scheduled,
    "wildcards": _drawn,
    "infotext": infotext.read,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--largest", type=int, default=64_000, help="characters")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clips", type=Path, help="taken and not used: texts need no recordings")
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    for number in range(arguments.texts):
        use(hostile(draw, 40))
        if number % 100 == 0:
            use(nested(draw.randrange(300)))
    print(f"{arguments.texts} hostile texts: no crash, each prints and reads as it was")
    lengths = [1_000 * 2**i for i in range(int(math.log2(arguments.largest / 1_000)) + 1)]
    worst = 0.0
    for name, work in WORKS.items():
        slopes = {pattern: slope(work, text, lengths) for pattern, text in PATTERNS.items()}
        steepest = max(slopes, key=lambda pattern: slopes[pattern])
        worst = max(worst, slopes[steepest])
        print(f"{name:10s} steepest slope {slopes[steepest]:5.2f} ({steepest})", flush=True)
    if worst >= SLOPE:
        sys.exit(f"a slope of {worst:.2f} is not below {SLOPE}")


if __name__ == "__main__":
    main()
