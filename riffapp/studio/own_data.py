"""A folder of somebody's recordings, or pictures, as what a checkpoint can be trained on.

A recording is laid on the checkpoint's grid: own files say their tempo, names may ("kick_124bpm"),
else it is heard. It is cut on its bars into windows as wide as the training's, each closed to a
circle. What a window shows is said by captions.csv (file,caption), by a .txt of the same name, by
the settings inside an own file, or by the file's name.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import log
from pathlib import Path
from typing import TYPE_CHECKING

from audio.errors import AudioError
from riffapp.errors import UsageError
from riffapp.studio import files, prompts
from riffapp.studio.canvas import Canvas, open_canvas
from riffapp.studio.checkpoints import Sound
from riffapp.studio.images import open_picture
from riffapp.studio.own_windows import start_of, whole_bars, width_of, windows
from riffapp.studio.types import BPM_RANGE

if TYPE_CHECKING:
    from PIL.Image import Image

    from sdcore.models.checkpoint import Checkpoint

CAPTIONS = "captions.csv"
PICTURES = (".png", ".jpg", ".jpeg", ".webp")
# A file's name, how many were before it, and how many there are.
OnFile = Callable[[str, int, int], None]
# A key that is heard less surely is not said.
_SURE = 0.5
_BPM = re.compile(r"(?<![\d.])(\d{2,3}(?:\.\d+)?) ?bpm\b", re.IGNORECASE)
_NUMBERS = re.compile(r"\b\d+ ?bars?\b|\b\d+\b")


@dataclass(frozen=True, kw_only=True, eq=False)
class Example:
    """A picture to learn, and what it shows: `words` as they are typed, key and tempo apart."""

    picture: Image
    words: str
    caption: str
    key: str | None = None
    bpm: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingSet:
    """What was read of a folder, and what a person should know of it."""

    examples: tuple[Example, ...]
    notes: tuple[str, ...] = ()


def kind_of(folder: Path) -> str:
    """ "sounds" or "pictures": what the folder holds.

    Raises UsageError for what is no folder, or holds neither.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder: give one of recordings or of pictures")
    for kind, suffixes in (("sounds", files.SOUND_SUFFIXES), ("pictures", PICTURES)):
        if listed(folder, suffixes):
            return kind
    known = ", ".join((*files.SOUND_SUFFIXES, *PICTURES))
    raise UsageError(f"{folder} holds no recordings and no pictures: give files of {known}")


def listed(folder: Path, suffixes: tuple[str, ...]) -> tuple[Path, ...]:
    """The folder's files with these endings, by name."""
    return tuple(
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in suffixes and path.is_file() and not path.name.startswith(".")
    )


def captions(folder: Path) -> Mapping[str, str]:
    """What captions.csv and .txt files say, by the name of the file that they are about.

    Raises UsageError for a captions.csv that is none, or names a file that is not there.
    """
    found: dict[str, str] = {}
    for path in listed(folder, (".txt",)):
        text = " ".join(_text(path).split())
        beside = (p for p in sorted(folder.iterdir()) if p.stem == path.stem and p != path)
        found |= {p.name: text for p in beside}
    table = folder / CAPTIONS
    if not table.is_file():
        return found
    for number, row in enumerate(csv.reader(_text(table).splitlines()), start=1):
        if not row or [cell.strip().lower() for cell in row[:2]] == ["file", "caption"]:
            continue
        if len(row) < 2:
            raise UsageError(f"{table}, line {number}: give file,caption")
        name, caption = row[0].strip(), ", ".join(cell.strip() for cell in row[1:])
        if not (folder / name).is_file():
            raise UsageError(f"{table}, line {number} names '{name}', which is not in {folder}")
        found[name] = " ".join(caption.split())
    return found


def named_words(path: Path) -> str:
    """The words of a file's name: 'deep-kick_124bpm_2bars_7.wav' says 'deep kick'."""
    stem = re.sub(r"[_\-]+", " ", path.stem)
    return " ".join(_NUMBERS.sub(" ", _BPM.sub(" ", stem)).split()) or path.stem


def named_bpm(path: Path) -> float | None:
    """The tempo that a file's name says, where loops may have it."""
    found = _BPM.search(re.sub(r"[_\-]+", " ", path.stem))
    bpm = None if found is None else float(found[1])
    return bpm if bpm is not None and BPM_RANGE[0] <= bpm <= BPM_RANGE[1] else None


def of_sounds(
    folder: Path,
    sound: Sound,
    *,
    bpm: float | None = None,
    trigger: str = "",
    on_file: OnFile = lambda name, number, count: None,
) -> TrainingSet:
    """Windows of a folder's recordings, as a checkpoint's pictures.

    Args:
        bpm: of all recordings; None is what each says, or is heard to have.
        trigger: a word that stands before all others in each caption.
        on_file: hears of each recording before it is opened.
    Raises:
        UsageError: no recording that can be used, captions that do not fit.
    """
    said = captions(folder)
    examples: list[Example] = []
    notes: list[str] = []
    recordings = listed(folder, files.SOUND_SUFFIXES)
    for number, path in enumerate(recordings):
        on_file(path.name, number, len(recordings))
        try:
            canvas = open_canvas(path, sound, bpm=_told(path, bpm))
            examples += _windows(path, canvas, sound, said.get(path.name), trigger)
        except (AudioError, UsageError) as error:
            notes.append(f"{path.name} was left out: {_why(error)}")
            continue
        notes += [f"{path.name}: {note}" for note in canvas.notes]
    if not examples:
        raise UsageError(f"no recording of {folder} can be used: {notes[0]}")
    return TrainingSet(examples=tuple(examples), notes=tuple(notes))


