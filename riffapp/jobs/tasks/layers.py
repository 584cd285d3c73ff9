"""Layers: loops of one player each on one clock, their mix, and the same mixed anew."""

from __future__ import annotations

import shutil
import zipfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp.gallery import File, Gallery, Made
from riffapp.jobs.desk import Desk, whole
from riffapp.jobs.tasks.loops import loop_facts
from riffapp.studio.layers import LayersPlan

if TYPE_CHECKING:
    from PIL.Image import Image

    from audio.types import SpectrogramParams
    from riffapp.studio.layer_mix import MadeLayers
    from riffapp.studio.text_to_audio import OnProgress, Progress
    from riffapp.studio.types import LoopRequest, LoopResult

KIND = "layers"


@dataclass(frozen=True, kw_only=True)
class Layers:
    """Planned layers. Takes that the work `before` has as they are asked for are not made again:
    with other gains alone, it is but mixed."""

    plan: LayersPlan
    before: int | None = None

    @property
    def title(self) -> str:
        return ", ".join(layer.name for layer in self.plan.layers)

    def perform(self, desk: Desk) -> None:
        """The mix, its picture, a sound for each layer, and all in one archive."""
        from riffapp.studio import layer_mix

        base = self._base(desk)
        folder = base.with_name(f".{base.name}.part")  # a run that was cut off has left takes here
        if desk.made:
            shutil.rmtree(folder, ignore_errors=True)
            return
        try:
            _begin(folder, _archive(self.before, desk))
            watched = _Watched(self.plan, desk)
            made = layer_mix.make_layers(
                folder, self.plan, make=watched.make, on_progress=watched.progress
            )
            desk.keep(0, self._kept(made, folder, base, desk))
        finally:  # but not where the process ends, which goes on then
            shutil.rmtree(folder, ignore_errors=True)

    def _base(self, desk: Desk) -> Path:
        """The name of its files, without an ending."""
        request = self._request
        words = " ".join(filter(None, (*(one.name for one in self.plan.layers), request.key)))
        return desk.path(
            0,
            "",
            words=words,
            bpm=request.bpm,
            bars=request.bars,
            key=request.key,
            checkpoint=request.checkpoint,
        )

    @property
    def _request(self) -> LoopRequest:
        """What the layers have in common: of one that has a key, for drums have none."""
        requests = [layer.request for layer in self.plan.layers]
        return next((one for one in requests if one.key is not None), requests[0])

    def _kept(self, made: MadeLayers, folder: Path, base: Path, desk: Desk) -> Made:
        """What a listener gets of the folder, and the rest in its archive."""
        from riffapp.studio.drawing import tempo_of

        plan, request = self.plan, self._request
        archive = _with(base, ".zip")
        whole(archive, lambda path: _zip(path, folder))
        parts = tuple(
            File(role="part", path=path, name=layer.name)
            for layer, path in zip(plan.layers, _tracks(made, folder, base, plan), strict=True)
        )
        mix = made.mix.replace(_with(base, plan.suffix))
        picture, params = _picture(mix, _with(base, ".png"), request.checkpoint)
        return Made(
            kind=KIND,
            title=" · ".join(filter(None, (self.title, request.key))),
            words=" ".join(layer.prompt for layer in plan.layers),
            task=desk.packed(self),
            files=(
                File(role="sound", path=mix, name="Mix"),
                File(role="picture", path=picture),
                *parts,
                File(role="archive", path=archive),
            ),
            facts={
                **loop_facts(tempo_of(request), params, closed=request.closed),
                "mixer": _mixer(plan),
                "headroom_db": made.headroom_db,
            },
            lines=made.notes,
        )


def _mixer(plan: LayersPlan) -> dict[str, dict[str, Any]]:
    """How each layer stands in the mix, by its name, in the words of the player."""
    return {
        one.name: {"gain_db": one.gain_db, "muted": one.mute, "solo": one.solo}
        for one in plan.layers
    }


