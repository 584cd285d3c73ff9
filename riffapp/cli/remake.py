"""The commands remix, edit and extend: sound from sound."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp import settings, terminal
from riffapp.cli.common import add_machine, add_output, device, report, threads
from riffapp.errors import UsageError

if TYPE_CHECKING:
    from PIL.Image import Image

    from riffapp.studio.canvas import Canvas
    from riffapp.studio.checkpoints import Instrument
    from riffapp.studio.remake import Remade
    from riffapp.studio.text_to_audio import OnProgress
    from riffapp.studio.types import LoopRequest

    Make = Callable[[Instrument, Canvas, LoopRequest, OnProgress], Remade]

_STRETCH = re.compile(r"\s*([\d.]+)\s*-\s*([\d.]+)\s*")


def add(commands: Any) -> None:
    """These commands, as subcommands."""
    p = _parser(commands, "remix", "re-imagine a recording under other words: hum to band")
    p.add_argument("--strength", type=float, default=0.6, help="0 gives it back, 1 is new (0.6)")
    p.add_argument(
        "--to", metavar="WORDS", help="a journey to these words, in steps over the sound"
    )
    p.add_argument("--points", type=int, default=8, help="how many steps, each as long as it (8)")
    p.add_argument("--to-seed", type=int, help="the seed there (that of the beginning)")
    p.add_argument("--to-cfg", type=float, help="how closely to follow the words there")
    p.add_argument("--to-strength", type=float, help="the strength there")
    p.add_argument(
        "--mask", type=Path, metavar="PNG", help="of a journey: black stays in each step"
    )
    p.set_defaults(run=_remix)
    p = _parser(commands, "edit", "do a part again: some bars, a band, what a mask shows")
    p.add_argument("--bars", metavar="FIRST-LAST", help="from the first to the last, such as 2-3")
    p.add_argument("--band", metavar="LOW-HIGH", help="in Hz, such as 0-200")
    p.add_argument("--mask", type=Path, metavar="PNG", help="white is done again, grey in part")
    p.add_argument("--strength", type=float, default=1.0, help="0 changes nothing, 1 is new (1)")
    p.set_defaults(run=_edit)
    p = _parser(commands, "extend", "play on, or lead in, by some bars")
    p.add_argument("--after", type=int, default=0, metavar="BARS", help="to add at the end")
    p.add_argument("--before", type=int, default=0, metavar="BARS", help="to add at the beginning")
    p.set_defaults(run=_extend)


def _parser(commands: Any, name: str, words: str) -> argparse.ArgumentParser:
    p: argparse.ArgumentParser = commands.add_parser(name, help=words)
    p.add_argument("sound", type=Path, help="sound file, or a spectrogram PNG of riffapp's")
    p.add_argument("prompt", nargs="?", help="what to play (what the file itself was asked for)")
    p.add_argument("--negative", metavar="WORDS", help="what to keep out")
    p.add_argument("--bpm", type=float, dest="given_bpm", help="its tempo, where it is not heard")
    p.add_argument("--first-beat", type=float, metavar="S", help="where a bar begins in it")
    p.add_argument("--key", help="such as 'A minor'")
    p.add_argument("--seed", type=int, help="the same seed gives the same sound (-1: draw one)")
    p.add_argument("--steps", type=int, help="denoising steps")
    p.add_argument("--cfg", type=float, help="how closely to follow the words")
    p.add_argument("--sampler", help="'DPM++ 2M', 'Euler', 'Euler a'")
    p.add_argument("--quality", help="of the sound: draft, fast, best (fast)")
    p.add_argument("--bit-depth", default="16", help="16, 24, float (16)")
    p.add_argument("--checkpoint", help="name, folder or hub id (loops)")
    add_output(p, "sound file (beside the sound, with the command's name behind its own)")
    add_machine(p)
    return p


def _remix(args: argparse.Namespace) -> int:
    from riffapp.studio.remake import mask_at, reimagine

    if args.to is not None:
        mask = None if args.mask is None else mask_at(args.mask)
        return _travel(args, mask)
    if args.mask is not None:
        raise UsageError("a mask without a journey: give --to WORDS, or use riffapp edit --mask")
    return _run(
        args,
        lambda instrument, canvas, request, told: reimagine(
            instrument, canvas, request, strength=args.strength, on_progress=told
        ),
    )


def _travel(args: argparse.Namespace, mask: Image | None) -> int:
    from riffapp.studio.passage import Goal, travel

    goal = Goal(prompt=args.to, seed=args.to_seed, cfg=args.to_cfg, strength=args.to_strength)
    return _run(
        args,
        lambda instrument, canvas, request, told: travel(
            instrument,
            canvas,
            request,
            goal,
            points=args.points,
            strength=args.strength,
            mask=mask,
            on_progress=told,
        ),
    )


def _edit(args: argparse.Namespace) -> int:
    from riffapp.studio.remake import Region, mask_at, redo

    region = Region()
    if args.bars is not None:
        first, last = _stretch("bars", args.bars)
        region = replace(region, first_bar=first - 1, last_bar=last)
    if args.band is not None:
        low_hz, high_hz = _stretch("band", args.band)
        region = replace(region, low_hz=low_hz, high_hz=high_hz)
    if args.mask is None and region == Region():
        raise UsageError("nothing to edit is named: give --bars, --band or --mask")
    mask = None if args.mask is None else mask_at(args.mask)
    return _run(
        args,
        lambda instrument, canvas, request, told: redo(
            instrument,
            canvas,
            request,
            region=region,
            mask=mask,
            strength=args.strength,
            on_progress=told,
        ),
    )


def _extend(args: argparse.Namespace) -> int:
    from riffapp.studio.remake import extend

    return _run(
        args,
        lambda instrument, canvas, request, told: extend(
            instrument, canvas, request, before=args.before, after=args.after, on_progress=told
        ),
    )


def _run(args: argparse.Namespace, make: Make) -> int:
    from riffapp.studio import checkpoints, files
    from riffapp.studio.canvas import open_canvas

    found = settings.load()
    name = args.checkpoint or found.checkpoint
    canvas = open_canvas(
        args.sound,
        checkpoints.read_sound(name),
        bpm=args.given_bpm,
        first_beat_s=args.first_beat,
    )
    request = _wish(args, canvas, name)
    beside = args.sound.with_name(f"{args.sound.stem}-{args.command}.wav")
    path = files.target(args.output or files.beside(beside, ".wav"))
    files.picture_target(path.with_suffix(files.PICTURE_SUFFIX))
    instrument = checkpoints.load(
        name, device=device(args, found, None), threads=threads(args, found, None)
    )
    with terminal.Bar(shown=not (args.json or found.plain)) as on_progress:
        remade = make(instrument, canvas, request, on_progress)
    saved = files.save_remade(remade, path, bit_depth=args.bit_depth)
    facts = {
        "picture": str(saved.picture),
        "duration_s": round(remade.clip.duration_s, 3),
        "bpm": remade.canvas.tempo.bpm,
        "bars": remade.canvas.bars,
        "seed": remade.request.seed,
        "seconds": round(remade.seconds, 2),
    }
    return report(args, path, facts, remade.warnings)


def _wish(args: argparse.Namespace, canvas: Canvas, name: str) -> LoopRequest:
    """What the file itself was asked for, with the flags on top."""
    from riffapp.studio.types import LoopRequest

    flags: dict[str, Any] = {f.name: getattr(args, f.name, None) for f in fields(LoopRequest)}
    flags = {key: value for key, value in flags.items() if value is not None and key != "bars"}
    if canvas.request is None and args.prompt is None:
        raise UsageError(f"{args.sound} says no words: say what to play, such as 'house drums'")
    own = canvas.request or LoopRequest(prompt=args.prompt)
    seed = -1 if args.seed is None else args.seed
    told = replace(own, timeline=None, journey=None, variant=None, detail=False, seed=seed)
    return replace(told, **{**flags, "checkpoint": name})


def _stretch(name: str, text: str) -> tuple[float, float]:
    match = _STRETCH.fullmatch(text)
    try:
        first, last = (float(part) for part in match.groups()) if match else (1.0, 0.0)
    except ValueError:
        first, last = 1.0, 0.0
    if first > last:
        raise UsageError(f"--{name} '{text}' is no stretch: write two rising numbers, such as 2-3")
    return first, last
