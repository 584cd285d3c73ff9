"""Commands on finished pictures and on model files: upscale, restore-faces, merge."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

from riffapp import terminal
from riffapp.cli.flags import add_common, library_of, parser_of, size


def add(commands: Any) -> None:
    """These commands, as subcommands."""
    for one in (_add_upscale, _add_faces, _add_merge):
        one(commands)


def _add_upscale(commands: Any) -> None:
    p = parser_of(commands, "upscale", "a picture made larger", "photo.png --scale 2 -o large.png")
    p.add_argument("picture", type=Path)
    p.add_argument("--scale", type=float, default=2.0, help="times as large (2)")
    p.add_argument("--size", type=size, help="or of this size, WxH, cut to it")
    p.add_argument("--upscaler", default="Lanczos", help="Lanczos, Nearest, or a model's name")
    p.add_argument("--second", help="a second upscaler, laid over the first")
    p.add_argument("--share", type=float, default=0.5, help="its share, 0 to 1 (0.5)")
    add_common(p)
    p.set_defaults(run=_upscale)


def _upscale(args: argparse.Namespace) -> int:
    return _enhance(
        args,
        upscaler=args.upscaler,
        second=args.second,
        share=args.share,
        to=args.scale if args.size is None else args.size,
    )


def _add_faces(commands: Any) -> None:
    example = "photo.png --method GFPGAN --models-dir models -o better.png"
    p = parser_of(commands, "restore-faces", "the faces of a picture restored", example)
    p.add_argument("picture", type=Path)
    p.add_argument("--method", default="GFPGAN", help="GFPGAN or CodeFormer (GFPGAN)")
    p.add_argument("--visibility", type=float, default=1.0, help="0 to 1 (1)")
    p.add_argument("--weight", type=float, default=0.5, help="CodeFormer's fidelity (0.5)")
    add_common(p)
    p.set_defaults(run=_restore)


def _restore(args: argparse.Namespace) -> int:
    return _enhance(
        args,
        upscaler="None",
        to=1.0,
        faces=args.method,
        visibility=args.visibility,
        weight=args.weight,
    )


def _enhance(args: argparse.Namespace, **wish: Any) -> int:
    from riffapp.studio import images
    from sdcore import picture_files
    from sdcore.types import ImageRequest

    picture = images.open_picture(args.picture)
    text = picture_files.read(args.picture) or ""
    named = ImageRequest(prompt=args.picture.stem)
    (path,) = images.targets(args.output, named, count=1)
    done, notes = images.upscale(library_of(args), picture, **wish)
    picture_files.write(path, done, text)
    if args.json:
        terminal.dump({"file": str(path), "size": list(done.size), "notes": list(notes)})
        return 0
    print(f"{path}  {done.width} x {done.height}")
    terminal.print_notes(notes)
    return 0


def _add_merge(commands: Any) -> None:
    example = "a.safetensors b.safetensors --multiplier 0.3 -o both.safetensors"
    p = parser_of(commands, "merge", "two or three checkpoints into one", example)
    p.add_argument("files", type=Path, nargs="+", help=".safetensors: A, then B, then C")
    p.add_argument("--method", default="weighted sum", help="or 'add difference'")
    p.add_argument("--multiplier", type=float, default=0.3, help="M of (1-M) A + M B (0.3)")
    p.add_argument("--vae", type=Path, help="an autoencoder to bake in")
    p.add_argument("--discard", default="", help="regular expression of tensors to leave out")
    p.add_argument("--precision", help="fp32, fp16 or bf16 (as in A)")
    p.add_argument("-o", "--output", type=Path, required=True, help=".safetensors")
    p.set_defaults(run=_merge)


def _merge(args: argparse.Namespace) -> int:
    from sdcore.models.merge import Recipe, merge

    said = {f.name: getattr(args, f.name) for f in fields(Recipe)}
    path = merge(Recipe(**said | {"files": tuple(args.files)}), args.output)
    print(f"{path}  {path.stat().st_size / 2**20:.0f} MiB")
    return 0
