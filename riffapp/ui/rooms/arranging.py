"""Rooms of the sound tools for many loops at once, and for sounds that are finished."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from riffapp import settings
from riffapp.studio.types import LoopRequest
from riffapp.ui.components.source import source

if TYPE_CHECKING:
    from riffapp.studio.arrange import Recording
    from riffapp.studio.packs import Maker

PACK = "house drums|saw bass|A minor"


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a tool made: bytes of a WAV, a PNG, a ZIP, and lines to read."""

    sound: bytes | None = None
    picture: bytes | None = None
    archive: bytes | None = None
    lines: tuple[str, ...] = ()

    @staticmethod
    def of(sound: Path, picture: Path | None = None, *, lines: Sequence[str] = ()) -> Made:
        """Read from files that will not stay."""
        shown = None if picture is None else picture.read_bytes()
        return Made(sound=sound.read_bytes(), picture=shown, lines=tuple(lines))


Tool = Callable[[], Callable[[], Made]]


# ---- many loops -------------------------------------------------------------------------------


def _base(prompt: str) -> Callable[[], LoopRequest]:
    left, middle, right = st.columns(3)
    bpm = float(left.number_input("BPM", 40.0, 240.0, 120.0, key="tool-bpm"))
    key = middle.text_input("Key", "A minor", key="tool-key")
    seed = int(right.number_input("Seed", 0, 2**32 - 1, 1, key="tool-seed"))
    return lambda: LoopRequest(
        prompt=prompt,
        bpm=bpm,
        key=key.strip() or None,
        seed=seed,
        checkpoint=settings.load().checkpoint,
    )


def _maker() -> Maker:
    from riffapp.studio import packs

    found = settings.load()
    return packs.maker(device=found.device, threads=found.threads)


def _pack() -> Callable[[], Made]:
    text = st.text_input("Words; bars set off the parts of a matrix", PACK, key="tool-pack")
    axis = st.text_input("Axis, such as bpm: 120, 124", "", key="tool-axis")
    base = _base(text)

    def work() -> Made:
        from riffapp.studio import packs

        axes = (packs.parse_axis(axis),) if axis.strip() else ()
        plan = packs.plan_pack(packs.PackWish(base=base(), axes=axes))
        with tempfile.TemporaryDirectory() as folder:
            made = packs.make_pack(Path(folder) / "pack", plan, make=_maker(), zipped=True)
            assert made.archive is not None  # it was asked for
            names = tuple(loop.file for loop in plan.loops)
            return Made(archive=made.archive.read_bytes(), lines=names + made.notes)

    return work


