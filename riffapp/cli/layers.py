"""The command layers: loops of one player each on one grid, their stems and their mix."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from riffapp import settings, terminal
from riffapp.cli.common import add_machine, device, threads
from riffapp.cli.flags import Flags, add_flags, said_by
from riffapp.cli.packs import LOOP
from riffapp.errors import UsageError

if TYPE_CHECKING:
    from riffapp.studio.layer_mix import MadeLayers
    from riffapp.studio.layers import Layer, LayersPlan

T = TypeVar("T")
_SEED: Flags = (("--seed", "seed", int, "what the layers' seeds follow from (0)"),)
_LAYER = re.compile(r"\s*([^:]*?)\s*:\s*(.*?)\s*(?:@\s*([^@]*?)\s*)?", re.DOTALL)
_EPILOG = """\
examples:
  riffapp layers "drums: house drums" "bass: saw bass" "lead: pluck lead@-3" \\
      --bpm 124 --key "A minor" --seed 7 -o FOLDER       @-3: 3 dB softer
  riffapp layers --from FOLDER/layers.json --mute bass --gain drums=-2      mixes anew in FOLDER
Each layer plays alone: a name or words that say drums, bass, chords or lead choose its player.
FOLDER has mix.wav, stems/ that sum to it, takes/ as they were made, and layers.json with all
settings. A take is made again only when its own words, seed, tempo or key change.
"""


def add(commands: Any) -> None:
    """The command, as a subcommand."""
    p = commands.add_parser(
        "layers",
        help="drums, bass, chords, lead: loops on one grid, their stems and mix",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("layers", nargs="*", metavar="'NAME: WORDS[@DB]'", help="the layers")
    p.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="where they go")
    p.add_argument(
        "--from", dest="source", type=Path, metavar="layers.json", help="layers made before"
    )
    group = p.add_argument_group("single layers, by name")
    many: dict[str, Any] = {"action": "append", "metavar": "NAME"}
    group.add_argument("--mute", **many, help="keep it out of the mix ('none': no layer)")
    group.add_argument("--solo", **many, help="only it, or these, in the mix ('none': no layer)")
    many["metavar"] = "NAME=DB"
    group.add_argument("--gain", default=[], **many, help="its gain in dB")
    many["metavar"] = "NAME=SEED"
    group.add_argument("--layer-seed", default=[], **many, help="a seed of its own")
    p.add_argument("--format", help="wav or flac (wav)")
    add_flags(p, "all layers", (*_SEED, *LOOP))
    add_machine(p)
    p.set_defaults(run=_layers)


def _layers(args: argparse.Namespace) -> int:
    from riffapp.studio import layer_mix, packs

    found = settings.load()
    plan = _plan(args, found)
    folder = args.output or (args.source and args.source.parent)
    if folder is None:
        raise UsageError("no folder: say where the layers go, -o FOLDER")
    make = packs.maker(device=device(args, found, None), threads=threads(args, found, None))
    with terminal.Bar(shown=not (args.json or found.plain)) as on_progress:
        made = layer_mix.make_layers(folder, plan, make=make, on_progress=on_progress)
    if args.json:
        terminal.dump(_document(folder, plan, made))
    else:
        _tell(plan, made)
    return 0


def _plan(args: argparse.Namespace, found: settings.Settings) -> LayersPlan:
    from riffapp.studio import layers
    from riffapp.studio.layer_mix import read_plan
    from riffapp.studio.types import LoopRequest

    said = said_by(args, (*_SEED, *LOOP))
    suffix = None if args.format is None else "." + args.format.lower().lstrip(".")
    if args.source is not None:
        if args.layers:
            raise UsageError("layers and --from: give one of them")
        plan = layers.changed(read_plan(args.source), said, suffix=suffix)
    else:
        base = LoopRequest(prompt="", **{"checkpoint": found.checkpoint, "seed": 0, **said})
        wished = [_layer(text) for text in args.layers]
        plan = layers.plan_layers(base, wished, suffix=suffix or ".wav")
    return layers.adjusted(
        plan,
        gains=_by_name(args.gain, "--gain", float, "decibels, such as drums=-2"),
        seeds=_by_name(args.layer_seed, "--layer-seed", int, "a whole number, such as drums=12"),
        mutes=_chosen(args.mute),
        solos=_chosen(args.solo),
    )


def _layer(text: str) -> Layer:
    from riffapp.studio.layers import Layer

    found = _LAYER.fullmatch(text)
    if found is None or not found[1]:
        raise UsageError(f"layer '{text[:60]}': write its name and words, 'drums: house drums'")
    name, words, gain = found.groups()
    try:
        gain_db = 0.0 if gain is None else float(gain.lower().removesuffix("db"))
    except ValueError:
        raise UsageError(
            f"layer '{name[:40]}': the gain '{gain[:20]}' is no number: write decibels, @-3"
        ) from None
    return Layer(name=name, prompt=words, gain_db=gain_db)


def _by_name(texts: Sequence[str], flag: str, read: Callable[[str], T], words: str) -> dict[str, T]:
    found: dict[str, T] = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        try:
            found[name.strip()] = read(value)
        except ValueError:
            raise UsageError(f"{flag} '{text[:60]}': give a name and {words}") from None
    return found


def _chosen(names: list[str] | None) -> list[str] | None:
    return [] if names == ["none"] else names


def _document(folder: Path, plan: LayersPlan, made: MadeLayers) -> dict[str, Any]:
    rows = [
        {
            "name": one.name,
            "stem": str(stem),
            "prompt": one.request.prompt,
            "seed": one.request.seed,
            "gain_db": one.gain_db,
            "sounds": one.name in plan.audible,
            "made": one.name in made.made,
        }
        for one, stem in zip(plan.layers, made.stems, strict=True)
    ]
    return {
        "folder": str(folder),
        "mix": str(made.mix),
        "headroom_db": made.headroom_db,
        "duration_s": made.duration_s,
        "layers": rows,
        "warnings": list(made.notes),
    }


def _tell(plan: LayersPlan, made: MadeLayers) -> None:
    first = plan.layers[0].request
    keys = [one.request.key for one in plan.layers if one.request.key is not None]
    bars = "bar" if first.bars == 1 else "bars"
    print(
        f"{made.mix}  {len(plan.layers)} layers, {first.bars} {bars} at {first.bpm:g} bpm, "
        f"{''.join(f'{key}, ' for key in keys[:1])}{made.duration_s:.3f} s, "
        f"headroom {made.headroom_db:.1f} dB"
    )
    for one, stem in zip(plan.layers, made.stems, strict=True):
        state = "" if one.name in plan.audible else ", silent"
        take = "made" if one.name in made.made else "kept"
        print(
            f"{stem}  '{one.request.prompt}', seed {one.request.seed}, {one.gain_db:+g} dB{state}, "
            f"take {take}"
        )
    terminal.print_notes(made.notes)