def _with(base: Path, ending: str) -> Path:
    return base.with_name(base.name + ending)


def _archive(work: int | None, desk: Desk) -> Path | None:
    """The archive of a work, where it is still there."""
    found = None if work is None else Gallery(desk.database).work(work)
    file = None if found is None else found.file("archive")
    return None if file is None or not file.path.is_file() else file.path


def _begin(folder: Path, archive: Path | None) -> None:
    """The folder as an earlier run left it, else with the takes of an archive, else empty."""
    from riffapp.studio.layer_mix import DOCUMENT

    if archive is not None and not (folder / DOCUMENT).exists():
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(zipfile.BadZipFile, KeyError, OSError):  # then all takes are made
            _unzip(archive, folder)
    if not (folder / DOCUMENT).exists():
        shutil.rmtree(folder, ignore_errors=True)


def _unzip(archive: Path, folder: Path) -> None:
    """The takes, and last the document that says what they are: by their names alone."""
    from riffapp.studio.layer_mix import DOCUMENT, TAKES

    (folder / TAKES).mkdir(parents=True)
    with zipfile.ZipFile(archive) as stored:
        for name in stored.namelist():
            place, _, file = name.rpartition("/")
            if place == TAKES and file == Path(file).name:
                (folder / TAKES / file).write_bytes(stored.read(name))
        (folder / DOCUMENT).write_bytes(stored.read(DOCUMENT))


def _tracks(made: MadeLayers, folder: Path, base: Path, plan: LayersPlan) -> list[Path]:
    """Each layer before its fader, at the mix's headroom: with the faders they sum to the mix."""
    from audio import files as sounds
    from audio.mix import Stem, mixed
    from riffapp.studio import files
    from riffapp.studio.drawing import tempo_of
    from riffapp.studio.layer_mix import TAKES

    found = []
    for layer in plan.layers:
        take = sounds.read(folder / TAKES / f"{layer.file}.wav")
        track = mixed([Stem(clip=take, gain_db=made.headroom_db)])
        path = _with(base, f"-{layer.file}{plan.suffix}")
        files.save_clip(track, path, bit_depth=plan.bit_depth, tempo=tempo_of(layer.request))
        found.append(path)
    return found


def _picture(mix: Path, target: Path, checkpoint: str) -> tuple[Path, SpectrogramParams]:
    """The mix's spectrogram on the checkpoint's grid, and how it is to be read."""
    from audio import pictures
    from riffapp.studio import checkpoints
    from riffapp.studio.canvas import open_canvas

    canvas = open_canvas(mix, checkpoints.read_sound(checkpoint))
    pictures.write(target, canvas.picture, canvas.params, tempo=canvas.tempo)
    return target, canvas.params


def _zip(target: Path, folder: Path) -> None:
    """All files of the folder, as they are: sound hardly shrinks."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))


class _Watched:
    """Makes takes on the worker's own instrument and tells the desk how far they are, by layer."""

    def __init__(self, plan: LayersPlan, desk: Desk) -> None:
        self._names = {layer.request: layer.name for layer in plan.layers}
        self._desk = desk
        self._layer = ""

    def make(self, request: LoopRequest, on_progress: OnProgress) -> LoopResult:
        from riffapp.studio.text_to_audio import make_loops

        self._layer = self._names[request]
        (made,) = make_loops(
            self._desk.models.instrument(request.checkpoint),
            request,
            on_progress=on_progress,
            on_forming=self._forming if self._desk.settings.previews else None,
        )
        return made

    def progress(self, progress: Progress) -> None:
        self._desk.step(progress.done, progress.total, self._layer)

    def _forming(self, picture: Image, take: LoopRequest) -> None:
        from riffapp.studio.drawing import tempo_of
        from riffapp.studio.text_to_audio import render

        sound = self._desk.models.instrument(take.checkpoint).sound
        params = replace(sound.params, rate=take.rate)
        loop = render(picture, params, tempo_of(take), quality="draft", closed=take.closed)
        self._desk.show(picture, loop.clip)
