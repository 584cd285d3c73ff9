"""Sounds that others are made from: opened to be seen and heard, and what came of them kept."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp.errors import UsageError
from riffapp.gallery import File, Made
from riffapp.jobs import wire
from riffapp.jobs.desk import Desk, Task, whole
from riffapp.jobs.tasks.loops import loop_facts

if TYPE_CHECKING:
    from audio.types import Clip, Tempo
    from riffapp.studio.canvas import Canvas
    from riffapp.studio.checkpoints import Sound
    from riffapp.studio.remake import Remade

KIND = "source"
OPENED = "opened"  # the folder of the home that says what is shown of sources
WHOLE_BARS, AS_IT_WAS = "In whole bars", "As long as it was"
_SURE, _FAIRLY = 0.9, 0.6


@dataclass(frozen=True, kw_only=True)
class Source:
    """A sound file or a spectrogram PNG.

    `bpm` and `first_beat_s` (where a bar begins) are None where the file says them, or they are to
    be heard. `picture` is the PNG that the sound was made from, where it is known.
    """

    path: Path
    bpm: float | None = None
    first_beat_s: float | None = None
    picture: Path | None = None

    def canvas(self, sound: Sound) -> Canvas:
        """It on a checkpoint's grid. Raises UsageError as `open_canvas`."""
        from riffapp.studio.canvas import open_canvas

        bpm, first_s = self.bpm, self.first_beat_s
        if self.picture is None:
            return open_canvas(self.path, sound, bpm=bpm, first_beat_s=first_s)
        with tempfile.TemporaryDirectory() as folder:  # where the two lie beside each other
            path = Path(folder) / f"sound{self.path.suffix}"
            shutil.copyfile(self.path, path)
            shutil.copyfile(self.picture, path.with_suffix(self.picture.suffix))
            return open_canvas(path, sound, bpm=bpm, first_beat_s=first_s)


# ---- opened -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A source as it is shown before anything is made of it.

    `source` has the tempo and the first beat that were heard; `sound` (in whole bars) and `picture`
    lie on one grid; `facts` are as a work's, `lines` say what was heard.
    """

    source: Source
    sound: Path
    picture: Path
    facts: Mapping[str, Any]
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Opening:
    """A source to be opened; `name` is what its owner calls it. It makes no work."""

    source: Source
    name: str
    checkpoint: str

    @property
    def title(self) -> str:
        return f"opening {self.name}"

    def perform(self, desk: Desk) -> None:
        """Leaves what `opened_by` finds. Raises what refuses the file, by its owner's name."""
        from audio.errors import AudioError

        try:
            self._open(desk)
        except (AudioError, UsageError) as error:
            raise type(error)(str(error).replace(str(self.source.path), self.name)) from error

    def _open(self, desk: Desk) -> None:
        from audio import pictures
        from riffapp.studio import checkpoints, files

        desk.step(0, 2, "listening")
        source, lines = _heard(self.source)
        desk.step(1, 2, "drawing it")
        canvas = source.canvas(checkpoints.read_sound(self.checkpoint))
        home, tempo = desk.database.home, canvas.tempo
        with tempfile.TemporaryDirectory() as folder:
            sound, picture = Path(folder) / "sound.wav", Path(folder) / "picture.png"
            files.save_clip(canvas.padded, sound, bit_depth="16", tempo=tempo)
            pictures.write(
                picture, canvas.picture, canvas.params, tempo=tempo, circular=canvas.closed
            )
            shown = Opened(
                source=source,
                sound=sound,
                picture=picture,
                facts=loop_facts(tempo, canvas.params, closed=canvas.closed),
                lines=(*lines, *canvas.notes),
            )
            told = wire.dumps(shown, home)  # which keeps both files among the inputs
        place = _place(desk.job.id, home)
        place.parent.mkdir(parents=True, exist_ok=True)
        whole(place, lambda path: path.write_text(told, encoding="utf-8"))


def opened_by(job: int, home: Path) -> Opened | None:
    """What an opening that is done has left; None where that is gone, or another version's."""
    try:
        found: Opened = wire.loads(_place(job, home).read_text(encoding="utf-8"), home)
    except (OSError, UsageError):
        return None
    return found if found.sound.is_file() and found.picture.is_file() else None


def _place(job: int, home: Path) -> Path:
    return home / OPENED / f"{job}.json"


