"""Pictures from words and from pictures: what the rooms txt2img and img2img ask for."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from riffapp.gallery import File, Made
from riffapp.jobs.desk import Desk, Task
from riffapp.studio.images import SPECTROGRAMS, Drawn, ImageWish, Outpaint, Redraw

if TYPE_CHECKING:
    from PIL.Image import Image

    from sdcore.models.checkpoint import Checkpoint
    from sdcore.types import ImageRequest, Step

Way = Literal["img2img", "Sketch", "Inpaint", "Inpaint sketch", "Inpaint upload", "Batch"]
TITLE_CHARS = 160
_BETWEEN_S = 0.25  # previews: more often nobody sees


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """A picture to begin from, as files; the request's start and mask are made of it."""

    picture: Path
    # Fields of sdcore's Start and Mask, all but their pictures. No mask: all is done again.
    start: Mapping[str, Any] = field(default_factory=dict)
    mask: Mapping[str, Any] | None = None
    # Colours to lay on the picture: a PNG as large, transparent where nothing was drawn; and how
    # much of them shows, 0 .. 1.
    sketch: Path | None = None
    opacity: float = 1.0
    # What is done again, as large: white, or what is not transparent. None is the sketch.
    covers: Path | None = None
    # A1111's tab that it was asked in, which the page opens again.
    way: Way = "img2img"

    def laid(self, request: ImageRequest) -> ImageRequest:
        """The request with its start, and its mask where there is one.

        Raises UsageError for files that are no pictures, RequestError for drawings of another size.
        """
        from PIL import Image

        from riffapp.studio.images import open_picture
        from sdcore.errors import RequestError

        picture, covers = open_picture(self.picture), None
        if self.sketch is not None:
            colours = open_picture(self.sketch, mode="RGBA")
            if colours.size != picture.size:
                drawn, wanted = ("{} x {}".format(*one.size) for one in (colours, picture))
                raise RequestError(
                    f"a sketch of {drawn} pixels on a picture of {wanted}: draw anew"
                )
            covers = colours.getchannel("A")
            colours.putalpha(covers.point(lambda alpha: alpha * self.opacity))
            picture = Image.alpha_composite(picture.convert("RGBA"), colours).convert("RGB")
        if self.covers is not None:
            covers = open_picture(self.covers, mode="RGBA")
        return self._with(request, picture, covers)

    def outlined(self, request: ImageRequest) -> ImageRequest:
        """The same with blanks for pictures, for who wants to know whether it can be done."""
        from PIL import Image

        blank = Image.new("L", (8, 8))
        return self._with(request, blank, None if self.mask is None else blank)

    def _with(self, request: ImageRequest, picture: Image, covers: Image | None) -> ImageRequest:
        from sdcore.types import Mask, Start

        begun = replace(request, start=Start(image=picture, **self.start))
        if self.mask is None or covers is None:
            return begun
        return replace(begun, mask=Mask(image=covers, **self.mask))


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Pictures of one wish. Its request has its seeds drawn, and no start or mask of its own:
    those come from `canvases`, one after the other, each `rounds` times."""

    wish: ImageWish
    canvases: tuple[Canvas, ...] = ()
    # How often; each time with the next seeds.
    rounds: int = 1

    @property
    def kind(self) -> str:
        """The room that asks for it."""
        return "img2img" if self.canvases else "txt2img"

    @property
    def title(self) -> str:
        return named(self.wish.request.prompt) or f"{self.kind} without words"

    @property
    def each(self) -> int:
        """How many pictures come of one run."""
        return self.wish.loops if self.wish.loops > 1 else self.wish.request.batch

    def runs(self) -> list[tuple[ImageWish, Canvas | None]]:
        """What is drawn in turn."""
        return [
            (replace(self.wish, request=later(self.wish.request, number)), canvas)
            for canvas in self.canvases or (None,)
            for number in range(self.rounds)
        ]

    def perform(self, desk: Desk) -> None:
        """Each run's pictures as they come; runs that were finished before are not made twice."""
        from riffapp.studio import images

        runs, first = self.runs(), desk.made // self.each
        library = desk.models.library
        checkpoint = library.checkpoint(self.wish.checkpoint, vae=self.wish.vae)
        watch = Watch(desk, checkpoint, stages=len(runs), stage=first)
        for number, (wish, canvas) in enumerate(runs[first:], start=first):
            ready = wish
            if canvas is not None:
                ready = replace(wish, request=canvas.laid(wish.request))
            watch.begin(number, walks=walks(ready))
            drawn, notes = images.make(library, ready, on_step=watch)
            for place, one in enumerate(drawn):
                task = self._alone(wish, canvas, place)
                keep(desk, number * self.each + place, one, task=task, kind=self.kind, notes=notes)
            if watch.is_interrupted:
                return

    def _alone(self, wish: ImageWish, canvas: Canvas | None, place: int) -> Pictures:
        """The task for one picture of a run."""
        request = wish.request if wish.loops > 1 else wish.request.single(place)
        canvases = () if canvas is None else (canvas,)
        return replace(self, wish=replace(wish, request=request), canvases=canvases, rounds=1)


