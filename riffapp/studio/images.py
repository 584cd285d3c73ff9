"""Pictures from words and from pictures: what the commands and pages of the image tools do."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp import __version__
from riffapp.errors import UsageError
from riffapp.studio import checkpoints, prompts
from riffapp.studio.library import Library

if TYPE_CHECKING:
    from PIL.Image import Image

    from sdcore.grow import Way
    from sdcore.infotext import Infotext
    from sdcore.models.checkpoint import Checkpoint
    from sdcore.outpaint import Direction
    from sdcore.types import ImageRequest, ImageResult, Step

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_SLUG_CHARS = 60
SPECTROGRAMS = (
    "the checkpoint 'loops' paints spectrograms, not scenes: give another by --checkpoint "
    "(a file, a folder or a hub id), or --models-dir"
)


@dataclass(frozen=True, kw_only=True)
class Redraw:
    """SD upscale: the picture enlarged, then redrawn in tiles of the request's size."""

    upscaler: str = "Lanczos"
    scale: float = 2.0
    # Pixels that neighbouring tiles share.
    overlap: int = 64


@dataclass(frozen=True, kw_only=True)
class Outpaint:
    """The picture grown on some sides."""

    way: Way
    sides: tuple[Direction, ...]


@dataclass(frozen=True, kw_only=True)
class ImageWish:
    """What is to be drawn: a request, and what is around it."""

    request: ImageRequest
    checkpoint: str = "loops"
    vae: str | None = None
    # Rounds of img2img on its own result, and the last one's strength.
    loops: int = 1
    last_strength: float | None = None
    curve: str = "Linear"
    # What is done with the picture to begin from instead of one img2img.
    script: Redraw | Outpaint | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """One picture and the text that goes into its file."""

    picture: Image
    text: str
    request: ImageRequest


def make(
    library: Library,
    wish: ImageWish,
    *,
    on_step: Callable[[Step], None] | None = None,
    on_picture: Callable[[Image], None] | None = None,
) -> tuple[list[Drawn], tuple[str, ...]]:
    """The pictures of a wish, and what the user should know.

    `on_picture` is given a small picture of what forms, after each step.

    Raises sdcore's errors: a refusal before any work, or what the machine lacks.
    """
    from sdcore.types import ignore

    checkpoint = library.checkpoint(wish.checkpoint, vae=wish.vae)
    report = ignore if on_step is None else on_step
    with library.computing(checkpoint, wish.request) as ready:
        if on_picture is not None:
            report = _showing(ready, report, on_picture)
        results = _results(library, ready, wish, report)
    drawn = [one for result in results for one in drawn_of(result, library, checkpoint, wish)]
    notes = [note for result in results for note in result.notes]
    return drawn, noted(notes, wish)


def _showing(
    checkpoint: Checkpoint, report: Callable[[Step], None], on_picture: Callable[[Image], None]
) -> Callable[[Step], None]:
    from sdcore.preview import preview

    def on_step(step: Step) -> None:
        on_picture(preview(checkpoint, step.x0)[0])
        report(step)

    return on_step


def _results(
    library: Library, checkpoint: Checkpoint, wish: ImageWish, report: Callable[[Step], None]
) -> Sequence[ImageResult]:
    """What the core makes of a wish."""
    from sdcore.generate import generate
    from sdcore.grow import outpainted
    from sdcore.loopback import looped
    from sdcore.sd_upscale import sd_upscale

    request, script, shelf = wish.request, wish.script, library.shelf
    if script is not None and wish.loops > 1:
        raise UsageError("loopback beside outpainting or SD upscale: give one of them")
    if isinstance(script, Redraw):
        upscaler = shelf.upscaler(script.upscaler)
        return [
            sd_upscale(
                checkpoint,
                request,
                upscaler,
                scale=script.scale,
                overlap=script.overlap,
                on_step=report,
                shelf=shelf,
            )
        ]
    if isinstance(script, Outpaint):
        sides = {"directions": script.sides}
        return [outpainted(checkpoint, request, script.way, **sides, on_step=report, shelf=shelf)]
    if wish.loops == 1:
        return [generate(checkpoint, request, on_step=report, shelf=shelf)]
    return looped(
        checkpoint,
        request,
        loops=wish.loops,
        last=wish.last_strength,
        curve=wish.curve,
        on_step=report,
        shelf=shelf,
    )


def outpaint_of(*, pixels: int, sides: str = "", way: str = "mk2", **told: Any) -> Outpaint:
    """Outpainting as flags and pages say it; `sides` has commas, none is all of them.

    Raises UsageError for a side or way that is not known, or a number that the way has no use for.
    """
    from sdcore.errors import lookup
    from sdcore.grow import Mk2Way, PoorMansWay
    from sdcore.outpaint import DIRECTIONS

    known: dict[str, Direction] = {side: side for side in DIRECTIONS}
    chosen = [lookup(known, side.strip(), "side") for side in sides.split(",") if side.strip()]
    kind: Any = lookup({"mk2": Mk2Way, "poor man's": PoorMansWay}, way, "way of outpainting")
    for name in told:
        if name not in vars(kind()):
            raise UsageError(f"outpainting the {way} way has no '{name}': leave it out")
    return Outpaint(way=kind(pixels=pixels, **told), sides=tuple(chosen) or DIRECTIONS)


def noted(notes: Sequence[str], wish: ImageWish) -> tuple[str, ...]:
    """What the user should know, each thing once."""
    about = [SPECTROGRAMS] if wish.checkpoint == "loops" else []
    taught = [word for group in checkpoints.taught(wish.checkpoint).values() for word in group]
    about += [str(word) for word in prompts.unknown_words(wish.request.prompt, taught)]
    return tuple(dict.fromkeys([*notes, *about]))


