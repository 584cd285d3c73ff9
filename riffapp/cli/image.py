"""The commands txt2img and img2img, and the scripts that go over them.

Flags have A1111's names. What a flag does not say is as in the request's own defaults, or as in
the picture that --from names.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp import settings, terminal
from riffapp.cli.flags import (
    ALTERNATIVE,
    HIRES,
    MASK,
    OUTPAINT,
    REDRAW,
    REQUEST,
    SERIES,
    START,
    add_common,
    add_flags,
    library_of,
    parser_of,
    said_by,
)
from riffapp.cli.request import request_of, styles_of
from riffapp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image

    from riffapp.studio.images import Drawn, ImageWish, Outpaint, Redraw
    from riffapp.studio.library import Library
    from riffapp.studio.series import Report, Series
    from sdcore.xyz import Values


def add(commands: Any) -> None:
    """These commands, as subcommands."""
    _add_txt2img(commands)
    _add_img2img(commands)


def _add_drawing(parser: argparse.ArgumentParser) -> None:
    add_flags(parser, "the picture", REQUEST)
    group = parser.add_argument_group("more")
    group.add_argument(
        "--sampler-option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="such as eta=0.5",
    )
    group.add_argument("--styles", type=Path, help="a styles.csv")
    group.add_argument("--style", action="append", default=[], help="a style of it, by name")
    group.add_argument("--wildcards", type=Path, help="folder of lists for __name__")
    group.add_argument("--vae", help="another autoencoder: a file, a name, or TAESD")
    group.add_argument("--preview", type=Path, help="a .png, .jpg or .webp that shows it forming")
    group.add_argument("--from", dest="source", type=Path, help="settings of a picture")
    add_flags(parser, "many pictures, on labelled sheets", SERIES)
    group = parser.add_argument_group("how they are laid out")
    group.add_argument("--keep-random", action="store_true", help="each cell draws its own seed")
    group.add_argument("--vary-seeds", default="", metavar="xyz", help="axes along which it counts")
    group.add_argument("--different-seeds", action="store_true", help="of a matrix or of lines")
    group.add_argument("--at-start", action="store_true", help="a matrix's parts before the rest")
    group.add_argument("--margin", type=int, default=0, help="pixels between pictures (0)")
    group.add_argument("--cells", action="store_true", help="write each picture beside the sheet")
    add_common(parser)


def _add_txt2img(commands: Any) -> None:
    example = '"a lighthouse, dusk" --steps 20 --cfg 7 --seed 3 -o lighthouse.png'
    p = parser_of(commands, "txt2img", "a picture from words", example)
    p.add_argument("prompt", nargs="?", help="what to draw")
    _add_drawing(p)
    add_flags(p, "a second, larger pass", HIRES)
    p.set_defaults(run=_draw, picture=None)


def _add_img2img(commands: Any) -> None:
    example = 'photo.png "oil painting" --strength 0.6 -o painting.png'
    p = parser_of(commands, "img2img", "a picture from a picture and words", example)
    p.add_argument("picture", type=Path, help="the picture to begin from")
    p.add_argument("prompt", nargs="?", help="what to draw")
    _add_drawing(p)
    add_flags(p, "the picture to begin from", START)
    group = p.add_argument_group("inpainting")
    group.add_argument("--mask", type=Path, help="picture whose white part is done again")
    add_flags(p, "how it is inpainted", MASK)
    for flag in ("--exact-steps", "--colour-correction"):
        group.add_argument(flag, action="store_true", default=None)
    group.add_argument("--mask-invert", dest="inverted", action="store_true", default=None)
    group.add_argument("--only-masked", action="store_true", default=None)
    group.add_argument("--soft", action="store_true", help="soft inpainting")
    group.add_argument("--alternative", action="store_true", help="begin from the picture's noise")
    add_flags(p, "img2img alternative", ALTERNATIVE)
    group = p.add_argument_group("loopback")
    group.add_argument("--loopback", type=int, default=1, help="rounds on its own result (1)")
    group.add_argument("--final-strength", type=float, help="of the last round")
    group.add_argument("--loopback-curve", default="Linear", help="Linear, Aggressive, Lazy")
    add_flags(p, "outpainting", OUTPAINT)
    add_flags(p, "SD upscale", REDRAW)
    p.set_defaults(run=_draw)


def _draw(args: argparse.Namespace) -> int:
    from riffapp.studio import images

    library = library_of(args)
    wish = images.ImageWish(
        request=request_of(args),
        checkpoint=args.checkpoint or _recorded(args) or settings.load().image_checkpoint,
        vae=args.vae,
        loops=getattr(args, "loopback", 1),
        last_strength=getattr(args, "final_strength", None),
        curve=getattr(args, "loopback_curve", "Linear"),
        script=_script(args),
    )
    images.check_target(args.output)
    with terminal.Bar(shown=not (args.json or settings.load().plain)) as bar:
        on_step = terminal.steps(bar)
        if said := said_by(args, SERIES):
            series = _series(library, wish, args, said, on_step)
            shown = [*series.sheets, *(series.pictures if args.cells else ())]
            drawn, notes = shown or list(series.pictures), series.notes
        else:
            drawn, notes = images.make(library, wish, on_step=on_step, on_picture=_watched(args))
    paths = images.targets(args.output, wish.request, count=len(drawn))
    for one, path in zip(drawn, paths, strict=True):
        images.save(one, path)
    _tell(args, drawn, paths, notes)
    return 0


def _watched(args: argparse.Namespace) -> Callable[[Image], None] | None:
    """What writes the picture as it forms."""
    if args.preview is None:
        return None
    from riffapp.studio import images
    from sdcore import picture_files

    path: Path = args.preview
    if path.is_dir():
        raise UsageError(f"--preview {path} is a folder: give a picture's name")
    images.check_target(path)
    return lambda picture: picture_files.write(path, picture, "")


def _tell(
    args: argparse.Namespace, drawn: list[Drawn], paths: list[Path], notes: tuple[str, ...]
) -> None:
    """Where the pictures went."""
    made = [(one, path, one.request.seed) for one, path in zip(drawn, paths, strict=True)]
    if args.json:
        files = [{"file": str(path), "seed": seed} for _, path, seed in made]
        terminal.dump({"files": files, "parameters": drawn[0].text, "notes": list(notes)})
        return
    for one, path, seed in made:
        print(f"{path}  {one.picture.width} x {one.picture.height}, seed {seed}")
    terminal.print_notes(notes)


def _series(
    library: Library,
    wish: ImageWish,
    args: argparse.Namespace,
    said: dict[str, Any],
    on_step: Report,
) -> Series:
    """The one kind of series that the flags ask for."""
    from riffapp.studio import series

    kinds: list[str] = [name for name in ("matrix", "lines") if name in said]
    kinds += ["X/Y/Z plot"] if {"x", "y", "z"} & set(said) else []
    if len(kinds) > 1:
        raise UsageError(f"{' and '.join(kinds)} at once: give one of them")
    if args.preview is not None:
        raise UsageError(f"--preview beside {kinds[0]}: it shows one picture as it forms")
    if wish.script is not None or wish.loops > 1:
        raise UsageError(f"{kinds[0]} beside outpainting, SD upscale or loopback: give one of them")
    if kinds == ["lines"]:
        text = _text_of(said["lines"])
        styles, counts = styles_of(args), args.different_seeds
        return series.lines(
            library, wish, text, styles=styles, iterate_seed=counts, on_step=on_step
        )
    if kinds == ["matrix"]:
        if said["matrix"] not in ("prompt", "negative"):
            raise UsageError(f"--matrix {said['matrix']}: give prompt or negative")
        return series.matrix(
            library,
            wish,
            over=said["matrix"],
            at_start=args.at_start,
            different_seeds=args.different_seeds,
            margin=args.margin,
            on_step=on_step,
        )
    if extra := set(args.vary_seeds) - set("xyz"):
        raise UsageError(f"--vary-seeds {args.vary_seeds}: '{min(extra)}' is no axis: give x, y, z")
    x_varies, y_varies, z_varies = (letter in args.vary_seeds for letter in "xyz")
    axes = series.Axes(
        **{letter: _values(letter, said[letter]) for letter in "xyz" if letter in said},
        keeps_random=args.keep_random,
        varies=(x_varies, y_varies, z_varies),
        margin=args.margin,
    )
    return series.plot(library, wish, axes, styles=styles_of(args), on_step=on_step)


def _values(letter: str, line: str) -> Values:
    from sdcore.xyz import Values

    axis, equals, values = line.partition("=")
    if not equals:
        raise UsageError(f"--{letter} {line}: give the axis and its values, as 'Steps=10,20'")
    return Values(axis=axis.strip(), line=values)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as text: give a file of prompts") from error


def _script(args: argparse.Namespace) -> Redraw | Outpaint | None:
    """What img2img is to do with its picture instead of drawing it once."""
    if args.picture is None:
        return None
    redraw, outpaint = said_by(args, REDRAW), said_by(args, OUTPAINT)
    for told, first, flag in ((redraw, "scale", "sd-upscale"), (outpaint, "pixels", "outpaint")):
        if told and first not in told:
            raise UsageError(f"{', '.join(told)} without --{flag}: give it, or leave them out")
    if redraw and outpaint:
        raise UsageError("outpainting and SD upscale at once: do one, then the other")
    from riffapp.studio import images

    if redraw:
        return images.Redraw(**redraw)
    return images.outpaint_of(**outpaint) if outpaint else None


def _recorded(args: argparse.Namespace) -> str:
    """The checkpoint that the picture of --from was made with."""
    from riffapp.studio import images

    return "" if args.source is None else images.settings_of(args.source).model
