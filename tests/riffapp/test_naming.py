"""A pattern gives names that are files' names, below the folder, and none else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from riffapp import naming

LOOP = {
    "number": 42,
    "words": "house drums, F# bass",
    "bpm": 124.0,
    "bars": 2,
    "key": "F# minor",
    "seed": 7,
    "kind": "loop",
    "date": "2026-11-27",
}


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        (naming.DEFAULT, "00042-house_drums_Fsharp_bass_124bpm_2bars_7"),
        ("{date}/{kind}/{number}", "2026-11-27/loop/00042"),
        ("{number} {key}", "00042 Fsharp_minor"),
        ("take-{number}_{checkpoint}_end", "take-00042_end"),
        ("{checkpoint}/{number}", "00042"),
        ("{{x}}{number}", "{x}00042"),
    ],
)
def test_a_pattern_gives_its_name(pattern: str, name: str) -> None:
    assert naming.filled(naming.checked(pattern), LOOP) == Path(name)


def test_pieces_for_which_nothing_stands_fall_away() -> None:
    picture = {"number": 3, "words": "a cat", "seed": 7, "bpm": None}
    assert naming.filled(naming.DEFAULT, picture) == Path("00003-a_cat_7")
    assert naming.filled("{words}{number}", {"number": 3}) == Path("00003")
    assert naming.filled("{words}-{number}", {"number": 3}) == Path("00003")


def test_fractions_of_a_beat_are_kept() -> None:
    assert naming.filled("{number}_{bpm}", LOOP | {"bpm": 97.5}) == Path("00042_97.5")


HOSTILE = [
    "../../etc/passwd",
    "..",
    ".",
    "/root",
    "a\\..\\b",
    "C:\\x",
    "~/x",
    "\0",
    "\n",
    "",
    "....",
]


@pytest.mark.parametrize("words", HOSTILE)
@pytest.mark.parametrize("pattern", [naming.DEFAULT, "{words}/{number}", "{words}{number}"])
def test_whatever_the_words_no_name_climbs_or_hides(pattern: str, words: str) -> None:
    name = naming.filled(pattern, LOOP | {"words": words})
    assert not name.is_absolute()
    assert len(name.parts) <= pattern.count("/") + 1
    assert not any(
        part.startswith((".", "~")) or re.search(r"[\\:\0\n]", part) for part in name.parts
    )


def test_names_are_short_enough_for_file_systems() -> None:
    words = "\N{GRINNING FACE} \N{LATIN SMALL LETTER U WITH DIAERESIS}" * 500
    name = naming.filled(naming.DEFAULT, LOOP | {"words": words, "key": words, "seed": 2**32})
    assert len(name.name.encode()) < 200
    assert name.name.endswith("_4294967296")


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("", "give 1 to 100 letters"),
        ("{number}" + "x" * 100, "give 1 to 100 letters"),
        ("{number}\n", "give 1 to 100 letters"),
        ("{words}_{seed}", "it must hold {number}, so that names differ"),
        ("{{number}}", "it must hold {number}, so that names differ"),
        ("{number}/{words}", "{number} must stand in the file's name, after the last /"),
        ("{number}_{tempo}", "{tempo} is unknown: known are {number}, {words}"),
        ("{number}_{}", "{} is unknown: known are"),
        ("{number.real}{number}", "{number.real} is unknown"),
        ("{number}_{seed", "each { needs its }"),
        ("{number:>999999}", "leave what follows number in its braces out"),
        ("{number!r}", "leave what follows number in its braces out"),
        ("../{number}", "give names below the output folder"),
        ("/etc/{number}", "give names below the output folder"),
        ("a//{number}", "give names below the output folder"),
        ("{number}/", "give names below the output folder"),
        (".{number}", "give names below the output folder"),
        ("~/{number}", "give names below the output folder"),
        ("a\\{number}", "leave \\ and : out"),
        ("C:{number}", "leave \\ and : out"),
        ("{number}" + "{words}" * 3, "it gives names that are too long"),
    ],
)
def test_a_pattern_that_gives_no_file_names_is_refused(pattern: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        naming.checked(pattern)
