"""Genres as patterns: what each drum plays on the sixteenths of a bar, and how the others move.

A pattern is a string of 16 (one bar) or 32 (two bars) signs: 'X' accent, 'x' hit, 'o' soft hit,
'.' rest.
"""

from __future__ import annotations

from dataclasses import dataclass

LEVELS = {"X": 1.0, "x": 0.75, "o": 0.42}


@dataclass(frozen=True, kw_only=True)
class Genre:
    """What makes a genre: its grooves, kit, tempo range in BPM, swing and favourite players."""

    grooves: tuple[dict[str, str], ...]
    kit: str
    bpm: tuple[int, int]
    bass_styles: tuple[str, ...]
    chord_styles: tuple[str, ...]
    basses: tuple[str, ...]
    chords: tuple[str, ...]
    leads: tuple[str, ...]
    swing: float = 0.0  # 0 is straight; 1/3 is a full triplet shuffle of the sixteenths


GENRES: dict[str, Genre] = {
    "house": Genre(
        grooves=(
            {
                "kick": "X...X...X...X...",
                "clap": "....X.......X...",
                "open hat": "..x...x...x...x.",
                "hat": "o.o.o.o.o.o.o.o.",
            },
            {
                "kick": "X...X...X...X...",
                "clap": "....X.......X...",
                "open hat": "..x...x...x...x.",
                "shaker": "xoxoxoxoxoxoxoxo",
            },
        ),
        kit="909",
        bpm=(116, 128),
        bass_styles=("offbeat", "syncopated"),
        chord_styles=("stabs", "offbeat"),
        basses=("saw bass", "square bass", "sub bass"),
        chords=("piano", "organ", "electric piano"),
        leads=("saw lead", "flute", "pluck"),
    ),
    "techno": Genre(
        grooves=(
            {
                "kick": "X...X...X...X...",
                "hat": "..x...x...x...x.",
                "rim": "...x..x....x..x.",
                "tom": "..............o.",
            },
            {
                "kick": "X...X...X...X...",
                "hat": "xoxoxoxoxoxoxoxo",
                "tom": "......x..x......",
                "rim": "...x......x.....",
            },
        ),
        kit="electro",
        bpm=(126, 140),
        bass_styles=("rolling", "driving"),
        chord_styles=("stabs", "held"),
        basses=("acid bass", "reese bass", "fm bass"),
        chords=("pad", "supersaw", "strings"),
        leads=("square lead", "saw lead", "pluck"),
    ),
    "trance": Genre(
        grooves=(
            {
                "kick": "X...X...X...X...",
                "snare": "....x.......x...",
                "open hat": "..X...X...X...X.",
                "ride": "x...x...x...x...",
            },
            {
                "kick": "X...X...X...X...",
                "clap": "....x.......x...",
                "open hat": "..X...X...X...X.",
                "ride": "x.x.x.x.x.x.x.x.",
                "snare": "............................xxxx",
            },
        ),
        kit="909",
        bpm=(132, 142),
        bass_styles=("rolling",),
        chord_styles=("held", "arpeggio"),
        basses=("saw bass", "fm bass"),
        chords=("supersaw", "strings", "choir"),
        leads=("saw lead", "bells", "pluck"),
    ),
    "drum and bass": Genre(
        grooves=(
            {
                "kick": "X.........X.....",
                "snare": "....X.......X...",
                "hat": "x.x.x.x.x.x.x.x.",
                "ride": "x...x...x...x...",
            },
            {
                "kick": "X.........X.....X..x......X.....",
                "snare": "....X..o.o..X.......X..o.o..X..o",
                "hat": "x.x.x.x.x.x.x.x.",
            },
        ),
        kit="breakbeat",
        bpm=(160, 178),
        bass_styles=("sustained", "syncopated"),
        chord_styles=("held", "stabs"),
        basses=("reese bass", "sub bass", "square bass"),
        chords=("pad", "choir", "electric piano"),
        leads=("bells", "flute", "square lead"),
    ),
    "trap": Genre(
        grooves=(
            {
                "kick": "X......x..X.....",
                "clap": "........X.......",
                "hat": "xoxoxoxoxoxoxoxo",
                "open hat": "..............x.",
            },
            {
                "kick": "X..x......X..x..X.....x...X.....",
                "clap": "........X.......",
                "hat": "x.x.xxx.x.x.x.xx",
            },
        ),
        kit="808",
        bpm=(65, 80),
        bass_styles=("sustained", "sparse"),
        chord_styles=("arpeggio", "held"),
        basses=("sub bass", "square bass"),
        chords=("vibraphone", "choir", "strings"),
        leads=("bells", "flute", "kalimba"),
    ),
    "hip hop": Genre(
        grooves=(
            {"kick": "X......x.xX.....", "snare": "....X.......X...", "hat": "x.x.x.x.x.x.x.x."},
            {
                "kick": "X.x.......x..x..X......x..x.....",
                "snare": "....X.......X...",
                "hat": "x.xox.x.x.xox.x.",
                "shaker": "..o...o...o...o.",
            },
        ),
        kit="lo-fi",
        bpm=(78, 96),
        bass_styles=("walking", "sparse"),
        chord_styles=("held", "syncopated"),
        basses=("sub bass", "slap bass", "square bass"),
        chords=("electric piano", "piano", "vibraphone"),
        leads=("flute", "trumpet", "whistle"),
        swing=0.24,
    ),
    "funk": Genre(
        grooves=(
            {
                "kick": "X..x..x...x..x..",
                "snare": "....X..o.o..X..o",
                "hat": "xoxoxoxoxoxoxoxo",
                "conga": "......x.......xx",
            },
            {
                "kick": "X.x.......xx....",
                "snare": "....X.o..o.oX...",
                "hat": "x.xxx.x.x.xxx.x.",
                "cowbell": "x...x...x...x...",
            },
        ),
        kit="acoustic",
        bpm=(96, 116),
        bass_styles=("syncopated", "octave"),
        chord_styles=("syncopated", "stabs"),
        basses=("slap bass", "fm bass", "saw bass"),
        chords=("guitar", "organ", "brass"),
        leads=("trumpet", "saw lead", "square lead"),
    ),
    "reggae": Genre(
        grooves=(
            {"kick": "........X.......", "rim": "........X......o", "hat": "x..ox..ox..ox..o"},
            {
                "kick": "X.......X.......",
                "rim": "........X.......",
                "hat": "..x...x...x...x.",
                "conga": "...x..x....x..x.",
            },
        ),
        kit="acoustic",
        bpm=(68, 84),
        bass_styles=("walking", "dub"),
        chord_styles=("skank",),
        basses=("sub bass", "square bass"),
        chords=("guitar", "organ", "piano"),
        leads=("trumpet", "kalimba", "whistle"),
        swing=0.16,
    ),
}

