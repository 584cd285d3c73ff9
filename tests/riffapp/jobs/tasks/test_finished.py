"""What is done with a finished sound, as tasks: exported, retimed, in stems, in clips."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audio import files as sounds
from audio import mix
from audio.errors import ParameterError
from audio.types import Tempo
from riffapp.errors import UsageError
from riffapp.gallery import Work
from riffapp.jobs.tasks.finished import Clipping, Exporting, OfSound, Parting, Stretching
from riffapp.jobs.tasks.rows import ROWS
from riffapp.jobs.tasks.spectrogram import KIND
from riffapp.studio import files
from riffapp.studio.arrange import Cuts, Export, Retiming
from riffapp.studio.pictures import image_to_audio

Performed = Callable[[str, OfSound], list[Work]]


def sound(work: Work) -> Path:
    found = work.file("sound")
    assert found is not None
    return found.path


# ---- exports ----------------------------------------------------------------------------------


def test_an_export_is_as_loud_and_as_long_as_wished(loop: Path, performed: Performed) -> None:
    wish = Export(lufs=-20.0, repeat=3)
    (work,) = performed(KIND, Exporting(source=loop, name="my loop.wav", wish=wish, suffix=".flac"))
    assert work.title == "my loop · exported" and sound(work).suffix == ".flac"
    clip = sounds.read(sound(work))
    assert clip.n == Tempo(bpm=120, beats=24).samples(44100) and work.facts["beats"] == 24
    assert mix.loudness(clip, circular=True).lufs == pytest.approx(-20.0, abs=0.1)
    assert work.facts["told"][0].startswith("-20.0 LUFS, true peak -")


def test_a_count_in_comes_before_and_ends_the_loop(loop: Path, performed: Performed) -> None:
    (work,) = performed(KIND, Exporting(source=loop, wish=Export(click=True, count_in=1)))
    assert work.facts["seconds"] == pytest.approx(6.0) and not work.facts["loops"]
    before = sounds.read(sound(work)).samples[:, : 2 * 44100]
    assert np.abs(before[:, :441]).max() > 0.1  # the first click
    assert np.abs(before[:, 11025:20000]).max() < 1e-3  # and nothing between clicks


def test_an_export_says_what_made_its_loop(loop: Path, performed: Performed) -> None:
    (work,) = performed(KIND, Exporting(source=loop))
    assert files.record_of(sound(work)) == files.record_of(loop)


# ---- tempo and pitch --------------------------------------------------------------------------


def test_a_loop_whose_picture_is_known_is_rendered_anew(loop: Path, performed: Performed) -> None:
    wish = Retiming(bpm=140.0)
    task = Stretching(source=loop, picture=loop.with_suffix(".png"), wish=wish, bit_depth="float")
    (work,) = performed(KIND, task)
    expected = image_to_audio(files.open_picture(loop.with_suffix(".png")), bpm=140.0).clip
    assert np.array_equal(sounds.read(sound(work)).samples, expected.samples)
    assert work.facts["told"] == ["4.000 s became 3.429 s"] and work.facts["bpm"] == 140


def test_any_other_sound_is_stretched(loop: Path, recording: Path, performed: Performed) -> None:
    (work,) = performed(KIND, Stretching(source=loop, wish=Retiming(bpm=140.0)))
    assert sounds.read(sound(work)).n == Tempo(bpm=140, beats=8).samples(44100)
    wish = Retiming(bpm=120.0, from_bpm=100.0)
    (work,) = performed(KIND, Stretching(source=recording, wish=wish))
    assert work.facts["seconds"] == pytest.approx(Tempo(bpm=120, beats=11).duration_s, abs=1e-3)
    assert not work.facts["loops"]


def test_pitch_moves_alone(loop: Path, performed: Performed) -> None:
    (work,) = performed(KIND, Stretching(source=loop, wish=Retiming(semitones=3.0)))
    before, after = sounds.read(loop), sounds.read(sound(work))
    assert before.n == after.n and np.abs(before.samples - after.samples).max() > 0.01


# ---- stems and clips --------------------------------------------------------------------------


def test_stems_sum_to_the_sound_on_one_clock(loop: Path, performed: Performed) -> None:
    (work,) = performed(KIND, Parting(source=loop, bit_depth="float"))
    parts = {one.name: sounds.read(one.path).samples for one in work.files if one.role == "part"}
    assert list(parts) == ["Harmonic", "Percussive"]
    assert sound(work).read_bytes() == loop.read_bytes()
    whole = sounds.read(loop).samples
    assert np.abs(sum(parts.values()) - whole).max() < 1e-3 * np.abs(whole).max()
    assert work.facts["beats"] == 8


def test_clips_lie_on_bars_and_are_in_the_archive(loop: Path, performed: Performed) -> None:
    wish = Cuts(count=3, bars=1, seed=4)
    (work,) = performed(KIND, Clipping(source=loop, wish=wish))
    rows, whole = work.facts[ROWS], sounds.read(loop).samples
    assert len(rows) == 3
    for row in rows:
        clip = sounds.read(work.files[row["sound"]].path).samples
        start = float(row["title"].rpartition("from ")[2].removesuffix(" s"))
        assert start in (0.0, 2.0)
        first = round(start * 44100)
        assert np.abs(clip - whole[:, first : first + clip.shape[1]]).max() < 2 / 32768
    archive = work.file("archive")
    assert archive is not None
    with zipfile.ZipFile(archive.path) as stored:
        assert stored.namelist() == ["clip-001.wav", "clip-002.wav", "clip-003.wav"]


def test_clips_anywhere_have_their_length(recording: Path, performed: Performed) -> None:
    (work,) = performed(KIND, Clipping(source=recording, wish=Cuts(count=2, duration_ms=250.0)))
    assert [work.facts["seconds"], "beats" in work.facts] == [0.25, False]


# ---- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "error", "sentence"),
    [
        (
            lambda loop, hum: Exporting(source=hum, name="hum.wav", wish=Export(click=True)),
            UsageError,
            "^hum.wav says no tempo: a click needs one",
        ),
        (lambda loop, hum: Exporting(source=hum, wish=Export(repeat=0)), UsageError, "0 repeats"),
        (lambda loop, hum: Exporting(source=hum, wish=Export(lufs=9.0)), ParameterError, "give -"),
        (
            lambda loop, hum: Exporting(source=loop, wish=Export(count_in=9)),
            ParameterError,
            "a count-in of 9 bars",
        ),
        (
            lambda loop, hum: Exporting(source=loop, suffix=".flac", bit_depth="float"),
            UsageError,
            "FLAC holds 16 or 24 bit",
        ),
        (
            lambda loop, hum: Stretching(source=hum, name="hum.wav", wish=Retiming(bpm=90.0)),
            UsageError,
            "^hum.wav says no tempo: say which one it has",
        ),
        (lambda loop, hum: Stretching(source=loop, wish=Retiming(bpm=1.0)), UsageError, "bpm 1 is"),
        (
            lambda loop, hum: Stretching(source=loop, wish=Retiming(semitones=30.0)),
            ParameterError,
            "30 semitones",
        ),
        (
            lambda loop, hum: Parting(source=loop, model="htdemucs"),
            UsageError,
            "no folder with the files of htdemucs",
        ),
        (lambda loop, hum: Clipping(source=loop, wish=Cuts(count=0)), UsageError, "0 clips"),
        (lambda loop, hum: Clipping(source=loop, wish=Cuts(bars=0)), UsageError, "of 0 bars"),
        (lambda loop, hum: Clipping(source=loop, wish=Cuts(bpm=9.0)), UsageError, "bpm 9 is"),
        (lambda loop, hum: Clipping(source=loop, wish=Cuts(seed=-1)), UsageError, "seed -1"),
        (
            lambda loop, hum: Clipping(source=loop, wish=Cuts(duration_ms=0.0)),
            UsageError,
            "clips of 0 ms",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_it_is_queued(
    loop: Path,
    recording: Path,
    task: Callable[[Path, Path], OfSound],
    error: type[Exception],
    sentence: str,
) -> None:
    with pytest.raises(error, match=sentence):
        task(loop, recording).refuse()


def test_what_only_hearing_can_tell_is_refused_by_name(
    recording: Path, performed: Performed
) -> None:
    task = Clipping(source=recording, name="hum.wav", wish=Cuts(bars=500, bpm=100.0))
    task.refuse()
    with pytest.raises(UsageError, match="clips of 500 bars: the sound has 2 whole ones"):
        performed(KIND, task)


def test_what_can_be_is_not_refused(loop: Path) -> None:
    for kind in (Exporting, Stretching, Parting, Clipping):
        kind(source=loop).refuse()


def test_a_file_has_the_ending_that_fits_its_bytes(loop: Path) -> None:
    for name, shown in (("a/b\\c.mp3", "c.wav"), ("", loop.name), ("...", loop.name)):
        assert replace(Exporting(source=loop), name=name).shown == shown