class Watch:
    """Hears of each step: says how far a job is, shows what forms, and stops it.

    A job has stages, one after the other, and a stage some walks: runs of the image core.
    """

    def __init__(self, desk: Desk, checkpoint: Checkpoint, *, stages: int, stage: int = 0) -> None:
        self.is_interrupted = False
        self._desk, self._checkpoint = desk, checkpoint
        self._stages, self._stage = stages, stage
        self._walks, self._walk = 1, -1
        self._shown_at = 0.0

    def begin(self, stage: int, *, walks: int) -> None:
        """The `stage`th stage (0 the first) begins; it is thought to have so many walks."""
        self._stage, self._walks, self._walk = stage, walks, -1

    def __call__(self, step: Step) -> None:
        """Raises as `Desk.walked` does."""
        from sdcore.errors import Interrupted, Skipped

        if step.run == 0 and step.index == 0:
            self._walk += 1
        self._walks = max(self._walks, self._walk + 1)
        self._show(step)
        before = self._stage * self._walks + max(self._walk, 0)
        run = before * step.runs + step.run
        try:
            runs = self._stages * self._walks * step.runs
            self._desk.walked(replace(step, run=run, runs=runs))
        except Interrupted as stop:
            self.is_interrupted = not isinstance(stop, Skipped)
            raise

    def _show(self, step: Step) -> None:
        from sdcore.preview import preview

        now = time.monotonic()
        is_other = step.x0.shape[1] != self._checkpoint.latent_channels
        if not self._desk.settings.previews or is_other or now - self._shown_at < _BETWEEN_S:
            return
        self._shown_at = now
        picture = preview(self._checkpoint, step.x0)[0]
        factor = self._checkpoint.factor
        height, width = (side * factor for side in step.x0.shape[2:])
        self._desk.show(picture.resize((width, height)))


def keep(
    desk: Desk, number: int, drawn: Drawn, *, task: Task, kind: str, notes: Sequence[str]
) -> None:
    """The `number`th picture of a job into its file, with its settings inside, and the gallery."""
    from riffapp.studio import images

    request = drawn.request
    path = desk.path(number, ".png", words=request.prompt, seed=request.seed)
    images.save(drawn, path)
    made = Made(
        kind=kind,
        title=task.title,
        words=f"{request.prompt} {request.negative}",
        task=desk.packed(task),
        files=(File(role="picture", path=path),),
        facts={
            "prompt": request.prompt,
            "seed": request.seed,
            "parameters": drawn.text,
            "shows": f"A picture of {request.prompt or 'no words'}",
            "told": [f"{drawn.picture.width} x {drawn.picture.height} pixels"],
        },
        lines=tuple(note for note in notes if note != SPECTROGRAMS),  # the page says so above
    )
    desk.keep(number, made)


def named(prompt: str) -> str:
    """A prompt as a title: on one line, and not endlessly long."""
    return textwrap.shorten(prompt, TITLE_CHARS, placeholder=" …")


def later(request: ImageRequest, number: int) -> ImageRequest:
    """The request of the `number`th round (0 the first): its seeds follow those of the one before.

    Neighbours of a seed are neighbours of the same one in all rounds.
    """
    ahead = number * request.batch
    if request.variation is not None and request.is_varied:
        variation = replace(request.variation, seed=request.variation.seed + ahead)
        return replace(request, variation=variation)
    return replace(request, seed=request.seed + ahead)


def walks(wish: ImageWish) -> int:
    """How many runs of the image core a wish needs, as far as can be told before."""
    from sdcore.grow import Mk2Way
    from sdcore.post.upscale import scaled_size
    from sdcore.tiles import tiles

    request, script = wish.request, wish.script
    if isinstance(script, Redraw) and request.start is not None:
        size = scaled_size(request.start.image.size, script.scale)
        tile = (request.width, request.height)
        return len(tiles(size, tile, overlap=script.overlap).regions)
    if isinstance(script, Outpaint) and isinstance(script.way, Mk2Way):
        return len(script.sides)
    return wish.loops
