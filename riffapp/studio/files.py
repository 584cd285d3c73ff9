"""Names for what is made, and the sound and picture files with all settings inside."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from riffapp.errors import MachineError, UsageError
from riffapp.studio import prompts, record
from riffapp.studio.types import BIT_DEPTHS, LONG_BARS, LoopRequest, LoopResult

if TYPE_CHECKING:
    from audio.pictures import Picture
    from audio.types import Clip, Samples, Tempo
    from riffapp.studio.pictures import Drawn
    from riffapp.studio.remake import Remade

SOUND_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
PICTURE_SUFFIX = ".png"
SUBTYPES = {"16": "pcm16", "24": "pcm24", "float": "float"}
_SLUG_CHARS = 60
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, kw_only=True)
class Saved:
    """Where a take went."""

    sound: Path
    picture: Path


def targets(
    output: Path | None, planned: LoopRequest, *, suffix: str | None = None
) -> tuple[Path, ...]:
    """One sound file for each take; its picture has the same name with .png.

    A file named in full is replaced; under a name of ours (`output` is a folder or absent)
    nothing is. Raises UsageError before any work: no such folder, a suffix that is no sound's,
    a picture that riffapp did not make in the way.
    """
    wanted = None if suffix is None else "." + suffix.lower().lstrip(".")
    if wanted is not None and wanted not in SOUND_SUFFIXES:
        raise UsageError(f"unknown format '{suffix}': known are {_known()}")
    if output is None or output.is_dir():
        folder = _folder(Path() if output is None else output)
        return _fresh(folder, name_for(planned), wanted or SOUND_SUFFIXES[0], planned.takes)
    path = target(output if output.suffix else output.with_suffix(wanted or SOUND_SUFFIXES[0]))
    if wanted is not None and path.suffix.lower() != wanted:
        raise UsageError(f"{path.name} and format '{suffix}' disagree: leave one of them out")
    refuse_depth(path, planned.bit_depth)
    paths = _numbered(path, planned.takes)
    for p in paths:
        _refuse_stranger(p.with_suffix(PICTURE_SUFFIX))
    return paths


def target(path: Path) -> Path:
    """`path` if a sound can be written there. Raises UsageError otherwise."""
    if path.suffix.lower() not in SOUND_SUFFIXES:
        raise UsageError(f"{path.name} is no sound file's name: known are {_known()}")
    _folder(path.parent)
    if path.is_dir():
        raise UsageError(f"{path} is a folder: give a file's name")
    return path


def beside(path: Path, suffix: str) -> Path:
    """`path` with another suffix, under a name that no file has yet."""
    for n in itertools.count(1):
        found = path.with_name(f"{path.stem}{'' if n == 1 else f'-{n}'}{suffix}")
        if not found.exists():
            return found
    raise AssertionError("unreachable: counting has no end")


def picture_target(path: Path) -> Path:
    """`path` if a picture can be written there. Raises UsageError otherwise."""
    if path.suffix.lower() != PICTURE_SUFFIX:
        raise UsageError(f"{path.name} is no picture's name: it must end in {PICTURE_SUFFIX}")
    _folder(path.parent)
    _refuse_stranger(path)
    return path


def name_for(planned: LoopRequest) -> str:
    """'house_drums_saw_bass_A_minor_124bpm_2bars_7': words, key, tempo, length and seed."""
    words = [planned.prompt, *([planned.key] if planned.key else [])]
    slug = re.sub(r"[^\w#]+", "_", " ".join(words)).strip("_")[:_SLUG_CHARS].rstrip("_")
    slug = slug.replace("#", "sharp")
    return f"{slug or 'loop'}_{planned.bpm:g}bpm_{planned.bars}bars_{planned.seed}"


def save(
    result: LoopResult, path: Path, *, on_share: Callable[[float], None] | None = None
) -> Saved:
    """Write a take: the sound to `path`, its picture beside it, all settings inside both.

    A long piece takes its sound as it is written: `on_share` is told what share of it is there,
    and what it raises ends the work. Each file appears whole or not at all.
    Raises audio's errors (disk full, no permission).
    """
    from audio import files, pictures, stream

    texts, request = record.texts(result), result.request
    root = _root(request)
    midi = None if root is None else root.midi
    subtype = SUBTYPES[request.bit_depth]
    if request.bars <= LONG_BARS:
        clip = result.loop.clip
        files.write(path, clip, subtype=subtype, tempo=result.tempo, root=midi, tags=texts)
    else:
        stream.write_blocks(
            path,
            result.blocks() if on_share is None else _told(result, on_share),
            rate=result.params.rate,
            channels=result.params.channels,
            subtype=subtype,
            tempo=result.tempo,
            root=midi,
            tags=texts,
        )
    picture = path.with_suffix(PICTURE_SUFFIX)
    pictures.write(
        picture,
        result.picture,
        result.params,
        tempo=result.tempo,
        circular=request.closed,
        texts=texts,
    )
    return Saved(sound=path, picture=picture)


def _told(result: LoopResult, on_share: Callable[[float], None]) -> Iterator[Samples]:
    done, whole = 0, result.tempo.samples(result.params.rate)
    for block in result.blocks():
        yield block
        done += block.shape[1]
        on_share(done / whole)


def save_remade(remade: Remade, path: Path, *, bit_depth: str) -> Saved:
    """Write what was made from another sound, and its picture beside it, as `save` does."""
    from audio import pictures

    texts = record.remade_texts(remade)
    save_clip(remade.clip, path, bit_depth=bit_depth, tempo=remade.tempo, texts=texts)
    picture, canvas = path.with_suffix(PICTURE_SUFFIX), remade.canvas
    pictures.write(
        picture,
        remade.picture,
        canvas.params,
        tempo=canvas.tempo,
        circular=canvas.closed,
        texts=texts,
    )
    return Saved(sound=path, picture=picture)


def save_clip(
    clip: Clip,
    path: Path,
    *,
    bit_depth: str,
    tempo: Tempo | None = None,
    texts: Mapping[str, str] | None = None,
) -> None:
    """Write a sound that no request made alone, with its tempo where it has one."""
    from audio import files

    refuse_depth(path, bit_depth)
    files.write(path, clip, subtype=SUBTYPES[bit_depth], tempo=tempo, tags=texts)


def save_drawing(drawn: Drawn, path: Path) -> None:
    """Write a picture that no request made, with what is needed to play it."""
    from audio import pictures

    shown = drawn.spectrogram
    pictures.write(
        path,
        drawn.image,
        shown.params,
        tempo=shown.tempo,
        texts={record.DOCUMENT: record.document("drawing")},
    )


def open_picture(path: Path) -> Picture:
    """A picture and what it says of how it sounds. Raises UsageError for what is none."""
    from audio import pictures

    if not is_picture(path):
        raise UsageError(f"{path} is no PNG: give a spectrogram picture")
    return pictures.read(path)


def read_texts(path: Path) -> dict[str, str]:
    """The texts inside a PNG or sound file; what it is shows in its first bytes, not its name.

    Raises UsageError where there is no such file, audio's errors where it is damaged.
    """
    from audio import files, pictures

    if is_picture(path):
        return dict(pictures.read(path).texts)
    return dict(files.read_tags(path))


def is_picture(path: Path) -> bool:
    """Whether the file begins as a PNG does."""
    if not path.is_file():
        raise UsageError(f"no file {path}: check the name")
    with path.open("rb") as file:
        return file.read(len(_PNG)) == _PNG


def record_of(path: Path) -> record.Record:
    """The settings inside a file. Raises UsageError where it holds none of a loop."""
    found = record.read(read_texts(path))
    if found is None:
        raise UsageError(f"{path} holds no settings of a loop: give a file that riffapp made")
    return found


def _root(request: LoopRequest) -> prompts.Key | None:
    """The key that was asked for, apart or among the words."""
    if request.key is not None:
        return prompts.parse_key(request.key)
    return prompts.key_in(request.prompt)


def _numbered(path: Path, takes: int) -> tuple[Path, ...]:
    if takes == 1:
        return (path,)
    return tuple(path.with_name(f"{path.stem}_{i}{path.suffix}") for i in range(1, takes + 1))


def _fresh(folder: Path, name: str, suffix: str, takes: int) -> tuple[Path, ...]:
    """Names in the folder that no file has yet."""
    for n in itertools.count(1):
        stem = name if n == 1 else f"{name}-{n}"
        paths = _numbered(folder / (stem + suffix), takes)
        if not any(p.exists() or p.with_suffix(PICTURE_SUFFIX).exists() for p in paths):
            return paths
    raise AssertionError("unreachable: counting has no end")


def _folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise UsageError(f"no folder {folder}: make it first, or name another")
    if not os.access(folder, os.W_OK):
        raise MachineError(f"folder {folder} is not writable: choose another")
    return folder


def refuse_depth(path: Path, bit_depth: str) -> None:
    """Raises UsageError for an unknown bit depth, and for one that the format lacks."""
    if bit_depth not in BIT_DEPTHS:
        raise UsageError(f"unknown bit depth '{bit_depth}': known are {', '.join(BIT_DEPTHS)}")
    if path.suffix.lower() == ".flac" and bit_depth == "float":
        raise UsageError("FLAC holds 16 or 24 bit: take one of them, or a .wav for float")


def _refuse_stranger(path: Path) -> None:
    """A picture that riffapp did not make is somebody's own."""
    from audio.errors import AudioError

    if not path.exists():
        return
    try:
        ours = record.DOCUMENT in read_texts(path)
    except (AudioError, UsageError):
        ours = False
    if not ours:
        raise UsageError(f"{path} exists and riffapp did not make it: choose another name")


def _known() -> str:
    return ", ".join(SOUND_SUFFIXES)
