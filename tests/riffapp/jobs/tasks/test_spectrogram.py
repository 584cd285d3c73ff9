"""Pictures of sounds, sounds of pictures, and what is heard in a sound, as tasks."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from audio import files as sounds
from audio import midi, pictures
from audio.codec import analyse, to_image
from audio.detail import TAUGHT, finer
from audio.errors import FileError, ParameterError
from audio.synth import band
from audio.types import RIFFUSION, Clip, SpectrogramParams, Tempo
from riffapp.errors import UsageError
from riffapp.gallery import Work
from riffapp.jobs.tasks.spectrogram import (
    KIND,
    Drawing,
    Hearing,
    OfFile,
    Playing,
    Refining,
)

Performed = Callable[[str, OfFile], list[Work]]


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two bars of the band at 120 bpm in A minor, its picture on the embedded grid beside it."""
    loop = band.render(replace(band.draw(np.random.default_rng(5), bars=2), bpm=120.0))
    path = tmp_path_factory.mktemp("song") / "song.wav"
    sounds.write(path, loop.clip, tempo=loop.tempo)
    shown = analyse(loop.clip, TAUGHT, tempo=loop.tempo, circular=True)
    pictures.write(path.with_suffix(".png"), to_image(shown), TAUGHT, tempo=loop.tempo)
    return path


def named(work: Work, suffix: str) -> Path:
    (found,) = (one.path for one in work.files if one.path.suffix == suffix)
    return found


# ---- pictures ---------------------------------------------------------------------------------


def test_a_loop_is_drawn_on_the_beat_grid(song: Path, tiny: Path, performed: Performed) -> None:
    (work,) = performed(KIND, Drawing(source=song, name="My song.wav", checkpoint=str(tiny)))
    assert work.title == "My song · as a picture"
    drawn = pictures.read(named(work, ".png"))
    assert drawn.image.size == (8 * 16, 32) and drawn.tempo == Tempo(bpm=120, beats=8)
    assert work.facts["told"] == ["128 x 32 pixels, 8 beats at 120 bpm"]


def test_any_other_sound_is_drawn_on_riffusion_s_grid(
    recording: Path, performed: Performed
) -> None:
    (work,) = performed(KIND, Drawing(source=recording, stereo=True))
    drawn = pictures.read(named(work, ".png"))
    assert drawn.tempo is None and drawn.params is not None and drawn.params.stereo
    assert drawn.params.frames == RIFFUSION.frames and drawn.image.height == RIFFUSION.n_mels
    assert work.facts["told"] == [f"{drawn.image.width} x 512 pixels, Riffusion's grid"]


@pytest.mark.parametrize("bpm", [None, 90.0])
def test_a_picture_plays_at_any_tempo_exactly(
    song: Path, performed: Performed, bpm: float | None
) -> None:
    (work,) = performed(KIND, Playing(source=song.with_suffix(".png"), bpm=bpm, quality="draft"))
    tempo = Tempo(bpm=bpm or 120.0, beats=8)
    clip = sounds.read(named(work, ".wav"))
    assert clip.n == tempo.samples(44100) and sounds.read_loop(named(work, ".wav")) == tempo
    assert work.facts["loops"] and work.facts["bpm"] == tempo.bpm
    beside = pictures.read(named(work, ".png"))
    assert beside.tempo == tempo
    assert beside.params == SpectrogramParams.from_json(work.facts["params"])


def test_a_strange_picture_is_taken_for_riffusion_s(tmp_path: Path, performed: Performed) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (512, 64), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "noise.png")
    task = Playing(source=tmp_path / "noise.png", quality="draft", suffix=".flac", bit_depth="24")
    (work,) = performed(KIND, task)
    assert work.lines == ("no parameters in the picture: taken for Riffusion's",)
    assert not work.facts["loops"] and "beats" not in work.facts
    clip = sounds.read(named(work, ".flac"))
    assert work.facts["seconds"] == clip.n / clip.rate


