"""The models that a person has: embedded, in folders of other tools, on the hub; loaded once.

`shelf` is what the image core asks for names in a request; `checkpoint` what it draws with.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from riffapp.errors import UsageError
from riffapp.studio import checkpoints

if TYPE_CHECKING:
    from torch import Tensor

    from sdcore.models.cache import Cache
    from sdcore.models.checkpoint import Checkpoint
    from sdcore.models.folders import FileKind, Folders
    from sdcore.models.shelf import Shelf

# Bytes of weights that stay loaded.
BUDGET = 16 * 2**30


class Library:
    """Models by name. Files are read when they are first asked for."""

    def __init__(self, roots: Sequence[Path] = (), *, device: str = "auto") -> None:
        """A library over folders of models.

        Args:
            roots: folders of models, as A1111's "models" or ComfyUI's, the first one first.
            device: where checkpoints go: cpu, cuda, mps or auto.

        Raises:
            UsageError: a root that is no folder.
        """
        from sdcore.models.cache import Cache
        from sdcore.models.folders import Folders
        from sdcore.models.load import load

        for root in roots:
            if not root.is_dir():
                raise UsageError(f"{root} is no folder: give one that holds models")
        self.folders: Folders = Folders(roots=tuple(roots))
        self.device = device
        self._cache: Cache = Cache(BUDGET, load=lambda ref: load(ref, device=device))
        # A loaded checkpoint by its path and VAE, and the same with VAE and embeddings on.
        self._dressed: dict[tuple[Path, Path | None], tuple[Checkpoint, Checkpoint]] = {}

    def checkpoint(self, name: str, *, vae: str | None = None) -> Checkpoint:
        """A checkpoint by an embedded name, a folder, a single file, a hub id, or a name that lies
        in the roots; with the VAE beside it or the one named, and the embeddings of the roots.

        Raises:
            UsageError: no such checkpoint. UnknownName: no such VAE.
        """
        from sdcore.models.folders import Found, own_vae
        from sdcore.models.vae import with_vae

        path = self._path(name)
        loaded = self._cache.get(path)
        other = own_vae(Found(name=path.stem, path=path, kind="checkpoint"))
        if vae is not None:
            other = self._file("VAE", vae)
        before, found = self._dressed.get((path, other), (None, None))
        if found is None or before is not loaded:  # or its file has changed
            found = replace(loaded, embeddings=self._embeddings(loaded))
            if other is not None:
                found = with_vae(found, other)
            self._dressed[path, other] = (loaded, found)
        return found

    def _embeddings(self, checkpoint: Checkpoint) -> dict[str, tuple[Tensor | None, ...]]:
        """Those of the roots that are for a checkpoint's family; the others are passed over."""
        from sdcore.errors import ModelError
        from sdcore.models.embeddings import read_embedding

        fitting: dict[str, tuple[Tensor | None, ...]] = {}
        for file in self.folders.all("embedding"):
            with suppress(ModelError):
                fitting[file.name] = read_embedding(file.path, checkpoint.towers)
        return fitting

    @property
    def shelf(self) -> Shelf:
        """What the image core asks for the names in a request."""
        from sdcore.errors import lookup
        from sdcore.models.lora import Lora, read_lora
        from sdcore.models.shelf import Shelf
        from sdcore.post.faces import RESTORERS, Restorer, load_restorer
        from sdcore.post.upscale import UPSCALERS, Upscaler, load_upscaler

        def lora(name: str) -> Lora:
            return replace(read_lora(self._file("LoRA", name)), name=name)

        def upscaler(name: str) -> Upscaler:
            if name in UPSCALERS:
                return UPSCALERS[name]
            return load_upscaler(self._file("upscaler", name))

        def restorer(name: str) -> Restorer:
            kind = lookup(dict.fromkeys(RESTORERS), name, "face restorer") or name
            there = self.folders.all("face restorer")
            files = [f.path for f in there if f.name.casefold().startswith(kind.casefold())]
            if not files:
                raise UsageError(
                    f"no weight file of {name}: put it into the folder of face restorers of a "
                    "folder of models, under a name that begins so"
                )
            return load_restorer(files[0], name)

        return Shelf(checkpoint=self.checkpoint, lora=lora, upscaler=upscaler, restorer=restorer)

    def _path(self, name: str) -> Path:
        """Where a checkpoint lies."""
        given = Path(name).expanduser()
        if given.is_file():
            return given
        if self.folders.all("checkpoint"):
            from sdcore.errors import UnknownName

            try:
                return self.folders.find("checkpoint", name).path
            except UnknownName:
                if name not in checkpoints.names() and not given.is_dir() and "/" not in name:
                    raise
        return checkpoints.folder(name)

    def _file(self, kind: FileKind, name: str) -> Path:
        given = Path(name).expanduser()
        if given.is_file():
            return given
        return self.folders.find(kind, name).path
