"""Model files by name, in the folders of AUTOMATIC1111's web UI and of ComfyUI.

Read is whichever of the two trees is there, below the root or below its `models`. A file's name
is its path in the folder of its kind, without the ending; its last part is enough, and neither
capitals nor a hash after it matter: `sub/name`, `Name`, `name.safetensors`, `name [abcdef1234]`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sdcore.errors import UnknownName, lookup
from sdcore.models.files import sha256

FileKind = Literal["checkpoint", "LoRA", "VAE", "embedding", "upscaler", "face restorer", "preview"]

# Names of folders, in small letters; hypernetworks, ControlNets and the like are not read.
_FOLDERS: dict[FileKind, tuple[str, ...]] = {
    "checkpoint": ("stable-diffusion", "checkpoints"),
    "LoRA": ("lora", "lycoris", "loras"),
    "VAE": ("vae",),
    "embedding": ("embeddings",),
    "upscaler": ("esrgan", "realesrgan", "swinir", "dat", "hat", "scunet", "upscale_models"),
    "face restorer": ("gfpgan", "codeformer", "facerestore_models"),
    "preview": ("vae-approx", "vae_approx"),
}
# Of two files of one name the earlier ending is meant.
_ENDINGS = (".safetensors", ".ckpt", ".pt", ".pth", ".bin")
_BESIDE = ".vae"  # name.vae.safetensors is the VAE of name.safetensors
_HASH = re.compile(r"(.*?)\s*\[([0-9a-f]{8,64})\]", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Found:
    """A file, or a folder in diffusers layout."""

    name: str
    path: Path
    kind: FileKind

    @property
    def hash(self) -> str:
        """The 10 digits that stand in brackets after a checkpoint's name; reads all of the file."""
        return sha256([self.path])[:10] if self.path.is_file() else ""


@dataclass(frozen=True, kw_only=True)
class Folders:
    """The roots of models, the first one first where names are the same."""

    roots: tuple[Path, ...]

    def all(self, kind: FileKind) -> tuple[Found, ...]:
        """Every file of the kind, by root and then by name."""
        return tuple(
            found
            for root in self.roots
            for folder in _of_kind(root, kind)
            for found in _in_folder(folder, kind)
        )

    def find(self, kind: FileKind, name: str) -> Found:
        """The file of that name.

        Raises:
            UnknownName: no such file, or one of another hash than the name has in brackets.
        """
        bracketed = _HASH.fullmatch(name.strip())
        wanted, digits = (bracketed[1], bracketed[2].lower()) if bracketed else (name.strip(), "")
        there = self.all(kind)
        fits = [found for found in there if _is_called(found, wanted)]
        if not fits:
            if not there:
                roots = ", ".join(map(str, self.roots)) or "no folder at all"
                raise UnknownName(f"unknown {kind} '{name}': there is none in {roots}")
            return lookup({found.name: found for found in there}, wanted, kind)
        if not digits:
            return fits[0]
        for found in fits:
            if found.path.is_file() and sha256([found.path]).startswith(digits):
                return found
        raise UnknownName(
            f"the {kind} '{wanted}' in {fits[0].path} has the hash {fits[0].hash}, not {digits}: "
            "give the name alone to take it all the same"
        )


def own_vae(checkpoint: Found) -> Path | None:
    """The VAE that lies beside a checkpoint's file as name.vae.safetensors, if there is one."""
    for ending in _ENDINGS:
        beside = checkpoint.path.with_name(f"{checkpoint.path.stem}{_BESIDE}{ending}")
        if checkpoint.path.is_file() and beside.is_file():
            return beside
    return None


def _is_called(found: Found, wanted: str) -> bool:
    full = found.name.casefold()
    asked = wanted.replace("\\", "/").casefold()
    for ending in ("", *_ENDINGS):
        if asked.endswith(ending):
            stem = asked.removesuffix(ending)
            if stem in (full, full.rpartition("/")[2]):
                return True
    return False


def _of_kind(root: Path, kind: FileKind) -> Iterator[Path]:
    """The root's folders of the kind, in the order of the table."""
    for wanted in _FOLDERS[kind]:
        for base in (root, root / "models"):
            if base.is_dir():
                yield from (
                    child
                    for child in sorted(base.iterdir())
                    if child.name.casefold() == wanted and child.is_dir()
                )


def _in_folder(folder: Path, kind: FileKind) -> list[Found]:
    """What the folder and those below hold, by name; links are followed, each folder once."""
    found: dict[str, list[Path]] = {}
    seen: set[str] = set()
    for place, below, files in os.walk(folder, followlinks=True):
        if os.path.realpath(place) in seen:
            below.clear()
            continue
        seen.add(os.path.realpath(place))
        whole = [n for n in below if _is_whole(Path(place, n), kind)]
        below[:] = sorted(n for n in below if n not in whole and not n.startswith("."))
        for name in (*files, *whole):
            path = Path(place, name)
            stem = name if name in whole else path.stem
            beside = kind == "checkpoint" and stem.endswith(_BESIDE)
            if name in whole or (path.suffix.lower() in _ENDINGS and not beside):
                relative = path.relative_to(folder).with_name(stem).as_posix()
                found.setdefault(relative, []).append(path)
    return [
        Found(name=name, path=min(paths, key=_preference), kind=kind)
        for name, paths in sorted(found.items())
    ]


def _is_whole(folder: Path, kind: FileKind) -> bool:
    """Whether a folder is one model in diffusers layout."""
    index = {"checkpoint": "model_index.json", "VAE": "config.json", "preview": "config.json"}
    return kind in index and (folder / index[kind]).is_file()


def _preference(path: Path) -> int:
    return _ENDINGS.index(path.suffix.lower()) if path.suffix.lower() in _ENDINGS else -1
