"""The image commands of the command line: txt2img, img2img, upscale, restore-faces, merge.

Flags have A1111's names. What a flag does not say is as in the request's own defaults, or as in
the picture that --from names.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp import settings, terminal
from riffapp.errors import UsageError

if TYPE_CHECKING:
    from riffapp.studio.library import Library
    from sdcore.types import ImageRequest

Flags = tuple[tuple[str, str, Callable[[str], Any], str], ...]


def _pair(text: str) -> tuple[float, float]:
    first, _, second = text.partition(",")
    return float(first), float(second)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


def _blur(text: str) -> tuple[float, float]:
    return float(text), float(text)


# flag, field of the request or of one of its parts, how it is read, what it is
REQUEST: Flags = (
    ("--negative", "negative", str, "what to keep out"),
    ("--seed", "seed", int, "the same seed gives the same picture (-1: draw one)"),
    ("--batch", "batch", int, "how many, with seeds seed, seed+1 ... (1)"),
    ("--width", "width", int, "pixels (512)"),
    ("--height", "height", int, "pixels (512)"),
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
    ("--seed-from", "variation.resize_from", _size, "WxH that the seed is known at"),
    ("--refiner", "refiner.checkpoint", str, "checkpoint that takes over in mid-run"),
    ("--refiner-switch", "refiner.switch_at", float, "where, as a share (0.8)"),
    ("--restore-faces", "faces.restorer", str, "GFPGAN or CodeFormer, from --models-dir"),
    ("--face-visibility", "faces.visibility", float, "0 to 1 (1)"),
    ("--face-weight", "faces.weight", float, "CodeFormer's fidelity, 0 to 1 (0.5)"),
)
HIRES: Flags = (
    ("--hires", "hires.scale", float, "a second pass, so many times as large"),
    ("--hires-size", "hires.size", _size, "or of this size, WxH"),
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
_NAMES = """\
files:
  -o picture.png           .png, .jpg or .webp; with a batch picture_1.png, picture_2.png ...
  -o FOLDER, or no -o      named after the words, and nothing is replaced
