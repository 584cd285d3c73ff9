"""What the image core refuses without having seen a model: asked before anything is queued."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp.errors import UsageError
from riffapp.jobs.tasks.images import Canvas
from riffapp.studio.images import ImageWish, Outpaint, Redraw
from riffapp.studio.library import TAESD

if TYPE_CHECKING:
    from riffapp.studio.library import Library
    from sdcore.models.checkpoint import Checkpoint
    from sdcore.models.shelf import Shelf
    from sdcore.types import ImageRequest


def refuse(
    library: Library,
    wish: ImageWish,
    canvas: Canvas | None = None,
    *,
    known: Collection[str] | None = None,
) -> None:
    """Nothing, if nothing but the model or the pictures themselves can refuse the wish.

    Raises UsageError and sdcore's errors, as making it would; see `names` for `known`.
    """
    from sdcore.checks import check
    from sdcore.plan import plan

    shelf = names(library, known=known)
    shelf.checkpoint(wish.checkpoint)
    refuse_vae(library, wish.vae, known=known)
    whole = wish.request if canvas is None else canvas.outlined(wish.request)
    check(whole, paper())
    # Pictures cost time, and whether they can be laid out was asked just now.
    plan(wish.request, paper(), shelf=shelf)
    _refuse_around(wish, whole, shelf)


def refuse_vae(library: Library, name: str | None, *, known: Collection[str] | None) -> None:
    """Nothing, if there is such an autoencoder, or none is asked for. Raises as `names` do."""
    if name is not None and name != TAESD:
        _file(library, "VAE", name, is_open=known is None)


def names(library: Library, *, known: Collection[str] | None = None) -> Shelf:
    """A shelf that knows what is there, and loads nothing.

    `known` are the checkpoints that may be asked for besides those in the folders of models, and
    then nothing but names is taken: for people who must not reach for other files of this machine,
    or have it fetch some. None takes files, folders and hub ids as well.
    """
    from sdcore.errors import lookup
    from sdcore.models.shelf import Shelf
    from sdcore.post.faces import RESTORERS
    from sdcore.post.upscale import UPSCALERS

    is_open = known is None

    def checkpoint(name: str) -> Checkpoint:
        there = [found.name for found in library.folders.all("checkpoint")]
        is_on_hub = name.count("/") == 1 and not Path(name).expanduser().exists()
        if known is not None and name not in known:
            _named(library, "checkpoint", name, known)
        elif not is_on_hub or name in there:  # the worker fetches what is on the hub
            library.path(name)
        return paper()

    def upscaler(name: str) -> Any:
        if name in UPSCALERS:
            return UPSCALERS[name]
        _file(library, "upscaler", name, is_open=is_open)
        return name

    def restorer(name: str) -> Any:
        lookup(dict.fromkeys(RESTORERS), name, "face restorer")
        there = [found.path.name.casefold() for found in library.folders.all("face restorer")]
        if not any(file.startswith(name.casefold()) for file in there):
            raise UsageError(
                f"no weight file of {name}: put it into the folder of face restorers of a "
                "folder of models, under a name that begins so"
            )
        return name

    return Shelf(
        checkpoint=checkpoint,
        lora=lambda name: _file(library, "LoRA", name, is_open=is_open),
        upscaler=upscaler,
        restorer=restorer,
    )


@cache
def paper() -> Checkpoint:
    """A checkpoint without weights, of the commonest family."""
    import torch

    from sdcore.models.checkpoint import Checkpoint
    from sdcore.schedules import NoiseLevels

    return Checkpoint(
        unet=None,
        vae=None,
        towers=(),
        levels=NoiseLevels.from_betas(torch.linspace(0.00085, 0.012, 1000)),
        prediction="epsilon",
        latent_channels=4,
        factor=8,
    )


def _refuse_around(wish: ImageWish, whole: ImageRequest, shelf: Shelf) -> None:
    """What goes on around the request."""
    from sdcore.errors import RequestError
    from sdcore.loopback import strengths
    from sdcore.post.upscale import scaled_size
    from sdcore.tiles import tiles

    script, tile = wish.script, (whole.width, whole.height)
    if script is None and wish.loops == 1:
        return
    if whole.start is None:
        raise RequestError("no picture to begin from: give one")
    if whole.batch != 1:
        raise RequestError(f"this script makes one picture at a time: {whole.batch} were asked")
    first = whole.start.strength
    last = first if wish.last_strength is None else wish.last_strength
    strengths(wish.loops, first, last, curve=wish.curve)
    if isinstance(script, Redraw):
        shelf.upscaler(script.upscaler)
        scaled_size(tile, script.scale)
        tiles(tile, tile, overlap=script.overlap)
    if isinstance(script, Outpaint):
        if whole.mask is not None:
            raise RequestError("outpainting makes its own mask: leave the drawn one out")
        _refuse_outpainting(script, tile)


def _refuse_outpainting(script: Outpaint, tile: tuple[int, int]) -> None:
    """By laying it out around a small blank picture."""
    from PIL import Image

    from sdcore.grow import PoorMansWay
    from sdcore.outpaint import mk2, poor_mans

    blank = Image.new("RGB", (64, 64))
    if not script.sides:
        raise UsageError("outpainting to no side: choose one or more")
    if isinstance(script.way, PoorMansWay):
        poor_mans(blank, tile=tile, directions=script.sides, **vars(script.way))
    else:
        mk2(blank, script.sides[0], tile=tile, **vars(script.way))


def _file(library: Library, kind: Any, name: str, *, is_open: bool) -> None:
    if not is_open:
        _named(library, kind, name)
    elif not Path(name).expanduser().is_file():
        library.folders.find(kind, name)


def _named(library: Library, kind: Any, name: str, more: Collection[str] = ()) -> None:
    """Raises UnknownName, without a word on where things lie, for what is not in the folders."""
    from sdcore.errors import UnknownName, lookup

    try:
        library.folders.find(kind, name)
    except UnknownName:
        there = (found.name for found in library.folders.all(kind))
        lookup(dict.fromkeys((*more, *there)), name, kind)
