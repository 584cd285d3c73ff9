"""Pictures made larger, their faces restored: without words."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from riffapp.errors import UsageError
from riffapp.gallery import File, Made
from riffapp.jobs.desk import Desk
from riffapp.jobs.tasks.refusals import names

if TYPE_CHECKING:
    from riffapp.studio.library import Library
    from sdcore.models.shelf import Shelf
    from sdcore.post.extras import Enhanced, Extras, Faces

KIND = "extras"


@dataclass(frozen=True, kw_only=True)
class Face:
    """A restorer and how much of it, 0 .. 1; `weight` is CodeFormer's fidelity."""

    restorer: str
    visibility: float = 1.0
    weight: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Enlarge:
    """The same done to each picture. Of sizes `to` is a factor, or (width, height) in pixels."""

    pictures: tuple[Path, ...]
    # What their owner calls them, one for each.
    names: tuple[str, ...]
    to: float | tuple[int, int] = 2.0
    # Whether what stands out over a size is cut off.
    crop: bool = True
    # Pixels that no side passes, by a smaller factor; 0 is any.
    max_side: int = 0
    upscaler: str = "Lanczos"
    # A second one laid over the first, by its share 0 .. 1.
    second: str | None = None
    share: float = 0.0
    # One after the other, behind the upscale.
    faces: tuple[Face, ...] = ()

    @property
    def title(self) -> str:
        first, *more = self.names
        return f"Extras: {first}" + (f" and {len(more)} more" if more else "")

    def refuse(
        self,
        library: Library,
        sizes: Sequence[tuple[int, int]],
        *,
        known: Collection[str] | None = None,
    ) -> None:
        """Nothing, if pictures of these sizes can be done. Raises as doing it would; see
        `refusals.names` for `known`."""
        from sdcore.post.extras import target
        from sdcore.post.upscale import scaled_size

        shelf = names(library, known=known)
        for name in filter(None, (self.upscaler, self.second)):
            shelf.upscaler(name)
        shares = {"visibility of upscaler 2": self.share}
        for face in self.faces:
            shelf.restorer(face.restorer)
            shares |= {f"{face.restorer} visibility": face.visibility}
            shares |= {f"{face.restorer} weight": face.weight}
        for what, share in shares.items():
            if not 0 <= share <= 1:
                raise UsageError(f"a {what} of {share:g}: give 0 to 1")
        for size in sizes:
            to = target(size, self._extras(shelf, ()))
            if not isinstance(to, tuple):
                scaled_size(size, to)

    def perform(self, desk: Desk) -> None:
        """Each picture as it comes, under the text that it had."""
        from riffapp.studio.images import open_picture
        from sdcore.post.extras import Faces, enhanced

        shelf = desk.models.library.shelf
        faces = tuple(
            Faces(
                restorer=shelf.restorer(one.restorer),
                visibility=one.visibility,
                weight=one.weight,
            )
            for one in self.faces
        )
        extras = self._extras(shelf, faces)
        for number in range(desk.made, len(self.pictures)):
            desk.step(number, len(self.pictures), self.names[number])
            self._keep(desk, number, enhanced(open_picture(self.pictures[number]), extras))

    def _extras(self, shelf: Shelf, faces: tuple[Faces, ...]) -> Extras:
        from sdcore.post.extras import Extras

        return Extras(
            upscaler=shelf.upscaler(self.upscaler),
            second=None if self.second is None else shelf.upscaler(self.second),
            share=self.share,
            to=self.to,
            crop=self.crop,
            max_side=self.max_side,
            faces=faces,
        )

    def _keep(self, desk: Desk, number: int, done: Enhanced) -> None:
        from sdcore import picture_files

        source, name = self.pictures[number], Path(self.names[number]).stem
        text = picture_files.read(source) or ""
        path = desk.path(number, ".png", words=name)
        picture_files.write(path, done.picture, text)
        made = Made(
            kind=KIND,
            title=self.names[number],
            words=text,
            task=desk.packed(self),
            files=(File(role="picture", path=path),),
            facts={
                "parameters": text,
                "shows": f"{self.names[number]}, made larger",
                "told": [f"{done.picture.width} x {done.picture.height} pixels"],
            },
            lines=done.notes,
        )
        desk.keep(number, made)
