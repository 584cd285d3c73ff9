"""Sounds to pictures and back, and what is heard in a sound."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from riffapp.gallery import File, Made
from riffapp.jobs.desk import Desk
from riffapp.jobs.tasks.given import called, named
from riffapp.studio.types import BEATS_PER_BAR

if TYPE_CHECKING:
    from audio.pictures import Picture
    from audio.types import Clip, Tempo
    from riffapp.studio.analysis import Analysis

KIND = "spectrogram"
_NOTES_SHOWN = 32


@dataclass(frozen=True, kw_only=True)
class OfFile(ABC):
    """Something that is done with a file; `name` is what its giver calls it."""

    source: Path
    name: str = ""

    what: ClassVar[str]

    @abstractmethod
    def refuse(self) -> None:
        """Raises, in the words of `perform`, what can be told without doing it."""

    @abstractmethod
    def perform(self, desk: Desk) -> None: ...

    @property
    def title(self) -> str:
        return f"{self.what}: {self.shown}"

    @property
    def shown(self) -> str:
        """The file's name, as it is told and as new names begin."""
        return named(self.source, self.name)

    def target(self, desk: Desk, suffix: str, *, bpm: float | None = None) -> Path:
        """Where what is made of it goes."""
        return desk.path(0, suffix, words=f"{Path(self.shown).stem} {self.what}", bpm=bpm)

    def keep(
        self,
        desk: Desk,
        *files: File,
        facts: Mapping[str, Any],
        lines: tuple[str, ...] = (),
        told: tuple[str, ...] = (),
    ) -> None:
        """Put it into the gallery."""
        made = Made(
            kind=KIND,
            title=f"{Path(self.shown).stem} · {self.what}",
            words=f"{self.shown} {self.what}",
            task=desk.packed(self),
            files=files,
            facts={**facts, "told": list(told)},
            lines=lines,
        )
        desk.keep(0, made)


@dataclass(frozen=True, kw_only=True)
class Drawing(OfFile):
    """A sound's picture: of a loop on the checkpoint's beat grid, of any other on Riffusion's."""

    bpm: float | None = None
    stereo: bool = False
    checkpoint: str = "loops"

    what: ClassVar[str] = "as a picture"

    def refuse(self) -> None:
        from riffapp.studio import arrange, pictures

        with called({self.shown: self.source}) as folder:
            arrange.refuse_long(folder / self.shown)
            pictures.tempo_of(folder / self.shown, bpm=self.bpm)

    def perform(self, desk: Desk) -> None:
        from riffapp.studio import files, pictures

        desk.step(0, 1, "drawing it")
        with called({self.shown: self.source}) as folder:
            drawn = pictures.audio_to_image(
                folder / self.shown, bpm=self.bpm, stereo=self.stereo, checkpoint=self.checkpoint
            )
        tempo = drawn.spectrogram.tempo
        path = self.target(desk, ".png", bpm=None if tempo is None else tempo.bpm)
        files.save_drawing(drawn, path)
        grid = "Riffusion's grid" if tempo is None else f"{tempo.beats} beats at {tempo.bpm:g} bpm"
        told = f"{drawn.image.width} x {drawn.image.height} pixels, {grid}"
        self.keep(desk, File(role="picture", path=path), facts={}, told=(told,))


@dataclass(frozen=True, kw_only=True)
class Playing(OfFile):
    """A picture's sound; `bpm` None is its own tempo, `rate` None its own rate."""

    bpm: float | None = None
    quality: str = "fast"
    rate: int | None = None
    suffix: str = ".wav"
    bit_depth: str = "16"

    what: ClassVar[str] = "as sound"

    def refuse(self) -> None:
        from riffapp.studio import files, pictures

        files.refuse_depth(Path(f"sound{self.suffix}"), self.bit_depth)
        with called({self.shown: self.source}) as folder:
            picture = files.open_picture(folder / self.shown)
            pictures.heard_as(picture, bpm=self.bpm, rate=self.rate)

    def perform(self, desk: Desk) -> None:
        from riffapp.studio import files, pictures

        desk.step(0, 1, "playing it")
        with called({self.shown: self.source}) as folder:
            picture = files.open_picture(folder / self.shown)
        params, tempo = pictures.heard_as(picture, bpm=self.bpm, rate=self.rate)
        played = pictures.image_to_audio(
            picture, bpm=self.bpm, quality=self.quality, rate=self.rate
        )
        shown = replace(picture, params=params, tempo=tempo)
        _keep_played(self, desk, shown, played.clip, lines=played.notes)


@dataclass(frozen=True, kw_only=True)
class Refining(OfFile):
    """A loop's picture with twice the bands and frames, and its sound."""

    quality: str = "fast"
    suffix: str = ".wav"
    bit_depth: str = "16"

    what: ClassVar[str] = "in more detail"

    def refuse(self) -> None:
        from riffapp.studio import files, pictures

        files.refuse_depth(Path(f"sound{self.suffix}"), self.bit_depth)
        with called({self.shown: self.source}) as folder:
            pictures.refined_as(files.open_picture(folder / self.shown))

    def perform(self, desk: Desk) -> None:
        from riffapp.studio import files, pictures

        desk.step(0, 2, "painting detail")
        with called({self.shown: self.source}) as folder:
            picture = files.open_picture(folder / self.shown)
            finer = pictures.refined(picture)
        desk.step(1, 2, "playing it")
        played = pictures.image_to_audio(finer, quality=self.quality)
        was, now = picture.image.size, finer.image.size
        told = f"{was[0]} x {was[1]} pixels became {now[0]} x {now[1]}"
        _keep_played(self, desk, finer, played.clip, told=(told,))


