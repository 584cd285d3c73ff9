"""The command train: a LoRA, a word or a checkpoint of one's own."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

from riffapp import settings, terminal

_OWN = """\
FOLDER holds recordings (.wav .flac .ogg .mp3) or pictures (.png .jpg .webp), and what they show:
  captions.csv             lines of file,caption
  kick.txt beside kick.wav its caption
  deep-kick_124bpm.wav     else the name: 'deep kick', at 124 bpm
Recordings are cut on their bars; tempo and key are read, or heard. Stop it when you like: the same
command goes on where it was.
"""
_EXAMPLES = {
    "lora": 'riffapp train lora my-loops --name zorp\n  riffapp txt2img "a, <lora:zorp:1>" '
    "--models-dir training/zorp",
    "embedding": "riffapp train embedding my-loops --name zorp --begins-as 'saw lead'",
    "full": "riffapp train full my-loops --name zorp\n  riffapp loop 'zorp' "
    "--checkpoint training/zorp/Stable-diffusion/zorp",
}
# flag, how it is read, what it is; its field of `OwnTraining` has the flag's name
_COMMON: tuple[tuple[str, Any, str], ...] = (
    ("--name", str, "what it is called in prompts (the folder's name)"),
    ("--checkpoint", str, "embedded name, file, folder or hub id that learns (loops)"),
    ("--trigger", str, "a word to stand before all others in each caption"),
    ("--bpm", float, "tempo of all recordings (what each says, or is heard to have)"),
    ("--size", int, "pixels; pictures get as many as a square of it has"),
    ("--steps", int, "updates"),
    ("--batch", int, "examples in an update"),
    ("--lr", float, "rate of learning"),
    ("--dropout", float, "share of captions that are dropped (0.1)"),
    ("--min-snr", float, "limit of a step's weight, such as 5"),
    ("--clip-skip", int, "layers from the end of the text encoder (1)"),
    ("--roll-beats", int, "roll loops by multiples of so many beats, 0 never (4)"),
    ("--seed", int, "the same seed learns the same (0)"),
    ("--previews", int, "steps between previews in the work folder, 0 never (100)"),
    ("--device", str, "cpu, cuda, mps or auto (auto)"),
    ("--threads", int, "CPU threads"),
)
_LORA: tuple[tuple[str, Any, str], ...] = (
    ("--rank", int, "how much it can learn, and how large it is (8)"),
    ("--alpha", float, "its scale is alpha / rank (the rank)"),
)
_WORD: tuple[tuple[str, Any, str], ...] = (
    ("--vectors", int, "vectors that stand for the word (4)"),
    ("--begins-as", str, "known words that it begins as (the first caption)"),
)


def add(commands: Any) -> Any:
    """The command; what comes out takes further kinds of training, as subcommands do."""
    p = commands.add_parser("train", help="teach a checkpoint sounds or pictures of your own")
    kinds = p.add_subparsers(metavar="WHAT", required=True, dest="what")
    _add_own(kinds, "lora", "a small file that adds it to a checkpoint: <lora:name:1>", _LORA)
    _add_own(kinds, "embedding", "a new word for it: a textual inversion", _WORD)
    _add_own(kinds, "full", "a checkpoint of its own", ())
    return kinds


def _add_own(kinds: Any, what: str, words: str, flags: tuple[tuple[str, Any, str], ...]) -> None:
    p = kinds.add_parser(
        what,
        help=words,
        epilog=f"{_OWN}\nexample:\n  {_EXAMPLES[what]}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("folder", type=Path, metavar="FOLDER", help="recordings or pictures")
    p.add_argument("--work", type=Path, help="work folder, also a folder of models (training/NAME)")
    p.add_argument("-o", "--output", type=Path, metavar="FILE", help="where the result goes")
    p.add_argument("--models-dir", action="append", type=Path, default=[], help="to find it in")
    for flag, read, said in (*_COMMON, *flags):
        p.add_argument(flag, type=read, help=said)
    if what != "embedding":
        p.add_argument("--text", action="store_true", help="the text encoders learn as well")
    if what == "lora":
        p.add_argument("--attention-only", action="store_true", help="no convolutions")
    p.add_argument("--checkpointing", action="store_true", help="less memory, more time")
    p.add_argument("--eight-bit", action="store_true", help="less memory, with bitsandbytes")
    p.add_argument("--json", action="store_true", help="print one JSON document")
    p.set_defaults(run=_train_own)


def _train_own(args: argparse.Namespace) -> int:
    from riffapp.studio.train_own import OwnTraining, default_name, train_own

    found = settings.load()
    asked = {f.name: getattr(args, f.name, None) for f in fields(OwnTraining)}
    said = {name: value for name, value in asked.items() if value is not None}
    name = said.setdefault("name", default_name(args.folder))
    said.setdefault("work", Path("training") / name)
    said |= {"models": (*args.models_dir, *found.roots)}
    said |= {"convolutions": not getattr(args, "attention_only", False)}
    machine = {"device": found.device, "threads": found.threads}
    said = {"checkpoint": found.checkpoint, **machine, **said}
    trained = train_own(OwnTraining(**said))
    if args.json:
        terminal.dump(
            {
                "file": str(trained.path),
                "prompt": trained.use,
                "examples": trained.examples,
                "loss": trained.loss,
                "notes": list(trained.notes),
            }
        )
        return 0
    print(f"{trained.path}  {trained.examples} examples, last loss {trained.loss:.4f}")
    print(f"use it: {trained.use}")
    terminal.print_notes(trained.notes)
    return 0
