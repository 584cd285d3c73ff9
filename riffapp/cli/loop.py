"""The command loop: words to a loop, a longer piece, a journey, another take."""

from __future__ import annotations

import argparse
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp import settings, terminal
from riffapp.cli.common import add_machine, add_output, device, threads
from riffapp.errors import UsageError

if TYPE_CHECKING:
    from riffapp.studio.files import Saved
    from riffapp.studio.types import LoopRequest, LoopResult

_NAMES = """\
files:
  -o loop.wav              writes loop.wav and its spectrogram loop.png, in place of older ones
  -o loop.wav --takes 3    writes loop_1.wav, loop_2.wav, loop_3.wav, and a picture beside each
  -o FOLDER, or no -o      names them after the words, tempo and seed, and never replaces a file:
                           where the name is taken, -2, -3 ... is put behind it
A picture that riffapp did not make is never replaced. Each file holds all its settings:
  riffapp loop --from loop.png -o again.wav    makes the same bytes again
"""


def add(commands: Any) -> None:
    """The command, as a subcommand."""
    p = commands.add_parser(
        "loop",
        help="make a loop from words",
        epilog=_NAMES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("prompt", nargs="?", help='what to play: "house drums, saw bass, A minor"')
    p.add_argument("--negative", metavar="WORDS", help="what to keep out")
    p.add_argument("--bpm", type=float, help="exact tempo, 40 to 240 (120)")
    p.add_argument("--bars", type=int, help="length, 1 to 1200 bars (2)")
    p.add_argument("--meter", help="4/4, the only one that is taught")
    p.add_argument("--key", help="such as 'A minor' or 'F#'")
    p.add_argument("--seed", type=int, help="the same seed gives the same loop (-1: draw one)")
    p.add_argument("--takes", type=int, help="how many, with seeds seed, seed+1, ... (1)")
    p.add_argument("--steps", type=int, help="denoising steps")
    p.add_argument("--cfg", type=float, help="how closely to follow the words")
    p.add_argument("--sampler", help="'DPM++ 2M', 'Euler', 'Euler a'")
    p.add_argument("--schedule", help="'Karras', 'Uniform'")
    p.add_argument("--quality", help="of the sound: draft, fast, best (fast)")
    p.add_argument(
        "--detail",
        action=argparse.BooleanOptionalAction,
        help="sharper attacks and partials: twice the bands and frames",
    )
    p.add_argument("--rate", type=int, help="44100 or 48000 Hz (44100)")
    p.add_argument("--bit-depth", help="of WAV and FLAC: 16, 24, float (16; float: WAV only)")
    p.add_argument("--checkpoint", help="name, folder or hub id (loops)")
    p.add_argument(
        "--models-dir",
        action="append",
        type=Path,
        default=[],
        help="a folder of models, whose LoRAs and embeddings prompts may name: <lora:zorp:1>",
    )
    p.add_argument(
        "--from", dest="source", type=Path, metavar="FILE", help="settings of a PNG or sound file"
    )
    add_output(p, "sound file: .wav, .flac, .ogg or .mp3; or a folder")
    p.add_argument("--format", help="wav, flac, ogg or mp3, where -o names none (wav)")
    add_machine(p)
    add_along(p)
    p.set_defaults(run=_loop)


def _loop(args: argparse.Namespace) -> int:
    from riffapp.studio import checkpoints, files, text_to_audio
    from riffapp.studio.plan import plan_loop

    found = settings.load()
    request, origin = _wish(args, found)
    sound = checkpoints.read_sound(request.checkpoint)
    planned = plan_loop(request, sound)
    paths = files.targets(args.output, planned, suffix=args.format)
    start = time.perf_counter()
    instrument = checkpoints.load(
        planned.checkpoint,
        device=device(args, found, origin),
        threads=threads(args, found, origin),
        models=(*args.models_dir, *found.roots),
    )
    load_s = time.perf_counter() - start
    made: list[tuple[LoopResult, Saved]] = []
    with terminal.Bar(shown=not (args.json or found.plain)) as on_progress:
        loops = text_to_audio.make_loops(instrument, planned, on_progress=on_progress)
        for result, path in zip(loops, paths, strict=True):
            made.append((result, files.save(result, path)))
    notes = [*made[0][0].warnings, *text_to_audio.strayed(origin, made[0][0].origin)]
    if args.json:
        terminal.dump(terminal.loops_document(planned, made, notes, load_s=load_s))
    else:
        terminal.print_loops(made, load_s=load_s)
        terminal.print_notes(notes)
    return 0


def _wish(args: argparse.Namespace, found: settings.Settings) -> tuple[LoopRequest, Any]:
    """The request from a file's settings, or from nothing, with the flags on top."""
    from riffapp.studio import files
    from riffapp.studio.types import LoopRequest

    flags: dict[str, Any] = {f.name: getattr(args, f.name, None) for f in fields(LoopRequest)}
    flags = {name: value for name, value in flags.items() if value is not None}
    flags |= along(args)
    if args.source is not None:
        record = files.record_of(args.source)
        if record.source is not None:
            raise UsageError(
                f"{args.source} was made from another sound: its words alone make none"
            )
        return replace(record.request, **flags), record.origin
    if "prompt" not in flags:
        raise UsageError("no prompt: say what to play, such as 'house drums, saw bass', or --from")
    return LoopRequest(**{"checkpoint": found.checkpoint, **flags}), None


# ---- words along the time ---------------------------------------------------------------------


def add_along(p: argparse.ArgumentParser) -> None:
    """Flags for a piece that changes, and for its neighbours."""
    group = p.add_argument_group("longer pieces, journeys, other takes")
    group.add_argument("--open", action="store_true", help="with a beginning and an end: no loop")
    group.add_argument(
        "--timeline",
        metavar="TEXT",
        help="'0 | calm piano; 4 | add drums; 8 | drum and bass', in bars; or a file of such lines",
    )
    group.add_argument("--blend", type=float, metavar="BEATS", help="to come in over (4)")
    group.add_argument("--to", metavar="WORDS", help="a journey to these words, and back in a loop")
    group.add_argument("--to-negative", metavar="WORDS", help="what to keep out there")
    group.add_argument("--to-seed", type=int, help="the seed there (that of the beginning)")
    group.add_argument("--to-cfg", type=float, help="how closely to follow the words there")
    group.add_argument("--share", type=float, help="be so far on the way everywhere, 0 to 1")
    group.add_argument("--variant", type=int, metavar="SEED", help="another take of this seed")
    group.add_argument("--distance", type=float, help="of that take: 0 the same, 1 another (0.3)")


def along(args: argparse.Namespace) -> dict[str, Any]:
    """The request's parts that those flags say."""
    from riffapp.studio.timeline import parse_timeline
    from riffapp.studio.types import Journey, Variant

    found: dict[str, Any] = {"closed": False} if args.open else {}
    if args.timeline is not None:
        if args.prompt is not None:
            raise UsageError("a prompt and a timeline, whose bar 0 is the prompt: give one of them")
        blend = 4.0 if args.blend is None else args.blend
        words, timeline = parse_timeline(_text_of(args.timeline), blend_beats=blend)
        found |= {"prompt": words, "timeline": timeline}
    if args.to is not None:
        found["journey"] = Journey(
            prompt=args.to,
            negative=args.to_negative,
            seed=args.to_seed,
            cfg=args.to_cfg,
            share=args.share,
        )
    if args.variant is not None or args.distance is not None:
        seed = -1 if args.variant is None else args.variant
        distance = Variant.distance if args.distance is None else args.distance
        found["variant"] = Variant(seed=seed, distance=distance)
    return found


def _text_of(told: str) -> str:
    """The text itself, or what stands in the file of that name."""
    if "|" in told:
        return told
    try:
        return Path(told).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"timeline '{told[:60]}' is no file and says no bar: write '0 | words; 4 | words'"
        ) from error
