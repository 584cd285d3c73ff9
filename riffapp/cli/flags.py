"""What the image commands have in common: their flags, how values are read, where models lie."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp import settings

if TYPE_CHECKING:
    from riffapp.studio.library import Library

Flags = tuple[tuple[str, str, Callable[[str], Any], str], ...]


def _pair(text: str) -> tuple[float, float]:
    first, _, second = text.partition(",")
    return float(first), float(second)


def size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


def _blur(text: str) -> tuple[float, float]:
    return float(text), float(text)


# flag, field of the request or of one of its parts, how it is read, what it is
REQUEST: Flags = (
    ("--negative", "negative", str, "what to keep out"),
    ("--seed", "seed", int, "the same seed gives the same picture (-1: draw one)"),
    ("--batch", "batch", int, "how many, with seeds seed, seed+1 ... (1)"),
    ("--width", "width", int, "pixels (what the checkpoint likes, in a given picture's shape)"),
    ("--height", "height", int, "pixels (as the width)"),
    ("--steps", "steps", int, "denoising steps (20)"),
    ("--cfg", "cfg", float, "guidance scale (7)"),
    ("--sampler", "sampler", str, "such as 'DPM++ 2M', 'Euler a', 'UniPC' (DPM++ 2M)"),
    ("--schedule", "schedule", str, "such as Karras, Exponential, 'SGM Uniform' (Automatic)"),
    ("--tiling", "tiling", str, "none, x, y, xy: the axes on which it joins itself (none)"),
    ("--clip-skip", "clip_skip", int, "layers from the end of the text encoder (1)"),
    ("--emphasis", "emphasis", str, "Original, 'No norm', Ignore, None (Original)"),
    ("--noise", "noise", str, "CPU, or NV for what an NVIDIA GPU draws (CPU)"),
    ("--ensd", "eta_noise_delta", int, "added to the seed for the noise of the steps (0)"),
    ("--compat", "compat", str, "ours, or a1111 to count and round as it does (ours)"),
    ("--cfg-rescale", "guidance.rescale", float, "0 to 1 (0)"),
    ("--cfg-interval", "guidance.interval", _pair, "shares of the steps, such as 0.2,0.6 (0,1)"),
    ("--ngms", "guidance.ngms", float, "sigma below which guidance is sparse (0)"),
    ("--image-cfg", "guidance.image_cfg", float, "hold on the picture, InstructPix2Pix (1.5)"),
    ("--variation-seed", "variation.seed", int, "another seed to go to (-1: draw one)"),
    ("--variation-strength", "variation.strength", float, "how far, 0 to 1 (0)"),
    ("--seed-from", "variation.resize_from", size, "WxH that the seed is known at"),
    ("--refiner", "refiner.checkpoint", str, "checkpoint that takes over in mid-run"),
    ("--refiner-switch", "refiner.switch_at", float, "where, as a share (0.8)"),
    ("--restore-faces", "faces.restorer", str, "GFPGAN or CodeFormer, from --models-dir"),
    ("--face-visibility", "faces.visibility", float, "0 to 1 (1)"),
    ("--face-weight", "faces.weight", float, "CodeFormer's fidelity, 0 to 1 (0.5)"),
)
HIRES: Flags = (
    ("--hires", "hires.scale", float, "a second pass, so many times as large"),
    ("--hires-size", "hires.size", size, "or of this size, WxH"),
    ("--hires-upscaler", "hires.upscaler", str, "Latent, Lanczos, or a model's name (Latent)"),
    ("--hires-steps", "hires.steps", int, "(0: as in the first pass)"),
    ("--hires-strength", "hires.strength", float, "how much is redone, 0 to 1 (0.7)"),
    ("--hires-cfg", "hires.cfg", float, "guidance scale of the second pass"),
    ("--hires-sampler", "hires.sampler", str, "sampler of the second pass"),
    ("--hires-schedule", "hires.schedule", str, "schedule of the second pass"),
    ("--hires-prompt", "hires.prompt", str, "prompt of the second pass"),
    ("--hires-negative", "hires.negative", str, "negative prompt of the second pass"),
    ("--hires-checkpoint", "hires.checkpoint", str, "checkpoint of the second pass"),
)
START: Flags = (
    ("--strength", "strength", float, "how far from the picture, 0 to 1 (0.75)"),
    ("--resize", "resize", str, "'just resize', 'crop and resize', 'resize and fill' ..."),
    ("--noise-multiplier", "noise_multiplier", float, "on the first noise (1)"),
    ("--extra-noise", "extra_noise", float, "on top of the picture (0)"),
)
MASK: Flags = (
    ("--mask-blur", "blur", _blur, "pixels (4)"),
    ("--mask-content", "content", str, "fill, original, 'latent noise', 'latent nothing'"),
    ("--padding", "padding", int, "pixels around the part, with --only-masked (32)"),
    ("--mask-conditioning", "conditioning_strength", float, "inpainting checkpoints, 0 to 1 (1)"),
)
ALTERNATIVE: Flags = (
    ("--decode-prompt", "prompt", str, "what the picture shows (the prompt)"),
    ("--decode-negative", "negative", str, "and what it does not (the negative prompt)"),
    ("--decode-cfg", "cfg", float, "guidance while its noise is looked for (1)"),
    ("--reverse", "reverse", str, "ours, plain, 'sigma adjustment' (ours)"),
    ("--randomness", "randomness", float, "share of the seed's own noise, 0 to 1 (0)"),
)
SERIES: Flags = (
    ("--x", "x", str, "columns of an X/Y/Z plot: 'Steps=10,20', 'CFG Scale=3-7', 'Sampler=Euler'"),
    ("--y", "y", str, "rows of it: 'Prompt S/R=dusk,dawn,noon'"),
    ("--z", "z", str, "sheets of it: 'Seed=1-3'"),
    ("--matrix", "matrix", str, "'prompt' or 'negative': every combination of its parts a|b|c"),
    ("--lines", "lines", Path, "prompts from a file, one a line; a line may hold --steps 30 ..."),
)
OUTPAINT: Flags = (
    ("--outpaint", "pixels", int, "grow it by so many pixels"),
    ("--sides", "sides", str, "left,right,up,down (all)"),
    ("--outpaint-way", "way", str, "mk2 or poor man's (mk2)"),
    ("--outpaint-blur", "blur", int, "pixels of the seam (mk2 8, poor man's 4)"),
    ("--falloff", "falloff", float, "of mk2's noise over frequency (1)"),
    ("--colour-variation", "variation", float, "of mk2's noise (0.05)"),
)
REDRAW: Flags = (
    ("--sd-upscale", "scale", float, "enlarge it so many times and redraw it in tiles"),
    ("--upscaler", "upscaler", str, "Lanczos, Nearest, or a model's name (Lanczos)"),
    ("--tile-overlap", "overlap", int, "pixels that neighbouring tiles share (64)"),
)
NAMES = """\
files:
  -o picture.png           .png, .jpg or .webp; with a batch picture_1.png, picture_2.png ...
  -o FOLDER, or no -o      named after the words, and nothing is replaced
