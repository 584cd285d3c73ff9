"""A folder as latents with captions, kept in a file: hearing and encoding take their time."""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp.studio import files, own_data
from riffapp.studio.checkpoints import Sound
from riffapp.studio.own_data import CAPTIONS, PICTURES, Example, OnFile, TrainingSet

if TYPE_CHECKING:
    from sdcore.models.checkpoint import Checkpoint
    from sdcore.train.own import Examples
    from sdcore.types import Tiling

_KEPT = ("digest", "groups", "first", "notes")


@dataclass(frozen=True, kw_only=True)
class Material:
    """A folder, and how it is read; see `own_data.of_sounds` and `of_pictures`.

    Loops are shown rolled by multiples of `roll_beats`; 0 never rolls.
    """

    folder: Path
    trigger: str = ""
    bpm: float | None = None
    size: int | None = None
    roll_beats: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """A training set as the trainer takes it, the example that previews draw (its picture blank),
    and `digest`, which other files or another reading of them would not have."""

    groups: tuple[Examples, ...]
    first: Example
    notes: tuple[str, ...]
    digest: str


def tiling_of(sound: Sound | None) -> Tiling:
    """The axes on which a checkpoint's pictures close."""
    return "x" if sound is not None and sound.draws_circles else "none"


def shown(
    material: Material,
    cache: Path,
    checkpoint: Checkpoint,
    sound: Sound | None,
    *,
    on_file: OnFile = lambda name, number, count: None,
) -> Shown:
    """The folder's examples, of recordings where there is a `sound`, else of pictures.

    `on_file` hears of each file before it is opened; of none where the cache has them.
    Raises UsageError as `own_data` does, audio's errors where the cache cannot be written.
    """
    import torch

    from audio import disk

    digest = _digest(material, checkpoint, sound)
    kept = _kept(cache)
    if kept is None or kept["digest"] != digest:
        kept = {"digest": digest, **_read(material, checkpoint, sound, on_file)}
        buffer = io.BytesIO()
        torch.save(kept, buffer)
        cache.parent.mkdir(parents=True, exist_ok=True)
        disk.write_whole(cache, buffer.getvalue())
    return _shown(kept, _roll(material.roll_beats, checkpoint, sound))


def _digest(material: Material, checkpoint: Checkpoint, sound: Sound | None) -> str:
    """What the latents depend on: the folder's files, and how they are read."""
    from sdcore.models.files import sha256

    endings = (*files.SOUND_SUFFIXES, *PICTURES, ".txt")
    read = own_data.listed(material.folder, endings)
    table = material.folder / CAPTIONS
    read += (table,) if table.is_file() else ()
    how = (material.trigger, material.bpm, material.size, checkpoint.sha256, sound)
    what = ([path.name for path in read], sha256(read))
    return hashlib.sha256(repr((how, what)).encode()).hexdigest()


def _kept(cache: Path) -> dict[str, Any] | None:
    """What the file holds; None where there is none, or it is broken and to be made anew."""
    import torch

    try:
        found: dict[str, Any] = torch.load(cache, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError):
        return None
    return found if set(_KEPT) <= set(found) else None


def _read(
    material: Material, checkpoint: Checkpoint, sound: Sound | None, on_file: OnFile
) -> dict[str, Any]:
    """The folder's examples, encoded, in plain data."""
    from sdcore.models.circular import circular

    found = _found(material, checkpoint, sound, on_file)
    sizes: dict[tuple[int, int], list[Example]] = {}
    for example in found.examples:
        sizes.setdefault(example.picture.size, []).append(example)
    with circular([checkpoint.vae], axes=tiling_of(sound)):
        groups = [_encoded(checkpoint, examples) for examples in sizes.values()]
    first = found.examples[0]
    said = {name: getattr(first, name) for name in ("words", "caption", "key", "bpm")}
    said["size"] = list(first.picture.size)
    return {"groups": groups, "first": said, "notes": list(found.notes)}


def _found(
    material: Material, checkpoint: Checkpoint, sound: Sound | None, on_file: OnFile
) -> TrainingSet:
    folder, trigger, bpm = material.folder, material.trigger, material.bpm
    if sound is not None:
        return own_data.of_sounds(folder, sound, bpm=bpm, trigger=trigger, on_file=on_file)
    return own_data.of_pictures(
        folder, checkpoint, size=material.size, trigger=trigger, on_file=on_file
    )


def _encoded(checkpoint: Checkpoint, examples: Sequence[Example]) -> dict[str, Any]:
    import torch

    from sdcore import latents

    parts = [latents.encode(checkpoint, [example.picture]).cpu() for example in examples]
    return {"latents": torch.cat(parts), "captions": [example.caption for example in examples]}


def _shown(kept: dict[str, Any], roll: int) -> Shown:
    from PIL import Image

    from sdcore.train.own import Examples

    groups = tuple(
        # a copy: what was encoded in inference mode takes no part in training
        Examples(latents=g["latents"].clone(), captions=tuple(g["captions"]), roll=roll)
        for g in kept["groups"]
    )
    said = dict(kept["first"])
    first = Example(picture=Image.new("L", tuple(said.pop("size"))), **said)
    return Shown(groups=groups, first=first, notes=tuple(kept["notes"]), digest=str(kept["digest"]))


def _roll(beats: int, checkpoint: Checkpoint, sound: Sound | None) -> int:
    """Latent columns of so many beats; 0 where they are no whole number, or time has no beats."""
    from audio.types import BeatFrames

    if sound is None or not isinstance(sound.params.frames, BeatFrames):
        return 0
    columns = beats * sound.params.frames.per_beat
    return 0 if columns % checkpoint.factor else columns // checkpoint.factor
