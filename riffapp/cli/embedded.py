"""The embedded models: how they are made anew, and measured."""

from __future__ import annotations

import argparse
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from riffapp import terminal
from riffapp.cli.common import add_machine

_RESUMED = "Stop it when you like: the same command goes on where it was."


def add(commands: Any, kinds: Any) -> None:
    """`riffapp evaluate`, and these models among the kinds of `riffapp train`."""
    _add_loops(kinds)
    _add_detail(kinds)
    _add_pictures(kinds)
    _add_evaluate(commands)


def _add_loops(kinds: Any) -> None:
    p = _kind(kinds, "embedded-loops", "the embedded loops model anew, from riffapp's own band")
    p.add_argument("-o", "--output", type=Path, help="checkpoint folder (WORK/loops)")
    p.add_argument("--start", metavar="CHECKPOINT", help="train this one further, such as loops")
    p.add_argument("--loops", type=int, help="loops to render (12288)")
    p.add_argument("--decoder-steps", type=int, help="updates of the autoencoder's decoder")
    p.add_argument("--diffusion-steps", type=int, help="updates of the diffusion model")
    p.add_argument("--judge-epochs", type=int, help="rounds of the judge over the loops")
    p.add_argument("--batch", type=int, help="loops in one update of the diffusion model (16)")
    p.add_argument("--device", default="auto", help="cpu, cuda, mps or auto (auto)")
    p.set_defaults(run=_train_loops)


def _add_detail(kinds: Any) -> None:
    p = _kind(kinds, "detail", "what `riffapp loop --detail` paints in, anew")
    p.add_argument("-o", "--output", type=Path, help="file (WORK/detail.safetensors)")
    p.add_argument("--loops", type=int, help="loops to render (1024)")
    p.add_argument("--steps", type=int, help="updates (4000)")
    p.set_defaults(run=_train_detail)


def _add_pictures(kinds: Any) -> None:
    p = _kind(kinds, "embedded-pictures", "a small image model, from riffapp's own drawn scenes")
    p.add_argument("-o", "--output", type=Path, help="checkpoint folder (WORK/pictures)")
    p.add_argument("--scenes", type=int, help="scenes to draw (30000)")
    p.add_argument("--decoder-steps", type=int, help="updates of the autoencoder's decoder")
    p.add_argument("--diffusion-steps", type=int, help="updates of the diffusion model")
    p.add_argument("--judge-steps", type=int, help="updates of the judge")
    p.add_argument("--batch", type=int, help="pictures in one update (16)")
    p.add_argument("--device", default="auto", help="cpu, cuda, mps or auto (auto)")
    p.set_defaults(run=_train_pictures)


def _kind(kinds: Any, name: str, words: str) -> argparse.ArgumentParser:
    p: argparse.ArgumentParser = kinds.add_parser(name, help=words, epilog=_RESUMED)
    p.add_argument("--work", type=Path, default=Path("training"), help="work folder (training)")
    p.add_argument("--threads", type=int, help="CPU threads")
    return p


def _train_loops(args: argparse.Namespace) -> int:
    from riffapp.studio import checkpoints, train

    sizes = {f.name: getattr(args, f.name, None) for f in fields(train.Budget)}
    budget = train.Budget(**{name: n for name, n in sizes.items() if n is not None})
    target = args.output or args.work / "loops"
    train.train_embedded_loops(
        args.work,
        target,
        budget,
        start=None if args.start is None else checkpoints.folder(args.start),
        device=args.device,
        threads=args.threads,
    )
    print(f"{target}: use it with riffapp loop --checkpoint {target}")
    return 0


def _train_detail(args: argparse.Namespace) -> int:
    from riffapp.studio import checkpoints, train_detail

    target = args.output or args.work / "detail.safetensors"
    vae = checkpoints.load("loops", device="cpu", threads=args.threads).checkpoint.vae
    sizes = {name: getattr(args, name) for name in ("loops", "steps")}
    given = {name: n for name, n in sizes.items() if n is not None}
    train_detail.train_detail(args.work, target, vae, **given)
    print(f"{target}: it takes the place of audio/detail.safetensors")
    return 0


def _train_pictures(args: argparse.Namespace) -> int:
    from riffapp.studio import train_pictures

    sizes = {f.name: getattr(args, f.name, None) for f in fields(train_pictures.Budget)}
    budget = train_pictures.Budget(**{name: n for name, n in sizes.items() if n is not None})
    target = args.output or args.work / "pictures"
    train_pictures.train_embedded_pictures(
        args.work, target, budget, device=args.device, threads=args.threads
    )
    print(f"{target}: use it with riffapp txt2img --checkpoint {target}")
    return 0


def _add_evaluate(commands: Any) -> None:
    p = commands.add_parser("evaluate", help="measure whether a model does what it is told")
    p.add_argument("--checkpoint", default="loops", help="name, folder or hub id (loops)")
    p.add_argument("--prompts", type=int, default=200, help="unseen prompts (200)")
    p.add_argument("--judge", type=Path, help="judge.safetensors (the embedded one)")
    add_machine(p)
    p.set_defaults(run=_evaluate)


def _evaluate(args: argparse.Namespace) -> int:
    from riffapp.studio import checkpoints, evaluate, evaluate_pictures

    is_sound = checkpoints.has_sound(args.checkpoint)
    of = evaluate.evaluate if is_sound else evaluate_pictures.evaluate_pictures
    report: Any = of(
        args.checkpoint,
        prompts=args.prompts,
        judge=args.judge,
        device=args.device or "auto",
        threads=args.threads,
    )
    if args.json:
        terminal.dump(asdict(report))
    else:
        say: Any = evaluate.lines if is_sound else evaluate_pictures.lines
        print("\n".join(say(report)))
    return 0