def of_pictures(
    folder: Path,
    checkpoint: Checkpoint,
    *,
    size: int | None = None,
    trigger: str = "",
    on_file: OnFile = lambda name, number, count: None,
) -> TrainingSet:
    """A folder's pictures, each cut as little as may be to one of the sizes of `bucket`.

    Args:
        size: pixels; the side of a square of as many as each picture gets. None is the
        checkpoint's own.
        on_file: hears of each picture before it is opened.
    Raises:
        UsageError: no picture that can be read, captions that do not fit, a size that is none.
    """
    from sdcore.resize import resized

    # what the UNet halves and halves again
    step = checkpoint.factor * 2 ** (len(checkpoint.unet.config.block_out_channels) - 1)
    area = size_of(checkpoint) if size is None else (size // step * step, size // step * step)
    if not min(area):
        raise UsageError(f"size {size}: give at least {step} pixels")
    said = captions(folder)
    examples: list[Example] = []
    notes: list[str] = []
    pictures = listed(folder, PICTURES)
    for number, path in enumerate(pictures):
        on_file(path.name, number, len(pictures))
        try:
            picture = open_picture(path)
        except UsageError as error:
            notes.append(f"{path.name} was left out: {_why(error)}")
            continue
        cut = resized(picture, bucket(picture.size, area, step), "crop and resize")
        words = said.get(path.name) or named_words(path)
        caption = _joined(trigger, words)
        examples.append(Example(picture=cut, words=caption, caption=caption))
    if not examples:
        raise UsageError(f"no picture of {folder} can be used: {notes[0]}")
    return TrainingSet(examples=tuple(examples), notes=tuple(notes))


def size_of(checkpoint: Checkpoint) -> tuple[int, int]:
    """(width, height) in pixels of the pictures that a checkpoint was trained on."""
    latent = checkpoint.unet.config.sample_size or 64
    height, width = (latent, latent) if isinstance(latent, int) else latent
    return width * checkpoint.factor, height * checkpoint.factor


def bucket(size: tuple[int, int], area: tuple[int, int], step: int) -> tuple[int, int]:
    """The size (width, height) nearest to a picture's proportions of no more pixels than `area`.

    Sides are multiples of `step` pixels, the longer one at most twice as long as the area's. A
    picture less than a tenth off the area's own proportions gets these.
    """

    def off(one: tuple[int, int]) -> float:
        return abs(log(size[0] / size[1] / (one[0] / one[1])))

    if off(area) < 0.1:
        return area
    pixels = area[0] * area[1]
    widths = range(step, 2 * max(area) + 1, step)
    sizes = [(w, min(pixels // w, 2 * max(area)) // step * step) for w in widths]
    return min((one for one in sizes if one[1]), key=lambda one: (off(one), -one[0] * one[1]))


def _windows(
    path: Path, canvas: Canvas, sound: Sound, said: str | None, trigger: str
) -> Iterator[Example]:
    request = canvas.request
    words = said or (None if request is None else request.prompt) or named_words(path)
    words, key = _joined(trigger, words), _key(canvas, sound)
    for picture in _pictures(canvas, sound):
        caption = prompts.compose(sound.template, words, key=key, bpm=canvas.tempo.bpm)
        yield Example(picture=picture, words=words, caption=caption, key=key, bpm=canvas.tempo.bpm)


def _pictures(canvas: Canvas, sound: Sound) -> Iterator[Image]:
    """A picture of each window of a recording."""
    from audio import codec

    params = replace(sound.params, rate=canvas.clip.rate)
    for loop in windows(canvas, sound):
        if sound.draws_circles:
            shown = codec.analyse(loop.clip, params, tempo=loop.tempo, circular=True)
        else:
            samples = loop.clip.samples[:, : width_of(loop.clip, sound)]
            shown = codec.analyse(replace(loop.clip, samples=samples), params)
        yield codec.to_image(shown)


def _key(canvas: Canvas, sound: Sound) -> str | None:
    """The key that a file says, or that is heard from its first bar on and surely."""
    from audio.errors import ParameterError
    from audio.key import estimate_key

    vocabulary = prompts.vocabulary_of(sound.words)
    if canvas.request is not None:
        told = canvas.request.key
        key = prompts.parse_key(told) if told else prompts.key_in(canvas.request.prompt)
        if key is not None:
            return key.name(vocabulary)
    first, _ = whole_bars(canvas)
    samples = canvas.clip.samples[:, max(0, start_of(canvas, first)) :]
    try:
        heard = estimate_key(replace(canvas.clip, samples=samples))
    except ParameterError:
        return None
    return prompts.parse_key(heard.name).name(vocabulary) if heard.confidence > _SURE else None


def _told(path: Path, bpm: float | None) -> float | None:
    """The tempo that is given, or that the name says where the file itself says none."""
    from audio import files as sounds

    if bpm is not None or sounds.read_loop(path) is not None:
        return bpm
    return named_bpm(path)


def _joined(trigger: str, words: str) -> str:
    return ", ".join(part for part in (trigger.strip(), words.strip()) if part)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no UTF-8 text: save it as such") from error


def _why(error: AudioError | UsageError) -> str:
    return " ".join(str(error).split())