@dataclass(frozen=True, kw_only=True)
class Hearing(OfFile):
    """What a sound is: tempo, key, chords, its melody as MIDI, and where it can be looped."""

    melody: bool = True
    loop_bars: int | None = None

    what: ClassVar[str] = "analysed"

    def refuse(self) -> None:
        from riffapp.errors import UsageError
        from riffapp.studio import arrange

        if self.loop_bars is not None and self.loop_bars < 1:
            raise UsageError(f"loops of {self.loop_bars} bars: give 1 or more")
        with called({self.shown: self.source}) as folder:
            arrange.refuse_long(folder / self.shown)

    def perform(self, desk: Desk) -> None:
        from audio import disk
        from riffapp.studio import analysis, arrange

        desk.step(0, 1, "listening")
        with called({self.shown: self.source}) as folder:
            found = analysis.analyse(
                folder / self.shown, melody=self.melody, loop_bars=self.loop_bars
            )
        path = self.target(desk, ".json", bpm=round(found.bpm, 2))
        disk.write_whole(path, json.dumps(_document(found), indent=1).encode())
        made = [File(role="text", path=path, name="Report")]
        if self.melody or found.chords:
            arrange.save_midi(found, path.with_suffix(".mid"))
            made.append(File(role="text", path=path.with_suffix(".mid"), name="MIDI"))
        facts = {"bpm": found.bpm, "key": found.key}
        self.keep(desk, *made, facts=facts, lines=found.notes, told=tuple(heard(found)))


def heard(found: Analysis) -> Iterator[str]:
    """An analysis in sentences."""
    from audio.key import NAMES

    others = ", ".join(f"{bpm:.2f}" for bpm in found.bpm_choices[1:])
    yield (
        f"Tempo {found.bpm:.2f} bpm ({found.origins['tempo']})"
        + (f"; it may also be {others}" if others else "")
    )
    yield f"Bar 1 begins at {found.downbeat_s:.3f} s of {found.duration_s:.3f} s"
    keys = ", ".join(found.key_choices[1:4])
    yield (
        f"Key {found.key or 'none heard'} ({found.origins['key']})"
        + (f"; next likely {keys}" if keys else "")
    )
    if found.chords:
        named_chords = " ".join(chord.name for chord in found.chords[:_NOTES_SHOWN])
        yield f"Chords: {named_chords}{' …' * (len(found.chords) > _NOTES_SHOWN)}"
    if found.melody:
        notes = [f"{NAMES[n.pitch % 12]}{n.pitch // 12 - 1}" for n in found.melody]
        more = " …" * (len(notes) > _NOTES_SHOWN)
        yield f"Melody, {len(notes)} notes: {' '.join(notes[:_NOTES_SHOWN])}{more}"
    for point in found.loops:
        yield (
            f"Loops from sample {point.start} to {point.end}: alike {point.likeness:.2f}, "
            f"jump {point.seam.jump:.2f}"
        )


def sound_facts(clip: Clip, tempo: Tempo | None, *, loops: bool) -> dict[str, Any]:
    """What a player needs of a sound."""
    told: dict[str, Any] = {"seconds": clip.n / clip.rate, "rate": clip.rate, "loops": loops}
    if tempo is None:
        return told
    return told | {"bpm": tempo.bpm, "beats": tempo.beats, "meter": BEATS_PER_BAR}


def _document(found: Analysis) -> dict[str, Any]:
    plain = asdict(found)
    points = (
        {"start": point.start, "end": point.end, "likeness": point.likeness}
        for point in found.loops
    )
    return plain | {"loops": list(points)}


def _keep_played(
    task: Playing | Refining,
    desk: Desk,
    picture: Picture,
    clip: Clip,
    *,
    lines: tuple[str, ...] = (),
    told: tuple[str, ...] = (),
) -> None:
    """A picture's sound, and the picture beside it as it is played."""
    from audio import pictures
    from audio.types import RIFFUSION
    from riffapp.studio import files

    tempo, params = picture.tempo, picture.params or RIFFUSION
    path = task.target(desk, task.suffix, bpm=None if tempo is None else tempo.bpm)
    files.save_clip(clip, path, bit_depth=task.bit_depth, tempo=tempo)
    beside, loops = path.with_suffix(".png"), picture.circular or tempo is not None
    pictures.write(beside, picture.image, params, tempo=tempo, circular=loops)
    facts = sound_facts(clip, tempo, loops=loops) | {"params": params.to_json()}
    made = (File(role="sound", path=path), File(role="picture", path=beside))
    task.keep(desk, *made, facts=facts, lines=lines, told=told)
