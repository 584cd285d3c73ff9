"""The models that a person has and what is known of each; where more of them go.

embedded with riffapp  >  folders of models (Settings.roots)  >  the checkpoint of the settings
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp.errors import UsageError
from riffapp.settings import Settings
from riffapp.studio import checkpoints, model_cards
from riffapp.studio.model_check import check, parts, voice_weights
from riffapp.studio.weight_files import (
    SAFE,
    UNKNOWN,
    Kind,
    family_of,
    width_in,
)

if TYPE_CHECKING:
    from sdcore.models.folders import FileKind

HASHES = "hashes.json"
_BLOCK_BYTES = 1 << 20
_REMEMBERED = 8192
# Bytes done and bytes in all. What it raises stops the work.
OnBytes = Callable[[int, int], None]


def ignore(done: int, total: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """Something that a request can name.

    `family` is that of `weight_files.Layout`. `words` call an embedding or a LoRA forth.
    `sha256` is there where it was asked for before. `ok` and `remark` are those of
    `model_check.check`.
    """

    kind: Kind
    name: str
    path: Path
    bytes: int
    family: str
    licence: str
    ok: bool | None
    remark: str
    is_embedded: bool = False
    makes_sound: bool = False
    words: tuple[str, ...] = ()
    sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where models of a kind go: it need not be there yet."""

    kind: Kind
    folder: Path
    words: str


@dataclass(frozen=True, kw_only=True)
class _Shelf:
    """How a kind is kept: its name in sdcore, its folders in A1111's tree and ComfyUI's."""

    called: FileKind | None
    folders: tuple[str, ...]
    words: str


_NETWORK = f"a {SAFE} or .pth file; needs riffapp[upscale]"
_SHELVES: Mapping[Kind, _Shelf] = {
    "checkpoint": _Shelf(
        called="checkpoint",
        folders=("Stable-diffusion", "checkpoints"),
        words=f"Stable Diffusion 1, 2 or XL: a {SAFE} file with CLIP's vocab.json and merges.txt "
        "in a folder tokenizer beside it, or a folder in diffusers layout",
    ),
    "vae": _Shelf(
        called="VAE",
        folders=("VAE", "vae"),
        words=f"a {SAFE} file, or a folder in diffusers layout; name.vae{SAFE} beside a "
        "checkpoint is that one's own",
    ),
    "lora": _Shelf(
        called="LoRA",
        folders=("Lora", "loras"),
        words=f"a {SAFE} file; in a prompt <lora:its name:1>",
    ),
    "embedding": _Shelf(
        called="embedding",
        folders=("embeddings",),
        words=f"a {SAFE} file; its name is the word for a prompt",
    ),
    "upscaler": _Shelf(called="upscaler", folders=("ESRGAN", "upscale_models"), words=_NETWORK),
    "restorer": _Shelf(
        called="face restorer",
        folders=("GFPGAN", "facerestore_models"),
        words=f"{_NETWORK}; its name begins with GFPGAN or CodeFormer",
    ),
    "preview": _Shelf(
        called="preview",
        folders=("VAE-approx", "vae_approx"),
        words=f"taesd_decoder{SAFE}, for SDXL taesdxl_decoder{SAFE}: sharper previews",
    ),
    "voice": _Shelf(
        called=None,
        folders=("voices", "tts"),
        words="a folder with config.json and weights, of Coqui TTS or of transformers (VITS, "
        "SpeechT5, Bark); needs riffapp[tts]",
    ),
}


def models(settings: Settings) -> tuple[Model, ...]:
    """Every model that can be named, the embedded ones first; files that are broken too, with what
    is wrong with them. Reads headers and configurations only."""
    from sdcore.models.folders import Folders

    hashes = Hashes(settings.home)
    folders = Folders(roots=settings.roots)
    found = list(_embedded())
    for kind, shelf in _SHELVES.items():
        if shelf.called is None:
            found += (_voice(folder) for folder in _voices(settings.roots))
        else:
            found += (_model(kind, one.name, one.path) for one in folders.all(shelf.called))
    chosen = dict.fromkeys((settings.checkpoint, settings.image_checkpoint))
    for name in (name for name in chosen if name not in checkpoints.names()):
        path = Path(name).expanduser()
        if path.exists() and path.absolute() not in {one.path.absolute() for one in found}:
            found.append(_model("checkpoint", name, path))
    return tuple(replace(one, sha256=hashes.known(one.path)) for one in found)


def places(settings: Settings) -> tuple[Place, ...]:
    """Where to put models of each kind: the folder that is there, or else one of A1111's name."""
    root = settings.models
    base = root / "models" if (root / "models").is_dir() else root
    return tuple(
        Place(
            kind=kind,
            folder=next(_folders(root, shelf), base / shelf.folders[0]),
            words=shelf.words,
        )
        for kind, shelf in _SHELVES.items()
    )