def drawn_of(
    result: ImageResult,
    library: Library,
    checkpoint: Checkpoint,
    wish: ImageWish,
    *,
    extra: Mapping[str, str] | None = None,
) -> list[Drawn]:
    """The pictures of a result with their texts; `extra` is written besides."""
    from sdcore import infotext

    said = _extra(result.request, library) | _of_script(wish.script) | dict(extra or {})
    if checkpoint.vae_name:
        said |= {"VAE hash": checkpoint.vae_sha256[:10], "VAE": checkpoint.vae_name}
    return [
        Drawn(
            picture=picture,
            text=infotext.write(result, image=i, extra=said),
            request=result.request.single(i),
        )
        for i, picture in enumerate(result.images)
    ]


def _of_script(script: Redraw | Outpaint | None) -> dict[str, str]:
    """What a script did, in the text."""
    if isinstance(script, Redraw):
        return {
            "SD upscale overlap": str(script.overlap),
            "SD upscale upscaler": script.upscaler,
            "SD upscale scale": f"{script.scale:g}",
        }
    if isinstance(script, Outpaint):
        name = type(script.way).__name__.removesuffix("Way")
        told = {f"Outpainting {key}": str(value) for key, value in vars(script.way).items()}
        return {"Outpainting": name, "Outpainting sides": " ".join(script.sides)} | told
    return {}


def _extra(request: ImageRequest, library: Library) -> dict[str, str]:
    """What the text says besides the request."""
    from sdcore.prompt import parse, schedule

    parts = schedule(parse(request.prompt), steps=request.steps)
    names = [lora.name for part in parts for s in part.segments for lora in s.loras]
    hashes = [f"{name}: {library.shelf.lora(name).hash}" for name in dict.fromkeys(names)]
    said = {"Version": f"riffapp {__version__}"}
    return {"Lora hashes": ", ".join(hashes)} | said if hashes else said


def check_target(output: Path | None) -> None:
    """Raises UsageError for a name that no picture can be written to; nothing where none is."""
    if output is not None and not output.is_dir():
        if output.suffix.lower() not in SUFFIXES:
            raise UsageError(f"{output.name} is no picture's name: give {', '.join(SUFFIXES)}")
        if not output.parent.is_dir():
            raise UsageError(f"{output.parent} is no folder: make it first")


def targets(output: Path | None, request: ImageRequest, *, count: int) -> list[Path]:
    """One file for each of `count` pictures.

    A file named in full is replaced; under a name of ours (`output` is a folder or absent) none
    is. Raises UsageError for a suffix that is no picture's, or a folder that is not there.
    """
    if output is None or output.is_dir():
        folder = output or Path()
        slug = re.sub(r"[^\w]+", "_", request.prompt).strip("_")[:_SLUG_CHARS].rstrip("_")
        names = (f"{slug or 'picture'}{'' if n == 1 else f'-{n}'}" for n in itertools.count(1))
        free = (folder / f"{name}.png" for name in names)
        return list(itertools.islice((p for p in free if not p.exists()), count))
    check_target(output)
    if count == 1:
        return [output]
    return [output.with_stem(f"{output.stem}_{n}") for n in range(1, count + 1)]


def save(drawn: Drawn, path: Path) -> None:
    """The picture with its settings inside, whole or not at all."""
    from sdcore import picture_files

    document = json.dumps({"kind": "image", "version": __version__, "parameters": drawn.text})
    picture_files.write(path, drawn.picture, drawn.text, chunks={"riffapp": document})


def settings_of(path: Path) -> Infotext:
    """What a picture's file says of how it was made.

    Raises UsageError where it says nothing, sdcore's errors where it is no picture.
    """
    from sdcore import infotext, picture_files

    text = picture_files.read(path)
    if text is None:
        raise UsageError(f"{path} does not say how it was made: give a picture that does")
    return infotext.read(text)


def open_picture(path: Path, *, mode: str = "RGB") -> Image:
    """A picture in a mode of PIL's, turned as its camera held it; transparent parts of an 'RGB' one
    are laid on white.

    Raises UsageError where there is none.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as opened:
            found = ImageOps.exif_transpose(opened)
            if mode == "RGB" and "A" in found.getbands():
                white = Image.new("RGBA", found.size, "white")
                return Image.alpha_composite(white, found.convert("RGBA")).convert("RGB")
            return found.convert(mode)
    except FileNotFoundError as error:
        raise UsageError(f"{path} is not there: give a picture's file") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise UsageError(f"{path} is no picture that can be read: {error}") from error


def upscale(
    library: Library,
    picture: Image,
    *,
    upscaler: str = "Lanczos",
    second: str | None = None,
    share: float = 0.5,
    to: float | tuple[int, int] = 2.0,
    faces: str | None = None,
    visibility: float = 1.0,
    weight: float = 0.5,
) -> tuple[Image, tuple[str, ...]]:
    """The picture larger, its faces restored if asked, and what the user should know."""
    from sdcore.post.extras import Extras, Faces, enhanced

    shelf = library.shelf
    restorers: tuple[Faces, ...] = ()
    if faces is not None:
        restorers = (Faces(restorer=shelf.restorer(faces), visibility=visibility, weight=weight),)
    wish = Extras(
        upscaler=shelf.upscaler(upscaler),
        second=None if second is None else shelf.upscaler(second),
        share=share,
        to=to,
        faces=restorers,
    )
    done = enhanced(picture, wish)
    return done.picture, done.notes