Each file holds all its settings: --from picture.png takes them all, other flags change them.
"""


def add(commands: Any) -> None:
    """The image commands, as subcommands."""
    for one in (_add_txt2img, _add_img2img, _add_upscale, _add_faces, _add_merge):
        one(commands)


def _parser(commands: Any, name: str, words: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=words,
        epilog=f"example:\n  riffapp {name} {example}\n\n{_NAMES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def _dest(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


def _add_flags(parser: argparse.ArgumentParser, title: str, flags: Flags) -> None:
    group = parser.add_argument_group(title)
    for flag, _, read, words in flags:
        group.add_argument(flag, type=read, help=words)


def _add_drawing(parser: argparse.ArgumentParser) -> None:
    _add_flags(parser, "the picture", REQUEST)
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
    group.add_argument("--vae", help="another autoencoder, by file or name")
    group.add_argument("--from", dest="source", type=Path, help="settings of a picture")
    _add_common(parser)


def _add_common(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("models and files")
    group.add_argument("--checkpoint", help="embedded name, file, folder or hub id (loops)")
    group.add_argument(
        "--models-dir", action="append", type=Path, default=[], help="A1111's or ComfyUI's models"
    )
    group.add_argument("-o", "--output", type=Path, metavar="FILE", help="where it goes")
    group.add_argument("--device", help="cpu, cuda, mps or auto (auto)")
    group.add_argument("--json", action="store_true", help="print one JSON document")


def _add_txt2img(commands: Any) -> None:
    example = '"a lighthouse, dusk" --steps 20 --cfg 7 --seed 3 -o lighthouse.png'
    p = _parser(commands, "txt2img", "a picture from words", example)
    p.add_argument("prompt", nargs="?", help="what to draw")
    _add_drawing(p)
    _add_flags(p, "a second, larger pass", HIRES)
    p.set_defaults(run=_draw, picture=None)


def _add_img2img(commands: Any) -> None:
    example = 'photo.png "oil painting" --strength 0.6 -o painting.png'
    p = _parser(commands, "img2img", "a picture from a picture and words", example)
    p.add_argument("picture", type=Path, help="the picture to begin from")
    p.add_argument("prompt", nargs="?", help="what to draw")
    _add_drawing(p)
    _add_flags(p, "the picture to begin from", START)
    group = p.add_argument_group("inpainting")
    group.add_argument("--mask", type=Path, help="picture whose white part is done again")
    _add_flags(p, "how it is inpainted", MASK)
    for flag in ("--exact-steps", "--colour-correction"):
        group.add_argument(flag, action="store_true", default=None)
    group.add_argument("--mask-invert", dest="inverted", action="store_true", default=None)
    group.add_argument("--only-masked", action="store_true", default=None)
    group.add_argument("--soft", action="store_true", help="soft inpainting")
    group.add_argument("--alternative", action="store_true", help="begin from the picture's noise")
    _add_flags(p, "img2img alternative", ALTERNATIVE)
    group = p.add_argument_group("loopback")
    group.add_argument("--loopback", type=int, default=1, help="rounds on its own result (1)")
    group.add_argument("--final-strength", type=float, help="of the last round")
    group.add_argument("--loopback-curve", default="Linear", help="Linear, Aggressive, Lazy")
    p.set_defaults(run=_draw)


def _draw(args: argparse.Namespace) -> int:
    from riffapp.studio import images

    library = _library(args)
    request = _request(args)
    wish = images.ImageWish(
        request=request,
        checkpoint=args.checkpoint or _recorded(args) or "loops",
        vae=args.vae,
        loops=getattr(args, "loopback", 1),
        last_strength=getattr(args, "final_strength", None),
        curve=getattr(args, "loopback_curve", "Linear"),
    )
    paths = images.targets(args.output, request, count=max(request.batch, wish.loops))
    shown = not (args.json or settings.load().plain)
    with terminal.Bar(shown=shown) as bar:
        drawn, notes = images.make(library, wish, on_step=terminal.steps(bar))
    for one, path in zip(drawn, paths, strict=False):
        images.save(one, path)
    made = [(path, one.request.seed) for one, path in zip(drawn, paths, strict=False)]
    if args.json:
        files = [{"file": str(path), "seed": seed} for path, seed in made]
        terminal.dump({"files": files, "parameters": drawn[0].text, "notes": list(notes)})
        return 0
    for (path, seed), one in zip(made, drawn, strict=True):
        print(f"{path}  {one.picture.width} x {one.picture.height}, seed {seed}")
    terminal.print_notes(notes)
    return 0


def _recorded(args: argparse.Namespace) -> str:
    """The checkpoint that the picture of --from was made with."""
    from riffapp.studio import images

    return "" if args.source is None else images.settings_of(args.source).model


def _library(args: argparse.Namespace) -> Library:
    from riffapp.studio.library import Library

    found = settings.load()
    roots = [*args.models_dir, *found.models_dirs]
    return Library(roots, device=args.device or found.device)


def _request(args: argparse.Namespace) -> ImageRequest:
    """The request of a picture's settings, or of nothing, with the flags on top."""
    from riffapp.studio import images
    from sdcore import infotext
    from sdcore.types import ImageRequest

    if args.prompt is None and args.source is None:
        raise UsageError("no prompt: say what to draw, or give a picture to take it --from")
    request, start, mask = ImageRequest(prompt=""), {}, {}
    if args.source is not None:
        found = images.settings_of(args.source)
        request, start, mask = found.request, dict(found.start or {}), dict(found.mask or {})
    if args.prompt is not None:
        request = replace(request, prompt=args.prompt)
    request = _with_flags(request, args, REQUEST + (HIRES if args.picture is None else ()))
    options = dict(request.sampler_options) | _options(args.sampler_option)
    request = _worded(replace(request, sampler_options=options), args)
    if args.picture is None:
        return request
    given = infotext.Infotext(
        request=request,
        start=start | _given(args, START) | _start_extras(args),
        mask=mask | _mask_extras(args),
    )
    picture = images.open_picture(args.picture)
    covers = None if args.mask is None else images.open_picture(args.mask, mode="RGBA")
    return infotext.with_pictures(given, start=picture, mask=covers)


def _start_extras(args: argparse.Namespace) -> dict[str, Any]:
    from sdcore.types import Alternative

    said = {n: getattr(args, n) for n in ("exact_steps", "colour_correction")}
    kept = {name: value for name, value in said.items() if value is not None}
    told = _given(args, ALTERNATIVE)
    return kept | ({"alternative": Alternative(**told)} if args.alternative or told else {})