def _heard(source: Source) -> tuple[Source, tuple[str, ...]]:
    """The source with its tempo where its file says none, and in words what was read or heard."""
    from audio import files as sounds
    from audio.tempo import MAX_S
    from riffapp.studio import files

    if files.is_picture(source.path):
        return source, ()
    length_s = sounds.duration_s(source.path)
    long = length_s > MAX_S
    part = sounds.read_part(source.path, duration_s=MAX_S) if long else sounds.read(source.path)
    key = _key(part, files.read_texts(source.path))
    own = sounds.read_loop(source.path)
    is_whole = own is not None and _makes_bars(own, length_s, part.rate)
    if source.bpm is not None or (source.first_beat_s is None and is_whole):
        return source, (key,)
    timed, line = _timed(source, part)
    return timed, (line, key)


def _makes_bars(tempo: Tempo, length_s: float, rate: int) -> bool:
    """Whether a file of that length is whole bars of a tempo."""
    from riffapp.studio.types import BEATS_PER_BAR

    return tempo.beats % BEATS_PER_BAR == 0 and tempo.samples(rate) == round(length_s * rate)


def _timed(source: Source, part: Clip) -> tuple[Source, str]:
    from audio.tempo import estimate_tempo
    from riffapp.studio.types import BPM_RANGE

    found = estimate_tempo(part, bpm_range=BPM_RANGE)
    first_s = found.downbeat_s if source.first_beat_s is None else source.first_beat_s
    others = " or ".join(f"{bpm:.1f}" for bpm in found.choices[1:3])
    told = (
        f"heard: {found.bpm:.2f} bpm ({_sure(found.confidence)}; else {others}), a bar at "
        f"{first_s:.3f} s. Under Tempo both can be set"
    )
    return replace(source, bpm=found.bpm, first_beat_s=first_s), told


def _key(part: Clip, texts: Mapping[str, str]) -> str:
    from audio.errors import ParameterError
    from audio.key import estimate_key
    from riffapp.studio import record

    own = record.read(texts)
    if own is not None and own.request.key is not None:
        return f"asked for in {own.request.key}"
    try:
        found = estimate_key(part)
    except ParameterError:
        return "heard: no key"
    return f"heard: {found.name} ({_sure(found.confidence)}; else {found.ranked[1]})"


def _sure(confidence: float) -> str:
    word = "sure" if confidence >= _SURE else "fairly sure" if confidence >= _FAIRLY else "a guess"
    return f"{word}, {confidence:.0%}"


# ---- what came of it --------------------------------------------------------------------------


def keep(
    desk: Desk, number: int, remade: Remade, *, kind: str, title: str, task: Task, suffix: str
) -> None:
    """Write what was made of a source and put it into the gallery.

    Where the source is no whole bars there are two sounds: one in whole bars, on which picture and
    grid lie and which can be taken on with its tempo, and one as long as the source was.
    """
    from riffapp.studio import files, record

    request, canvas = remade.request, remade.canvas
    in_bars = replace(remade, clip=replace(canvas, clip=remade.clip).padded)
    path = desk.path(
        number,
        suffix,
        words=" ".join(filter(None, (request.prompt, request.key))),
        bpm=request.bpm,
        bars=request.bars,
        key=request.key,
        seed=request.seed,
        checkpoint=request.checkpoint,
    )
    saved = files.save_remade(in_bars, path, bit_depth=request.bit_depth)
    told = [File(role="sound", path=saved.sound), File(role="picture", path=saved.picture)]
    if in_bars.clip.n != remade.clip.n:
        cut = path.with_name(f"{path.stem}-cut{suffix}")
        texts = record.remade_texts(remade)
        files.save_clip(remade.clip, cut, bit_depth=request.bit_depth, texts=texts)
        told[:1] = [replace(told[0], name=WHOLE_BARS), File(role="sound", path=cut, name=AS_IT_WAS)]
    made = Made(
        kind=kind,
        title=title,
        words=f"{request.prompt} {request.negative} {request.key or ''}",
        task=desk.packed(task),
        files=tuple(told),
        facts={
            **loop_facts(canvas.tempo, canvas.params, closed=canvas.closed),
            "prompt": request.prompt,
            "seed": request.seed,
            "made_s": remade.seconds,
            "rtf": remade.seconds / canvas.tempo.duration_s,
        },
        lines=remade.warnings,
    )
    desk.keep(number, made)