Each file holds all its settings: --from picture.png takes them all, other flags change them.
"""


def parser_of(commands: Any, name: str, words: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=words,
        epilog=f"example:\n  riffapp {name} {example}\n\n{NAMES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def dest(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


def said_by(args: argparse.Namespace, flags: Flags) -> dict[str, Any]:
    """The flags that were given, by their field."""
    said = {field: getattr(args, dest(flag)) for flag, field, _, _ in flags}
    return {field: value for field, value in said.items() if value is not None}


def add_flags(parser: argparse.ArgumentParser, title: str, flags: Flags) -> None:
    group = parser.add_argument_group(title)
    for flag, _, read, words in flags:
        group.add_argument(flag, type=read, help=words)


def add_common(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("models and files")
    group.add_argument("--checkpoint", help="embedded name, file, folder or hub id (loops)")
    group.add_argument(
        "--models-dir", action="append", type=Path, default=[], help="A1111's or ComfyUI's models"
    )
    group.add_argument("-o", "--output", type=Path, metavar="FILE", help="where it goes")
    group.add_argument("--device", help="cpu, cuda, mps or auto (auto)")
    group.add_argument("--memory", default="normal", help="normal, or medium or low for small GPUs")
    group.add_argument("--json", action="store_true", help="print one JSON document")


def library_of(args: argparse.Namespace) -> Library:
    from riffapp.studio.library import Library

    found = settings.load()
    roots = [*args.models_dir, *found.roots]
    return Library(roots, device=args.device or found.device, memory=args.memory)
