"""Where sentences end, in English and German texts: by rule, with the usual abbreviations.

Where a full stop may be either, it ends nothing: two sentences said as one are heard less than one
that breaks off.
"""

from __future__ import annotations

import re

_END = re.compile(r"""(?P<mark>[.!?…]+)["'”’“‘»«›‹)\]]*(?=\s)|[。！？]+[」』”）]*|\n[^\S\n]*\n""")
_NEXT = re.compile(r"""\s*["'„“”‚‘’»«›‹(\[¿¡–—-]*(\S?)""")
_TOKEN = re.compile(r"""["'„“”‚‘’»«›‹(\[¿¡–—-]*(\S*)$""")
_DOTTED = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")  # 'J', 'z.B', 'U.S'
_ORDINAL = re.compile(r"\d{1,2}")
_ENGLISH = (
    "mr mrs ms dr prof st mt ft gen col sgt capt lt rev hon gov sen rep pres vs approx dept est cf "
    "viz al"
)
_GERMAN = (
    "hr hrn fr frl dipl ing phil med jur nat bzw ca evtl ggf inkl exkl zzgl vgl sog bspw geb gest "
    "mio mrd tsd tel str allg eigtl urspr österr schweiz"
)
_COUNTED = (
    "no nos nr vol p pp s ss fig ch sec abs art abb bd kap jan feb mar apr jun jul aug sep sept "
    "oct okt nov dec dez v n"
)
_NEVER, _BEFORE_NUMBERS = frozenset(f"{_ENGLISH} {_GERMAN}".split()), frozenset(_COUNTED.split())
_AFTER_HOURS = ("a.m", "p.m")
_LOOK_BACK = 100  # characters: what stands before a full stop


def split(text: str, *, language: str = "en") -> list[tuple[int, int]]:
    """(start, end) of each sentence in the text, blanks round it left out.

    A blank line ends one too. What lies between sentences is blank. `language` is a BCP 47 tag; in
    German ('de') the full stop behind a number of one or two digits makes it an ordinal.
    """
    found, start = [], 0
    for match in _END.finditer(text):
        if match["mark"] is None or _ends(text, start, match, language):
            found.append((start, match.end()))
            start = match.end()
    found.append((start, len(text)))
    return [trimmed for first, last in found if (trimmed := _trimmed(text, first, last))]


def _ends(text: str, start: int, match: re.Match[str], language: str) -> bool:
    """Whether the mark ends the sentence that begins at `start`."""
    following = _NEXT.match(text, match.end())
    after = "" if following is None else following[1]
    if after.islower():
        return False
    if match["mark"] != ".":
        return True
    before = text[max(start, match.start() - _LOOK_BACK) : match.start()].split()
    token = _TOKEN.search(before[-1]) if before else None
    word = "" if token is None else token[1]
    known = word.casefold()
    if _ORDINAL.fullmatch(word):
        return len(before) > 1 and not language.lower().startswith("de")
    if known in _BEFORE_NUMBERS and after.isdigit():
        return False
    if _DOTTED.fullmatch(word):
        return known in _AFTER_HOURS or word == "I"
    return known not in _NEVER


def _trimmed(text: str, first: int, last: int) -> tuple[int, int] | None:
    """The stretch without blanks at its ends; None where there is nothing else."""
    stretch = text[first:last]
    if not stretch.strip():
        return None
    return first + len(stretch) - len(stretch.lstrip()), first + len(stretch.rstrip())