class Hashes:
    """The sha256 of models, computed once: a file of another size or time is computed anew."""

    def __init__(self, home: Path) -> None:
        self._path = home / HASHES
        self._entries = self._read()

    def known(self, path: Path) -> str | None:
        """The sha256, if it was computed before and nothing has changed since."""
        try:
            files = weights(path)
            entry = self._entries.get(str(path.absolute()))
            return str(entry[1]) if entry is not None and entry[0] == _state(files) else None
        except (OSError, UsageError, TypeError, LookupError):
            return None

    def of(self, path: Path, *, on_progress: OnBytes = ignore) -> str:
        """The sha256 of a file, or of the weights of a folder in turn, as 64 hex digits: what
        recipes inside pictures and sounds name a checkpoint by.

        Raises UsageError for a folder that lacks some, audio's errors where the disk refuses.
        """
        from audio.disk import write_whole

        if (known := self.known(path)) is not None:
            return known
        files = weights(path)
        state = _state(files)
        digest, done = hashlib.sha256(), 0
        for one in files:
            with one.open("rb") as file:
                while block := file.read(_BLOCK_BYTES):
                    digest.update(block)
                    done += len(block)
                    on_progress(done, state[0])
        # others may have written meanwhile
        self._entries = self._read() | {str(path.absolute()): [state, digest.hexdigest()]}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self._path, json.dumps(self._entries, indent=1).encode())
        return digest.hexdigest()

    def _read(self) -> dict[str, Any]:
        """What is kept; of a file that is damaged nothing, for it can be computed again."""
        try:
            return dict(json.loads(self._path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, RecursionError):
            return {}


def weights(path: Path) -> tuple[Path, ...]:
    """The files that a model's sha256 is of. Raises UsageError for a folder that lacks some."""
    if not path.is_dir():
        return (path,)
    if (path / "model_index.json").is_file() or any(path.glob("diffusion_pytorch_model*")):
        return parts(path)
    return voice_weights(path)


def _state(files: Sequence[Path]) -> list[int]:
    """Bytes in all, and when the last of them changed, in nanoseconds."""
    states = [file.stat() for file in files]
    return [sum(s.st_size for s in states), max((s.st_mtime_ns for s in states), default=0)]


def _embedded() -> Iterator[Model]:
    for name in checkpoints.names():
        yield replace(
            _model("checkpoint", name, checkpoints.EMBEDDED / name),
            family="embedded",
            is_embedded=True,
        )
    spec = importlib.util.find_spec("espeakng_loader")
    if spec is not None and spec.origin is not None:
        from audio.speech.espeak import LICENCE

        yield Model(
            kind="voice",
            name="espeak-ng",
            path=Path(spec.origin).parent,
            bytes=_bytes(Path(spec.origin).parent),
            family=UNKNOWN,
            licence=LICENCE,
            ok=True,
            remark="voices of over a hundred languages, named as in 'en-us' or 'de'",
            is_embedded=True,
        )


def _model(kind: Kind, name: str, path: Path) -> Model:
    if not path.is_file():
        return _examined(kind, name, path)
    states = (
        (file, _state([file])) for file in (path, *model_cards.beside(path)) if file.is_file()
    )
    return _remembered(kind, name, path, tuple((file, size, time) for file, (size, time) in states))


@lru_cache(maxsize=_REMEMBERED)
def _remembered(
    kind: Kind, name: str, path: Path, states: tuple[tuple[Path, int, int], ...]
) -> Model:
    """As `_examined`, once for each state of the file and those beside it."""
    return _examined(kind, name, path)


def _examined(kind: Kind, name: str, path: Path) -> Model:
    verdict = check(path, kind)
    family = family_of(width_in(path)) if path.is_dir() else UNKNOWN
    if verdict.layout is not None:
        family = verdict.layout.family
    return Model(
        kind=kind,
        name=name,
        path=path,
        bytes=_bytes(path),
        family=family,
        licence=model_cards.licence(path, verdict.texts),
        ok=verdict.ok,
        remark=verdict.words,
        makes_sound=kind == "checkpoint" and _makes_sound(path),
        words=model_cards.words(path, kind, verdict.texts),
    )


def _makes_sound(path: Path) -> bool:
    try:
        return checkpoints.has_sound(str(path))
    except UsageError:  # a file that is read by nobody
        return False


def _voices(roots: Sequence[Path]) -> Iterator[Path]:
    """The folders of voices, by root and then by name."""
    for root in roots:
        for folder in _folders(root, _SHELVES["voice"]):
            for one in sorted(folder.iterdir()):
                if (one / "config.json").is_file() and not one.name.startswith("."):
                    yield one


def _voice(folder: Path) -> Model:
    verdict = check(folder, "voice")
    config = model_cards.read_json(folder / "config.json")
    engine = "transformers" if "model_type" in config else "coqui"
    is_xtts = engine == "coqui" and config.get("model") == "xtts"
    return Model(
        kind="voice",
        name=f"{engine}:{folder}",
        path=folder,
        bytes=_bytes(folder),
        family=UNKNOWN,
        licence=model_cards.XTTS if is_xtts else model_cards.licence(folder, {}),
        ok=verdict.ok,
        remark=verdict.words,
    )


def _folders(root: Path, shelf: _Shelf) -> Iterator[Path]:
    """The folders of a kind that are in a root, A1111's before ComfyUI's."""
    for wanted in dict.fromkeys(name.casefold() for name in shelf.folders):
        for base in (root, root / "models"):
            if base.is_dir():
                for one in sorted(base.iterdir()):
                    if one.name.casefold() == wanted and one.is_dir():
                        yield one


def _bytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
