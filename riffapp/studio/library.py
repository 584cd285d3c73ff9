"""The models that a person has: embedded, in folders of other tools, on the hub; loaded once.

`shelf` is what the image core asks for names in a request; `checkpoint` what it draws with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from riffapp.errors import UsageError
from riffapp.studio import checkpoints

if TYPE_CHECKING:
    from torch import Tensor

    from sdcore.models.cache import Cache, Memory
    from sdcore.models.checkpoint import Checkpoint
    from sdcore.models.folders import FileKind, Folders
    from sdcore.models.shelf import Shelf
    from sdcore.types import ImageRequest

# Bytes of weights that stay loaded.
BUDGET = 16 * 2**30
# The name by which the tiny autoencoder is asked for, and the channels of its latents.
TAESD = "TAESD"
_TAESD_CHANNELS = 4
_MEMORY: tuple[Memory, ...] = ("normal", "medium", "low")


class Library:
    """Models by name. Files are read when they are first asked for."""

    def __init__(
        self, roots: Sequence[Path] = (), *, device: str = "auto", memory: Memory = "normal"
    ) -> None:
        """A library over folders of models.

        Args:
            roots: folders of models, as A1111's "models" or ComfyUI's, the first one first.
            device: where checkpoints compute: cpu, cuda, mps or auto.
            memory: how much of one is on the device at a time: "normal" all of it, "medium" one
            network, "low" one layer.

        Raises:
            UsageError: a root that is no folder. UnknownName: no such memory mode.
        """
        from sdcore.errors import lookup
        from sdcore.models.cache import Cache
        from sdcore.models.folders import Folders
        from sdcore.models.load import load

        for root in roots:
            if not root.is_dir():
                raise UsageError(f"{root} is no folder: give one that holds models")
        self.folders: Folders = Folders(roots=tuple(roots))
        self.device = device
        self.memory: Memory = lookup({name: name for name in _MEMORY}, memory, "memory mode")
        home = device if memory == "normal" else "cpu"
        self._cache: Cache = Cache(BUDGET, load=lambda ref: load(ref, device=home))
        # A loaded checkpoint by its path and VAE, and the same with VAE and embeddings on.
        self._dressed: dict[tuple[Path, Path | None], tuple[Checkpoint, Checkpoint]] = {}

    def checkpoint(self, name: str, *, vae: str | None = None) -> Checkpoint:
        """A checkpoint by an embedded name, a folder, a single file, a hub id, or a name that lies
        in the roots; with the VAE beside it or the one named, and the embeddings of the roots.

        Raises:
            UsageError: no such checkpoint, or no TAESD for it. UnknownName: no such VAE.
        """
        from sdcore.models.folders import Found, own_vae
        from sdcore.models.preview import with_preview
        from sdcore.models.vae import with_vae

        path = self.path(name)
        loaded = self._cache.get(path)
        other = own_vae(Found(name=path.stem, path=path, kind="checkpoint"))
        if vae is not None and vae != TAESD:
            other = self._file("VAE", vae)
        before, found = self._dressed.get((path, other), (None, None))
        if found is None or before is not loaded:  # or its file has changed
            found = replace(loaded, embeddings=self._embeddings(loaded))
            if (tiny := self._tiny(loaded)) is not None:
                found = with_preview(found, tiny)
            if other is not None:
                found = with_vae(found, other)
            self._dressed[path, other] = (loaded, found)
        return found if vae != TAESD else self._decoded_by_taesd(found)

    def _tiny(self, checkpoint: Checkpoint) -> Path | None:
        """The file of the tiny autoencoder for a checkpoint's family, where a root has it."""
        name = "taesd_decoder" if checkpoint.family in ("sd1", "sd2") else "taesdxl_decoder"
        there = [f.path for f in self.folders.all("preview") if f.name.casefold() == name]
        return there[0] if there and checkpoint.latent_channels == _TAESD_CHANNELS else None

    def _decoded_by_taesd(self, checkpoint: Checkpoint) -> Checkpoint:
        """The checkpoint with the tiny autoencoder in the place of its own."""
        from sdcore.models.files import sha256

        path = self._tiny(checkpoint)
        if path is None:
            raise UsageError(
                f"no {TAESD} for the checkpoint '{checkpoint.name}': put taesd_decoder.safetensors "
                "(taesdxl_decoder for SDXL) into the folder VAE-approx of a folder of models"
            )
        hashed = sha256([path])
        return replace(checkpoint, vae=checkpoint.preview, vae_name=TAESD, vae_sha256=hashed)

    @contextmanager
    def computing(self, checkpoint: Checkpoint, request: ImageRequest) -> Iterator[Checkpoint]:
        """While it is open, the checkpoint computes on the library's device, with as much of it
        there as the memory mode says.

        Raises:
            UsageError: a request for a second checkpoint where memory is to be saved.
        """
        if self.memory == "normal":
            yield checkpoint
            return
        second = request.refiner or (request.hires and request.hires.checkpoint)
        if second:
            raise UsageError(
                f"the memory mode '{self.memory}' holds one checkpoint: leave the refiner or the "
                "hires checkpoint out, or give normal"
            )
        from sdcore.models.cache import offloaded
        from sdcore.models.load import pick_device

        where = pick_device(self.device)
        with checkpoint.lock, offloaded(checkpoint, memory=self.memory, device=where) as ready:
            yield ready

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

    def path(self, name: str) -> Path:
        """Where a checkpoint lies; a hub id is fetched.

        Raises:
            UsageError, UnknownName: no such checkpoint.
        """
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
