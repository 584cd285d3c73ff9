"""Which checkpoint is meant, and what it says of how it sounds.

A checkpoint is a name ('loops', embedded), a folder in diffusers layout, a single file, or a hub id
('owner/name'). Its `sound.json` (of `some.safetensors`: `some.sound.json` beside it) makes it an
instrument; Riffusion's, by its name, is known without one:

    params    SpectrogramParams of its pictures
    template  how words, key and tempo become its prompt, e.g. "{prompt}, {key}, {bpm} bpm"
    bars      lengths it was trained on, on a beat grid; width, in columns, on a time grid
    meter     "4/4"
    words     every word it was taught
    groups    the words that a person may pick from, by what they are about
    licence   of the weights
    defaults  steps, cfg, sampler, schedule

An embedded image model has a `picture.json` instead: `defaults` (width and height too), `groups`,
`licence`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp.errors import UsageError

if TYPE_CHECKING:
    from audio.types import SpectrogramParams, Tempo
    from sdcore.models.checkpoint import Checkpoint
    from sdcore.models.shelf import Shelf

EMBEDDED = Path(__file__).resolve().parents[1] / "checkpoints"
PICTURE_FILE = "picture.json"  # what an embedded image model was made for, and its words
SOUND_FILE = "sound.json"
RIFFUSION_SOUND = EMBEDDED / "riffusion.sound.json"
MAX_THREADS = 256


@dataclass(frozen=True, kw_only=True)
class Sound:
    """A checkpoint's sound.json, read and checked. `bars` rise; `words` and `groups` may be
    empty."""

    params: SpectrogramParams
    template: str
    bars: tuple[int, ...]
    meter: str
    words: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]]
    licence: str
    steps: int
    cfg: float
    sampler: str
    schedule: str
    width: int = 512

    def columns(self, tempo: Tempo) -> int:
        """The width of a picture of this musical length, a multiple of 8.

        On a beat grid the same at any tempo; on a time grid the nearest to the grid's own hop.
        """
        from audio.types import BeatFrames

        if isinstance(self.params.frames, BeatFrames):
            return self.params.frames.per_beat * tempo.beats
        hop_s = self.params.frames.hop_ms / 1000
        return max(8, round(tempo.duration_s / hop_s / 8) * 8)

    @property
    def widest(self) -> int:
        """Picture columns that the training knew at once, at most."""
        from audio.types import BeatFrames

        if isinstance(self.params.frames, BeatFrames):
            return self.params.frames.per_beat * 4 * max(self.bars)
        return self.width

    @property
    def draws_circles(self) -> bool:
        """Whether the model was taught loops that close: those on a beat grid are."""
        from audio.types import BeatFrames

        return isinstance(self.params.frames, BeatFrames)


@dataclass(frozen=True, kw_only=True)
class Instrument:
    """A loaded checkpoint that knows how it sounds. `name` is what a file records; on the `shelf`
    lie the LoRAs that prompts may name, in the checkpoint the embeddings."""

    name: str
    checkpoint: Checkpoint
    sound: Sound
    shelf: Shelf | None = None


def names() -> tuple[str, ...]:
    """The embedded checkpoints' names."""
    if not EMBEDDED.is_dir():
        return ()
    found = (p.name for p in EMBEDDED.iterdir() if (p / "model_index.json").is_file())
    return tuple(sorted(found))


def instruments(roots: Sequence[Path] = ()) -> tuple[str, ...]:
    """What makes sound: embedded names, and folders below `roots` that have a sound.json."""
    below = (path.parent for root in roots for path in sorted(root.glob(f"*/*/{SOUND_FILE}")))
    return (*(name for name in names() if has_sound(name)), *map(str, below))


def folder(ref: str) -> Path:
    """The folder, or single file, that `ref` means; a hub id is fetched into its cache once.

    Raises UsageError when nothing of that name is here and it is no hub id.
    """
    if not ref.strip():
        raise UsageError(f"no checkpoint named: known are {_known()}")
    embedded = EMBEDDED / ref
    if ref.replace("-", "").replace("_", "").isalnum() and embedded.is_dir():
        return embedded
    path = Path(ref).expanduser()
    if path.is_dir():
        return path
    if path.is_file():
        if path.suffix.lower() in (".safetensors", ".ckpt"):
            return path
        raise UsageError(
            f"checkpoint '{ref}' is a file: give a folder in diffusers layout, or a .safetensors"
        )
    if ref.count("/") == 1 and not ref.startswith((".", "/", "~")):
        from sdcore.models import fetch

        return fetch(ref)
    raise UsageError(
        f"unknown checkpoint '{ref}': known are {_known()}; "
        "or give a folder in diffusers layout or a hub id (owner/name)"
    )


def has_sound(ref: str) -> bool:
    """Whether the checkpoint says how it sounds; others are image models."""
    return _sound_file(ref) is not None


