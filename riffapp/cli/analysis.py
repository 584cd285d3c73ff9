"""The command analyse: tempo, key, chords, melody and loops of a sound file."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp import terminal
from riffapp.cli.common import add_json

if TYPE_CHECKING:
    from riffapp.studio.analysis import Analysis


def add(commands: Any) -> None:
    """The command, as a subcommand."""
    p = commands.add_parser("analyse", help="hear tempo, key, chords, melody and loops of a sound")
    p.add_argument("sound", type=Path, help=".wav, .flac, .ogg or .mp3")
    p.add_argument("--melody", action="store_true", help="the notes of its leading voice as well")
    p.add_argument("--loops", type=int, metavar="BARS", help="where it can be cut into such loops")
    add_json(p)
    p.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from riffapp.studio.analysis import analyse

    found = analyse(args.sound, melody=args.melody, loop_bars=args.loops)
    if args.json:
        document = asdict(found)
        document["loops"] = [_plain(point) for point in found.loops]
        terminal.dump(document)
    else:
        print("\n".join(_lines(found)))
        terminal.print_notes(found.notes)
    return 0


def _plain(point: Any) -> dict[str, Any]:
    return {"start": point.start, "end": point.end, "likeness": point.likeness}


def _lines(found: Analysis) -> list[str]:
    others = ", ".join(f"{bpm:.2f}" for bpm in found.bpm_choices[1:])
    said = [
        f"tempo   {found.bpm:.2f} bpm ({found.origins['tempo']})"
        + (f", or {others}" if others else ""),
        f"bar 1   at {found.downbeat_s:.3f} s of {found.duration_s:.3f} s",
        f"key     {found.key or 'none heard'} ({found.origins['key']})",
        "chords  " + " ".join(f"{c.name}@{c.start_s:.2f}" for c in found.chords[:64]),
    ]
    if found.melody:
        said.append("melody  " + " ".join(f"{n.pitch}@{n.start_s:.2f}" for n in found.melody[:64]))
    for point in found.loops:
        said.append(
            f"loop    samples {point.start} to {point.end}, alike {point.likeness:.2f}, "
            f"jump {point.seam.jump:.2f}"
        )
    return said
