"""Models from the hub, and the hashes of those that are here: work on files that makes no piece."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from riffapp.jobs.desk import Desk

KIND = "models"
_BETWEEN_S = 0.25  # reports: more often nobody sees
_MB = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Download:
    """A model of the hub, by 'owner/name' or 'owner/name/file.safetensors', into a folder.

    What was there of an earlier attempt is gone on with.
    """

    ref: str
    # Text, for the folder need not be there yet.
    folder: str

    @property
    def title(self) -> str:
        return f"Download of {self.ref}"

    def perform(self, desk: Desk) -> None:
        """The model appears in the folder when all of it is whole."""
        from riffapp.studio.model_download import download

        desk.step(0, 0, "asking the hub")
        download(self.ref, into=Path(self.folder), on_progress=_Meter(desk))


@dataclass(frozen=True, kw_only=True)
class Hashing:
    """The sha256 of a model's file or folder, kept for the models page and for recipes."""

    path: str
    name: str

    @property
    def title(self) -> str:
        return f"Hash of {self.name}"

    def perform(self, desk: Desk) -> None:
        from riffapp.studio.inventory import Hashes

        Hashes(desk.database.home).of(Path(self.path), on_progress=_Meter(desk))


class _Meter:
    """Reports bytes as steps of a hundred; the job's owner can stop between any two."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._told_at = desk, 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._told_at < _BETWEEN_S and done < total:
            return
        self._told_at = now
        share = 100 * done // total if total else 100
        self._desk.step(share, 100, f"{done // _MB} of {-(-total // _MB)} MB")