def zipped(folder: Path) -> bytes:
    """All files below a folder."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    return whole.getvalue()


# ---- finished sounds --------------------------------------------------------------------------


def _finished(make: Callable[[Recording, Path], Made]) -> Callable[[], Made]:
    given = source()

    def work() -> Made:
        from riffapp.studio import arrange

        path, folder = given()
        with folder:
            return make(arrange.recording(path), Path(folder.name))

    return work


def _export() -> Callable[[], Made]:
    left, middle, right = st.columns(3)
    lufs = float(left.number_input("Loudness (LUFS)", -60.0, 0.0, -14.0, key="tool-lufs"))
    repeat = int(middle.number_input("Repeats", 1, 256, 1, key="tool-repeat"))
    count_in = int(right.number_input("Bars of count-in", 0, 8, 0, key="tool-count-in"))
    click = st.checkbox("A click on each beat", key="tool-click")

    def make(made: Recording, folder: Path) -> Made:
        from riffapp.studio import arrange, files

        wish = arrange.Export(lufs=lufs, repeat=repeat, click=click, count_in=count_in)
        ready, loud = arrange.exported(made, wish)
        out = folder / "export.wav"
        files.save_clip(ready.clip, out, bit_depth="16", tempo=ready.tempo, texts=ready.texts)
        return Made.of(out, lines=[f"{loud.lufs:.1f} LUFS, true peak {loud.true_peak_db:.1f} dBTP"])

    return _finished(make)


def _retime() -> Callable[[], Made]:
    left, middle, right = st.columns(3)
    bpm = float(left.number_input("BPM (0: as it is)", 0.0, 240.0, 140.0, key="tool-bpm"))
    own = float(middle.number_input("Its own, if it says none", 0.0, 240.0, 0.0, key="tool-own"))
    semitones = float(right.number_input("Semitones", -24.0, 24.0, 0.0, key="tool-transpose"))

    def make(made: Recording, folder: Path) -> Made:
        from riffapp.studio import arrange, files

        ready = arrange.retimed(made, bpm=bpm or None, from_bpm=own or None, semitones=semitones)
        out = folder / "retimed.wav"
        files.save_clip(ready.clip, out, bit_depth="16", tempo=ready.tempo)
        return Made.of(out, lines=[f"{ready.clip.duration_s:.3f} s"])

    return _finished(make)


def _stems() -> Callable[[], Made]:
    def make(made: Recording, folder: Path) -> Made:
        from riffapp.studio import arrange, files

        (folder / "stems").mkdir()
        for name, clip in arrange.stems_of(made).items():
            path = folder / "stems" / f"{name}.wav"
            files.save_clip(clip, path, bit_depth="24", tempo=made.tempo)
        return Made(archive=zipped(folder / "stems"), lines=("harmonic.wav, percussive.wav",))

    return _finished(make)


def _clips() -> Callable[[], Made]:
    left, middle, right = st.columns(3)
    count = int(left.number_input("How many", 1, 1000, 8, key="tool-count"))
    bars = int(middle.number_input("Bars", 1, 64, 2, key="tool-clip-bars"))
    seed = int(right.number_input("Seed", 0, 2**32 - 1, 0, key="tool-seed"))

    def make(made: Recording, folder: Path) -> Made:
        from riffapp.studio import arrange, files

        (folder / "clips").mkdir()
        lines = []
        for k, (start_s, clip, tempo) in enumerate(
            arrange.clips_of(made, count=count, bars=bars, seed=seed), start=1
        ):
            path = folder / "clips" / f"clip-{k:04}.wav"
            files.save_clip(clip, path, bit_depth="16", tempo=tempo)
            lines.append(f"{path.name}: from {start_s:.3f} s")
        return Made(archive=zipped(folder / "clips"), lines=tuple(lines))

    return _finished(make)


# ---- spectrograms -----------------------------------------------------------------------------


def _picture_of_sound() -> Callable[[], Made]:
    given = source()
    stereo = st.checkbox("Stereo: left in green, right in blue", key="tool-stereo")

    def work() -> Made:
        from riffapp.studio import files, pictures

        path, folder = given()
        with folder:
            drawn = pictures.audio_to_image(
                path, stereo=stereo, checkpoint=settings.load().checkpoint
            )
            out = Path(folder.name) / "picture.png"
            files.save_drawing(drawn, out)
            return Made(
                picture=out.read_bytes(), lines=(f"{drawn.image.width} x {drawn.image.height}",)
            )

    return work


def _sound_of_picture() -> Callable[[], Made]:
    given = source()
    bpm = float(st.number_input("BPM (0: its own)", 0.0, 240.0, 0.0, key="tool-bpm"))

    def work() -> Made:
        from riffapp.studio import files, pictures

        path, folder = given()
        with folder:
            played = pictures.image_to_audio(files.open_picture(path), bpm=bpm or None)
            out = Path(folder.name) / "played.wav"
            files.save_clip(played.clip, out, bit_depth="16", tempo=played.tempo)
            return Made.of(out, lines=played.notes)

    return work


TOOLS: dict[str, tuple[str, Tool]] = {
    "Pack": ("Many loops in one go: a matrix of words, and an axis.", _pack),
    "Export": ("A loudness, repeats, a click, a count-in.", _export),
    "Retime": ("Another tempo or pitch, after the fact.", _retime),
    "Stems": ("What sustains and what strikes, apart.", _stems),
    "Clips": ("Clips out of a recording, on its bars; the same again for a seed.", _clips),
    "Sound to picture": ("A spectrogram of any sound.", _picture_of_sound),
    "Picture to sound": ("The sound of a spectrogram, ours or Riffusion's.", _sound_of_picture),
}
