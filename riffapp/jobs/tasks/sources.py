"""Sounds that others are made from: opened to be seen and heard, and what came of them kept."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from riffapp.gallery import File, Made
from riffapp.jobs.desk import Desk, Task
from riffapp.jobs.tasks.loops import loop_facts

if TYPE_CHECKING:
    from audio.types import Clip, Tempo
    from riffapp.studio.canvas import Canvas
    from riffapp.studio.checkpoints import Sound
    from riffapp.studio.remake import Remade

KIND = "source"
OPENED = "opened"  # the folder of the home with what is shown of sources
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

        with tempfile.TemporaryDirectory() as folder:
            path = self.path
            if self.picture is not None:  # a sound's own picture lies beside it, by its name
                path = Path(shutil.copyfile(path, Path(folder) / f"sound{path.suffix}"))
                shutil.copyfile(self.picture, path.with_suffix(self.picture.suffix))
            return open_canvas(path, sound, bpm=self.bpm, first_beat_s=self.first_beat_s)


# ---- opened -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Opening:
    """A source to be shown before anything is made of it; `name` is what its owner calls it.

    The work's own task has the tempo and the first beat that were heard.
    """

    source: Source
    name: str
    checkpoint: str

    @property
    def title(self) -> str:
        return f"opening {self.name}"

    def perform(self, desk: Desk) -> None:
        """The sound in whole bars of its tempo, and its picture."""
        from audio import pictures
        from riffapp.studio import checkpoints, files

        desk.step(0, 2, "listening")
        source, lines = _heard(self.source)
        desk.step(1, 2, "drawing it")
        canvas = source.canvas(checkpoints.read_sound(self.checkpoint))
        folder = desk.database.home / OPENED
        folder.mkdir(parents=True, exist_ok=True)
        sound, picture = (folder / f"{desk.job.id}{suffix}" for suffix in (".wav", ".png"))
        files.save_clip(canvas.padded, sound, bit_depth="16", tempo=canvas.tempo)
        pictures.write(
            picture, canvas.picture, canvas.params, tempo=canvas.tempo, circular=canvas.closed
        )
        made = Made(
            kind=KIND,
            title=self.name,
            words=self.name,
            task=desk.packed(replace(self, source=source)),
            files=(File(role="sound", path=sound), File(role="picture", path=picture)),
            facts=loop_facts(canvas.tempo, canvas.params, closed=canvas.closed),
            lines=(*lines, *canvas.notes),
        )
        desk.keep(0, made)


def _heard(source: Source) -> tuple[Source, tuple[str, ...]]:
    """The source with its tempo where its file says none, and what was heard of it in words."""
    from audio import files as sounds
    from audio.tempo import MAX_S
    from riffapp.studio import files

    if files.is_picture(source.path):
        return source, ()
    long = sounds.duration_s(source.path) > MAX_S
    part = sounds.read_part(source.path, duration_s=MAX_S) if long else sounds.read(source.path)
    says_tempo = source.first_beat_s is None and _is_whole(part, sounds.read_loop(source.path))
    if source.bpm is not None or says_tempo:
        return source, (_key(part),)
    timed, line = _timed(source, part)
    return timed, (line, _key(part))


def _is_whole(part: Clip, tempo: Tempo | None) -> bool:
    """Whether a file's tempo makes whole bars of it."""
    from riffapp.studio.types import BEATS_PER_BAR

    if tempo is None or tempo.beats % BEATS_PER_BAR:
        return False
    return tempo.samples(part.rate) == part.n


def _timed(source: Source, part: Clip) -> tuple[Source, str]:
    from audio.tempo import estimate_tempo
    from riffapp.studio.types import BPM_RANGE

    found = estimate_tempo(part, bpm_range=BPM_RANGE)
    first_s = found.downbeat_s if source.first_beat_s is None else source.first_beat_s
    others = " or ".join(f"{bpm:.1f}" for bpm in found.choices[1:3])
    told = (
        f"{found.bpm:.2f} bpm ({_sure(found.confidence)}; else {others}), "
        f"bar 1 at {first_s:.3f} s: give both where they are wrong"
    )
    return replace(source, bpm=found.bpm, first_beat_s=first_s), told


def _key(part: Clip) -> str:
    from audio.errors import ParameterError
    from audio.key import estimate_key

    try:
        found = estimate_key(part)
    except ParameterError:
        return "no key was heard"
    return f"{found.name} ({_sure(found.confidence)}; else {found.ranked[1]})"


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
    from riffapp.studio import files

    request, canvas = remade.request, remade.canvas
    whole = replace(remade, clip=replace(canvas, clip=remade.clip).padded)
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
    saved = files.save_remade(whole, path, bit_depth=request.bit_depth)
    told = [File(role="sound", path=saved.sound), File(role="picture", path=saved.picture)]
    if whole.clip.n != remade.clip.n:
        cut = path.with_name(f"{path.stem}-cut{suffix}")
        files.save_clip(remade.clip, cut, bit_depth=request.bit_depth)
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
