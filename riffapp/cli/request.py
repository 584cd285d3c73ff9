"""The request that the flags of txt2img and img2img mean."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from riffapp import settings
from riffapp.cli.flags import (
    ALTERNATIVE,
    HIRES,
    MASK,
    OUTPAINT,
    REDRAW,
    REQUEST,
    START,
    Flags,
    said_by,
)
from riffapp.errors import UsageError

if TYPE_CHECKING:
    from sdcore.prompt.styles import Style
    from sdcore.types import ImageRequest


def request_of(args: argparse.Namespace) -> ImageRequest:
    """The request of a picture's settings, or of what the checkpoint likes, with the flags on
    top."""
    from riffapp.studio import checkpoints, images
    from sdcore import infotext
    from sdcore.types import ImageRequest

    if args.prompt is None and args.source is None and args.lines is None:
        raise UsageError("no prompt: say what to draw, or give a picture to take it --from")
    liked = checkpoints.liked(args.checkpoint or settings.load().image_checkpoint)
    request, start, mask = ImageRequest(prompt="", **liked), {}, {}
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
        start=start | said_by(args, START) | _start_extras(args),
        mask=mask | _mask_extras(args),
    )
    picture = images.open_picture(args.picture)
    unsaid = args.source is None and args.width is None and args.height is None
    if unsaid and not said_by(args, REDRAW + OUTPAINT):  # those say how large the tiles are
        width, height = _in_shape(picture.size, request.width * request.height)
        given = replace(given, request=replace(request, width=width, height=height))
    covers = None if args.mask is None else images.open_picture(args.mask, mode="RGBA")
    return infotext.with_pictures(given, start=picture, mask=covers)


def _in_shape(size: tuple[int, int], area: int) -> tuple[int, int]:
    """As many pixels as the checkpoint likes to draw, in the shape of a picture."""
    width, height = size
    scale = (area / (width * height)) ** 0.5
    sides = (min(max(64, 8 * round(side * scale / 8)), 2048) for side in (width, height))
    return next(sides), next(sides)


def _start_extras(args: argparse.Namespace) -> dict[str, Any]:
    from sdcore.types import Alternative

    said = {n: getattr(args, n) for n in ("exact_steps", "colour_correction")}
    kept = {name: value for name, value in said.items() if value is not None}
    told = said_by(args, ALTERNATIVE)
    return kept | ({"alternative": Alternative(**told)} if args.alternative or told else {})


def _mask_extras(args: argparse.Namespace) -> dict[str, Any]:
    from sdcore.types import Soft

    said = {n: getattr(args, n) for n in ("inverted", "only_masked")}
    kept = {name: value for name, value in said.items() if value is not None}
    return said_by(args, MASK) | kept | ({"soft": Soft()} if args.soft else {})


def _with_flags(request: ImageRequest, args: argparse.Namespace, flags: Flags) -> ImageRequest:
    from sdcore.types import Faces, Hires, Refiner, Variation

    given = said_by(args, flags)
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


def styles_of(args: argparse.Namespace) -> Mapping[str, Style]:
    """The styles of the file that is named; none where none is."""
    from sdcore.prompt import styles

    return {} if args.styles is None else styles.read(args.styles)


def _worded(request: ImageRequest, args: argparse.Namespace) -> ImageRequest:
    """The prompts with styles put on and wildcards drawn; the seed is drawn with them."""
    from sdcore.prompt import compose, wildcards

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
        styles=styles_of(args),
        lines={} if args.wildcards is None else wildcards.read(args.wildcards),
    )
    prompt, negative = composed.results[0]
    return replace(request, prompt=prompt, negative=negative, seed=seed)
