"""Two or three checkpoints into one file, which is at once among the models."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from riffapp.errors import UsageError
from riffapp.gallery import File, Made
from riffapp.jobs.desk import Desk, whole

if TYPE_CHECKING:
    from sdcore.models.merge import Method, Precision

KIND = "merger"
SUFFIX = ".safetensors"
MAX_CHARS = 100
# Letters, digits and what cannot lead out of a folder.
_NAME = re.compile(r"\w[\w .()+-]*")


@dataclass(frozen=True, kw_only=True)
class Merge:
    """What is merged; models are files as text, for they are far too large to be copied."""

    # A, then B, then C.
    models: tuple[str, ...]
    # Where it goes, and the file's name without its ending.
    folder: str
    name: str
    method: Method = "weighted sum"
    multiplier: float = 0.3
    vae: str | None = None
    discard: str = ""
    precision: Precision | None = None

    @property
    def out(self) -> Path:
        return Path(self.folder) / f"{self.name}{SUFFIX}"

    @property
    def title(self) -> str:
        return f"Merge into {self.out.name}"

    def refuse(self) -> None:
        """Nothing, if nothing but what is in the files can refuse it. Raises UsageError."""
        from sdcore.models.merge import METHODS

        wanted = METHODS[self.method]
        if len(self.models) != wanted:
            raise UsageError(
                f"{len(self.models)} models for '{self.method}': give {wanted}, "
                + ("A alone" if wanted == 1 else " and ".join("ABC"[:wanted]))
            )
        if not isfinite(self.multiplier):
            raise UsageError(f"a multiplier of {self.multiplier}: give a number, most often 0 to 1")
        if not _NAME.fullmatch(self.name) or len(self.name) > MAX_CHARS:
            raise UsageError(
                f"the name '{self.name[:40]}': give letters and digits, at most {MAX_CHARS}"
            )
        if self.out.exists():
            raise UsageError(f"there is a {self.out.name} already: give another name")
        try:
            re.compile(self.discard)
        except re.error as error:
            raise UsageError(
                f"'{self.discard}' is no regular expression ({error}): give one of tensors' names"
            ) from None

    def perform(self, desk: Desk) -> None:
        """The merged checkpoint among the models, and its recipe among the works."""
        from sdcore.models.merge import Recipe, merge

        out = self.out
        desk.step(0, 0, f"merging into {out.name}")
        recipe = Recipe(
            files=tuple(map(Path, self.models)),
            method=self.method,
            multiplier=self.multiplier,
            vae=None if self.vae is None else Path(self.vae),
            discard=self.discard,
            precision=self.precision,
        )
        out.parent.mkdir(parents=True, exist_ok=True)
        merge(recipe, out)
        path = desk.path(0, ".txt", words=out.stem)
        told = "\n".join(f"{name}: {value}" for name, value in asdict(self).items())
        whole(path, lambda part: part.write_text(told + "\n", encoding="utf-8"))
        made = Made(
            kind=KIND,
            title=out.name,
            words=" ".join(Path(model).stem for model in self.models),
            task=desk.packed(self),
            files=(File(role="text", path=path, name="Recipe"),),
            facts={"mebibytes": round(out.stat().st_size / 2**20, 1)},
        )
        desk.keep(0, made)
