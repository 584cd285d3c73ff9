"""What is done with a finished sound: exported, at another tempo or pitch, in stems, in clips."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from riffapp.errors import UsageError
from riffapp.gallery import File
from riffapp.jobs.desk import Desk, whole
from riffapp.jobs.tasks import rows
from riffapp.jobs.tasks.given import called, second_name
from riffapp.jobs.tasks.spectrogram import OfFile, sound_facts
from riffapp.studio.arrange import Cuts, Export, Retiming

if TYPE_CHECKING:
    from audio.types import Clip, Tempo
    from riffapp.studio.arrange import Recording

DEMUCS = ("htdemucs", "htdemucs_ft", "htdemucs_6s", "mdx_extra")


@dataclass(frozen=True, kw_only=True)
class OfSound(OfFile):
    """Something that is done with a sound; `picture` is what it was made from, where known."""

    picture: Path | None = None
    suffix: str = ".wav"
    bit_depth: str = "16"

    @contextmanager
    def laid_out(self) -> Iterator[Path]:
        """The sound's file under its name, its picture beside it."""
        names = {self.shown: self.source}
        if self.picture is not None:
            names[Path(self.shown).with_suffix(self.picture.suffix).name] = self.picture
        with called(names) as folder:
            yield folder / self.shown

    @contextmanager
    def opened(self) -> Iterator[Recording]:
        """The sound, while its files lie under their names."""
        from riffapp.studio import arrange

        with self.laid_out() as path:
            yield arrange.recording(path)

    def refuse(self) -> None:
        from audio import files as sounds
        from riffapp.studio import arrange, files

        files.refuse_depth(Path(f"sound{self.suffix}"), self.bit_depth)
        with self.laid_out() as path:
            arrange.refuse_long(path)
            self.refuse_of(path, sounds.read_loop(path))

    def refuse_of(self, path: Path, tempo: Tempo | None) -> None:
        """Raises what cannot be done with a sound of this tempo, or of none."""

    def saved(
        self, clip: Clip, path: Path, tempo: Tempo | None, texts: dict[str, str] | None = None
    ) -> Path:
        """A sound that came of it, written."""
        from riffapp.studio import files

        files.save_clip(clip, path, bit_depth=self.bit_depth, tempo=tempo, texts=texts)
        return path


@dataclass(frozen=True, kw_only=True)
class Exporting(OfSound):
    """A loudness, repeats, a click, a count-in, another format."""

    wish: Export = Export()

    what: ClassVar[str] = "exported"

    def refuse_of(self, path: Path, tempo: Tempo | None) -> None:
        from riffapp.studio import arrange

        arrange.refuse_export(self.wish, path=path, tempo=tempo)

    def perform(self, desk: Desk) -> None:
        from riffapp.studio import arrange

        desk.step(0, 1, "exporting")
        with self.opened() as made:
            ready, loud = arrange.exported(made, self.wish)
        path = self.target(desk, self.suffix, bpm=_bpm(ready.tempo))
        self.saved(ready.clip, path, ready.tempo, ready.texts)
        self.keep(
            desk,
            File(role="sound", path=path),
            facts=sound_facts(ready.clip, ready.tempo, loops=ready.tempo is not None),
            told=(f"{loud.lufs:.1f} LUFS, true peak {loud.true_peak_db:.1f} dBTP",),
        )


@dataclass(frozen=True, kw_only=True)
class Stretching(OfSound):
    """Another tempo or pitch: a loop whose picture is known is rendered anew, exactly."""

    wish: Retiming = Retiming()

    what: ClassVar[str] = "retimed"

    def refuse_of(self, path: Path, tempo: Tempo | None) -> None:
        from riffapp.studio import arrange

        arrange.refuse_retiming(self.wish, path=path, tempo=tempo)

    def perform(self, desk: Desk) -> None:
        from riffapp.studio import arrange

        desk.step(0, 1, "stretching")
        with self.opened() as made:
            ready = arrange.retimed(made, self.wish)
        before, after = made.clip.duration_s, ready.clip.duration_s
        path = self.target(desk, self.suffix, bpm=_bpm(ready.tempo))
        self.saved(ready.clip, path, ready.tempo)
        self.keep(
            desk,
            File(role="sound", path=path),
            facts=sound_facts(ready.clip, ready.tempo, loops=ready.tempo is not None),
            told=(f"{before:.3f} s became {after:.3f} s",),
        )


@dataclass(frozen=True, kw_only=True)
class Parting(OfSound):
    """Stems: harmonic and percussive, or by a Demucs model whose files lie in `weights`."""

    model: str | None = None
    weights: Path | None = None

    what: ClassVar[str] = "stems"

    def refuse_of(self, path: Path, tempo: Tempo | None) -> None:
        if self.model is not None and (self.weights is None or not self.weights.is_dir()):
            raise UsageError(f"no folder with the files of {self.model}: say where they are")

    def perform(self, desk: Desk) -> None:
        from riffapp.studio import arrange

        desk.step(0, 1, "taking it apart")
        with self.opened() as made:
            stems = arrange.stems_of(made, model=self.model, weights=self.weights)
        base = self.target(desk, "", bpm=_bpm(made.tempo))
        original = base.with_name(f"{base.name}{self.source.suffix}")
        second_name(self.source, original)
        parts = tuple(
            File(
                role="part",
                path=self.saved(
                    clip, base.with_name(f"{base.name}-{name}{self.suffix}"), made.tempo
                ),
                name=name.capitalize(),
            )
            for name, clip in stems.items()
        )
        facts = sound_facts(made.clip, made.tempo, loops=made.tempo is not None)
        self.keep(desk, File(role="sound", path=original, name="Original"), *parts, facts=facts)


@dataclass(frozen=True, kw_only=True)
class Clipping(OfSound):
    """Clips out of a recording, on its bars or anywhere; a row for each."""

    wish: Cuts = Cuts()

    what: ClassVar[str] = "clips"

    def refuse_of(self, path: Path, tempo: Tempo | None) -> None:
        from riffapp.studio import arrange

        arrange.refuse_cuts(self.wish)

    def perform(self, desk: Desk) -> None:
        from riffapp.studio import arrange

        desk.step(0, 0, "listening")
        with self.opened() as made:
            found = arrange.clips_of(made, self.wish)
        folder, width = self.target(desk, ""), arrange.digits(len(found))
        folder.mkdir(exist_ok=True)
        clips, told = [], []
        for number, (start_s, clip, tempo) in enumerate(found, start=1):
            desk.step(number, len(found), "cutting")
            path = folder / f"clip-{number:0{width}}{self.suffix}"
            clips.append(File(role="sound", path=self.saved(clip, path, tempo), name=path.name))
            title = f"{path.stem}, from {start_s:.3f} s"
            told.append((title, sound_facts(clip, tempo, loops=tempo is not None)))
        archive = folder / f"{folder.name}.zip"
        whole(archive, lambda path: _zip(path, [one.path for one in clips]))
        self.keep(
            desk,
            File(role="archive", path=archive, name=f"ZIP of {len(clips)} clips"),
            *clips,
            facts=rows.facts_of(told, first=1, pictures=False),
        )


def _bpm(tempo: Tempo | None) -> float | None:
    return None if tempo is None else tempo.bpm


def _zip(archive: Path, files: Sequence[Path]) -> None:
    with zipfile.ZipFile(archive, "w") as stored:
        for path in files:
            stored.write(path, path.name)
