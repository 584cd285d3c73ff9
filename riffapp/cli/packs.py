"""The command pack: many loops from a matrix of words, axes or a batch file, into a folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp import settings, terminal
from riffapp.cli.common import add_machine, device, threads
from riffapp.cli.flags import Flags, add_flags, said_by
from riffapp.errors import UsageError

if TYPE_CHECKING:
    from riffapp.studio.packs import MadePack, PackWish

# The flags of a loop that hold for many: flag, field of LoopRequest, how it is read, what it is.
LOOP: Flags = (
    ("--negative", "negative", str, "what to keep out"),
    ("--bpm", "bpm", float, "exact tempo, 40 to 240 (120)"),
    ("--bars", "bars", int, "length in bars of 4/4 (2)"),
    ("--key", "key", str, "such as 'A minor' or 'F#'"),
    ("--steps", "steps", int, "denoising steps"),
    ("--cfg", "cfg", float, "how closely to follow the words"),
    ("--sampler", "sampler", str, "'DPM++ 2M', 'Euler', 'Euler a'"),
    ("--schedule", "schedule", str, "'Karras', 'Uniform'"),
    ("--quality", "quality", str, "of the sound: draft, fast, best (fast)"),
    ("--rate", "rate", int, "44100 or 48000 Hz (44100)"),
    ("--bit-depth", "bit_depth", str, "of WAV and FLAC: 16, 24, float (16; float: WAV only)"),
    ("--checkpoint", "checkpoint", str, "name, folder or hub id (loops)"),
)
_TAKES: Flags = (
    ("--seed", "seed", int, "of every loop that names none (drawn for each from --pack-seed)"),
    ("--takes", "takes", int, "of each, with seeds seed, seed+1, ... (1)"),
)
_EPILOG = """\
examples:
  riffapp pack "house drums|saw bass|A minor" --seed 7 -o FOLDER     every combination of the parts
  riffapp pack "house drums" --x "bpm: 120-140 (+10)" --y "prompt s/r: house, techno" -o FOLDER
  riffapp pack --batch wishes.csv --zip -o FOLDER                    a row each; .json, .jsonl, .txt
Axes are fields of a loop (bpm, key, bars, seed, cfg, steps ...), 'prompt s/r' or 'prompt order'.
Stop it when you like: the same command goes on where it was, and makes no loop twice.
"""


def add(commands: Any) -> None:
    """The command, as a subcommand."""
    p = commands.add_parser(
        "pack",
        help="a sample pack: many loops in one go",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("prompt", nargs="?", help="what to play; bars set off the parts of a matrix")
    p.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="where the pack goes")
    group = p.add_argument_group("what is made")
    group.add_argument(
        "--matrix", action="store_true", help="part the prompt also at bars within [brackets]"
    )
    for axis in ("--x", "--y", "--z"):
        group.add_argument(axis, metavar="'FIELD: VALUES'", help="made for each of the values")
    group.add_argument("--batch", type=Path, metavar="FILE", help="wishes from a file")
    group.add_argument("--pack-seed", type=int, default=0, help="what seeds are drawn from (0)")
    group.add_argument("--format", default="wav", help="wav, flac, ogg or mp3 (wav)")
    group.add_argument("--zip", action="store_true", help="everything in FOLDER/pack.zip too")
    add_flags(p, "every loop", (*_TAKES, *LOOP))
    add_machine(p)
    p.set_defaults(run=_pack)


def _pack(args: argparse.Namespace) -> int:
    from riffapp.studio import packs

    found = settings.load()
    if args.output is None:
        raise UsageError("no folder: say where the pack goes, -o FOLDER")
    pack = packs.plan_pack(_wish(args, found))
    make = packs.maker(device=device(args, found, None), threads=threads(args, found, None))
    with terminal.Bar(shown=not (args.json or found.plain)) as on_progress:
        made = packs.make_pack(
            args.output, pack, make=make, zipped=args.zip, on_progress=on_progress
        )
    if args.json:
        terminal.dump(_document(args.output, made))
    else:
        _tell(args.output, made)
    return 0


def _wish(args: argparse.Namespace, found: settings.Settings) -> PackWish:
    from riffapp.studio import packs
    from riffapp.studio.types import LoopRequest

    if args.prompt is None and args.batch is None:
        raise UsageError("no prompt: say what to play, 'house drums|saw bass', or give --batch")
    said = said_by(args, (*_TAKES, *LOOP))
    base = LoopRequest(prompt=args.prompt or "", **{"checkpoint": found.checkpoint, **said})
    axes = (args.x, args.y, args.z)
    return packs.PackWish(
        base=base,
        batch=args.batch,
        every_bar=args.matrix,
        axes=tuple(packs.parse_axis(axis) for axis in axes if axis is not None),
        seed=args.pack_seed,
        suffix="." + args.format.lower().lstrip("."),
    )


def _document(folder: Path, made: MadePack) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "loops": [entry.row() for entry in made.entries],
        "made": made.made,
        "kept": len(made.entries) - made.made,
        "zip": None if made.archive is None else str(made.archive),
        "warnings": list(made.notes),
    }


def _tell(folder: Path, made: MadePack) -> None:
    loops, kept = len(made.entries), len(made.entries) - made.made
    sound_s = sum(entry.duration_s for entry in made.entries)
    parts = [f"{loops} loop{'s' * (loops != 1)}, {sound_s:.3f} s of sound"]
    parts += [f"{made.made} made, {kept} were there"] if kept else []
    parts += [made.archive.name] if made.archive else []
    print(f"{folder}  {'; '.join(parts)}")
    terminal.print_notes(made.notes)
