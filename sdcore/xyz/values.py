"""Values of an axis, as they are typed: separated by commas, with ranges for numbers.

    1, 5, 10        these         "a, b", c         a comma inside a value is quoted
    1-5             1 2 3 4 5     5-1               5 4 3 2 1
    1-10 (+3)       1 4 7 10      10-1 (-3)         10 7 4 1
    0-1 [5]         as many, evenly: 0 0.25 0.5 0.75 1; whole numbers are cut towards 0

Ranges are counted in decimals, not in binary fractions, so that 0.1-0.3 (+0.1) ends at 0.3.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TypeVar

from sdcore.errors import RequestError

MAX_VALUES = 1000
_WHOLE = r"[+-]?[0-9]{1,24}"
_REAL = r"[+-]?(?:[0-9]{1,24}(?:\.[0-9]{0,24})?|\.[0-9]{1,24})(?:[eE][+-]?[0-9]{1,2})?"
Number = TypeVar("Number", int, float)


def texts(line: str, *, empty: bool = False) -> tuple[str, ...]:
    """The values between commas, stripped; `empty` ones are kept only where they are meant.

    Raises:
        RequestError: no value, or more than MAX_VALUES.
    """
    try:
        rows = list(csv.reader(line.splitlines(), skipinitialspace=True))
    except csv.Error as error:
        raise RequestError(f"the values '{line[:40]}' cannot be read ({error})") from None
    found = tuple(value.strip() for row in rows for value in row)
    found = found if empty else tuple(value for value in found if value)
    if not any(found):
        raise RequestError("an axis without values: give some, separated by commas")
    _check_count(len(found))
    return found


def wholes(line: str) -> tuple[int, ...]:
    """Whole numbers and their ranges. Raises RequestError as `texts`, or for what is none."""
    return _numbers(line, int, of=_WHOLE)


def reals(line: str) -> tuple[float, ...]:
    """Numbers and their ranges. Raises RequestError as `texts`, or for what is none."""
    return _numbers(line, float, of=_REAL)


def sizes(line: str) -> tuple[tuple[int, int], ...]:
    """(width, height) in pixels, of "512x768" or "512 x 768"."""
    found = []
    for value in texts(line):
        sides = re.fullmatch(r"(\d{1,6})\s*[xX×]\s*(\d{1,6})", value)
        if sides is None:
            raise RequestError(f"the size '{value[:40]}': give width x height, as in 512x768")
        found.append((int(sides[1]), int(sides[2])))
    return tuple(found)


def switches(line: str) -> tuple[bool, ...]:
    """On and off, of "true", "yes", "on", "1" and their opposites."""
    known = dict.fromkeys(("true", "yes", "on", "1"), True)
    known |= dict.fromkeys(("false", "no", "off", "0"), False)
    found = []
    for value in texts(line):
        if value.casefold() not in known:
            raise RequestError(f"the value '{value[:40]}': give true or false")
        found.append(known[value.casefold()])
    return tuple(found)


def _numbers(line: str, kind: Callable[[Fraction], Number], *, of: str) -> tuple[Number, ...]:
    found: list[Number] = []
    for value in texts(line):
        found += map(kind, _spread(value, of))
        _check_count(len(found))
    return tuple(found)


def _spread(value: str, of: str) -> Iterator[Fraction]:
    """The number, or those of the range; `of` is the pattern of one."""
    if re.fullmatch(of, value):
        yield Fraction(value)
        return
    found = re.fullmatch(
        rf"(?P<first>{of})\s*-\s*(?P<last>{of})"
        rf"\s*(?:\(\s*(?P<step>{of})\s*\)|\[\s*(?P<count>[0-9]{{1,9}})\s*\])?",
        value,
    )
    if found is None:
        kind = "whole number" if of == _WHOLE else "number"
        raise RequestError(
            f"the value '{value[:40]}' is no {kind} and no range: "
            "give 5, 1-5, 1-10 (+3) or 1-10 [4]"
        )
    first, last = Fraction(found["first"]), Fraction(found["last"])
    if found["count"] is not None:
        yield from _even(first, last, int(found["count"]))
        return
    down = last < first
    step = Fraction(found["step"] or (-1 if down else 1))
    if step == 0 or (step < 0) != down and first != last:
        raise RequestError(f"the range '{value[:40]}' never arrives: turn its step's sign")
    count = int((last - first) / step) + 1
    _check_count(count)
    yield from (first + step * i for i in range(count))


def _even(first: Fraction, last: Fraction, count: int) -> Iterator[Fraction]:
    _check_count(count)
    if count == 0:
        raise RequestError("a range of no values: give at least [1]")
    for i in range(count):
        yield first + (last - first) * Fraction(i, max(count - 1, 1))


def _check_count(count: int) -> None:
    if count > MAX_VALUES:
        raise RequestError(f"{count} values on an axis: give at most {MAX_VALUES}")