def _mask_extras(args: argparse.Namespace) -> dict[str, Any]:
    from sdcore.types import Soft

    said = {n: getattr(args, n) for n in ("inverted", "only_masked")}
    kept = {name: value for name, value in said.items() if value is not None}
    return _given(args, MASK) | kept | ({"soft": Soft()} if args.soft else {})


def _given(args: argparse.Namespace, flags: Flags) -> dict[str, Any]:
    """The flags that were given, by their field."""
    said = {field: getattr(args, _dest(flag)) for flag, field, _, _ in flags}
    return {field: value for field, value in said.items() if value is not None}


def _with_flags(request: ImageRequest, args: argparse.Namespace, flags: Flags) -> ImageRequest:
    from sdcore.types import Faces, Hires, Refiner, Variation

    given = _given(args, flags)
    if (size := given.pop("hires.size", None)) is not None:
        given |= {"hires.width": size[0], "hires.height": size[1]}
    begun: Mapping[str, Callable[[], Any]] = {
        "variation": Variation,
        "hires": Hires,
        "faces": Faces,
        "refiner": lambda: Refiner(checkpoint=""),
    }
    for path, value in given.items():
        part, _, field = path.partition(".")
        if not field:
            request = replace(request, **{part: value})
            continue
        whole = getattr(request, part) or begun[part]()
        request = replace(request, **{part: replace(whole, **{field: value})})
    if request.refiner is not None and not request.refiner.checkpoint:
        raise UsageError("a switch without a refiner: name its checkpoint by --refiner")
    return request


def _options(said: list[str]) -> dict[str, float]:
    found = {}
    for one in said:
        name, equals, value = one.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError as error:
            raise UsageError(f"--sampler-option {one}: give name=number, as eta=0.5") from error
        if not equals:
            raise UsageError(f"--sampler-option {one}: give name=number, as eta=0.5")
    return found


def _worded(request: ImageRequest, args: argparse.Namespace) -> ImageRequest:
    """The prompts with styles put on and wildcards drawn; the seed is drawn with them."""
    from sdcore.prompt import compose, styles, wildcards

    if not args.style and args.wildcards is None and "{" not in request.prompt:
        return request
    if args.style and args.styles is None:
        raise UsageError("a style without its file: give a styles.csv by --styles")
    import secrets

    seed = secrets.randbelow(2**32 - request.batch) if request.seed == -1 else request.seed
    composed = compose.composed(
        request.prompt,
        request.negative,
        seed=seed,
        names=args.style,
        styles={} if args.styles is None else styles.read(args.styles),
        lines={} if args.wildcards is None else wildcards.read(args.wildcards),
    )
    prompt, negative = composed.results[0]
    return replace(request, prompt=prompt, negative=negative, seed=seed)


def _add_upscale(commands: Any) -> None:
    p = _parser(commands, "upscale", "a picture made larger", "photo.png --scale 2 -o large.png")
    p.add_argument("picture", type=Path)
    p.add_argument("--scale", type=float, default=2.0, help="times as large (2)")
    p.add_argument("--size", type=_size, help="or of this size, WxH, cut to it")
    p.add_argument("--upscaler", default="Lanczos", help="Lanczos, Nearest, or a model's name")
    p.add_argument("--second", help="a second upscaler, laid over the first")
    p.add_argument("--share", type=float, default=0.5, help="its share, 0 to 1 (0.5)")
    _add_common(p)
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
    p = _parser(commands, "restore-faces", "the faces of a picture restored", example)
    p.add_argument("picture", type=Path)
    p.add_argument("--method", default="GFPGAN", help="GFPGAN or CodeFormer (GFPGAN)")
    p.add_argument("--visibility", type=float, default=1.0, help="0 to 1 (1)")
    p.add_argument("--weight", type=float, default=0.5, help="CodeFormer's fidelity (0.5)")
    _add_common(p)
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
    done, notes = images.upscale(_library(args), picture, **wish)
    picture_files.write(path, done, text)
    if args.json:
        terminal.dump({"file": str(path), "size": list(done.size), "notes": list(notes)})
        return 0
    print(f"{path}  {done.width} x {done.height}")
    terminal.print_notes(notes)
    return 0


def _add_merge(commands: Any) -> None:
    example = "a.safetensors b.safetensors --multiplier 0.3 -o both.safetensors"
    p = _parser(commands, "merge", "two or three checkpoints into one", example)
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