def test_detail_doubles_bands_and_frames_and_keeps_the_length(
    song: Path, performed: Performed
) -> None:
    (work,) = performed(KIND, Refining(source=song.with_suffix(".png"), quality="draft"))
    made = pictures.read(named(work, ".png"))
    assert made.image.size == (512, 256) and made.params == finer(TAUGHT)
    assert sounds.read(named(work, ".wav")).n == Tempo(bpm=120, beats=8).samples(44100)
    assert work.facts["told"] == ["256 x 128 pixels became 512 x 256"]


# ---- hearing ----------------------------------------------------------------------------------


def test_what_is_heard_is_told_and_written(song: Path, performed: Performed) -> None:
    (work,) = performed(KIND, Hearing(source=song, name="song.wav", loop_bars=1))
    report = json.loads(named(work, ".json").read_text())
    told = "\n".join(work.facts["told"])
    assert "Tempo 120.00 bpm (in the file)" in told and "Bar 1 begins at 0.000 s" in told
    assert f"Key {report['key']} (heard)" in told
    assert "Chords: " in told and "Loops from sample " in told
    bpm, notes = midi.read_notes(named(work, ".mid"))
    assert bpm == pytest.approx(120, abs=0.01)
    assert len(notes) >= len(report["melody"]) > 0


def test_without_melody_its_chords_are_the_midi(song: Path, performed: Performed) -> None:
    (work,) = performed(KIND, Hearing(source=song, melody=False))
    assert "Melody" not in "\n".join(work.facts["told"])
    assert midi.read_notes(named(work, ".mid"))[1]


# ---- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "error", "sentence"),
    [
        (lambda s, r: Drawing(source=s, bpm=119.0), UsageError, "which is no whole number"),
        (lambda s, r: Drawing(source=s, bpm=500.0), UsageError, "bpm 500 is outside 40 to 240"),
        (lambda s, r: Playing(source=s, name="a.wav"), UsageError, "^a.wav is no PNG"),
        (
            lambda s, r: Playing(source=s.with_suffix(".png"), suffix=".flac", bit_depth="float"),
            UsageError,
            "FLAC holds 16 or 24 bit",
        ),
        (lambda s, r: Playing(source=s.with_suffix(".png"), bpm=9.0), UsageError, "bpm 9 is"),
        (lambda s, r: Refining(source=r), UsageError, "does not say its tempo"),
        (lambda s, r: Hearing(source=s, loop_bars=0), UsageError, "loops of 0 bars"),
        (lambda s, r: Playing(source=r, bpm=120.0), UsageError, "counted by time"),
    ],
)
def test_what_cannot_be_is_refused_before_it_is_queued(
    song: Path,
    tmp_path: Path,
    task: Callable[[Path, Path], OfFile],
    error: type[Exception],
    sentence: str,
) -> None:
    Image.new("RGB", (64, 512)).save(tmp_path / "plain.png")
    with pytest.raises(error, match=sentence):
        task(song, tmp_path / "plain.png").refuse()


def test_detail_of_another_grid_is_refused(loop: Path) -> None:
    with pytest.raises(ParameterError, match="32 bands: detail was learned on 128 bands"):
        Refining(source=loop.with_suffix(".png")).refuse()


def test_a_sound_that_is_too_long_is_refused_by_its_name(tmp_path: Path) -> None:
    sounds.write(
        tmp_path / "x.wav", Clip(samples=np.zeros((1, 8000 * 1300), np.float32), rate=8000)
    )
    for task in (Drawing, Hearing):
        with pytest.raises(UsageError, match=r"^epic\.wav lasts 22 min: at most 20 min"):
            task(source=tmp_path / "x.wav", name="epic.wav").refuse()


def test_a_damaged_picture_is_refused_by_its_name(tmp_path: Path, song: Path) -> None:
    whole = song.with_suffix(".png").read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileError, match=r"^mine\.png is damaged or cut short"):
        Playing(source=tmp_path / "half.png", name="mine.png").refuse()


def test_what_can_be_is_not_refused(song: Path) -> None:
    for task in (Drawing(source=song), Hearing(source=song, loop_bars=1)):
        task.refuse()
    for task in (Playing, Refining):
        task(source=song.with_suffix(".png")).refuse()