# (step, length in sixteenths, note): note is 0 root, 1 fifth, 2 octave, 3 third, 4 step below
# the next root
BASS_STYLES: dict[str, tuple[tuple[int, float, int], ...]] = {
    "offbeat": ((2, 1.6, 0), (6, 1.6, 0), (10, 1.6, 0), (14, 1.6, 0)),
    "rolling": tuple((s, 0.9, 0) for s in range(16) if s % 4),
    "driving": tuple((s, 0.9, 2 if s in (6, 14) else 0) for s in range(16)),
    "sustained": ((0, 15.5, 0),),
    "sparse": ((0, 3.5, 0), (10, 3.0, 0)),
    "syncopated": ((0, 1.8, 0), (3, 1.5, 0), (6, 1.5, 1), (10, 1.5, 0), (13, 1.4, 2)),
    "octave": tuple((s, 1.4, (s // 2) % 2 * 2) for s in range(0, 16, 2)),
    "walking": ((0, 3.6, 0), (4, 3.6, 3), (8, 3.6, 1), (12, 3.6, 4)),
    "dub": ((0, 2.5, 0), (3, 2.4, 0), (6, 4.0, 1), (11, 2.0, 3)),
}
# (step, length in sixteenths)
CHORD_STYLES: dict[str, tuple[tuple[int, float], ...]] = {
    "held": ((0, 15.8),),
    "stabs": ((0, 1.3), (3, 1.3), (6, 1.3), (11, 1.3)),
    "offbeat": ((2, 1.5), (6, 1.5), (10, 1.5), (14, 1.5)),
    "skank": ((4, 0.9), (12, 0.9)),
    "syncopated": ((0, 2.5), (3, 2.8), (7, 1.0), (10, 3.5)),
    "arpeggio": tuple((s, 1.7) for s in range(0, 16, 2)),
}
LEAD_RHYTHMS: dict[str, tuple[str, ...]] = {
    "slow": (
        "x.......x.......x...x...x.......",
        "x.....x.....x...x.......x.......",
        "x...........x...x.........x.....",
    ),
    "medium": (
        "x...x.x...x.x...x...x.x.x...x...",
        "x..x..x.x...x...x..x..x.x.......",
        "x.x...x.x...x...x.x...x.....x...",
    ),
    "fast": (
        "x.xxx.x.x.xxx.xxx.xxx.x.x.x.xxxx",
        "xxx.x.xxx.x.xx.xxxx.x.xxx.x.x.xx",
        "x.xx.xx.x.xx.xx.x.xx.xx.xxxxx.x.",
    ),
}
