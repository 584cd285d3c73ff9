"""Pictures from words and from pictures: what the commands and pages of the image tools do."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp import __version__
from riffapp.errors import UsageError
from riffapp.studio.library import Library

if TYPE_CHECKING:
    from PIL.Image import Image

    from sdcore.infotext import Infotext
    from sdcore.types import ImageRequest, ImageResult, Step

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_SLUG_CHARS = 60
SPECTROGRAMS = (
    "the checkpoint 'loops' paints spectrograms, not scenes: give another by --checkpoint "
    "(a file, a folder or a hub id), or --models-dir"
)


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """One picture and the text that goes into its file."""

    picture: Image
    text: str
    request: ImageRequest


def make(
    library: Library, wish: ImageWish, *, on_step: Callable[[Step], None] | None = None
) -> tuple[list[Drawn], tuple[str, ...]]:
    """The pictures of a wish, and what the user should know.

    Raises sdcore's errors: a refusal before any work, or what the machine lacks.
    """
    from sdcore.generate import generate
    from sdcore.loopback import looped
    from sdcore.types import ignore

    checkpoint = library.checkpoint(wish.checkpoint, vae=wish.vae)
    report = ignore if on_step is None else on_step
    shelf = library.shelf
    if wish.loops > 1:
        results: Sequence[ImageResult] = looped(
            checkpoint,
            wish.request,
            loops=wish.loops,
            last=wish.last_strength,
            curve=wish.curve,
            on_step=report,
            shelf=shelf,
        )
    else:
        results = [generate(checkpoint, wish.request, on_step=report, shelf=shelf)]
    extra = _extra(wish.request, library)
    if checkpoint.vae_name:
        extra |= {"VAE hash": checkpoint.vae_sha256[:10], "VAE": checkpoint.vae_name}
    drawn = [one for result in results for one in _drawn(result, extra)]
    notes = [note for result in results for note in result.notes]
    if wish.checkpoint == "loops":
        notes.append(SPECTROGRAMS)
    return drawn, tuple(dict.fromkeys(notes))


def _drawn(result: ImageResult, extra: dict[str, str]) -> list[Drawn]:
    from sdcore import infotext

    return [
        Drawn(
            picture=picture,
            text=infotext.write(result, image=i, extra=extra),
            request=result.request.single(i),
        )
        for i, picture in enumerate(result.images)
    ]


def _extra(request: ImageRequest, library: Library) -> dict[str, str]:
    """What the text says besides the request."""
    from sdcore.prompt import parse, schedule

    parts = schedule(parse(request.prompt), steps=request.steps)
    names = [lora.name for part in parts for s in part.segments for lora in s.loras]
    hashes = [f"{name}: {library.shelf.lora(name).hash}" for name in dict.fromkeys(names)]
    said = {"Version": f"riffapp {__version__}"}
    return {"Lora hashes": ", ".join(hashes)} | said if hashes else said


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
    if output.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{output.name} is no picture's name: give {', '.join(SUFFIXES)}")
    if not output.parent.is_dir():
        raise UsageError(f"{output.parent} is no folder: make it first")
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
    """A picture in a mode of PIL's; transparent parts of an 'RGB' one are laid on white.

    Raises UsageError where there is none.
    """
    from PIL import Image

    try:
        with Image.open(path) as found:
            found.load()
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


def with_settings(found: Infotext, changes: dict[str, Any], **pictures: Image | None) -> Any:
    """The request of a picture's settings with flags on top, and the pictures it lacks."""
    from sdcore import infotext

    return replace(infotext.with_pictures(found, **pictures), **changes)