def read_sound(ref: str) -> Sound:
    """What the checkpoint says of how it sounds.

    Raises UsageError where it says nothing (an image model) or nothing usable.
    """
    path = _sound_file(ref)
    if path is None:
        raise UsageError(
            f"checkpoint '{ref}' has no {SOUND_FILE}: it is an image model and does not say how "
            "its pictures sound; choose one that does, such as 'loops'"
        )
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UsageError(f"{path} is not JSON ({error}): write it anew") from error
    return _sound(plain, path)


def liked(ref: str) -> dict[str, Any]:
    """The settings that an embedded checkpoint was made for, by their names in a request: size,
    steps, cfg, sampler, schedule. Nothing of other checkpoints.
    """
    if ref not in names():
        return {}
    if not has_sound(ref):
        return dict(_picture_facts(ref).get("defaults", {}))
    from audio.types import Tempo

    sound = read_sound(ref)
    two_bars = sound.columns(Tempo(bpm=120.0, beats=8))
    size = {"width": two_bars, "height": sound.params.n_mels}
    return size | {name: getattr(sound, name) for name in ("steps", "cfg", "sampler", "schedule")}


def taught(ref: str) -> Mapping[str, tuple[str, ...]]:
    """The words that an embedded image checkpoint knows, by what they are about; nothing of other
    checkpoints."""
    if ref not in names() or has_sound(ref):
        return {}
    groups: Mapping[str, Sequence[str]] = _picture_facts(ref).get("groups", {})
    return {name: tuple(words) for name, words in groups.items()}


@cache
def _picture_facts(name: str) -> dict[str, Any]:
    path = EMBEDDED / name / PICTURE_FILE
    plain: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return plain


def load(
    ref: str, *, device: str = "auto", threads: int | None = None, models: Sequence[Path] = ()
) -> Instrument:
    """The checkpoint's weights on `device`, and its sound; `threads` are this process's from then.

    In `models`, folders of models, LoRAs and embeddings are found.

    Raises UsageError as `read_sound` does and for fewer than one thread, sdcore's errors for
    weights that are missing or broken.
    """
    import torch

    from sdcore.models.load import load as load_weights

    sound = read_sound(ref)
    if threads is not None:
        if not 1 <= threads <= MAX_THREADS:
            raise UsageError(f"threads {threads}: give 1 to {MAX_THREADS}")
        torch.set_num_threads(threads)
    if not models:
        checkpoint = load_weights(folder(ref), device=device)
        return Instrument(name=ref, checkpoint=checkpoint, sound=sound)
    from riffapp.studio.library import Library  # it looks for checkpoints here

    library = Library(models, device=device)
    checkpoint = library.checkpoint(str(folder(ref)))
    return Instrument(name=ref, checkpoint=checkpoint, sound=sound, shelf=library.shelf)


def _sound_file(ref: str) -> Path | None:
    """Where it stands how the checkpoint sounds."""
    path = folder(ref)
    own = path / SOUND_FILE if path.is_dir() else path.with_suffix(f".{SOUND_FILE}")
    if own.is_file():
        return own
    names = (ref, path.name)
    return RIFFUSION_SOUND if any("riffusion" in name.lower() for name in names) else None


def _sound(plain: Any, path: Path) -> Sound:
    from audio.errors import AudioError
    from audio.types import BeatFrames, SpectrogramParams

    if not isinstance(plain, dict) or "params" not in plain:
        raise UsageError(f"{path} has no 'params': it must say how the pictures sound")
    try:
        params = SpectrogramParams.from_json(plain["params"])
        defaults: Mapping[str, Any] = plain.get("defaults", {})
        sound = Sound(
            params=params,
            template=str(plain.get("template", "{prompt}")),
            bars=tuple(sorted(int(n) for n in plain.get("bars", []))),
            meter=str(plain.get("meter", "4/4")),
            words=_texts(plain.get("words", [])),
            groups={name: _texts(words) for name, words in plain.get("groups", {}).items()},
            licence=str(plain.get("licence", "")),
            steps=int(defaults.get("steps", 16)),
            cfg=float(defaults.get("cfg", 4.0)),
            sampler=str(defaults.get("sampler", "DPM++ 2M")),
            schedule=str(defaults.get("schedule", "Karras")),
            width=int(plain.get("width", 512)),
        )
    except (AudioError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{path}: {error}") from error
    if isinstance(params.frames, BeatFrames) and not sound.bars:
        raise UsageError(f"{path}: a beat grid needs the bars of the training: give 'bars'")
    if sound.width < 8 or sound.width % 8:
        raise UsageError(f"{path}: width {sound.width}: give a multiple of 8 columns")
    return sound


def _texts(listed: Any) -> tuple[str, ...]:
    if not isinstance(listed, list) or not all(isinstance(text, str) for text in listed):
        raise ValueError(f"words are a list of texts, not {str(listed)[:60]}")
    return tuple(listed)


def _known() -> str:
    return ", ".join(f"'{name}'" for name in names()) or "none embedded"
